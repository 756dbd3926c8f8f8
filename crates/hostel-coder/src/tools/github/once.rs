//! Writing to GitHub once: what was done before a crash, or before an answer was lost, is looked for and not done again.

use hostel::Result;
use hostel_github::{GithubError, Page};
use serde::Serialize;
use serde_json::{Value, json};

use super::super::Call;
use crate::{
    github::told,
    ledger::{self, Found},
};

/// How many pages are looked through for what was made.
const PAGES: u32 = 5;

/// Does `write` at most once for this call. `look` finds what it made, if it did.
pub(super) async fn once<W, L, F>(cx: &Call, step: &str, about: Value, write: W, look: L) -> Result<Value>
where
    W: Future<Output = Result<Value, GithubError>>,
    L: Fn(Value) -> F,
    F: Future<Output = Result<Option<Value>, GithubError>>,
{
    let plan = async { Ok((about.clone(), ())) };
    let work = |()| async {
        match write.await {
            // The answer was lost: that does not tell whether it was done.
            Err(error) if error.may_be_done() => match look(about.clone()).await {
                Ok(Some(made)) => Ok(made),
                _ => Err(told(error)),
            },
            written => written.map_err(told),
        }
    };
    let check = |about: Value| async {
        let found = look(about).await.map_err(told)?;
        Ok(found.map_or(Found::NotDone, Found::Done))
    };
    ledger::planned(cx, step, plan, work, check).await
}

/// A text with a mark that nobody sees, by which it is found again.
pub(super) fn marked(text: &str, mark: &str) -> String {
    format!("{}\n\n<!-- hostel:{mark} -->", text.trim_end())
}

/// Whether a text has the mark.
pub(super) fn has_mark(text: Option<&str>, mark: &str) -> bool {
    text.is_some_and(|text| text.contains(&format!("<!-- hostel:{mark} -->")))
}

/// The first that `is_ours` of what is listed page by page, from its first page on.
pub(super) async fn found_in<T, L, F>(list: L, is_ours: impl Fn(&T) -> bool) -> Result<Option<Value>, GithubError>
where
    T: Serialize,
    L: Fn(Option<u32>) -> F,
    F: Future<Output = Result<Page<T>, GithubError>>,
{
    let mut page = None;
    for _ in 0..PAGES {
        let found = list(page).await?;
        if let Some(ours) = found.items.iter().find(|item| is_ours(item)) {
            return Ok(Some(json!(ours)));
        }
        page = found.next;
        if page.is_none() {
            break;
        }
    }
    Ok(None)
}

/// From when on to look for what was made after `about` was written down: the clocks may differ.
pub(super) fn since(cx: &Call) -> Value {
    let earlier = cx.now().as_second() - 15 * 60;
    Value::from(earlier)
}

/// The same, read back.
pub(super) fn since_of(about: &Value) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_second(about["since"].as_i64()?).ok()
}
