//! Typing into a command in the background of a machine that is lent: once, also if the call comes again.

use std::{sync::Arc, time::Duration};

use hostel::{Cx, Error, Result};
use serde_json::{Value, json};

use super::{
    HandsOrder, Ordered, There,
    follow::Followed,
    patience,
    run::{PATIENCE, STEP, again, silent, some_id},
};
use crate::{
    CoderAgent,
    ledger::{self, Found},
    tools::{
        Call, refused,
        run::{Said, show},
    },
};

impl Ordered {
    fn input(&self, id: String, text: String, end: bool) -> HandsOrder {
        HandsOrder::Input { id, of: self.id.clone(), text, end }
    }

    async fn reached(&self, cx: &Cx<CoderAgent>) -> Result<There> {
        let there = self.there(cx, patience(cx)).await?;
        there.ok_or_else(|| {
            let why =
                format!("It runs, or ran, on {:?}, which is not there with it. Nothing was typed.", self.choice.name);
            refused(why, "ask for `hostel hands` there, or start it again")
        })
    }

    /// Types for a person.
    pub(crate) async fn typed_by_hand(&self, cx: &Cx<CoderAgent>, text: String) -> Result<()> {
        let there = self.reached(cx).await?;
        let (id, machine) = (some_id(cx), Arc::clone(&there.machine));
        let input = self.input(id.clone(), text, false);
        let typing = there.follow(input, Said::default(), patience(cx), |_| Ok(()));
        let typed = tokio::time::timeout(PATIENCE, typing).await.map_err(|_| silent())??;
        machine.order(HandsOrder::Forget { id });
        given(typed).map(drop)
    }

    /// Types for a call of the model, once, although the call may come again.
    pub(crate) async fn typed(&self, cx: &Call, text: String, end: bool) -> Result<Value> {
        let plan = async {
            let there = self.reached(cx).await?;
            Ok((there.about(), there))
        };
        let id = ledger::mark(cx, STEP);
        let input = self.input(id.clone(), text, end);
        let work = |there: There| async move {
            given(there.follow(input, Said::default(), patience(cx), |text| show(cx, text)).await?)
        };
        let sent = ledger::planned(cx, "", plan, work, |about| typed_before(cx, about)).await?;
        if let Some(there) = self.there(cx, Duration::ZERO).await? {
            there.machine.order(HandsOrder::Forget { id });
        }
        Ok(sent)
    }
}

/// What became of an input that was ordered before a crash.
async fn typed_before(cx: &Call, about: Value) -> Result<Found> {
    let there = match again(cx, &about).await? {
        Ok(there) => there,
        Err(why) => return Ok(Found::Unknown(format!("Nobody knows: {why}."))),
    };
    let tell = HandsOrder::Tell { id: ledger::mark(cx, STEP), from: 0 };
    Ok(match there.follow(tell, Said::default(), patience(cx), |text| show(cx, text)).await? {
        Followed::Done(_) => Found::Done(json!({"sent": true})),
        Followed::Never => Found::NotDone,
        Followed::Refused(why) => Found::Done(json!({"sent": false, "why": why})),
        Followed::Lost(why, _) => Found::Unknown(format!("Nobody knows: {why}.")),
    })
}

/// What came of typing.
fn given(followed: Followed) -> Result<Value> {
    match followed {
        Followed::Done(_) => Ok(json!({"sent": true})),
        Followed::Refused(why) => {
            let why = format!("The machine that is lent did not type it: {why}");
            Err(refused(why, "do without it, or ask what is wanted"))
        }
        Followed::Never => Err(Error::msg("The machine does not know its own order.")),
        Followed::Lost(why, _) => {
            let why = format!("It may or may not have been typed: {why}.");
            Err(refused(why, "look at what the command says before you type it again"))
        }
    }
}
