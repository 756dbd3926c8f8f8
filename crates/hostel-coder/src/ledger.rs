//! The ledger: what a tool is about to do to the world is written down, durably, before it does it, and what came of it
//! afterwards. After a crash the same call finds its entry and looks whether it happened, instead of guessing.
//!
//! Tools that use it are `.resumable()`: they are called again after a crash, in their turn, never beside others. A call that
//! does several things gives each a name of its own: its step.
//!
//! | the entry | what a call that comes again does |
//! | --- | --- |
//! | is not there | everything: nothing had been begun |
//! | has no result | checks the world: done, not done (then it is done now), or unknown, which is an error in words |
//! | has a result | answers it |

use std::future::Future;

use hostel::{Error, Result, SqlValue};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{snapshots, tools::Call};

const TABLE: &str =
    "create table if not exists coder_ledger (call text not null, step text not null, turn text not null,
    about text not null, result text, at integer not null, primary key (call, step))";
const THERE: &str = "select 1 from sqlite_master where type = 'table' and name = 'coder_ledger'";
const FIND: &str = "select about, result from coder_ledger where call = ? and step = ? and turn = ?";
/// Of what is over, only the turn under way can still be asked about; an id that comes again in another turn is another call.
const FORGET: &str = "delete from coder_ledger where turn <> ?1 and (call = ?2 or result is not null)";
const BEGIN: &str = "insert or replace into coder_ledger (call, step, turn, about, at) values (?, ?, ?, ?, ?)";
const END: &str = "update coder_ledger set result = ? where call = ? and step = ?";

/// What a look at the world says of an action that may have happened.
pub(crate) enum Found {
    /// It happened; this is what it came to.
    Done(Value),
    /// It did not.
    NotDone,
    /// Nobody can tell; why, as a sentence.
    Unknown(String),
}

/// Does `work` at most once for this call. The intent is durable before, with `about`: what `check` needs to tell whether it
/// happened, such as hashes of the files before. The result is durable when this returns.
///
/// # Errors
/// Those of `work`, again after a crash; that it may or may not have happened; or a storage code.
///
/// # Cancel safety
/// Dropped, what was begun may or may not be done, as with any tool that is stopped.
#[allow(dead_code, reason = "for tools that know at once what they are about to do")]
pub(crate) async fn once<W, C, F>(cx: &Call, about: Value, work: W, check: C) -> Result<Value>
where
    W: Future<Output = Result<Value>>,
    C: FnOnce(Value) -> F,
    F: Future<Output = Result<Found>>,
{
    planned(cx, "", async { Ok((about, ())) }, |()| work, check).await
}

/// [`once`] for a step of a call, where what is written down has to be found out first. `plan` is not asked if a crash came after it:
/// by then the world may be another.
pub(crate) async fn planned<P, L, W, D, C, F>(cx: &Call, step: &str, plan: L, work: W, check: C) -> Result<Value>
where
    L: Future<Output = Result<(Value, P)>>,
    W: FnOnce(P) -> D,
    D: Future<Output = Result<Value>>,
    C: FnOnce(Value) -> F,
    F: Future<Output = Result<Found>>,
{
    match find(cx, step)? {
        Some(Entry { result: Some(result), .. }) => return read(&result),
        Some(Entry { about, result: None }) => match check(about).await? {
            Found::Done(value) => return end(cx, step, Ok(value)).await,
            Found::NotDone => {}
            Found::Unknown(why) => return end(cx, step, Err(uncertain(&why))).await,
        },
        None => {}
    }
    snapshots::before(cx).await;
    let (about, ready) = plan.await?;
    begin(cx, step, &about)?;
    cx.durable().await?;
    let outcome = work(ready).await;
    end(cx, step, outcome).await
}

/// Whether a crash has left an entry for this step of the call.
pub(crate) fn has(cx: &Call, step: &str) -> Result<bool> {
    Ok(find(cx, step)?.is_some())
}

/// A name for what this step leaves beside its files, the same when the call comes again: letters and digits.
pub(crate) fn mark(cx: &Call, step: &str) -> String {
    let mut hash = Sha256::new();
    for part in [cx.turn_id(), cx.call_id(), step] {
        hash.update(part);
        hash.update([0]);
    }
    data_encoding::HEXLOWER.encode(&hash.finalize()[..8])
}

struct Entry {
    about: Value,
    result: Option<String>,
}

/// The entry of an earlier attempt. Without one nothing is read.
fn find(cx: &Call, step: &str) -> Result<Option<Entry>> {
    if !cx.is_again() || cx.sql(THERE, ())?.is_empty() {
        return Ok(None);
    }
    let rows = cx.sql(FIND, (cx.call_id(), step, cx.turn_id()))?;
    let entry = |row: hostel::Row<'_>| {
        let about: String = row.get("about")?;
        Ok(Entry { about: serde_json::from_str(&about)?, result: row.get("result")? })
    };
    rows.iter().next().map(entry).transpose()
}

fn begin(cx: &Call, step: &str, about: &Value) -> Result<()> {
    let now = cx.now().as_millisecond();
    let params: [SqlValue; 5] =
        [cx.call_id().into(), step.into(), cx.turn_id().into(), about.to_string().into(), now.into()];
    cx.try_update(|_| {
        cx.sql(TABLE, ())?;
        cx.sql(FORGET, (cx.turn_id(), cx.call_id()))?;
        cx.sql(BEGIN, params.as_slice()).map(drop)
    })
}

/// Writes down what came of it, a failure as well: it is the answer if the call comes again.
async fn end(cx: &Call, step: &str, outcome: Result<Value>) -> Result<Value> {
    let result = match &outcome {
        Ok(value) => json!({"done": value}),
        Err(error) => json!({"failed": error.message(), "fix": error.fix()}),
    };
    cx.sql(END, (result.to_string(), cx.call_id(), step))?;
    cx.durable().await?;
    outcome
}

fn read(result: &str) -> Result<Value> {
    let mut result: Value = serde_json::from_str(result)?;
    if let Some(why) = result["failed"].as_str() {
        let error = Error::msg(why);
        return Err(match result["fix"].as_str() {
            Some(fix) => error.with_fix(fix),
            None => error,
        });
    }
    Ok(result["done"].take())
}

fn uncertain(why: &str) -> Error {
    let message = format!("The server stopped while this was being done, so it may or may not have happened. {why}");
    Error::msg(message).with_fix("find out how things are before you do it again")
}
