//! A client replaces the state: what it may write, what it forgot, and what it hears of that.

use std::{borrow::Cow, sync::Arc};

use hostel_core::{
    Connection, Error, Result, Source, allow,
    handler::Mode,
    state::{self, Merged},
};
use hostel_protocol::{
    client::StateUpdate,
    refusal::{Code, Refusal},
    server,
};

use super::remarks::Remarks;
use crate::{
    cell::{
        Cell, cause,
        turn::{Awake, Turn},
    },
    gate::Delivery,
    peer::Peer,
};

impl Cell {
    /// On success the sender hears nothing back; a refusal reaches it alone (agents-protocol, 3.2). Warnings, and the
    /// version for a client that asked for versions, are our additions.
    pub(in crate::cell) fn state_frame_from(&self, peer: &Arc<Peer>, update: &StateUpdate<'_>) {
        if peer.record.readonly() {
            return self.send(peer, server::state_error("Connection is readonly", None));
        }
        if let Some(refusal) = self.bars_writing(peer) {
            return self.send(peer, server::state_error("State update rejected", Some(&refusal)));
        }
        let connection = Connection::new(Arc::clone(&peer.record), self.arc());
        let turn = Turn {
            source: Source::Client(connection),
            caller: Some(&peer.record),
            replaces_state: true,
            sender: Some(peer),
            cause: cause::state_frame(&peer.record),
            ..Turn::own(Mode::Turn)
        };
        let remarks = std::cell::RefCell::new(Remarks::default());
        self.turn(
            &turn,
            |awake| self.replace_state(awake, update, &mut remarks.borrow_mut()),
            |outcome, deliveries| {
                let frames = match outcome {
                    Ok(()) => self.remark(peer, &remarks.borrow()),
                    Err(error) => vec![remarks.take().conflict.unwrap_or_else(|| self.rejection(&error))],
                };
                deliveries.extend(frames.into_iter().map(|frame| Delivery::Send(Arc::clone(peer), frame.into())));
            },
        );
    }

    /// Why the class lets this client not write the state, if it does not.
    fn bars_writing(&self, peer: &Peer) -> Option<Refusal> {
        let rules = self.class.info().options.state_write?;
        let identity = peer.record.identity();
        (!allow::permits(rules, identity, self.id.name())).then(|| allow::denied(identity))
    }

    fn replace_state(&self, awake: &mut Awake, update: &StateUpdate<'_>, remarks: &mut Remarks) -> Result<()> {
        let before = awake.state.as_deref().unwrap_or("null");
        if let Some(version) = update.if_version.as_deref() {
            self.expect_version(before, version, remarks)?;
        }
        let incoming = self.with_own_fields(before, update.state.get(), remarks)?;
        remarks.dropped = state::dropped(before, &incoming, self.class.info().fields);
        let instance = self.class.load(&incoming).or_else(|error| self.load_filled(&incoming, &remarks.dropped, error));
        awake.instance = instance.map_err(|error| self.misshapen(&error))?;
        // The class may have put its defaults where keys are missing: the sender does not know them.
        if !remarks.dropped.is_empty() && state::has_any(&awake.instance.to_json()?, &remarks.dropped) {
            self.scratch.lock().correct_sender = true;
        }
        Ok(())
    }

    fn expect_version(&self, before: &str, version: &str, remarks: &mut Remarks) -> Result<()> {
        let seen = state::visible(before, self.class.info().fields);
        let current = state::version(&seen);
        if current == version {
            return Ok(());
        }
        let error = Error::state_conflict(&current);
        let refusal = error.to_refusal(Code::StateConflict);
        remarks.conflict = Some(server::state_conflict("State update rejected", &refusal, &seen, &current));
        Err(error)
    }

    /// What the client sent, with our values of the fields that are not its to write.
    fn with_own_fields<'a>(&self, before: &str, incoming: &'a str, remarks: &mut Remarks) -> Result<Cow<'a, str>> {
        let fields = self.class.info().fields;
        if fields.is_empty() {
            return Ok(Cow::Borrowed(incoming));
        }
        let merged = state::merge(incoming, before, fields);
        let Merged { json, kept, differs } =
            merged.ok_or_else(|| self.misshapen(&Error::msg("it is no JSON object")))?;
        remarks.kept = kept;
        self.scratch.lock().correct_sender |= differs;
        Ok(Cow::Owned(json))
    }

    /// A field that the state had and the client left out has its initial value again, like any key that JavaScript
    /// leaves out is gone.
    fn load_filled(
        &self,
        incoming: &str,
        dropped: &[String],
        error: Error,
    ) -> Result<Box<dyn hostel_core::erased::Instance>> {
        if dropped.is_empty() {
            return Err(error);
        }
        let initial = self.class.fresh().to_json()?;
        match state::filled(incoming, &initial, dropped) {
            Some(filled) => self.class.load(&filled),
            None => Err(error),
        }
    }

    fn misshapen(&self, error: &Error) -> Error {
        let class = &self.class.info().class;
        Error::coded(Code::StateShape, format!("The state does not have the shape of {class}: {}", error.message()))
            .with_fix("send the whole state, every field included; `hostel types` prints its type")
    }

    /// The text is fixed by the protocol; what we know of the reason rides beside it.
    fn rejection(&self, error: &Error) -> String {
        tracing::info!(agent = %self.id, error = ?error, "a client's state was rejected");
        let reason = error.to_refusal(Code::StateRejected);
        server::state_error("State update rejected", Some(&reason))
    }
}
