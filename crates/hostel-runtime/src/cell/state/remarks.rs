//! What is said of a client's state that was stored all the same: to the client each time, in the log once in a while.

use std::sync::{Arc, atomic::AtomicU64};

use hostel_core::state;
use hostel_protocol::{
    OneLine,
    refusal::{Code, Refusal},
    server,
};

use crate::{cell::Cell, gate::Delivery, peer::Peer};

/// Names in one warning; the rest is a number.
const NAMED: usize = 16;
/// Characters of a name; a state may have any.
const NAME_LENGTH: usize = 64;

/// What is to be said of a state frame besides whether it was accepted.
#[derive(Default)]
pub(super) struct Remarks {
    /// Declared fields whose other values were not taken.
    pub(super) kept: Vec<String>,
    /// Keys the state had and the frame had not.
    pub(super) dropped: Vec<String>,
    /// The answer to a frame that names another version.
    pub(super) conflict: Option<String>,
}

impl Cell {
    /// The frames that tell the sender.
    pub(super) fn remark(&self, peer: &Peer, remarks: &Remarks) -> Vec<String> {
        let mut frames = Vec::new();
        if !remarks.kept.is_empty() {
            let names = named(&remarks.kept);
            let message = format!("Clients may not write {}; the server's values stay.", listed(&names, &remarks.kept));
            let refusal = Refusal::new(Code::StateFieldsKept, message)
                .with_fix("leave these fields as they came, or call a method that changes them");
            frames.push(self.warn(peer, &refusal, &names, &self.warned.kept));
        }
        if !remarks.dropped.is_empty() {
            let names = named(&remarks.dropped);
            let message = format!("The new state lacks {}, which the state had.", listed(&names, &remarks.dropped));
            let refusal = Refusal::new(Code::StateKeysDropped, message).with_fix(
                "send the whole state, as in setState({ ...state, count: 5 }); a field that only the server writes can be \
                 marked #[state(server)]",
            );
            frames.push(self.warn(peer, &refusal, &names, &self.warned.dropped));
        }
        frames
    }

    fn warn(&self, peer: &Peer, refusal: &Refusal, names: &[String], last: &AtomicU64) -> String {
        if self.may_warn(last) {
            tracing::warn!(
                agent = %self.id, connection = %peer.record.id.escape_debug(), code = refusal.code.as_str(),
                fields = ?names, fix = refusal.fix.as_deref(),
                "a client's state was stored, with a warning: {}", OneLine(&refusal.message)
            );
        }
        refusal.to_warning_frame(names)
    }

    /// A client that asked for versions is told that of the state it has set.
    pub(in crate::cell) fn accepted(&self, state: &str, sender: Option<&Arc<Peer>>) -> Option<Delivery> {
        let sender = sender.filter(|sender| sender.record.state_versions())?;
        let seen = state::visible(state, self.class.info().fields);
        let frame = server::state_accepted(&state::version(&seen));
        Some(Delivery::Send(Arc::clone(sender), frame.into()))
    }
}

fn named(all: &[String]) -> Vec<String> {
    let short = |name: &String| match name.char_indices().nth(NAME_LENGTH) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.clone(),
    };
    all.iter().take(NAMED).map(short).collect()
}

/// `"a", "b" and 3 more`.
fn listed(names: &[String], all: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    let more = all.len() - names.len();
    let list = quoted.join(", ");
    if more == 0 { list } else { format!("{list} and {more} more") }
}
