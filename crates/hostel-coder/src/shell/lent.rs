//! Commands in the background of machines that are lent: started once, found again when the server or the connection comes back.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hostel::{Cx, Result};
use serde_json::{Value, json};

use super::{MOST, REMEMBERED, Row, Rows, Shell, shell};
use crate::{
    CoderAgent,
    hands::{self, Begin, Far, Ordered, Stage, There},
    ledger::Found,
    told::{self, News},
    tools::{Call, refused, run},
};

/// Those of one agent that this process follows, by the numbers that the agent gave them.
#[derive(Debug, Default)]
pub(super) struct Fars(BTreeMap<i64, Arc<Far>>);

impl Fars {
    pub(super) fn find(&self, number: i64) -> Option<Arc<Far>> {
        self.0.get(&number).cloned()
    }

    pub(super) fn forget(&mut self, number: i64) {
        self.0.remove(&number);
    }

    /// How many are not over.
    pub(super) fn running(&self) -> usize {
        self.0.values().filter(|far| far.ended().is_none()).count()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Far>> {
        self.0.values()
    }

    /// Forgets the oldest that are over.
    pub(super) fn trim(&mut self) {
        let over: Vec<i64> =
            self.0.iter().filter(|(_, far)| far.ended().is_some()).map(|(number, _)| *number).collect();
        for number in over.iter().take(over.len().saturating_sub(REMEMBERED)) {
            self.0.remove(number);
        }
    }

    /// The one with this number; followed now, if it is not yet, or was lost.
    fn follow(&mut self, number: i64, follow: impl FnOnce() -> Arc<Far>) -> Arc<Far> {
        if let Some(far) = self.0.get(&number).filter(|far| !far.is_lost()) {
            return Arc::clone(far);
        }
        let far = follow();
        let before = self.0.insert(number, Arc::clone(&far));
        // Somebody had wanted it to end while its machine was away.
        if before.is_some_and(|before| before.is_unwanted()) {
            far.cancel();
        }
        far
    }
}

/// A machine is there, perhaps again: what runs on it is followed.
pub(crate) fn follow_again(cx: &Cx<CoderAgent>, there: &There) -> Result<()> {
    let of_it: Vec<_> = Rows(cx).ordered()?.into_iter().filter(|(_, ordered)| there.has(ordered)).collect();
    if of_it.is_empty() {
        return Ok(());
    }
    let shell = shell(cx)?;
    for (number, ordered) in of_it {
        shell.fars().follow(number, || there.clone().resume(cx, ordered));
    }
    told::tell(cx, News::Terminals);
    Ok(())
}

/// Whether it runs on a machine that is lent. What cannot be read counts as such.
pub(crate) fn is_lent(cx: &Cx<CoderAgent>, number: Option<i64>) -> bool {
    let Some(number) = number else { return false };
    Rows(cx).far(number).map_or(true, |far| far.is_some())
}

/// Has one begin there, for a call of the model, and answers its number once it runs.
pub(super) async fn begun(cx: &Call, there: There, begin: Begin) -> Result<Value> {
    let shell = shell(cx)?;
    shell.fars().trim();
    check_room(&shell)?;
    let ordered = Ordered::by(cx, &there.about());
    let number = add(cx, &begin.line, begin.terminal, &ordered)?;
    cx.durable().await?;
    let far = shell.fars().follow(number, || there.begin(cx, ordered, begin));
    told::tell(cx, News::Terminals);
    match settled(cx, &far).await? {
        Stage::Refused(why) => {
            forget(cx, &shell, number)?;
            Err(hands::not_there(&why))
        }
        _ => Ok(answer(number, &far)),
    }
}

fn check_room(shell: &Shell) -> Result<()> {
    match shell.fars().running() {
        many if many < MOST => Ok(()),
        many => {
            let why = format!("{many} commands run in the background of lent machines, which is as many as may.");
            Err(refused(why, "end one first"))
        }
    }
}

fn add(cx: &Call, line: &str, terminal: bool, ordered: &Ordered) -> Result<i64> {
    let row = Row { title: line.to_owned(), call: Some(cx.call_id().to_owned()), terminal };
    Rows(cx).add_far(&row, ordered)
}

fn forget(cx: &Call, shell: &Shell, number: i64) -> Result<()> {
    shell.fars().forget(number);
    told::tell(cx, News::Terminals);
    Rows(cx).remove(number)
}

/// Waits until it is known whether it runs. If nobody waits any longer, it is not to.
async fn settled(cx: &Call, far: &Arc<Far>) -> Result<Stage> {
    struct Waits<'a>(&'a Far, bool);
    impl Drop for Waits<'_> {
        fn drop(&mut self) {
            if !self.1 {
                self.0.cancel();
            }
        }
    }
    let mut waits = Waits(far, false);
    let stage = far.known(|text| run::show(cx, text)).await?;
    waits.1 = true;
    Ok(stage)
}

fn answer(number: i64, far: &Far) -> Value {
    let ended = far.ended();
    json!({"id": number, "running": ended.is_none(), "ended": ended, "on": far.name()})
}

/// What became of one that was ordered before a crash.
pub(super) async fn found(cx: &Call, about: &Value) -> Result<Found> {
    let number = Rows(cx).of_call(cx.call_id())?;
    let on = &about["hands"];
    let there = match hands::again(cx, on).await? {
        Ok(there) => there,
        Err(why) => {
            let ended = format!("may or may not have been started: {why}. It was not started again");
            return Ok(Found::Done(json!({"id": number, "running": false, "ended": ended})));
        }
    };
    let (shell, ordered) = (shell(cx)?, Ordered::by(cx, on));
    let line = about["command"].as_str().unwrap_or_default();
    let number = match number {
        Some(number) => number,
        None => add(cx, line, about["terminal"] == true, &ordered)?,
    };
    let far = shell.fars().follow(number, || there.resume(cx, ordered));
    Ok(match settled(cx, &far).await? {
        Stage::Never => {
            forget(cx, &shell, number)?;
            Found::NotDone
        }
        Stage::Refused(why) => {
            forget(cx, &shell, number)?;
            let ended = format!("was not run by the machine that is lent: {why}");
            Found::Done(json!({"running": false, "ended": ended}))
        }
        _ => Found::Done(answer(number, &far)),
    })
}

/// The one with this number, waited for for so long; nothing if its machine does not come with it.
pub(super) async fn find(cx: &Cx<CoderAgent>, number: i64, patience: Duration) -> Result<Option<Arc<Far>>> {
    let shell = shell(cx)?;
    let known = shell.fars().find(number).filter(|far| !far.is_lost());
    if known.is_some() {
        return Ok(known);
    }
    let Some(ordered) = Rows(cx).far(number)? else { return Ok(None) };
    let there = ordered.there(cx, patience).await?;
    Ok(there.map(|there| shell.fars().follow(number, || there.resume(cx, ordered))))
}

/// How one is that this process does not follow, for people.
pub(super) fn unknown_end(ordered: &Ordered) -> String {
    let name = &ordered.choice.name;
    format!("may or may not have ended: the server was started anew, and {name} has not come back with it")
}
