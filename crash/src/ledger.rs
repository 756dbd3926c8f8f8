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

/// Every fifth agent is a note, the others are ledgers.
const NOTES: u64 = 5;
/// Agents compared at a time.
const AT_A_TIME: usize = 16;

/// Who is meant.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Who {
    /// An agent that keeps entries.
    Ledger(usize),
    /// An agent whose state is set.
    Note(usize),
}

/// The accounts of all agents.
#[derive(Debug)]
pub(crate) struct Ledger {
    accounts: Vec<Mutex<Account>>,
    notes: Vec<Note>,
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
        let notes = agents / NOTES;
        Self {
            accounts: (notes..agents.max(1)).map(|_| Mutex::default()).collect(),
            notes: (0..notes).map(|_| Note::default()).collect(),
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
        let at = usize::try_from(random).unwrap_or_default() % (self.accounts.len() + self.notes.len());
        at.checked_sub(self.accounts.len()).map_or(Who::Ledger(at), Who::Note)
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
        let whom: Vec<Who> = ledgers.map(Who::Ledger).chain(notes.map(Who::Note)).collect();
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
        };
        client.close().await;
        Ok(faults)
    }
}
