//! A disk that is full, fails, turns read-only or is slow, under the real server: what is acknowledged is durable all the
//! same, the server says what is wrong, answers what it can, and goes on when it is over.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::{
    disk::{
        LoopDisk, SMALL, may_mount,
        trouble::{Brake, ZramDisk},
    },
    field::Field,
    load::Load,
    say,
    server::{Plan, Server, Started},
};

/// How long anything may take: to be noticed, and to be over.
const PATIENCE: Duration = Duration::from_secs(30);

/// What may be wrong with a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Trouble {
    /// No space is left.
    Full,
    /// Writes and syncs fail with EIO.
    Eio,
    /// The file system has found an error and takes no more writes.
    ReadOnly,
    /// A write takes a second.
    Slow,
}

impl Trouble {
    /// Where the server's data is to be.
    pub(crate) fn disk(self, place: &Path) -> anyhow::Result<Disk> {
        Ok(match self {
            Self::Eio if ZramDisk::is_available() => Disk::Zram(ZramDisk::new(place)?),
            Self::Full | Self::ReadOnly if may_mount() => Disk::Loop(LoopDisk::new(place, SMALL)?),
            Self::Slow if Brake::is_available() => Disk::Loop(LoopDisk::new(place, SMALL)?),
            _ => Disk::Plain(place.to_owned()),
        })
    }

    /// What does the same where this machine cannot do it for real: fail points that pass by themselves.
    fn points(self) -> &'static str {
        match self {
            Self::Full => "disk-write=300*off->40*return(ENOSPC)->off",
            Self::Eio => "disk-sync=300*off->40*return(EIO)->off",
            Self::ReadOnly => "disk-write=300*off->40*return(EROFS)->off",
            Self::Slow => "sync=20*off->3*sleep(1000)->off",
        }
    }

    /// What clients and the log have to say.
    fn symptoms(self) -> (&'static [&'static str], &'static str) {
        match self {
            Self::Full => (&["storage_full"], "No space left on device"),
            Self::Eio => (&["storage_failed"], "Input/output error"),
            Self::ReadOnly => (&["storage_read_only", "storage_failed"], "ead-only file system"),
            Self::Slow => (&[], "took long to sync"),
        }
    }
}

/// Where the data is, and so what can be done to it.
#[derive(Debug)]
pub(crate) enum Disk {
    Plain(PathBuf),
    Loop(LoopDisk),
    Zram(ZramDisk),
}

impl Disk {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Plain(path) => path,
            Self::Loop(disk) => disk.path(),
            Self::Zram(disk) => disk.path(),
        }
    }
}

/// A server with a load, while something is wrong with its disk.
struct Scene<'a> {
    field: &'a mut Field,
    plan: Plan,
    trouble: Trouble,
    server: Server,
    load: Load,
}

/// One trouble from its beginning to its end, with a load all the while; then the process is killed, and everything
/// compared.
pub(crate) async fn run(field: &mut Field, disk: &Disk, trouble: Trouble) -> anyhow::Result<()> {
    let plan = match disk {
        Disk::Plain(_) => {
            say(&format!("{trouble:?}: not for real on this machine, fail points stand in"));
            field.plan.armed(trouble.points())
        }
        _ => field.plan.clone(),
    };
    let server = plan.start().await?;
    let load = field.load(&server);
    let scene = Scene { field, plan, trouble, server, load };
    scene.more_answers("before anything is wrong").await?;
    let mut scene = match (disk, trouble) {
        (Disk::Loop(disk), Trouble::Full) => scene.full(disk).await?,
        (Disk::Loop(disk), Trouble::ReadOnly) => scene.read_only(disk).await?,
        (Disk::Loop(disk), _) => return scene.slow(disk).await,
        (Disk::Zram(disk), _) => scene.eio(disk).await?,
        (Disk::Plain(_), _) => scene.by_points().await?,
    };
    scene.server.kill().await;
    scene.load.end().await;
    let server = start_again(&scene.field.plan, disk).await?;
    scene.field.compare(&server, true).await;
    scene.field.finish(server).await
}

/// After errors of the device the kernel may go on reporting them from what it has in memory. A start fails then, in words,
/// and what helps is what helps any file system after errors: a check, and a new mount.
async fn start_again(plan: &Plan, disk: &Disk) -> anyhow::Result<Server> {
    if let Started::Up(server) = plan.try_start().await? {
        return Ok(server);
    }
    if let Disk::Zram(disk) = disk {
        ensure!(plan.last_words().contains(Trouble::Eio.symptoms().1), "no word of it: {}", plan.last_words());
        say("Eio: the file system still reports errors; checked, and mounted again");
        disk.check()?;
    }
    plan.start().await
}

impl Scene<'_> {
    async fn by_points(self) -> anyhow::Result<Self> {
        self.noticed().await?;
        self.over().await?;
        Ok(self)
    }

    async fn full(mut self, disk: &LoopDisk) -> anyhow::Result<Self> {
        let filler = fill(disk.path())?;
        self.noticed().await?;
        self.still_reads().await?;
        std::fs::remove_file(&filler)?;
        self.over().await?;
        // And once more with an end in the middle: a start may be refused, in words, but nothing may be lost.
        let filler = fill(disk.path())?;
        self.noticed().await?;
        self.server.kill().await;
        self.load.end().await;
        match self.plan.try_start().await? {
            Started::Up(mut server) => server.kill().await,
            Started::Not(_) => ensure!(self.says_so(), "no word of a full disk: {}", self.plan.last_words()),
        }
        std::fs::remove_file(&filler)?;
        self.server = self.plan.start().await?;
        self.field.compare(&self.server, true).await;
        self.load = self.field.load(&self.server);
        self.more_answers("after a start").await?;
        Ok(self)
    }

    async fn eio(self, disk: &ZramDisk) -> anyhow::Result<Self> {
        disk.break_down()?;
        self.noticed().await?;
        self.still_reads().await?;
        disk.mend()?;
        self.over().await?;
        Ok(self)
    }

    /// This does not pass while anybody has a file open, so it is over with a new mount and a new process.
    async fn read_only(mut self, disk: &LoopDisk) -> anyhow::Result<Self> {
        disk.fail()?;
        self.noticed().await?;
        self.still_reads().await?;
        self.load.stop().await;
        self.server.terminate().await?;
        disk.power_on()?;
        self.server = self.plan.start().await?;
        self.field.compare(&self.server, true).await;
        self.load = self.field.load(&self.server);
        self.more_answers("after a new mount").await?;
        Ok(self)
    }

    /// Slow, and fast again, and slow; and then the power goes.
    async fn slow(mut self, disk: &LoopDisk) -> anyhow::Result<()> {
        let brake = Brake::new(disk.path())?;
        brake.hold(self.server.id().context("it has ended")?)?;
        brake.pull(1)?;
        self.noticed().await?;
        brake.pull(0)?;
        self.over().await?;
        let switch = disk.switch()?;
        brake.pull(1)?;
        self.answers(3, "while the disk is slow").await?;
        self.field.ledger.freeze();
        tokio::task::block_in_place(|| switch.cut())?;
        brake.pull(0)?;
        self.server.kill().await;
        self.load.end().await;
        disk.power_on()?;
        let server = self.plan.start().await?;
        self.field.compare(&server, true).await;
        self.field.finish(server).await
    }

    /// Waits until clients and the log have said what is wrong.
    async fn noticed(&self) -> anyhow::Result<()> {
        let (codes, _) = self.trouble.symptoms();
        self.field.ledger.take_codes();
        let mut heard = std::collections::BTreeMap::new();
        let noticed = within(|| {
            heard.extend(self.field.ledger.take_codes());
            self.says_so() && (codes.is_empty() || codes.iter().any(|code| heard.contains_key(*code)))
        });
        let noticed = noticed.await;
        let words = self.plan.last_words();
        ensure!(noticed, "{:?} was not noticed: clients heard {heard:?}, the log says {words}", self.trouble);
        let heard: Vec<_> = heard.into_keys().collect();
        say(&format!("{:?}: the log says it, and clients were told {heard:?}", self.trouble));
        Ok(())
    }

    fn says_so(&self) -> bool {
        self.plan.words().contains(self.trouble.symptoms().1)
    }

    /// What needs no writing is answered all the while.
    async fn still_reads(&self) -> anyhow::Result<()> {
        let health = self.server.is_healthy().await;
        ensure!(health, "the server does not answer while its disk is in trouble");
        Ok(())
    }

    /// Waits until requests succeed again, without a restart.
    async fn over(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        self.more_answers("when it is over").await?;
        say(&format!("{:?}: over, and writing again after {:.0?}", self.trouble, begun.elapsed()));
        Ok(())
    }

    async fn more_answers(&self, when: &str) -> anyhow::Result<()> {
        self.answers(20, when).await
    }

    async fn answers(&self, count: u64, when: &str) -> anyhow::Result<()> {
        let enough = self.field.ledger.answered() + count;
        let answered = within(|| self.field.ledger.answered() >= enough).await;
        let words = self.plan.last_words();
        ensure!(answered, "{:?}: no requests succeed {when}; the log says {words}", self.trouble);
        Ok(())
    }
}

async fn within(mut what: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if what() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

/// Takes all the space there is.
fn fill(dir: &Path) -> anyhow::Result<PathBuf> {
    use std::io::Write as _;
    let path = dir.join("filler");
    let mut file = std::fs::File::create(&path)?;
    for bytes in [1 << 20, 4096] {
        let part = vec![1; bytes];
        while file.write_all(&part).is_ok() {}
    }
    Ok(path)
}
