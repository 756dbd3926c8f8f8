//! Calls of tools that run in a page, offered again to pages that may have lost what they said of them.
//!
//! A page runs a tool and says its result once, whether or not that arrives: lost with the socket or with the process, it is said by
//! nobody, while the page shows it. What is not among its messages it forgets to have run. So a page that comes back is shown the
//! conversation without the calls that still wait, and then with them. A result that has arrived is asked for by nobody.

use hostel::{
    Result,
    connection::{ConnectionKey, ConnectionRecord},
    host::Host,
    protocol::chat::{ToolState, UiMessage, message_updated},
};
use serde_json::Value;

use crate::{
    memory::{Live, Talk},
    out::{self, Audience},
    store::{
        transcript,
        turns::{self, State, Turn},
    },
};

/// Pages that are remembered to have been shown the calls of an answer.
const MOST_PAGES: usize = 64;

/// Has pages of the AI SDK 5 that may have lost what they said forget that they said it. The transcript is to follow.
pub(crate) fn again(host: &dyn Host, to: &Audience, texts: &[String]) -> Result<()> {
    if to.strict.is_empty() {
        return Ok(());
    }
    match without_calls(host, texts)? {
        Some(texts) => to.strict_alone().send_transcript(host, || Ok(texts)),
        None => Ok(()),
    }
}

/// The transcript without the calls at its end that wait for a page, if there are any and the answer that made them is over.
pub(crate) fn without_calls(host: &dyn Host, texts: &[String]) -> Result<Option<Vec<String>>> {
    let Some((_, before)) = texts.split_last() else { return Ok(None) };
    let waiting = waiting(host, texts)?;
    Ok(waiting.map(|(last, _)| before.iter().cloned().chain([last.to_json()]).collect()))
}

/// What a page of today is told as it comes back, for it to forget the calls it has run. The transcript is to follow.
///
/// One that has not been here since the calls were made has run none: it is loaded now, and would run them twice. It is remembered, but
/// only in memory: whoever comes writes nothing, also to read on a full disk. Whoever asked has been here, and may have run a call before the answer was over.
pub(crate) fn forget(host: &dyn Host, record: &ConnectionRecord, texts: &[String]) -> Result<Option<String>> {
    let Some((last, turn)) = waiting(host, texts)? else { return Ok(None) };
    let asker = turns::last_asked(host)?.and_then(|turn| turn.ask.page);
    let talk = Talk::of(host);
    let (n, shown) = &mut talk.lock().shown;
    if std::mem::replace(n, turn.n) != turn.n {
        shown.clear();
    }
    if turn.ask.shown_to.iter().chain(&asker).chain(&*shown).any(|page| **page == *record.id) {
        return Ok(Some(message_updated(&last)));
    }
    add(shown, [&*record.id]);
    Ok(None)
}

/// An answer is over. Pages of today that came in the middle of it forget what they have run of its calls before they hear the end,
/// since until then the newest of them run none; everybody who is here is remembered to have been shown them.
pub(crate) fn ended(host: &dyn Host, live: &Live, behind: &Audience) -> Result<()> {
    let message = live.fold.message();
    if calls(message).is_empty() {
        return Ok(());
    }
    if !out::is_too_long(&transcript::texts(host)?) {
        behind.tolerant.iter().for_each(|key| forget_found(host, live, *key));
    }
    let Some(turn) = turns::get(host, live.n)? else { return Ok(()) };
    let here = host.connections();
    remember(host, turn, here.iter().map(|record| &*record.id))
}

/// Has a page forget the calls that waited when it came. Of those that were made since, nothing it said is lost; some run them at once,
/// and would run them twice.
fn forget_found(host: &dyn Host, live: &Live, key: ConnectionKey) {
    let Some(found) = live.found.get(&key) else { return };
    if let Some(last) = stripped(live.fold.message().clone(), |call| found.iter().any(|id| *id == call)) {
        Audience::of(host, |other| other == key).send(host, &message_updated(&last));
    }
}

fn remember<'a>(host: &dyn Host, mut turn: Turn, pages: impl IntoIterator<Item = &'a str>) -> Result<()> {
    add(&mut turn.ask.shown_to, pages);
    turns::set_ask(host, turn.n, &turn.ask)
}

/// Adds pages, and forgets those that were added longest ago.
fn add<'a>(shown_to: &mut Vec<String>, pages: impl IntoIterator<Item = &'a str>) {
    for page in pages {
        shown_to.retain(|other| other != page);
        shown_to.push(page.to_owned());
    }
    shown_to.drain(..shown_to.len().saturating_sub(MOST_PAGES));
}

/// The last message without the calls that wait for a page, and the turn that made them, if there are any and it is over. None of a
/// transcript that is not pushed: what is taken away would not come back.
fn waiting(host: &dyn Host, texts: &[String]) -> Result<Option<(UiMessage, Turn)>> {
    let last = texts.last().filter(|_| !out::is_too_long(texts)).and_then(|last| UiMessage::parse(last).ok());
    let Some(last) = last.and_then(|last| stripped(last, |_| true)) else { return Ok(None) };
    let is_over = |state| matches!(state, State::Done | State::Suspended | State::Waiting);
    let turn = turns::of_message(host, &last.id)?.filter(|turn| is_over(turn.state));
    Ok(turn.map(|turn| (last, turn)))
}

/// The calls of a message that wait for a page.
pub(crate) fn calls(message: &UiMessage) -> Vec<String> {
    let waiting = message.parts.iter().filter(|part| waits(part));
    waiting.filter_map(|part| part["toolCallId"].as_str()).map(str::to_owned).collect()
}

/// A message without those calls that wait for a page, if it has any of them.
fn stripped(mut message: UiMessage, which: impl Fn(&str) -> bool) -> Option<UiMessage> {
    let said = message.parts.len();
    message.parts.retain(|part| !(waits(part) && which(part["toolCallId"].as_str().unwrap_or_default())));
    (message.parts.len() < said).then_some(message)
}

/// Whether a call waits for its result. One that waits for somebody's yes does not.
fn waits(part: &Value) -> bool {
    ToolState::of(part) == Some(ToolState::InputAvailable)
}

#[cfg(test)]
mod tests {
    use super::{MOST_PAGES, add};

    #[test]
    fn the_newest_different_pages_are_remembered() {
        let mut pages = vec!["old".to_owned(), "back".to_owned()];
        let more: Vec<_> = (0..MOST_PAGES - 1).map(|n| n.to_string()).collect();
        for _ in 0..2 {
            add(&mut pages, ["back"].into_iter().chain(more.iter().map(String::as_str)));
        }
        assert_eq!(pages.len(), MOST_PAGES);
        assert_eq!((pages[0].as_str(), &pages[1..]), ("back", &more[..]));
    }
}
