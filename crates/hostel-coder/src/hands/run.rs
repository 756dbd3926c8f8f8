//! A command on a machine that is lent: ordered once, followed to its end, found again after a crash.

use std::{sync::Arc, time::Duration};

use hostel::{Cx, Error, Result};
use serde_json::{Value, json};

use super::{Choice, HandsOrder, There, chosen, follow::Followed, patience, seats, there};
use crate::{
    CoderAgent,
    ledger::{self, Found},
    tools::{
        Call, refused,
        run::{Said, last_said, show},
    },
};

/// How long a call of a person may take, with whoever is asked there.
pub(super) const PATIENCE: Duration = Duration::from_secs(10 * 60);
/// How much longer than it may run a command may seem to.
pub(crate) const SLACK: Duration = Duration::from_secs(60);
/// How much a command may say.
const OUTPUT: u64 = 16 << 20;

/// What is asked for.
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) directory: String,
    pub(crate) time: Duration,
}

/// The step of a call that has something done elsewhere.
pub(super) const STEP: &str = "hands";

impl There {
    /// Runs it there, for a call of the model.
    pub(crate) async fn run(self, cx: &Call, asked: Asked) -> Result<Value> {
        let run = order(ledger::mark(cx, STEP), asked);
        match self.follow(run, Said::default(), patience(cx), |text| show(cx, text)).await? {
            Followed::Done(value) => Ok(value),
            Followed::Refused(why) => Err(not_there(&why)),
            Followed::Never => Err(Error::msg("The machine does not know its own order.")),
            Followed::Lost(why, output) => Ok(lost(&why, &output)),
        }
    }
}

fn order(id: String, asked: Asked) -> HandsOrder {
    let Asked { line, directory, time } = asked;
    let seconds = time.as_secs().max(1);
    HandsOrder::Run { id, command: line, directory, seconds, output_bytes: OUTPUT, background: false, terminal: false }
}

pub(crate) fn not_there(why: &str) -> Error {
    refused(format!("The machine that is lent did not run it: {why}"), "do without it, or ask what is wanted")
}

fn lost(why: &str, output: &str) -> Value {
    json!({"exitCode": null, "success": false, "output": output, "ended": format!(
        "may or may not have ended: {why}. Some or all of what it does may be done, and it was not run again. \
         The output is what it said before. Find out how things are before you do it again")})
}

/// What a ledger's entry says of the machine: which one, and which run of its program.
pub(super) fn written(about: &Value) -> (Choice, String) {
    let text = |name: &str| about[name].as_str().map(str::to_owned);
    (Choice { name: text("name").unwrap_or_default(), lender: text("lender") }, text("instance").unwrap_or_default())
}

/// The machine that something was ordered of before a crash, if it is there and still the same; else why nobody knows what became of it.
pub(crate) async fn again(cx: &Call, about: &Value) -> Result<Result<There, String>> {
    let (choice, instance) = written(about);
    let seats = seats(cx)?;
    let name = choice.name.clone();
    let Some(machine) = seats.wait(&choice, patience(cx)).await else {
        return Ok(Err(format!("the server stopped meanwhile, and {name} has not come back since")));
    };
    if machine.offer.instance != instance {
        return Ok(Err(format!("the server stopped meanwhile, and {name} was started anew since")));
    }
    Ok(Ok(There { seats, choice, machine }))
}

/// What became of a command that was ordered before a crash.
pub(crate) async fn found(cx: &Call, about: &Value) -> Result<Found> {
    let there = match again(cx, about).await? {
        Ok(there) => there,
        Err(why) => return unknown(cx, &why),
    };
    let tell = HandsOrder::Tell { id: ledger::mark(cx, STEP), from: 0 };
    Ok(match there.follow(tell, Said::default(), patience(cx), |text| show(cx, text)).await? {
        Followed::Done(value) => Found::Done(value),
        Followed::Never => Found::NotDone,
        Followed::Refused(why) => Found::Done(json!({"exitCode": null, "success": false, "output": "",
            "ended": format!("was not run by the machine that is lent: {why}")})),
        Followed::Lost(why, output) if output.is_empty() => return unknown(cx, &why),
        Followed::Lost(why, output) => Found::Done(lost(&why, &output)),
    })
}

fn unknown(cx: &Call, why: &str) -> Result<Found> {
    Ok(Found::Done(lost(why, &last_said(cx)?.unwrap_or_default())))
}

/// Lets the machine forget what is known for good here.
pub(crate) fn settle(cx: &Call) {
    let Ok(Some(choice)) = chosen(cx) else { return };
    let there = seats(cx).ok().and_then(|seats| seats.find(&choice));
    if let Some(machine) = there {
        machine.order(HandsOrder::Forget { id: ledger::mark(cx, STEP) });
    }
}

/// Runs a command there for a person who calls; nothing if commands run in the sandbox.
pub(crate) async fn executed(cx: &Cx<CoderAgent>, asked: Asked) -> Result<Option<Value>> {
    let Some(there) = there(cx, |_| Ok(())).await? else { return Ok(None) };
    let machine = Arc::clone(&there.machine);
    let id = some_id(cx);
    let run = order(id.clone(), asked);
    let followed = there.follow(run, Said::default(), patience(cx), |_| Ok(()));
    let followed = tokio::time::timeout(PATIENCE, followed).await.map_err(|_| silent())??;
    machine.order(HandsOrder::Forget { id });
    match followed {
        Followed::Done(value) => Ok(Some(value)),
        Followed::Refused(why) => Err(not_there(&why)),
        Followed::Never => Err(Error::msg("The machine does not know its own order.")),
        Followed::Lost(why, output) => Ok(Some(lost(&why, &output))),
    }
}

/// An id for what no call that comes again has ordered.
pub(super) fn some_id(cx: &Cx<CoderAgent>) -> String {
    data_encoding::HEXLOWER.encode(&cx.random::<8>())
}

pub(super) fn silent() -> Error {
    Error::msg("The machine that is lent said nothing for too long.")
}
