//! Tells the server what becomes of one order, as long as it wants to know.

use std::sync::Arc;
use std::time::Duration;

use hostel_client::{Call, Client};
use hostel_sandbox::{Exit, JobId, State as JobState, whole_characters};

use hostel_server::hands::{Report, State};

use super::super::{order::Stage, work::Work};

/// How much is told at once, and how long the server may take to hear it.
const PIECE: usize = 32 << 10;
const PATIENCE: Duration = Duration::from_secs(60);

/// Tells of one order over one connection.
pub(super) struct Teller {
    pub(super) client: Client,
    pub(super) session: String,
    pub(super) id: String,
    pub(super) work: Arc<Work>,
}

impl Teller {
    /// Tells it from a byte of the output on, to the end. What cannot be told is asked about over the next connection.
    pub(super) async fn run(self, from: u64) {
        let Some(order) = self.work.orders.find(&self.id) else {
            self.say(State::Unknown {}, from, from, String::new()).await;
            return;
        };
        let _following = order.follow();
        let mut stage = order.stage.subscribe();
        loop {
            let now = stage.borrow_and_update().clone();
            let wanted = match now {
                Stage::New => true,
                Stage::Asked => self.say(State::Asked {}, from, from, String::new()).await,
                Stage::Job(job) => return self.output(job, from).await,
                Stage::Refused(why) => {
                    self.say(State::Refused { why }, from, from, String::new()).await;
                    return;
                }
                Stage::Done(how) => {
                    let done = State::Ended { exit_code: None, success: true, how };
                    self.say(done, from, from, String::new()).await;
                    return;
                }
                Stage::Forgotten => {
                    self.say(State::Forgotten {}, from, from, String::new()).await;
                    return;
                }
            };
            if !wanted || stage.changed().await.is_err() {
                return;
            }
        }
    }

    async fn output(&self, job: JobId, mut from: u64) {
        // That it runs is known at once, not with its first word.
        if !self.say(State::Running {}, from, from, String::new()).await {
            return;
        }
        loop {
            let Ok(mut tail) = self.work.jobs.more(job, from).await else {
                self.say(State::Forgotten {}, from, from, String::new()).await;
                return;
            };
            let is_all = tail.bytes.len() <= PIECE;
            tail.bytes.truncate(PIECE);
            let end = ended(&tail.state).filter(|_| is_all);
            let (data, took) = whole_characters(&tail.bytes, end.is_some());
            let is_over = end.is_some();
            let next = tail.from + took as u64;
            if took > 0 || is_over {
                if !self.say(end.unwrap_or(State::Running {}), tail.from, next, data).await || is_over {
                    return;
                }
            } else {
                // The beginning of a character alone: the rest of it comes, or the end.
                let _ = self.work.jobs.more(job, tail.from + tail.bytes.len() as u64).await;
            }
            from = next;
        }
    }

    /// Whether the server wants to hear more.
    async fn say(&self, state: State, from: u64, next: u64, data: String) -> bool {
        let report = Report { session: self.session.clone(), id: self.id.clone(), state, data, from, next };
        let Ok(report) = serde_json::to_value(&report) else { return false };
        let heard = self.client.call(Call::new("handsReport", vec![report]).timeout(PATIENCE)).await;
        heard.is_ok_and(|heard| heard["wanted"] == true)
    }
}

fn ended(state: &JobState) -> Option<State> {
    match state {
        JobState::Running => None,
        JobState::Over(exit) => Some(of(exit)),
        JobState::Lost(why) => Some(State::Ended { exit_code: None, success: false, how: why.clone() }),
    }
}

fn of(exit: &Exit) -> State {
    State::Ended { exit_code: exit.code, success: exit.success(), how: exit.to_string() }
}
