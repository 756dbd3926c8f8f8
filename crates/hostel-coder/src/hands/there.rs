//! Where a command would run: the machine that was chosen, waited for, and shown to whoever is asked.

use std::{sync::Arc, time::Duration};

use hostel::{Cx, Error, Result};
use serde_json::{Value, json};

use super::{Choice, Seats, chosen, lent::Machine, seats};
use crate::{CoderAgent, tools::refused, workspaces::Workspaces};

/// A machine that was chosen and is there.
#[derive(Debug, Clone)]
pub(crate) struct There {
    pub(super) seats: Arc<Seats>,
    pub(super) choice: Choice,
    pub(super) machine: Arc<Machine>,
}

impl There {
    /// What is written down before it is ordered.
    pub(crate) fn about(&self) -> Value {
        json!({"name": self.choice.name, "lender": self.choice.lender, "instance": self.machine.offer.instance})
    }

    /// Refuses if the program that lends it is one of before there were commands in the background.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn check_background(&self) -> Result<()> {
        if self.machine.offer.background {
            return Ok(());
        }
        let name = &self.choice.name;
        let why = format!(
            "The `hostel hands` of {name:?} is of a version that runs nothing in the background. Nothing was started."
        );
        Err(refused(why, "use run_command, or ask for a newer one to be started there"))
    }
}

/// The machine that was chosen, waited for if it is not there; nothing if commands run in the sandbox.
pub(crate) async fn there(cx: &Cx<CoderAgent>, say: impl Fn(&str) -> Result<()>) -> Result<Option<There>> {
    let Some(choice) = chosen(cx)? else { return Ok(None) };
    let seats = seats(cx)?;
    if seats.find(&choice).is_none() {
        say(&format!("(waiting for {}, which is not connected)\n", choice.name))?;
    }
    let found = seats.wait(&choice, patience(cx)).await;
    // Whoever has chosen anew meanwhile is not passed over.
    if chosen(cx)?.as_ref() != Some(&choice) {
        let why = "Another place was chosen for commands meanwhile. Nothing was run, there or anywhere else.";
        return Err(refused(why, "call it again"));
    }
    match found {
        Some(machine) => Ok(Some(There { seats, choice, machine })),
        None => Err(away(&choice, &seats)),
    }
}

/// How long a machine is waited for.
pub(crate) fn patience(cx: &Cx<CoderAgent>) -> Duration {
    cx.env::<Workspaces>().map(|workspaces| workspaces.command_options().hands_wait).unwrap_or_default()
}

fn away(choice: &Choice, seats: &Seats) -> Error {
    let name = &choice.name;
    let others = seats.all().iter().any(|machine| machine.offer.name == *name);
    let why = match others {
        true => format!("The machine {name:?} that is lent now is another person's than the one that was chosen."),
        false => format!("Commands are to run on the machine {name:?}, which is not connected."),
    };
    let why = format!("{why} Nothing was run, there or anywhere else.");
    refused(why, "ask for `hostel hands` to be started there, or for another place to be chosen with setHands")
}

/// What tells the place that somebody was shown from another.
pub(crate) fn fingerprint(cx: &Cx<CoderAgent>) -> Result<String> {
    let Some(choice) = chosen(cx)? else { return Ok("sandbox".to_owned()) };
    let there = seats(cx)?.find(&choice);
    let there = there.map(|machine| (machine.offer.directory.clone(), machine.offer.sandboxed));
    Ok(format!("hands {:?} {:?} {there:?}", choice.name, choice.lender))
}

/// Where a command would run, for whoever is asked; nothing if that is the sandbox.
pub(crate) fn conditions(cx: &Cx<CoderAgent>, directory: &str, time: Duration) -> Result<Option<String>> {
    let Some(choice) = chosen(cx)? else { return Ok(None) };
    let name = &choice.name;
    let whose = choice.lender.as_ref().map(|lender| format!(", lent by {lender}")).unwrap_or_default();
    let Some(machine) = seats(cx)?.find(&choice) else {
        return Ok(Some(format!("On the machine {name:?}{whose}, which is not connected at the moment.")));
    };
    let offer = &machine.offer;
    let place =
        if directory.is_empty() { offer.directory.clone() } else { format!("{} in {}", directory, offer.directory) };
    let held = match offer.sandboxed {
        true => "in a sandbox of that machine",
        false => "not in a sandbox: it may do there whatever whoever lends it may",
    };
    let rules = if offer.asks { "Its own rules decide, or somebody at its terminal." } else { "Its own rules decide." };
    Ok(Some(format!(
        "ON THE MACHINE {name:?}{whose} ({}), in {place}, {held}. {rules} For {} s at most.",
        offer.platform,
        time.as_secs()
    )))
}
