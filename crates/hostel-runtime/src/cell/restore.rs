//! An agent put back to another moment, or made from an image: one job, between turns.
//!
//! Whatever was committed before is durable by then, and stays in the history; the image becomes a turn of its own. Async
//! work under way is broken off, connections stay open and are sent the new state.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
};

use hostel_core::{Error, Result, handler::Mode};
use hostel_protocol::refusal::Code;
use hostel_store::{AgentDb, Author, Cause, Image};
use tokio::sync::oneshot;

use super::{
    Cell, Job,
    job::answer,
    tasks::Moments,
    turn::{Awake, Scratch, Turn},
};
use crate::{gate::Delivery, storage};

/// An image on its way into an agent.
#[derive(Debug)]
pub(crate) struct Replacement {
    pub(crate) image: Image,
    /// The event the history will show, and what exactly.
    pub(crate) event: String,
    pub(crate) what: String,
    /// Whether it may take the place of an agent that exists.
    pub(crate) over_existing: bool,
}

/// A restored state to be shown, and who waits for the end of it all.
pub(crate) struct Restored {
    /// As it is stored.
    state: Option<Arc<str>>,
    done: oneshot::Sender<Result<()>>,
}

impl Cell {
    /// Puts an image in the place of the agent, and shows its state to whoever is connected.
    pub(super) fn replace(&self, with: Replacement, done: oneshot::Sender<Result<()>>) {
        let was_awake = self.is_awake();
        match self.node.block(|| self.put_in_place(with)) {
            Ok(state) if was_awake || self.socket_count() > 0 => {
                self.handle(Job::Show(Restored { state, done }));
            }
            Ok(_) => {
                if self.declares_schedules()
                    && let Err(error) = self.bring_in_step()
                {
                    tracing::warn!(agent = %self.id, error = ?error, "what the class declares is put on order when the agent wakes");
                }
                self.release(vec![told(done)]);
            }
            Err(error) => answer(done, Err(error)),
        }
    }

    /// Returns the state as it is stored now. On an error the agent goes on as it was.
    fn put_in_place(&self, with: Replacement) -> Result<Option<Arc<str>>> {
        let state: Option<Arc<str>> = with.image.state().map_err(storage::error)?.map(Into::into);
        let alarm = with.image.wake().map_err(storage::error)?;
        self.check_shape(&with, state.as_deref())?;
        let (wake, replaced) = {
            let mut core = self.lock_core();
            if self.inbox.lock().retired {
                return Err(Error::coded(Code::ShuttingDown, "The server is restarting."));
            }
            self.hand_over_held();
            let wake = self.replace_stored(with, alarm)?;
            self.note_state(None);
            // From here on turns of async work that was begun before are refused.
            drop(self.end_era());
            self.awake.store(false, Ordering::Release);
            (wake, (core.take(), std::mem::take(&mut *self.scratch.lock())))
        };
        self.forget_troubles();
        self.let_go_of(replaced);
        let moved = self.moments_committed(Moments { wake, look: alarm });
        self.release(vec![moved]);
        Ok(state)
    }

    /// Whether the class can read the state; nothing has been changed yet.
    fn check_shape(&self, with: &Replacement, state: Option<&str>) -> Result<()> {
        let Some(state) = state else { return Ok(()) };
        let loaded = catch_unwind(AssertUnwindSafe(|| self.class.load(state).map(drop)));
        let error = match loaded {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error,
            Err(_) => Error::msg("reading it panicked"),
        };
        let (class, turn) = (&self.class.info().class, with.image.turn());
        let message =
            format!("The state as of turn {turn} does not have the shape of {class} any more: {}", error.message());
        Err(Error::coded(Code::StateShape, message).with_fix(format!(
            "nothing was changed; give new fields of {class} a #[serde(default)], or accept the old ones with #[serde(alias)]"
        )))
    }

    /// Between turns, with the agent's lock held: from the register to the file.
    /// Returns when the register is to have the agent looked at.
    fn replace_stored(&self, mut with: Replacement, mut alarm: Option<i64>) -> Result<Option<i64>> {
        let mut store = self.store.lock();
        let mut opened = None;
        let db = match store.as_mut() {
            Some(db) => db,
            None => opened.insert(self.open_asleep()?),
        };
        if !with.over_existing {
            self.check_absent(db)?;
        }
        // Who is under it is not a part of the past. Of a database that cannot be read, the image knows it best.
        if let Ok(rows) = db.children() {
            with.image.set_children(&rows).map_err(storage::error)?;
            if rows.iter().any(|row| row.doomed != 0) {
                alarm = Some(super::family::AT_ONCE);
            }
        }
        self.register_earlier(alarm)?;
        let cause = Cause { event: &with.event, what: &with.what, author: Author::Operator };
        db.replace(with.image, cause).map_err(storage::error)?;
        *store = None;
        Ok(alarm)
    }

    /// The database of an agent that is out of memory, in whatever state it is. What the register knows is asked of it,
    /// since the database may not be readable.
    pub(super) fn open_asleep(&self) -> Result<AgentDb> {
        let db = self.node.open_db(&self.id)?;
        let registered = self.node.store.registered_alarm(db.key()).map_err(storage::error)?;
        self.note_registered(registered);
        Ok(db)
    }

    fn check_absent(&self, db: &AgentDb) -> Result<()> {
        // A database that cannot be read is there as well.
        db.state().map_err(storage::error)?;
        if !db.is_created() {
            return Ok(());
        }
        Err(Error::coded(Code::AgentExists, format!("There is an agent {} already; it was left as it is.", self.id))
            .with_fix("choose another name"))
    }

    /// What went wrong before is of another life.
    fn forget_troubles(&self) {
        self.node.quarantine.clear(&self.id);
        self.node.rebuilt(&self.id);
        self.gate.heal();
        self.alarm_failures.store(0, Ordering::Relaxed);
    }

    fn let_go_of(&self, replaced: (Option<Awake>, Scratch)) {
        if replaced.0.is_some() {
            self.metrics.awake.decrement(1.0);
        }
        self.drop_guarded(replaced);
    }

    /// Shows the state to every client, as any change of it.
    pub(super) fn show_restored(&self, restored: Restored) {
        let push = |_: &mut Awake| {
            self.scratch.lock().push_state = true;
            Ok(())
        };
        self.turn(&Turn::own(Mode::Read), push, |_, deliveries| deliveries.push(told(restored.done)));
    }

    /// The agent was put back, and does not start: its clients are shown what is stored.
    pub(super) fn show_stored(&self, restored: Restored, error: &Error) {
        tracing::warn!(agent = %self.id, error = ?error, "an agent was put back to another moment, and does not start there");
        let frame = restored.state.and_then(|state| self.state_frame(&state, None));
        self.release(frame.into_iter().chain(self.tell_watchers()).chain([told(restored.done)]).collect());
    }
}

/// Tells who waits, after everything that was said before.
fn told(done: oneshot::Sender<Result<()>>) -> Delivery {
    Delivery::resolve(move |durable| answer(done, durable))
}
