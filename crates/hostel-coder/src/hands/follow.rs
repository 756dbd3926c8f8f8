//! Following an order to its end: what the machine says of it, over as many connections as that takes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hostel::Result;
use serde_json::{Value, json};

use super::{Choice, HandsOrder, HandsReport, HandsState, SLACK, Seats, There, lent::Machine, lent::Waiting};
use crate::tools::run::{LONGEST, OFTEN, Said};

/// How long nothing is shown if there is nothing new.
const LONG: Duration = Duration::from_secs(60 * 60);

/// Takes what a command says.
pub(super) trait Ear {
    /// What was said next.
    fn push(&mut self, bytes: &[u8]);
    /// So many bytes were said next that nobody has any more.
    fn gap(&mut self, bytes: u64);
    /// The end of it.
    fn latest(&self) -> String;
    /// All of it that is kept.
    fn whole(&self) -> String;
    /// How it is.
    fn is(&mut self, _state: &HandsState) {}
    /// Whether somebody wants it to end.
    fn is_unwanted(&self) -> bool {
        false
    }
    /// How long one that was ordered before may run.
    fn longest(&self) -> Duration {
        LONGEST
    }
}

impl Ear for Said {
    fn push(&mut self, bytes: &[u8]) {
        Self::push(self, bytes);
    }

    fn gap(&mut self, bytes: u64) {
        Self::push(self, format!("\n({bytes} bytes are left out)\n").as_bytes());
    }

    fn latest(&self) -> String {
        Self::latest(self)
    }

    fn whole(&self) -> String {
        Self::whole(self)
    }
}

/// How it came out.
pub(super) enum Followed {
    Done(Value),
    Refused(String),
    /// The machine has never heard of it.
    Never,
    /// Nobody can tell; why, and what it had said.
    Lost(String, String),
}

impl There {
    /// Orders it, or asks after it, and shows what it says until it is over. Dropped, the command ends.
    pub(super) async fn follow<E: Ear>(
        mut self,
        first: HandsOrder,
        ear: E,
        patience: Duration,
        say: impl Fn(&str) -> Result<()>,
    ) -> Result<Followed> {
        let Some(id) = id_of(&first) else { return Ok(Followed::Never) };
        let (id, name) = (id.to_owned(), self.choice.name.clone());
        let mut waiting = self.seats.expect(&id, &self.machine);
        let mut hold = Hold { machine: Arc::clone(&self.machine), id: id.clone(), is_over: false };
        let longest = longest(&first, &ear);
        let mut word = Word { said: ear, next: 0, asks: None, running: None };
        self.machine.order(first.clone());
        let (mut shown, mut is_news) = (Instant::now(), false);
        loop {
            let pause = if is_news { OFTEN.saturating_sub(shown.elapsed()) } else { LONG };
            let left = word.running.map_or(LONG, |since| longest.saturating_sub(since.elapsed()));
            if left.is_zero() {
                let why = format!("it may run for {} s, and {name} does not say that it is over", longest.as_secs());
                return Ok(Followed::Lost(why, word.said.whole()));
            }
            match next(&mut waiting, &self, pause.min(left)).await {
                Next::Report(report) => {
                    is_news = true;
                    match word.take(report, &name) {
                        Some(Followed::Never) if begins(&first) => self.machine.order(first.clone()),
                        Some(over) => {
                            hold.is_over = true;
                            return Ok(over);
                        }
                        None => {}
                    }
                }
                Next::Nothing => {
                    if is_news {
                        say(&word.latest())?;
                    }
                    (shown, is_news) = (Instant::now(), false);
                }
                Next::Gone => {
                    say(&format!("{}\n(the connection to {name} is lost; waiting for it)\n", word.latest()))?;
                    let back = self.seats.wait(&self.choice, patience).await;
                    let Some(back) = back.filter(|back| back.offer.instance == self.machine.offer.instance) else {
                        hold.is_over = true;
                        let why = gone(&name, patience, &self.seats, &self.choice);
                        return Ok(Followed::Lost(why, word.said.whole()));
                    };
                    back.order(HandsOrder::Tell { id: id.clone(), from: word.next });
                    if word.said.is_unwanted() {
                        back.order(HandsOrder::Cancel { id: id.clone() });
                    }
                    (self.machine, hold.machine) = (Arc::clone(&back), back);
                }
            }
        }
    }
}

/// The order that is followed.
fn id_of(order: &HandsOrder) -> Option<&str> {
    match order {
        HandsOrder::Run { id, .. } | HandsOrder::Input { id, .. } | HandsOrder::Tell { id, .. } => Some(id),
        _ => None,
    }
}

/// Whether that has something done, which is then done once.
fn begins(order: &HandsOrder) -> bool {
    matches!(order, HandsOrder::Run { .. } | HandsOrder::Input { .. })
}

/// How long it may seem to run: the machine ends it in time, unless it cannot say so.
fn longest(order: &HandsOrder, ear: &impl Ear) -> Duration {
    let longest = match order {
        HandsOrder::Run { seconds, .. } => Duration::from_secs(*seconds),
        _ => ear.longest(),
    };
    longest.saturating_add(SLACK)
}

fn gone(name: &str, patience: Duration, seats: &Seats, choice: &Choice) -> String {
    match seats.find(choice) {
        Some(_) => format!("{name} was started anew meanwhile, and knows nothing of it"),
        None => format!("{name} went away, and did not come back within {} s", patience.as_secs()),
    }
}

enum Next {
    Report(HandsReport),
    Nothing,
    Gone,
}

/// What happens first. Word that has come is taken before it is noticed that there is no more.
async fn next(waiting: &mut Waiting, there: &There, pause: Duration) -> Next {
    tokio::select! {
        biased;
        report = waiting.reports.recv() => report.map_or(Next::Gone, Next::Report),
        () = there.seats.gone(&there.machine) => Next::Gone,
        () = tokio::time::sleep(pause) => Next::Nothing,
    }
}

/// What is known of a command so far.
struct Word<E> {
    said: E,
    next: u64,
    asks: Option<String>,
    /// Since when it runs. Whoever is asked before that may take their time.
    running: Option<Instant>,
}

impl<E: Ear> Word<E> {
    fn take(&mut self, report: HandsReport, name: &str) -> Option<Followed> {
        self.hear(&report);
        self.said.is(&report.state);
        self.asks = None;
        match report.state {
            HandsState::Running {} => {
                self.running.get_or_insert_with(Instant::now);
                None
            }
            HandsState::Asked {} => {
                self.asks = Some(format!("(somebody is asked at the terminal of {name})\n"));
                None
            }
            HandsState::Refused { why } => Some(Followed::Refused(why)),
            HandsState::Ended { exit_code, success, how } => Some(Followed::Done(json!({
                "exitCode": exit_code, "success": success, "ended": how, "output": self.said.whole(), "on": name}))),
            HandsState::Unknown {} => Some(Followed::Never),
            HandsState::Forgotten {} => {
                Some(Followed::Lost(format!("{name} no longer knows what became of it"), self.said.whole()))
            }
        }
    }

    /// What was told already is not told again, and what is missing is said to be.
    fn hear(&mut self, report: &HandsReport) {
        if report.next <= self.next {
            return;
        }
        if report.from > self.next {
            self.said.gap(report.from - self.next);
        }
        let known = usize::try_from(self.next.saturating_sub(report.from)).unwrap_or(usize::MAX);
        let data = &report.data;
        self.said.push(&data.as_bytes()[data.ceil_char_boundary(known.min(data.len()))..]);
        self.next = report.next;
    }

    fn latest(&self) -> String {
        self.asks.clone().unwrap_or_else(|| self.said.latest())
    }
}

/// Ends the command if nobody waits for it any longer. It is not forgotten there, so that it is not run again either.
struct Hold {
    machine: Arc<Machine>,
    id: String,
    is_over: bool,
}

impl Drop for Hold {
    fn drop(&mut self) {
        if !self.is_over {
            self.machine.order(HandsOrder::Cancel { id: self.id.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(from: u64, data: &str) -> HandsReport {
        let next = from + data.len() as u64;
        let (session, id, state) = (String::new(), String::new(), HandsState::Running {});
        HandsReport { session, id, state, data: data.to_owned(), from, next }
    }

    fn word() -> Word<Said> {
        Word { said: Said::default(), next: 0, asks: None, running: None }
    }

    #[test]
    fn the_time_of_a_command_counts_from_when_it_runs_and_not_from_the_question() {
        let mut word = word();
        assert!(word.take(HandsReport { state: HandsState::Asked {}, ..report(0, "") }, "desk").is_none());
        assert!(word.running.is_none() && word.asks.is_some());
        word.take(report(0, ""), "desk");
        let since = word.running.unwrap();
        word.take(report(0, "more"), "desk");
        assert_eq!(word.running, Some(since));
        let run = HandsOrder::Run {
            id: "a".to_owned(),
            command: String::new(),
            directory: String::new(),
            seconds: 7,
            output_bytes: 1,
            background: false,
            terminal: false,
        };
        assert_eq!(longest(&run, &word.said), Duration::from_secs(7) + SLACK);
    }

    #[test]
    fn what_is_told_twice_is_heard_once_and_what_is_missing_is_said_to_be() {
        let mut word = word();
        for (from, data) in [(0, "one "), (0, "one "), (2, "e two "), (8, "three"), (4, "two"), (20, "end")] {
            assert!(word.take(report(from, data), "desk").is_none());
        }
        assert_eq!(word.said.whole(), "one two three\n(7 bytes are left out)\nend");
    }

    #[test]
    fn nothing_that_a_machine_reports_breaks_the_hearing_of_it() {
        let mut word = word();
        for (from, next, data) in
            [(0, 5, "ä"), (0, 7, "ää"), (9, 3, "x"), (u64::MAX, 1, "y"), (6, u64::MAX, "€"), (0, 1, "")]
        {
            word.hear(&HandsReport { from, next, ..report(0, data) });
        }
        assert!(word.said.whole().starts_with('ä'));
    }
}
