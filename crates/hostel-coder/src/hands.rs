//! Machines that people lend: where commands run if somebody has chosen so, instead of in the sandbox.
//!
//! `hostel hands` connects as any client does and offers its machine with a streaming call: the stream brings it orders, and calls
//! bring back what came of them. Which machines are lent is known to this process alone; which one was chosen is kept with the agent.
//!
//! An order has the same id whenever its call comes again, and whoever gets it runs an id once: that is what makes a command
//! under way survive the death of the server, or of the connection, without ever being run twice.

mod background;
mod choice;
mod follow;
mod lent;
mod run;
mod there;
mod typing;
mod wire;

use std::{sync::Arc, time::Duration};

use hostel::{Code, Cx, Error, Identity, Result, Stream};

use self::lent::{Machine, Seats};
pub use self::wire::{
    ChooseHands, HandsMachine, HandsOffer, HandsOrder, HandsReport, HandsState, HandsView, Heard, Place,
};
pub(crate) use self::{
    background::{Begin, Far, Ordered, Stage},
    choice::{Choice, chosen, is_chosen},
    lent::Lent,
    run::{Asked, SLACK, again, executed, found, not_there, settle},
    there::{There, conditions, fingerprint, patience, there},
};
use crate::{
    CoderAgent, shell,
    told::{self, News},
    workspaces::Workspaces,
};

/// How often it is looked whether the machine is still there, and how often it is told that the server is.
const LOOK: Duration = Duration::from_secs(1);
const STILL: u32 = 15;

fn seats(cx: &Cx<CoderAgent>) -> Result<Arc<Seats>> {
    Ok(cx.env::<Workspaces>()?.lent().of(cx.id()))
}

/// Who asks, if anybody is known.
fn who(cx: &Cx<CoderAgent>) -> Option<String> {
    cx.identity().map(|who| Identity::subject(who).to_owned())
}

/// A connection that may only read neither lends nor chooses.
fn check_may_write(cx: &Cx<CoderAgent>) -> Result<()> {
    if cx.connection().is_some_and(hostel::Connection::is_readonly) {
        return Err(Error::coded(Code::ConnectionReadonly, "This connection may only read.")
            .with_fix("connect as somebody who may write"));
    }
    Ok(())
}

/// An agent that was delegated to asks nobody: what it runs is held by the sandbox, and by nothing else.
fn check_asks(cx: &Cx<CoderAgent>) -> Result<()> {
    if cx.parent_id().is_some() {
        let why = "An agent that is delegated to runs its commands on the server: it asks nobody.";
        return Err(Error::coded(Code::HandsUnknown, why).with_fix("lend the machine to the agent above"));
    }
    Ok(())
}

/// Lends a machine for as long as the call lasts.
pub(crate) async fn offer(cx: &Cx<CoderAgent>, offer: HandsOffer, orders: &Stream<HandsOrder>) -> Result<()> {
    check_may_write(cx)?;
    check_asks(cx)?;
    offer.check()?;
    if !cx.env::<Workspaces>()?.command_options().hands {
        return Err(Error::msg("The operator of this server takes no machines that are lent.")
            .with_fix("have hands allowed in [coder.commands]"));
    }
    let session = data_encoding::HEXLOWER.encode(&cx.random::<16>());
    orders.send(&HandsOrder::Welcome { session: session.clone() })?;
    let seats = seats(cx)?;
    let (machine, mut queue) = Machine::new(offer, session, who(cx), cx.now());
    let choice = Choice { name: machine.offer.name.clone(), lender: machine.by.clone() };
    let seat = seats.take(Arc::clone(&machine))?;
    told::tell(cx, News::Hands);
    shell::follow_again(cx, &There { seats, choice, machine })?;
    for turn in 1_u32.. {
        match tokio::time::timeout(LOOK, queue.recv()).await {
            Ok(Some(order @ HandsOrder::Replaced {})) => {
                orders.send(&order)?;
                break;
            }
            Ok(Some(order)) => orders.send(&order)?,
            Ok(None) => break,
            Err(_) if turn % STILL == 0 => orders.send(&HandsOrder::Still {})?,
            Err(_) => {}
        }
        if orders.is_closed() {
            break;
        }
    }
    drop(seat);
    told::tell(cx, News::Hands);
    Ok(())
}

/// Takes what a machine says of an order.
pub(crate) async fn report(cx: &Cx<CoderAgent>, report: HandsReport) -> Result<Heard> {
    let seats = seats(cx)?;
    if !seats.has_session(&report.session) {
        return Err(Error::coded(Code::HandsUnknown, "This machine is not lent to the agent, or no longer.")
            .with_fix("offer it again"));
    }
    Ok(Heard { wanted: seats.tell(report).await })
}

/// Chooses where commands run.
pub(crate) fn choose(cx: &Cx<CoderAgent>, choose: &ChooseHands) -> Result<HandsView> {
    check_may_write(cx)?;
    check_asks(cx)?;
    let seats = seats(cx)?;
    match choose.place {
        Place::Sandbox => choice::forget(cx)?,
        Place::Hands => {
            let machine = seats.only(choose.name.as_deref())?;
            choice::keep(cx, &Choice { name: machine.offer.name.clone(), lender: machine.by.clone() }, who(cx))?;
        }
    }
    told::tell(cx, News::Hands);
    view(cx)
}

/// Where commands run, and which machines are lent.
pub(crate) fn view(cx: &Cx<CoderAgent>) -> Result<HandsView> {
    let kept = choice::kept(cx)?;
    let choice = kept.as_ref().map(|(choice, ..)| choice);
    let machines = seats(cx)?.all().iter().map(|machine| machine.shown(choice)).collect();
    let takes = cx.env::<Workspaces>()?.command_options().hands;
    Ok(match kept {
        None => HandsView { place: Place::Sandbox, name: None, since: None, by: None, lender: None, takes, machines },
        Some((Choice { name, lender }, since, by)) => {
            HandsView { place: Place::Hands, name: Some(name), since: Some(since), by, lender, takes, machines }
        }
    })
}

/// What the model is told of where its commands run.
pub(crate) fn told(cx: &Cx<CoderAgent>) -> Result<Option<String>> {
    let Some(choice) = chosen(cx)? else { return Ok(None) };
    let there = seats(cx)?.find(&choice).map(|machine| {
        let HandsOffer { directory, platform, sandboxed, .. } = &machine.offer;
        let held = if *sandboxed { "in a sandbox of that machine" } else { "without a sandbox" };
        format!("It is there now: {platform}, the directory {directory}, {held}.")
    });
    let there = there.unwrap_or_else(|| "It is not connected at the moment.".to_owned());
    Ok(Some(format!(
        "Somebody has chosen that your commands run on a machine that is lent to you, {:?}, and not on the server. {there} Its owner's \
         own rules hold there, and its owner may be asked at its terminal. The files there are not those of your workspace: the tools \
         that read and change files, and git, work in the workspace on the server; on that machine you have commands alone. Only \
         people can change where commands run.",
        choice.name
    )))
}
