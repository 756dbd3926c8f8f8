//! The machines that are lent to agents, as this process knows them, and the calls that wait for word from one.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hostel::{AgentId, Code, Error, Result, Timestamp};
use tokio::sync::{mpsc, watch};

use super::{Choice, HandsMachine, HandsOffer, HandsOrder, HandsReport};

/// How many machines may be lent to one agent.
const MOST: usize = 16;
/// How many reports wait for one call; beyond, the machine waits.
const REPORTS: usize = 8;

/// The machines that are lent to each agent.
#[derive(Debug, Default)]
pub(crate) struct Lent(Mutex<HashMap<AgentId, Arc<Seats>>>);

impl Lent {
    pub(crate) fn of(&self, id: &AgentId) -> Arc<Seats> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Of an agent that nobody lends anything, and that waits for nothing, nothing is kept.
        if all.len() > MOST && !all.contains_key(id) {
            all.retain(|_, seats| Arc::strong_count(seats) > 1 || !seats.inner().machines.is_empty());
        }
        Arc::clone(all.entry(id.clone()).or_default())
    }
}

/// The machines that are lent to one agent.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    inner: Mutex<Inner>,
    /// Counts whenever one comes or goes.
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    machines: BTreeMap<String, Arc<Machine>>,
    /// The calls that wait for word of an order.
    waiting: HashMap<String, (Arc<Machine>, mpsc::Sender<HandsReport>)>,
}

/// A machine that is lent, for as long as one connection lasts.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) offer: HandsOffer,
    pub(crate) by: Option<String>,
    session: String,
    since: Timestamp,
    orders: mpsc::UnboundedSender<HandsOrder>,
}

impl Machine {
    pub(super) fn new(
        offer: HandsOffer,
        session: String,
        by: Option<String>,
        since: Timestamp,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<HandsOrder>) {
        let (orders, queue) = mpsc::unbounded_channel();
        (Arc::new(Self { offer, by, session, since, orders }), queue)
    }

    /// Whether that is the same run of the program, of the same lender, over whatever connection.
    fn is_same(&self, other: &Self) -> bool {
        self.by == other.by && self.offer.name == other.offer.name && self.offer.instance == other.offer.instance
    }

    /// Gives it an order. If it is gone, that is found out elsewhere.
    pub(super) fn order(&self, order: HandsOrder) {
        let _ = self.orders.send(order);
    }

    /// For people; `choice` is what was chosen, if a machine was.
    pub(super) fn shown(&self, choice: Option<&Choice>) -> HandsMachine {
        let HandsOffer { name, directory, platform, allow, sandboxed, asks, .. } = self.offer.clone();
        let (since, by) = (self.since.to_string(), self.by.clone());
        let chosen = choice.is_some_and(|choice| self.is(choice));
        HandsMachine { name, directory, platform, allow, sandboxed, asks, chosen, since, by }
    }

    /// Whether it is the one that was chosen.
    fn is(&self, choice: &Choice) -> bool {
        self.offer.name == choice.name && self.by == choice.lender
    }
}

impl Seats {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let made = change(&mut self.inner());
        self.changed.send_modify(|count| *count += 1);
        made
    }

    /// Lends a machine until what is answered is dropped. One of the same name and lender leaves for it.
    pub(super) fn take(self: &Arc<Self>, machine: Arc<Machine>) -> Result<Seat> {
        let old = self.change(|inner| {
            let there = inner.machines.get(&machine.offer.name);
            if there.is_some_and(|there| there.by != machine.by) {
                return Err(taken(&machine.offer.name));
            }
            if there.is_none() && inner.machines.len() >= MOST {
                let why = format!("{MOST} machines are lent to this agent, which is as many as may.");
                return Err(Error::coded(Code::HandsTaken, why).with_fix("end one of them"));
            }
            Ok(inner.machines.insert(machine.offer.name.clone(), Arc::clone(&machine)))
        })?;
        // The same program that comes back needs not be told.
        if let Some(old) = old.filter(|old| old.offer.instance != machine.offer.instance) {
            old.order(HandsOrder::Replaced {});
        }
        Ok(Seat { seats: Arc::clone(self), machine })
    }

    pub(super) fn all(&self) -> Vec<Arc<Machine>> {
        self.inner().machines.values().cloned().collect()
    }

    pub(super) fn has_session(&self, session: &str) -> bool {
        self.inner().machines.values().any(|machine| machine.session == session)
    }

    /// The machine with this name, or the only one.
    pub(super) fn only(&self, name: Option<&str>) -> Result<Arc<Machine>> {
        let all = self.all();
        let mut meant = all.iter().filter(|machine| name.is_none_or(|name| machine.offer.name == name));
        match (meant.next(), meant.next()) {
            (Some(machine), None) => Ok(Arc::clone(machine)),
            (Some(_), Some(_)) => Err(Error::coded(Code::HandsUnknown, "Several machines are lent to this agent.")
                .with_fix(format!("say which: {}", names(&all)))),
            (None, _) if all.is_empty() => Err(Error::coded(Code::HandsUnknown, "No machine is lent to this agent.")
                .with_fix("run `hostel hands` there first")),
            (None, _) => Err(Error::coded(Code::HandsUnknown, "No machine of this name is lent to this agent.")
                .with_fix(format!("there are: {}", names(&all)))),
        }
    }

    /// The machine that was chosen, if it is there.
    pub(super) fn find(&self, choice: &Choice) -> Option<Arc<Machine>> {
        let found = self.inner().machines.get(&choice.name).cloned();
        found.filter(|machine| machine.is(choice))
    }

    /// The machine that was chosen, waited for for a while.
    pub(super) async fn wait(&self, choice: &Choice, patience: Duration) -> Option<Arc<Machine>> {
        let mut changed = self.changed.subscribe();
        let there = changed.wait_for(|_| self.find(choice).is_some());
        let _ = tokio::time::timeout(patience, there).await;
        self.find(choice)
    }

    /// Waits until this machine is gone, or has come back as another connection.
    pub(super) async fn gone(&self, machine: &Arc<Machine>) {
        let is_there =
            || self.inner().machines.get(&machine.offer.name).is_some_and(|other| Arc::ptr_eq(other, machine));
        let _ = self.changed.subscribe().wait_for(|_| !is_there()).await;
    }

    /// Waits for word of an order from this machine, until what is answered is dropped.
    pub(super) fn expect(self: &Arc<Self>, id: &str, machine: &Arc<Machine>) -> Waiting {
        let (sender, reports) = mpsc::channel(REPORTS);
        self.inner().waiting.insert(id.to_owned(), (Arc::clone(machine), sender));
        Waiting { seats: Arc::clone(self), id: id.to_owned(), reports }
    }

    /// Hands a report to whoever waits for it; whether somebody does. Of an order only the machine is heard that was given it.
    pub(super) async fn tell(&self, report: HandsReport) -> bool {
        let waits = self.inner().waits(&report);
        match waits {
            Some(waits) => waits.send(report).await.is_ok(),
            None => false,
        }
    }
}

impl Inner {
    fn waits(&self, report: &HandsReport) -> Option<mpsc::Sender<HandsReport>> {
        let (ordered, waits) = self.waiting.get(&report.id)?;
        let of = self.machines.values().find(|machine| machine.session == report.session)?;
        of.is_same(ordered).then(|| waits.clone())
    }
}

fn names(machines: &[Arc<Machine>]) -> String {
    machines.iter().map(|machine| machine.offer.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn taken(name: &str) -> Error {
    Error::coded(Code::HandsTaken, format!("Somebody else lends a machine called {name:?} to this agent."))
        .with_fix("give this one another name with --name")
}

/// A machine's place. Dropped, it is lent no more.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    machine: Arc<Machine>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let name = &self.machine.offer.name;
        self.seats.change(|inner| {
            if inner.machines.get(name).is_some_and(|there| Arc::ptr_eq(there, &self.machine)) {
                inner.machines.remove(name);
            }
        });
    }
}

/// A call that waits for word of an order.
#[derive(Debug)]
pub(super) struct Waiting {
    seats: Arc<Seats>,
    id: String,
    pub(super) reports: mpsc::Receiver<HandsReport>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.reports.close();
        let mut inner = self.seats.inner();
        // Another that waits for the same by now stays.
        if inner.waiting.get(&self.id).is_some_and(|(_, waits)| waits.is_closed()) {
            inner.waiting.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::HandsState, *};

    type Queue = mpsc::UnboundedReceiver<HandsOrder>;

    fn machine(name: &str, instance: &str, by: Option<&str>) -> (Arc<Machine>, Queue) {
        let offer = HandsOffer {
            name: name.to_owned(),
            instance: instance.to_owned(),
            directory: "/home/ann".to_owned(),
            platform: "linux".to_owned(),
            allow: Vec::new(),
            sandboxed: false,
            asks: false,
            background: true,
        };
        Machine::new(offer, format!("session of {instance}"), by.map(str::to_owned), Timestamp::UNIX_EPOCH)
    }

    fn choice(name: &str, lender: Option<&str>) -> Choice {
        Choice { name: name.to_owned(), lender: lender.map(str::to_owned) }
    }

    #[test]
    fn a_name_is_its_lenders_and_the_newest_of_a_lender_is_the_one() {
        let seats = Arc::<Seats>::default();
        let (first, mut of_first) = machine("desk", "1", Some("ann"));
        let seat = seats.take(Arc::clone(&first)).unwrap();
        let bobs = seats.take(machine("desk", "2", Some("bob")).0).unwrap_err();
        assert_eq!(bobs.code(), Some(Code::HandsTaken));
        assert!(seats.find(&choice("desk", Some("bob"))).is_none() && seats.has_session("session of 1"));
        // The same run of the program comes back: nobody is told to leave.
        let (again, _of_again) = machine("desk", "1", Some("ann"));
        let second = seats.take(again).unwrap();
        assert!(of_first.try_recv().is_err());
        drop(seat);
        assert!(seats.find(&choice("desk", Some("ann"))).is_some(), "the place is the second's");
        let (third, _of_third) = machine("desk", "3", Some("ann"));
        let _third = seats.take(Arc::clone(&third)).unwrap();
        drop(second);
        assert!(Arc::ptr_eq(&seats.find(&choice("desk", Some("ann"))).unwrap(), &third));
        assert!(!seats.has_session("session of 1"), "what an old session says is not heard");
    }

    #[test]
    fn another_run_of_the_program_is_told_to_leave() {
        let seats = Arc::<Seats>::default();
        let (first, mut of_first) = machine("desk", "1", None);
        let _first = seats.take(first).unwrap();
        let _second = seats.take(machine("desk", "2", None).0).unwrap();
        assert_eq!(of_first.try_recv(), Ok(HandsOrder::Replaced {}));
    }

    #[test]
    fn the_machine_that_is_shown_as_chosen_is_of_whoever_lent_it_then() {
        let (desk, _queue) = machine("desk", "1", Some("ann"));
        let is_chosen = |choice: Option<Choice>| desk.shown(choice.as_ref()).chosen;
        assert!(is_chosen(Some(choice("desk", Some("ann")))));
        let others =
            [None, Some(choice("desk", Some("bob"))), Some(choice("desk", None)), Some(choice("lap", Some("ann")))];
        assert!(!others.into_iter().any(is_chosen));
    }

    #[test]
    fn which_machine_is_meant_is_said_or_clear() {
        let seats = Arc::<Seats>::default();
        let none = seats.only(None).unwrap_err();
        assert_eq!(none.code(), Some(Code::HandsUnknown));
        let _one = seats.take(machine("desk", "1", None).0).unwrap();
        assert_eq!(seats.only(None).unwrap().offer.name, "desk");
        let _two = seats.take(machine("lap", "2", None).0).unwrap();
        assert!(seats.only(None).unwrap_err().fix().is_some_and(|fix| fix.contains("desk, lap")));
        assert_eq!(seats.only(Some("lap")).unwrap().offer.name, "lap");
        assert!(seats.only(Some("phone")).is_err());
    }

    #[tokio::test]
    async fn reports_reach_whoever_waits_and_nobody_else() {
        let seats = Arc::<Seats>::default();
        let (desk, _of_desk) = machine("desk", "1", Some("ann"));
        let _seat = seats.take(Arc::clone(&desk)).unwrap();
        let report = |id: &str| HandsReport {
            session: "session of 1".to_owned(),
            id: id.to_owned(),
            state: HandsState::Running {},
            data: String::new(),
            from: 0,
            next: 0,
        };
        assert!(!seats.tell(report("a")).await);
        let mut waiting = seats.expect("a", &desk);
        assert!(seats.tell(report("a")).await && !seats.tell(report("b")).await);
        assert_eq!(waiting.reports.recv().await, Some(report("a")));
        // A call that comes again takes the place of the one before it.
        let again = seats.expect("a", &desk);
        drop(waiting);
        assert!(seats.tell(report("a")).await);
        drop(again);
        assert!(!seats.tell(report("a")).await && seats.inner().waiting.is_empty());
    }

    #[tokio::test]
    async fn of_an_order_only_the_machine_is_heard_that_was_given_it() {
        let seats = Arc::<Seats>::default();
        let report = |session: &str| HandsReport {
            session: session.to_owned(),
            id: "a".to_owned(),
            state: HandsState::Ended { exit_code: Some(0), success: true, how: String::new() },
            data: String::new(),
            from: 0,
            next: 0,
        };
        let (desk, _of_desk) = machine("desk", "1", Some("ann"));
        let seat = seats.take(Arc::clone(&desk)).unwrap();
        let _other = seats.take(machine("lap", "2", Some("bob")).0).unwrap();
        let mut waiting = seats.expect("a", &desk);
        assert!(seats.has_session("session of 2") && !seats.tell(report("session of 2")).await);
        // It comes back as another connection, and is still heard; another run of the program is not.
        let again = seats.take(machine("desk", "1", Some("ann")).0).unwrap();
        assert!(seats.tell(report("session of 1")).await && waiting.reports.recv().await.is_some());
        drop((seat, again));
        let _anew = seats.take(machine("desk", "3", Some("ann")).0).unwrap();
        assert!(!seats.tell(report("session of 3")).await);
    }

    #[tokio::test]
    async fn whoever_waits_for_a_machine_sees_it_come_and_go() {
        let seats = Arc::<Seats>::default();
        assert!(seats.wait(&choice("desk", None), Duration::ZERO).await.is_none());
        let (desk, _queue) = machine("desk", "1", None);
        let choice = choice("desk", None);
        let waits = seats.wait(&choice, Duration::from_secs(3600));
        let comes = async { seats.take(Arc::clone(&desk)).unwrap() };
        let (found, seat) = tokio::join!(waits, comes);
        assert!(Arc::ptr_eq(&found.unwrap(), &desk));
        tokio::join!(seats.gone(&desk), async { drop(seat) });
        assert!(seats.all().is_empty());
    }

    #[test]
    fn an_offer_that_cannot_be_shown_is_refused() {
        let offer = |name: &str, directory: &str| {
            let mut offer = machine(name, "1", None).0.offer.clone();
            directory.clone_into(&mut offer.directory);
            offer.check().is_ok()
        };
        assert!(offer("ann-s.desk_1", "/home/ann/a b"));
        for (name, directory) in
            [("", "/"), ("a b", "/"), ("a\u{202e}", "/"), ("a", "/\x1b[2J"), ("a", "/\n"), (&*"a".repeat(65), "/")]
        {
            assert!(!offer(name, directory), "{name:?} {directory:?}");
        }
    }
}
