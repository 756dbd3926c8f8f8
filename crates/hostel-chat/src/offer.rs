//! Calls of tools that run in a page, offered again to pages of the AI SDK 5.
//!
//! Such a page runs a tool and says its result once, whether or not that arrives: lost with the socket, it is said by nobody, while the
//! page shows it. What is not among its messages it forgets to have run. So a page that comes back is shown the conversation without the
//! calls that still wait, and then with them.

use hostel::{
    Result,
    host::Host,
    protocol::chat::{ToolState, UiMessage},
};
use serde_json::Value;

use crate::{
    out::Audience,
    store::turns::{self, State},
};

/// Has pages that may have lost what they said forget that they said it. The transcript is to follow.
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
    let Some((last, before)) = texts.split_last() else { return Ok(None) };
    let Ok(mut last) = UiMessage::parse(last) else { return Ok(None) };
    let said = last.parts.len();
    last.parts.retain(|part| !waits(part));
    if last.parts.len() == said {
        return Ok(None);
    }
    let is_over = |state| matches!(state, State::Done | State::Suspended | State::Waiting);
    let turn = turns::of_message(host, &last.id)?.filter(|turn| is_over(turn.state));
    Ok(turn.map(|_| before.iter().cloned().chain([last.to_json()]).collect()))
}

/// Whether a call waits for its result. One that waits for somebody's yes does not.
fn waits(part: &Value) -> bool {
    ToolState::of(part) == Some(ToolState::InputAvailable)
}
