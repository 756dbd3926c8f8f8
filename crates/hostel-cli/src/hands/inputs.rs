//! What is to be typed into one command: in the order in which it came, and together what came while somebody was asked.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select_all;
use parking_lot::Mutex;

use super::order::{Ordered, Stage};

/// One input.
#[derive(Debug)]
pub(super) struct Input {
    /// The order to type it.
    pub(super) order: Arc<Ordered>,
    pub(super) text: String,
    /// Whether the input of the command ends after it.
    pub(super) end: bool,
}

/// How much may wait to be typed into a command, and of how much may be asked at once, in bytes.
const MOST: usize = 64 << 10;
const MOST_AT_ONCE: usize = 4 << 10;

/// What waits to be typed into a command.
#[derive(Debug, Default)]
pub(super) struct Inputs(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    inputs: VecDeque<Input>,
    /// Whether somebody takes them out.
    is_served: bool,
}

impl Inputs {
    /// Whether what comes now has to wait.
    pub(super) fn is_served(&self) -> bool {
        self.0.lock().is_served
    }

    /// Whether so much more may wait.
    pub(super) fn has_room(&self, text: &str) -> bool {
        let waiting: usize = self.0.lock().inputs.iter().map(|input| input.text.len()).sum();
        waiting == 0 || waiting + text.len() <= MOST
    }

    /// Lines it up. Whoever is answered `true` is to take out what waits until there is nothing.
    pub(super) fn push(&self, input: Input) -> bool {
        let mut waiting = self.0.lock();
        waiting.inputs.push_back(input);
        !mem::replace(&mut waiting.is_served, true)
    }

    /// What waits, up to the end of the input, and no more than somebody can look at. With nothing, it is not served any more.
    pub(super) fn next(&self) -> Option<Batch> {
        let mut waiting = self.0.lock();
        let end = waiting.inputs.iter().position(|input| input.end).map(|end| end + 1);
        let sizes = waiting.inputs.iter().scan(0, |sum, input| {
            *sum += input.text.len();
            Some(*sum)
        });
        let fit = sizes.take_while(|sum| *sum <= MOST_AT_ONCE).count().max(1);
        let many = end.unwrap_or(waiting.inputs.len()).min(fit);
        waiting.is_served = many > 0;
        waiting.is_served.then(|| Batch(waiting.inputs.drain(..many).collect()))
    }

    /// Lines it up again before everything else.
    pub(super) fn put_back(&self, batch: Batch) {
        let mut waiting = self.0.lock();
        batch.0.into_iter().rev().for_each(|input| waiting.inputs.push_front(input));
    }
}

/// What is typed at once.
#[derive(Debug)]
pub(super) struct Batch(Vec<Input>);

impl From<Input> for Batch {
    fn from(input: Input) -> Self {
        Self(vec![input])
    }
}

impl Batch {
    pub(super) fn text(&self) -> String {
        self.0.iter().map(|input| &*input.text).collect()
    }

    /// Whether the input of the command ends after it.
    pub(super) fn ends(&self) -> bool {
        self.0.iter().any(|input| input.end)
    }

    /// Waits until one of them is wanted by nobody; which, and why. Cancel safe.
    pub(super) async fn unwanted(&self, grace: Duration) -> (usize, &'static str) {
        let each = self.0.iter().map(|input| Box::pin(input.order.unwanted(grace)));
        let (why, which, _) = select_all(each).await;
        (which, why)
    }

    /// Takes one out.
    pub(super) fn take(&mut self, which: usize) -> Self {
        self.0.remove(which).into()
    }

    /// Those that are wanted, and each that nobody wants by now, with why.
    pub(super) fn sorted(self, grace: Duration) -> (Option<Self>, Vec<(Self, &'static str)>) {
        let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
        for input in self.0 {
            match input.order.unwanted_by_now(grace) {
                None => wanted.push(input),
                Some(why) => unwanted.push((input.into(), why)),
            }
        }
        (Self(wanted).some(), unwanted)
    }

    fn some(self) -> Option<Self> {
        (!self.0.is_empty()).then_some(self)
    }

    /// Says what became of it.
    pub(super) fn settle(&self, stage: &Stage) {
        self.0.iter().for_each(|input| drop(input.order.stage.send_replace(stage.clone())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(text: &str) -> Input {
        Input { order: Arc::default(), text: text.to_owned(), end: false }
    }

    #[test]
    fn what_comes_meanwhile_is_one_batch_in_its_order_and_nothing_comes_after_the_end_of_the_input() {
        let inputs = Inputs::default();
        assert!(!inputs.is_served() && inputs.push(input("a")) && inputs.is_served());
        let first = inputs.next().unwrap();
        assert_eq!(first.text(), "a");
        for text in ["b", "c", "d"] {
            assert!(!inputs.push(Input { end: text == "c", ..input(text) }), "it is served already");
        }
        let mut second = inputs.next().unwrap();
        assert_eq!((&*second.text(), second.ends()), ("bc", true));
        assert_eq!(second.take(0).text(), "b");
        inputs.put_back(second);
        assert_eq!(inputs.next().unwrap().text(), "c");
        let last = inputs.next().unwrap();
        assert_eq!((&*last.text(), last.ends()), ("d", false));
        assert!(inputs.next().is_none() && !inputs.is_served() && inputs.push(input("e")));
    }

    #[test]
    fn no_more_is_asked_about_at_once_than_somebody_can_look_at_and_no_more_waits_than_there_is_room_for() {
        let inputs = Inputs::default();
        let piece = "x".repeat(MOST_AT_ONCE / 2);
        while inputs.has_room(&piece) {
            inputs.push(input(&piece));
        }
        let mut batches = 0;
        while let Some(batch) = inputs.next() {
            assert_eq!(batch.text().len(), MOST_AT_ONCE);
            batches += 1;
        }
        assert_eq!(batches * MOST_AT_ONCE, MOST);
        assert!(inputs.has_room(&"x".repeat(MOST + 1)), "one alone is never too much");
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_batch_it_is_known_which_one_nobody_wants_and_those_that_waited_as_long_are_not_asked_about() {
        let grace = Duration::from_secs(60);
        let inputs = Inputs::default();
        assert_eq!(["a", "b", "c", "d"].map(|text| inputs.push(input(text))), [true, false, false, false]);
        let mut batch = inputs.next().unwrap();
        let _followed = [0, 3].map(|which: usize| batch.0[which].order.follow());
        batch.0[3].order.cancel.cancel();
        assert_eq!(batch.unwanted(grace).await, (3, "it was cancelled"));
        let lost = "the connection was lost, and nobody came back for it";
        drop(batch.take(3));
        assert_eq!(batch.unwanted(grace).await.1, lost);
        batch.0.push(input("e"));
        batch.0[3].order.cancel.cancel();
        let (wanted, unwanted) = batch.sorted(grace);
        let unwanted: Vec<_> = unwanted.iter().map(|(batch, why)| (batch.text(), *why)).collect();
        assert_eq!(wanted.unwrap().text(), "a");
        assert_eq!(unwanted, [("b".to_owned(), lost), ("c".to_owned(), lost), ("e".to_owned(), "it was cancelled")]);
    }
}
