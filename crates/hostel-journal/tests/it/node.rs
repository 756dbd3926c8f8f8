//! A node as small as can be: agents with tiny pages, their files, the log, and a model of what must be true.

use std::collections::{BTreeMap, HashMap};
use std::io;

use hostel_journal::replay::{FileBases, Replayed, replay};
use hostel_journal::scan::{Scan, Trust, scan_trusting, settle};
use hostel_journal::seams::{Lease, LeaseStore, LocalLease, SnapshotStore};
use hostel_journal::{
    AgentId, Archive, Disk, Entry, EntryHead, Extent, Kind, Ledger, Log, LogOptions, Lsn, Retention, Tail,
};

use super::archive::FOREVER;
use super::disk::{Random, SimDisk};
use super::past::Expected;

pub(super) const PAGE: usize = 64;

/// The pages of an agent; `None` for one that is not there.
pub(super) type Image = Option<Vec<[u8; PAGE]>>;

/// What is broken on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sabotage {
    pub gate_opens_early: bool,
    pub checksums_ignored: bool,
    pub copies_early: bool,
    pub retires_without_sync: bool,
    pub hands_over_without_sync: bool,
    pub deletes_history: bool,
}

/// An agent as its process and the model see it.
#[derive(Debug, Default)]
struct Agent {
    /// The image after each commit, with the commit's number in the node. The first is the base.
    history: Vec<(u64, Image)>,
    /// How many of them are acknowledged.
    acknowledged: usize,
    /// Pages that are not in the file.
    log: BTreeMap<u32, [u8; PAGE]>,
}

impl Agent {
    fn now(&self) -> &Image {
        &self.history.last().unwrap().1
    }
}

#[derive(Debug)]
pub(super) struct Node {
    pub disk: SimDisk,
    pub log: Log<SimDisk>,
    pub ledger: Ledger,
    pub sabotage: Sabotage,
    pub doubtful: bool,
    pub archive: Archive<SimDisk>,
    pub retention: Retention,
    /// What history must hold.
    pub expected: Expected,
    agents: HashMap<u64, Agent>,
    queue: Vec<(u64, u64, Entry)>,
    pub commits: u64,
    pub acknowledged: u64,
}

fn base_of(namespace: &str, name: &str) -> String {
    format!("agents/{namespace}/{name}.db")
}

pub(super) fn path_of(agent: u64) -> String {
    base_of("n", &agent.to_string())
}

#[derive(Debug)]
pub(super) struct Recovered {
    pub scan: Scan,
    pub replayed: Replayed,
    log: Log<SimDisk>,
}

/// Takes a segment away from the log.
fn hand_over(archive: &Archive<SimDisk>, extent: Extent, sabotage: Sabotage) -> io::Result<()> {
    if sabotage.deletes_history {
        return Log::remove(archive.disk(), extent.id);
    }
    if sabotage.hands_over_without_sync && !extent.is_empty() {
        let to = format!("history/pending/{:016x}-{:016x}.seg", extent.id, extent.end);
        return archive.disk().rename(&extent.path(), &to);
    }
    archive.take_over(&extent.path(), extent.id, extent.end)
}

/// What a process does at its start.
pub(super) fn recover(disk: &SimDisk, trust: Trust) -> io::Result<Recovered> {
    recover_with(disk, trust, Sabotage::default(), &mut |_| {})
}

/// `found` hears what is durable from here on, even if this start is interrupted later.
fn recover_with(
    disk: &SimDisk,
    trust: Trust,
    sabotage: Sabotage,
    found: &mut dyn FnMut(&Scan),
) -> io::Result<Recovered> {
    let archive = Archive::new(disk.clone(), |_: &str| FOREVER);
    archive.make_ready()?;
    let lease_store = LocalLease(disk.clone());
    let lease = lease_store.acquire()?;
    let scan = scan_trusting(disk, trust, &mut |_| {}).map_err(io::Error::other)?;
    settle(disk, &scan)?;
    found(&scan);
    let replayed = replay(disk, &FileBases(disk.clone()), &scan, &base_of, &mut |_, _| {})?;
    let lease = Lease {
        epoch: lease.epoch.max(scan.epoch + 1),
        lsn: lease.lsn.max(scan.tail.lsn),
        segment: lease.segment.max(scan.highest),
    };
    lease_store.record(lease)?;
    scan.segments.iter().try_for_each(|extent| hand_over(&archive, *extent, sabotage))?;
    scan.orphans.iter().try_for_each(|id| Log::remove(disk, *id))?;
    let tail = Tail { lsn: lease.lsn, ..Tail::default() };
    let options = LogOptions { segment_bytes: 0 };
    let log = Log::begin(disk.clone(), options, lease.epoch, tail, lease.segment, lease.epoch * 7919)?;
    Ok(Recovered { scan, replayed, log })
}

impl Node {
    pub(super) fn new(disk: &SimDisk) -> Self {
        Self::try_new(disk).unwrap()
    }

    pub(super) fn try_new(disk: &SimDisk) -> io::Result<Self> {
        Ok(Self {
            log: recover(disk, Trust::Checksums)?.log,
            disk: disk.clone(),
            ledger: Ledger::default(),
            sabotage: Sabotage::default(),
            doubtful: false,
            archive: Archive::new(disk.clone(), |_: &str| FOREVER),
            retention: FOREVER,
            expected: Expected::default(),
            agents: HashMap::new(),
            queue: Vec::new(),
            commits: 0,
            acknowledged: 0,
        })
    }

    /// How much history is kept from now on.
    pub(super) fn set_retention(&mut self, retention: Retention) {
        self.retention = retention;
        self.archive = Archive::new(self.disk.clone(), move |_: &str| retention);
    }

    /// A turn of an agent: changes pages, grows, shrinks, or ends it.
    pub(super) fn turn(&mut self, agent: u64, random: &mut Random) {
        if !self.log.is_open() {
            return;
        }
        let of = self.agents.entry(agent).or_insert_with(|| Agent { history: vec![(0, None)], ..Agent::default() });
        let before = of.now().clone();
        let ends = before.is_some() && random.one_in(24);
        let mut pages = before.clone().unwrap_or_default();
        let length = match random.below(4) {
            0 => 1 + random.below(12) as usize,
            _ => pages.len().max(1),
        };
        pages.resize(length, [0; PAGE]);
        self.commits += 1;
        let mut changed: BTreeMap<u32, [u8; PAGE]> = BTreeMap::new();
        for (n, old) in pages.iter_mut().enumerate() {
            let grown = before.as_ref().is_none_or(|before| n >= before.len());
            if grown || n == 0 || random.one_in(4) {
                let mut page = [random.next() as u8; PAGE];
                page[..8].copy_from_slice(&self.commits.to_le_bytes());
                *old = page;
                changed.insert(n as u32 + 1, page);
            }
        }
        let kind = match (&before, ends) {
            (_, true) => Kind::Destroy,
            (None, _) => Kind::Create,
            _ => Kind::Commit,
        };
        if ends {
            changed.clear();
        }
        let name = agent.to_string();
        let head = EntryHead {
            agent: AgentId(u128::from(agent)),
            namespace: "n",
            name: &name,
            epoch: self.log.epoch(),
            kind,
            time_ms: self.commits as i64,
            cause: &self.commits.to_le_bytes(),
            page_size: PAGE as u32,
            db_pages: length as u32,
        };
        let entry = Entry::new(&head, changed.iter().map(|(n, page)| (*n, &page[..])));
        let after = if ends { None } else { Some(pages) };
        self.expected.made(self.commits, &after);
        of.history.push((self.commits, after));
        of.log.extend(changed);
        self.queue.push((agent, self.commits, entry));
        if self.sabotage.gate_opens_early {
            of.acknowledged = of.history.len() - 1;
        }
    }

    /// One batch.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let queue = std::mem::take(&mut self.queue);
        if queue.is_empty() {
            return Ok(());
        }
        let first = match self.log.append(queue.iter().map(|(_, _, entry)| entry)) {
            Ok(first) => first,
            Err(error) => {
                self.queue = queue;
                self.lose(&error)?;
                return Err(error);
            }
        };
        for (n, (agent, commit, _)) in queue.iter().enumerate() {
            self.expected.kept(*agent, first + n as Lsn, *commit);
            self.ledger.appended(AgentId(u128::from(*agent)), first + n as Lsn);
            let of = self.agents.get_mut(agent).unwrap();
            of.acknowledged += 1;
            of.acknowledged = of.acknowledged.min(of.history.len() - 1);
            self.acknowledged += 1;
        }
        // Ends are followed by the removal of the file.
        for (agent, ..) in &queue {
            if self.agents[agent].now().is_none() {
                FileBases(self.disk.clone()).discard(&path_of(*agent))?;
                self.agents.get_mut(agent).unwrap().log.clear();
                self.ledger.copied(AgentId(u128::from(*agent)));
            }
        }
        Ok(())
    }

    /// The log has failed. Once it is open again, everything queued is void, and the agents go back to what is durable.
    fn lose(&mut self, _error: &io::Error) -> io::Result<()> {
        self.log.reopen()?;
        self.queue.clear();
        for (agent, of) in &mut self.agents {
            of.history.truncate(of.acknowledged + 1);
            // As if SQLite's log were cut: what is not in the file yet is every page.
            of.log.clear();
            let pages = of.now().clone().unwrap_or_default();
            of.log.extend(pages.iter().enumerate().map(|(n, page)| (n as u32 + 1, *page)));
            let _ = agent;
        }
        Ok(())
    }

    /// Copies an agent's pages into its file, if all of them are durable.
    pub(super) fn copy(&mut self, agent: u64) -> io::Result<()> {
        let Some(of) = self.agents.get_mut(&agent) else { return Ok(()) };
        let durable = of.acknowledged == of.history.len() - 1 && !self.queue.iter().any(|(a, ..)| *a == agent);
        let Some(pages) = of.now().clone() else { return Ok(()) };
        if !durable && !self.sabotage.copies_early {
            return Ok(());
        }
        let log: Vec<(u32, Vec<u8>)> = of.log.iter().map(|(n, page)| (*n, page.to_vec())).collect();
        FileBases(self.disk.clone()).lay(&path_of(agent), PAGE as u32, pages.len() as u32, true, &log)?;
        of.log.clear();
        self.ledger.copied(AgentId(u128::from(agent)));
        Ok(())
    }

    /// Syncs files, then retires.
    pub(super) fn checkpoint(&mut self) -> io::Result<()> {
        if self.doubtful {
            return Ok(());
        }
        let due = self.ledger.begin_sync();
        let bases: Vec<String> = due.iter().map(|id| path_of(id.0 as u64)).collect();
        if !self.sabotage.retires_without_sync
            && let Err(error) = FileBases(self.disk.clone()).make_durable(&bases)
        {
            self.doubtful = true;
            return Err(error);
        }
        self.ledger.synced(&due);
        for extent in self.log.retire(self.ledger.floor()) {
            hand_over(&self.archive, extent, self.sabotage)?;
            self.log.removed(extent.id);
        }
        Ok(())
    }

    pub(super) fn turn_over(&mut self) -> io::Result<()> {
        if self.log.is_open() { self.log.turn_over() } else { Ok(()) }
    }

    /// Whether a disk has the newest image of an agent.
    pub(super) fn is_current(&self, disk: &SimDisk, agent: u64) -> bool {
        self.agents.get(&agent).is_none_or(|of| image(disk, agent) == *of.now())
    }

    /// Whether every agent on a disk has the newest image or the one before.
    pub(super) fn lacks_only_the_last_turn(&self, disk: &SimDisk) -> bool {
        let recent = |of: &Agent, found: &Image| of.history.iter().rev().take(2).any(|(_, image)| image == found);
        self.agents.iter().all(|(agent, of)| recent(of, &image(disk, *agent)))
    }

    /// A new process on the same disk: recovers and compares with the model. `Err` for a recovery that the disk refused.
    pub(super) fn restart(&mut self) -> io::Result<Result<(), String>> {
        let trust = if self.sabotage.checksums_ignored { Trust::Blind } else { Trust::Checksums };
        let found = &mut |scan: &Scan| self.expected.found_at_start(scan);
        let recovered = recover_with(&self.disk, trust, self.sabotage, found)?;
        self.log = recovered.log;
        let retention = self.retention;
        self.archive = Archive::new(self.disk.clone(), move |_: &str| retention);
        self.ledger = Ledger::default();
        self.doubtful = false;
        self.queue.clear();
        if let Some(damage) = recovered.scan.damage.first() {
            return Ok(Err(format!("damage where there is none: {damage}")));
        }
        if let Some(stuck) = recovered.replayed.stuck.first() {
            return Ok(Err(format!("an agent is stuck: {stuck:?}")));
        }
        if let Err(why) = self.compare() {
            return Ok(Err(why));
        }
        Ok(self.check_history())
    }

    /// History is put in order.
    pub(super) fn tend(&mut self) -> io::Result<()> {
        self.archive.tend(self.commits as i64).map(drop)
    }

    /// Everything durable and young enough is in history or in the log, once, and nothing else.
    pub(super) fn check_history(&mut self) -> Result<(), String> {
        let youngest_lost = self.commits as i64 - i64::try_from(self.retention.age.as_millis()).unwrap_or(i64::MAX);
        let live = self.log.live();
        for agent in self.agents.keys() {
            let listing = self.archive.listing(&live, "n", AgentId(u128::from(*agent))).map_err(|e| e.to_string())?;
            self.expected.check(*agent, &listing, youngest_lost).map_err(|why| format!("agent {agent}: {why}"))?;
        }
        Ok(())
    }

    /// Every acknowledged commit is there; of the others, a prefix in the order of the node.
    fn compare(&mut self) -> Result<(), String> {
        let (mut newest_kept, mut oldest_lost) = (0, u64::MAX);
        for (agent, of) in &mut self.agents {
            let found = image(&self.disk, *agent);
            let same: Vec<usize> = (0..of.history.len()).filter(|at| of.history[*at].1 == found).collect();
            let (Some(last), first) = (same.last(), same.iter().find(|at| **at >= of.acknowledged)) else {
                return Err(format!("agent {agent}: its file holds what no turn has made"));
            };
            let Some(at) = first.copied() else {
                return Err(format!("agent {agent}: {} turns acknowledged, {last} found", of.acknowledged));
            };
            // Only the absence of an agent can stand for more than one moment.
            newest_kept = newest_kept.max(of.history[at].0);
            if let Some((number, _)) = of.history.get(last + 1) {
                oldest_lost = oldest_lost.min(*number);
            }
            of.history.truncate(at + 1);
            of.acknowledged = at;
            of.log.clear();
        }
        if newest_kept > oldest_lost {
            return Err(format!("turn {newest_kept} is there, {oldest_lost} is not: the order is broken"));
        }
        Ok(())
    }
}

fn image(disk: &SimDisk, agent: u64) -> Image {
    let bytes = disk.read(&path_of(agent))?;
    Some(bytes.chunks(PAGE).map(|page| page.try_into().unwrap_or([0xee; PAGE])).collect())
}
