//! What clients were told, kept outside of the system under test.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::Context as _;
use futures_util::{StreamExt as _, stream};
use hostel_client::{Call, Client, Options, Reason};
use parking_lot::Mutex;
use serde_json::json;

use crate::account::{Account, Claim, Look, Told};
use crate::faults::Faults;
use crate::fork::{self, Fork};
use crate::note::Note;
use crate::say;
use crate::server::Server;
use crate::talk::{self, Talk};

/// Every fifth agent is a note, every tenth chats, the others are ledgers.
const NOTES: u64 = 5;
const TALKS: u64 = 10;
/// Agents compared at a time.
const AT_A_TIME: usize = 16;

/// Who is meant.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Who {
    /// An agent that keeps entries.
    Ledger(usize),
    /// An agent whose state is set.
    Note(usize),
    /// An agent that chats, and in which of its conversations.
    Talk(usize, u64),
}

/// The accounts of all agents.
#[derive(Debug)]
pub(crate) struct Ledger {
    accounts: Vec<Mutex<Account>>,
    notes: Vec<Note>,
    talks: Vec<Talk>,
    /// Nothing that is heard counts any more: the power is being cut.
    frozen: AtomicBool,
    sent: AtomicU64,
    answered: AtomicU64,
    shown: AtomicU64,
    /// Forks that were acknowledged since the last comparison.
    forks: Mutex<Vec<Fork>>,
    /// How often a request was answered with which code, and in which words the first time.
    codes: Mutex<BTreeMap<String, (u64, String)>>,
}

impl Ledger {
    pub(crate) fn new(agents: u64) -> Self {
        let (notes, talks) = (agents / NOTES, agents / TALKS);
        Self {
            accounts: (notes + talks..agents.max(1)).map(|_| Mutex::default()).collect(),
            notes: (0..notes).map(|_| Note::default()).collect(),
            talks: (0..talks).map(|_| Talk::default()).collect(),
            frozen: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            shown: AtomicU64::new(0),
            forks: Mutex::default(),
            codes: Mutex::default(),
        }
    }

    /// The agent of a random number.
    pub(crate) fn any(&self, random: u64) -> Who {
        let (accounts, notes) = (self.accounts.len(), self.notes.len());
        match usize::try_from(random).unwrap_or_default() % (accounts + notes + self.talks.len()) {
            at if at < accounts => Who::Ledger(at),
            at if at < accounts + notes => Who::Note(at - accounts),
            at => self.talk(at - accounts - notes),
        }
    }

    /// The agent of this number that chats.
    fn talk(&self, at: usize) -> Who {
        Who::Talk(at, self.talks[at].part())
    }

    pub(crate) fn note(&self, at: usize) -> &Note {
        &self.notes[at]
    }

    pub(crate) fn send(&self, at: usize, op: &str) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.accounts[at].lock().send(op);
    }

    pub(crate) fn refused(&self, at: usize, op: &str, reason: &Reason) {
        self.accounts[at].lock().refuse(op);
        self.note_refused(reason);
    }

    pub(crate) fn note_refused(&self, reason: &Reason) {
        let code = reason.code.clone().unwrap_or_else(|| "no code".to_owned());
        self.codes.lock().entry(code).or_insert_with(|| (0, reason.message.clone())).0 += 1;
    }

    /// Somebody was told that a fork was made, or what is in it.
    pub(crate) fn forked(&self, fork: Fork) {
        if !self.is_frozen() {
            self.answered.fetch_add(1, Ordering::SeqCst);
            let mut forks = self.forks.lock();
            forks.retain(|other| other.name != fork.name);
            forks.push(fork);
        }
    }

    /// A socket was closed for this reason, which begins with a code.
    pub(crate) fn note_closed(&self, reason: &str) {
        let (code, message) = reason.split_once(": ").unwrap_or((reason, ""));
        self.codes.lock().entry(code.to_owned()).or_insert_with(|| (0, message.to_owned())).0 += 1;
    }

    /// How often a request was answered with which code, and in which words the first time, since the last question.
    pub(crate) fn take_codes(&self) -> BTreeMap<String, (u64, String)> {
        std::mem::take(&mut self.codes.lock())
    }

    pub(crate) fn send_end(&self, at: usize) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.accounts[at].lock().send_end();
    }

    pub(crate) fn claim(&self, at: usize, claim: Claim) {
        if !self.is_frozen() {
            let count = if claim.kind == Told::Answered { &self.answered } else { &self.shown };
            count.fetch_add(1, Ordering::SeqCst);
            self.accounts[at].lock().claim(claim);
        }
    }

    pub(crate) fn ended(&self, at: usize, born: &str) {
        if !self.is_frozen() {
            self.answered.fetch_add(1, Ordering::SeqCst);
            self.accounts[at].lock().end(born);
        }
    }

    pub(crate) fn send_note(&self, at: usize) -> u64 {
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.notes[at].send()
    }

    pub(crate) fn note_told(&self, at: usize, value: u64, kind: Told) {
        if self.is_frozen() {
            return;
        }
        match kind {
            Told::Answered => {
                self.answered.fetch_add(1, Ordering::SeqCst);
                self.notes[at].answer(value);
            }
            Told::Shown => {
                self.shown.fetch_add(1, Ordering::SeqCst);
                self.notes[at].show(value);
            }
        }
    }

    pub(crate) fn send_talk(&self, (at, part): (usize, u64), op: &str) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.talks[at].send(part, op);
    }

    pub(crate) fn told_talk(&self, (at, part): (usize, u64), op: &str, kind: Told, ended: bool) {
        if self.is_frozen() {
            return;
        }
        let count = if kind == Told::Answered && ended { &self.answered } else { &self.shown };
        count.fetch_add(1, Ordering::SeqCst);
        self.talks[at].tell(part, op, kind, ended);
    }

    /// From here on nothing that clients hear counts.
    pub(crate) fn freeze(&self) {
        self.frozen.store(true, Ordering::SeqCst);
    }

    pub(crate) fn thaw(&self) {
        self.frozen.store(false, Ordering::SeqCst);
        self.notes.iter().for_each(Note::give_back);
    }

    fn is_frozen(&self) -> bool {
        self.frozen.load(Ordering::SeqCst)
    }

    /// How many requests were answered, and how many frames were seen.
    pub(crate) fn told(&self) -> u64 {
        self.answered() + self.shown.load(Ordering::SeqCst)
    }

    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::SeqCst)
    }

    pub(crate) fn totals(&self) -> String {
        let [sent, answered, shown] = [&self.sent, &self.answered, &self.shown].map(|n| n.load(Ordering::SeqCst));
        format!("{sent} requests sent, {answered} answered, {shown} frames seen by others")
    }

    /// Asks a restarted server for every agent that was touched since the last comparison (for `all` of them, if so
    /// wished), and compares.
    pub(crate) async fn compare(&self, server: &Server, all: bool) -> Faults {
        let ledgers = (0..self.accounts.len()).filter(|at| all || self.accounts[*at].lock().is_touched());
        let notes = (0..self.notes.len()).filter(|at| all || self.notes[*at].is_touched());
        let talks = (0..self.talks.len()).filter(|at| all || self.talks[*at].is_touched());
        let whom = ledgers.map(Who::Ledger).chain(notes.map(Who::Note)).chain(talks.map(|at| self.talk(at)));
        let whom: Vec<Who> = whom.collect();
        let compared = stream::iter(whom).map(|who| self.compare_one(server, who)).buffer_unordered(AT_A_TIME);
        let sum = compared.fold(Faults::default(), async |mut sum, faults| {
            sum += faults;
            sum
        });
        let mut sum = sum.await;
        sum += self.compare_forks(server).await;
        sum
    }

    async fn compare_forks(&self, server: &Server) -> Faults {
        let mut faults = Faults::default();
        let forks = std::mem::take(&mut *self.forks.lock());
        for fork in forks {
            let compared = async { fork.compare(&fork::look(&server.forked(&fork.name)?).await?) };
            if let Err(error) = compared.await {
                say(&format!("{}: {error:#}", fork.name));
                faults.lost += 1;
            }
        }
        faults
    }

    async fn compare_one(&self, server: &Server, who: Who) -> Faults {
        match self.look(server, who).await {
            Ok(faults) => faults,
            Err(error) => {
                say(&format!("{who:?} cannot be reached: {error:#}"));
                Faults { stuck: 1, ..Faults::default() }
            }
        }
    }

    async fn look(&self, server: &Server, who: Who) -> anyhow::Result<Faults> {
        if let Who::Talk(at, _) = who {
            let found = talk::transcript(&server.agent(who)?).await?;
            return Ok(self.talks[at].compare(&found, |why| say(&format!("{who:?}: {why}"))));
        }
        let client = Client::connect(&server.agent(who)?, &Options::default()).await?;
        let faults = match who {
            Who::Ledger(at) => {
                let (born, from) = self.accounts[at].lock().base();
                let look = client.call(Call::new("look", vec![json!(born), json!(from)])).await?;
                let found: Look = serde_json::from_value(look)?;
                self.accounts[at].lock().compare(&found, |why| say(&format!("{who:?}: {why}")))
            }
            Who::Note(at) => {
                let state = client.state().await?.context("no state")?;
                let (value, text) = (state["value"].as_u64().unwrap_or(0), state["text"].as_str().unwrap_or_default());
                self.notes[at].compare(value, text, |why| say(&format!("{who:?}: {why}")))
            }
            Who::Talk(..) => Faults::default(),
        };
        client.close().await;
        Ok(faults)
    }
}
