//! A command in the background of a machine that is lent: followed beside everything else, so that what it says is here whenever
//! somebody asks.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hostel::{Cx, Result};
use hostel_sandbox::{State, Tail, Terminal};
use serde_json::Value;
use tokio::sync::watch;

use super::{
    Choice, HandsOrder, HandsState, Seats, There,
    follow::{Ear, Followed},
    patience,
    run::{STEP, written},
    seats,
};
use crate::{CoderAgent, ledger, tools::Call};

/// How much of its output is kept, which is as much as of one in the sandbox, and how long one may run.
const KEPT: usize = 256 << 10;
const LONGEST: Duration = Duration::from_secs(12 * 60 * 60);

/// A command in the background of a machine that is lent.
#[derive(Debug)]
pub(crate) struct Far {
    /// The order.
    id: String,
    choice: Choice,
    instance: String,
    seats: Arc<Seats>,
    said: Mutex<Kept>,
    /// How many bytes were said.
    end: watch::Sender<u64>,
    stage: watch::Sender<Stage>,
    is_unwanted: AtomicBool,
}

/// The end of what was said.
#[derive(Debug, Default)]
struct Kept {
    said: VecDeque<u8>,
    gone: u64,
}

impl Kept {
    fn push(&mut self, bytes: &[u8]) {
        self.said.extend(bytes);
        let gone = self.said.len().saturating_sub(KEPT);
        self.said.drain(..gone);
        self.gone = self.gone.saturating_add(gone as u64);
    }

    /// What was said before is not next to what comes, so it is as gone as what is missing.
    fn gap(&mut self, bytes: u64) {
        self.gone = self.end().saturating_add(bytes);
        self.said.clear();
    }

    /// How many bytes were said.
    fn end(&self) -> u64 {
        self.gone.saturating_add(self.said.len() as u64)
    }
}

/// How it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It was ordered.
    Ordered,
    /// Somebody is asked there.
    Asked,
    /// It runs.
    Runs,
    /// It was never heard of there.
    Never,
    /// It was not run, and why.
    Refused(String),
    /// It is over, and how it ended.
    Over(String),
    /// Nobody can tell, and why.
    Lost(String),
}

impl Stage {
    /// Whether somebody knows by now whether it runs.
    fn is_known(&self) -> bool {
        !matches!(self, Self::Ordered | Self::Asked)
    }
}

/// What it takes to find it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ordered {
    pub(crate) id: String,
    pub(crate) choice: Choice,
    pub(crate) instance: String,
}

impl Ordered {
    /// What this call has ordered of the machine that its entry in the ledger names.
    pub(crate) fn by(cx: &Call, about: &Value) -> Self {
        let (choice, instance) = written(about);
        Self { id: ledger::mark(cx, STEP), choice, instance }
    }

    /// Its machine, waited for for so long; nothing if it is not there, or another run of its program is.
    pub(crate) async fn there(&self, cx: &Cx<CoderAgent>, patience: Duration) -> Result<Option<There>> {
        let (seats, choice) = (seats(cx)?, self.choice.clone());
        let machine = seats.wait(&choice, patience).await;
        let machine = machine.filter(|machine| machine.offer.instance == self.instance);
        Ok(machine.map(|machine| There { seats, choice, machine }))
    }
}

/// What is to run.
pub(crate) struct Begin {
    pub(crate) line: String,
    pub(crate) directory: String,
    pub(crate) time: Duration,
    pub(crate) terminal: bool,
}

impl There {
    /// Whether that was ordered of this run of its program.
    pub(crate) fn has(&self, ordered: &Ordered) -> bool {
        self.choice == ordered.choice && self.machine.offer.instance == ordered.instance
    }

    /// Has it run, and follows it. It has to be called within a runtime.
    pub(crate) fn begin(self, cx: &Cx<CoderAgent>, ordered: Ordered, begin: Begin) -> Arc<Far> {
        let Begin { line, directory, time, terminal } = begin;
        let run = HandsOrder::Run {
            id: ordered.id.clone(),
            command: line,
            directory,
            seconds: time.as_secs().max(1),
            output_bytes: u64::MAX,
            background: true,
            terminal,
        };
        self.listen(cx, ordered, run)
    }

    /// Follows again what was ordered before.
    pub(crate) fn resume(self, cx: &Cx<CoderAgent>, ordered: Ordered) -> Arc<Far> {
        let tell = HandsOrder::Tell { id: ordered.id.clone(), from: 0 };
        self.listen(cx, ordered, tell)
    }

    fn listen(self, cx: &Cx<CoderAgent>, ordered: Ordered, first: HandsOrder) -> Arc<Far> {
        let far = Arc::new(Far::new(ordered, Arc::clone(&self.seats)));
        let (ear, ours, patience) = (Listening(Arc::clone(&far)), Arc::clone(&far), patience(cx));
        tokio::spawn(async move {
            let followed = self.follow(first, ear, patience, |_| Ok(())).await;
            ours.stage.send_replace(stage(followed));
        });
        far
    }
}

fn stage(followed: Result<Followed>) -> Stage {
    match followed {
        Ok(Followed::Done(value)) => Stage::Over(value["ended"].as_str().unwrap_or("ended").to_owned()),
        Ok(Followed::Refused(why)) => Stage::Refused(why),
        Ok(Followed::Never) => Stage::Never,
        Ok(Followed::Lost(why, _)) => Stage::Lost(why),
        Err(error) => Stage::Lost(error.message().to_owned()),
    }
}

/// Takes what it says.
struct Listening(Arc<Far>);

impl Ear for Listening {
    fn push(&mut self, bytes: &[u8]) {
        let mut kept = self.0.kept();
        kept.push(bytes);
        self.0.end.send_replace(kept.end());
    }

    fn gap(&mut self, bytes: u64) {
        let mut kept = self.0.kept();
        kept.gap(bytes);
        self.0.end.send_replace(kept.end());
    }

    fn latest(&self) -> String {
        String::new()
    }

    fn whole(&self) -> String {
        String::new()
    }

    fn is(&mut self, state: &HandsState) {
        let stage = match state {
            HandsState::Asked {} => Stage::Asked,
            HandsState::Running {} => Stage::Runs,
            _ => return,
        };
        self.0.stage.send_if_modified(|now| {
            let is_news = *now != stage;
            *now = stage;
            is_news
        });
    }

    fn is_unwanted(&self) -> bool {
        self.0.is_unwanted()
    }

    fn longest(&self) -> Duration {
        LONGEST
    }
}

impl Far {
    fn new(Ordered { id, choice, instance }: Ordered, seats: Arc<Seats>) -> Self {
        let (end, stage) = (watch::Sender::new(0), watch::Sender::new(Stage::Ordered));
        let (said, is_unwanted) = (Mutex::default(), AtomicBool::new(false));
        Self { id, choice, instance, seats, said, end, stage, is_unwanted }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the machine is called.
    pub(crate) fn name(&self) -> &str {
        &self.choice.name
    }

    /// How it ended, for people; nothing while it runs, or may yet.
    pub(crate) fn ended(&self) -> Option<String> {
        let name = self.name();
        match &*self.stage.borrow() {
            Stage::Ordered | Stage::Asked | Stage::Runs => None,
            Stage::Never => Some(format!("was never begun: {name} has not heard of it")),
            Stage::Refused(why) => Some(format!("was not run by {name}: {why}")),
            Stage::Over(how) => Some(how.clone()),
            Stage::Lost(why) => Some(format!("may or may not have ended: {why}")),
        }
    }

    /// Whether its machine was lost, and may yet come back with it.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(&*self.stage.borrow(), Stage::Lost(_))
    }

    /// Whether it says nothing more, whatever comes.
    fn is_silent(&self) -> bool {
        self.ended().is_some() && !self.is_lost()
    }

    /// What it said after its first `from` bytes, as far as it is kept. After a restart of the server its output is heard anew: what is
    /// beyond what was heard so far is waited for, unless it is over.
    pub(crate) fn tail(&self, from: u64) -> Tail {
        let (state, is_silent) = (self.ended().map_or(State::Running, State::Lost), self.is_silent());
        let kept = self.kept();
        let next = kept.end();
        if from > next && !is_silent {
            return Tail { from, bytes: Vec::new(), next: from, state };
        }
        let from = from.clamp(kept.gone, next);
        let skip = usize::try_from(from - kept.gone).unwrap_or(usize::MAX);
        Tail { from, bytes: kept.said.iter().skip(skip).copied().collect(), next, state }
    }

    /// [`tail`](Self::tail), once there is something after `from`, or it is over. Cancel safe.
    pub(crate) async fn more(&self, from: u64) -> Tail {
        let (mut end, mut stage) = (self.end.subscribe(), self.stage.subscribe());
        tokio::select! {
            _ = end.wait_for(|end| *end > from) => {}
            _ = stage.wait_for(|stage| stage.is_known() && *stage != Stage::Runs) => {}
        }
        self.tail(from)
    }

    /// Waits until it is known whether it runs; what it waits for is said. Cancel safe.
    pub(crate) async fn known(&self, say: impl Fn(&str) -> Result<()>) -> Result<Stage> {
        let mut stage = self.stage.subscribe();
        loop {
            let now = stage.borrow_and_update().clone();
            match now {
                Stage::Asked => say(&format!("(somebody is asked at the terminal of {})\n", self.name()))?,
                now if now.is_known() => return Ok(now),
                _ => {}
            }
            if stage.changed().await.is_err() {
                return Ok(Stage::Lost("nobody follows it".to_owned()));
            }
        }
    }

    /// Waits until it is over, or lost; how it ended. Cancel safe.
    pub(crate) async fn over(&self) -> Option<String> {
        let is_over = |stage: &Stage| stage.is_known() && *stage != Stage::Runs;
        let _ = self.stage.subscribe().wait_for(is_over).await;
        self.ended()
    }

    /// Whether somebody wants it to end.
    pub(crate) fn is_unwanted(&self) -> bool {
        self.is_unwanted.load(Ordering::Relaxed)
    }

    /// Has it end, now or when its machine comes back.
    pub(crate) fn cancel(&self) {
        self.is_unwanted.store(true, Ordering::Relaxed);
        self.order(HandsOrder::Cancel { id: self.id.clone() });
    }

    /// Changes the size of its terminal, if its machine is there.
    pub(crate) fn resize(&self, size: Terminal) {
        self.order(HandsOrder::Size { id: self.id.clone(), rows: size.rows, columns: size.columns });
    }

    fn order(&self, order: HandsOrder) {
        let machine = self.seats.find(&self.choice);
        if let Some(machine) = machine.filter(|machine| machine.offer.instance == self.instance) {
            machine.order(order);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn far() -> Arc<Far> {
        let choice = Choice { name: "desk".to_owned(), lender: None };
        Arc::new(Far::new(Ordered { id: "a".to_owned(), choice, instance: "1".to_owned() }, Arc::default()))
    }

    #[tokio::test]
    async fn of_what_it_says_the_end_is_kept_and_counted_from_the_beginning() {
        let far = far();
        let mut ear = Listening(Arc::clone(&far));
        ear.push(b"begin ");
        assert_eq!((far.tail(0).bytes, far.tail(2).from, far.tail(9).bytes), (b"begin ".to_vec(), 2, Vec::new()));
        ear.push(&vec![b'x'; KEPT]);
        let tail = far.more(0).await;
        assert_eq!((tail.from, tail.bytes.len(), tail.next), (6, KEPT, 6 + KEPT as u64));
        assert_eq!(tail.state, State::Running);
    }

    #[test]
    fn a_position_beyond_what_is_known_waits_for_more_until_it_is_over() {
        let far = far();
        let mut ear = Listening(Arc::clone(&far));
        ear.push(b"begin ");
        for stage in [Stage::Runs, Stage::Lost("desk went away".to_owned())] {
            far.stage.send_replace(stage);
            let tail = far.tail(9);
            assert_eq!((tail.from, tail.bytes, tail.next), (9, Vec::new(), 9));
        }
        far.stage.send_replace(Stage::Runs);
        ear.push(b"and end");
        assert_eq!((far.tail(9).from, far.tail(9).bytes, far.tail(9).next), (9, b" end".to_vec(), 13));
        far.stage.send_replace(Stage::Over("exit code 0".to_owned()));
        assert_eq!((far.tail(99).from, far.tail(99).next), (13, 13));
    }

    #[test]
    fn what_is_missing_counts_and_nothing_is_kept_from_before_it() {
        let far = far();
        let mut ear = Listening(Arc::clone(&far));
        ear.push(b"begin ");
        ear.gap(4);
        assert_eq!((far.tail(0).from, far.tail(0).next), (10, 10));
        ear.push(b"end");
        let tail = far.tail(2);
        assert_eq!((tail.from, tail.bytes, tail.next), (10, b"end".to_vec(), 13));
        ear.gap(u64::MAX);
        ear.push(b"more than can be counted");
        assert_eq!(far.tail(0).next, u64::MAX);
    }

    #[tokio::test]
    async fn whoever_waits_learns_whether_it_runs_and_how_it_ended() {
        let far = far();
        let mut ear = Listening(Arc::clone(&far));
        ear.is(&HandsState::Asked {});
        let runs = async { ear.is(&HandsState::Running {}) };
        let asked = Mutex::new(0);
        let known = far.known(|_| {
            *asked.lock().unwrap() += 1;
            Ok(())
        });
        assert_eq!((tokio::join!(known, runs).0.unwrap(), *asked.lock().unwrap()), (Stage::Runs, 1));
        assert_eq!(far.ended(), None);
        far.stage.send_replace(Stage::Lost("desk went away".to_owned()));
        assert!(far.is_lost() && far.over().await.unwrap().contains("may or may not have ended"));
        assert_eq!(far.more(99).await.state, State::Lost("may or may not have ended: desk went away".to_owned()));
    }
}
