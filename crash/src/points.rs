//! The end of the process at chosen points, each of them at its n-th pass.

use std::collections::{BTreeSet, VecDeque};
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::{
    field::Field,
    say,
    server::{Server, Started},
};

/// How long a round waits for its point, unless it was missed before.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// A point that is missed is armed once more.
const TWICE: u32 = 2;

/// A place in the server: its name, and how often at most it is passed before something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) name: &'static str,
    most: u64,
}

const fn point(name: &'static str, most: u64) -> Point {
    Point { name, most }
}

/// In the order in which a turn comes by.
pub(crate) const POINTS: &[Point] = &[
    // The file of a new agent is about to get its name.
    point("create", 3),
    // SQLite has committed, and the next turn is to share the record.
    point("hold", 60),
    // SQLite has committed, the journal has nothing of it.
    point("capture", 100),
    // A batch is about to be written; was written in half; is written; is synced, and nobody knows.
    point("append", 30),
    point("tear", 30),
    point("sync", 30),
    point("gate", 30),
    // SQLite's log is about to be copied into the file; is copied.
    point("copy", 20),
    point("copied", 20),
    // Files are about to be synced.
    point("checkpoint", 4),
    // A new segment is about to be begun; is written and not synced.
    point("rotate", 3),
    point("rotate-sync", 3),
    // A segment is about to go.
    point("retire", 2),
    // A segment is handed over to history; its records are there, and it is about to be removed.
    point("archive", 2),
    point("archived", 2),
    // A whole database is in the journal, its file about to take the place of the one before; it has.
    point("replace", 1),
    point("replaced", 1),
    // The end of an agent is in the journal, its file still there.
    point("destroy", 3),
    // At the start: the journal is read and durable; the files are up to date, and the journal still there.
    point("replay", 1),
    point("replayed", 1),
];

impl Point {
    /// What to arm so that `action` happens after `passes` passes.
    pub(crate) fn spec(self, passes: u64, action: &str) -> String {
        match self.name {
            "tear" => format!("tear={passes}*off->return;torn=return({action})"),
            name => format!("{name}={passes}*off->return({action})"),
        }
    }

    pub(crate) fn passes(self, random: u64) -> u64 {
        random % self.most
    }
}

/// The points with these names, or all.
pub(crate) fn chosen(names: &[String]) -> anyhow::Result<Vec<Point>> {
    if let Some(unknown) = names.iter().find(|name| POINTS.iter().all(|point| point.name != **name)) {
        bail!(
            "there is no point {unknown}; there are {}",
            POINTS.iter().map(|p| p.name).collect::<Vec<_>>().join(", ")
        );
    }
    Ok(POINTS.iter().filter(|point| names.is_empty() || names.iter().any(|name| name == point.name)).copied().collect())
}

/// How often each point was armed, and how often it was come to.
#[derive(Debug)]
pub(crate) struct Hits(Vec<(Point, u32, u32)>);

impl Hits {
    pub(crate) fn new(points: &[Point]) -> Self {
        Self(points.iter().map(|point| (*point, 0, 0)).collect())
    }

    pub(crate) fn count(&mut self, point: Point, hit: bool) {
        if let Some((_, armed, hits)) = self.0.iter_mut().find(|(of, ..)| *of == point) {
            *armed += 1;
            *hits += u32::from(hit);
        }
    }

    /// Says the figures. `false` if something was armed `enough` times and nobody ever came by: a point that is passed
    /// seldom may be missed by chance.
    pub(crate) fn report(&self, enough: u32) -> bool {
        let figures: Vec<String> =
            self.0.iter().map(|(point, armed, hits)| format!("{} {hits}/{armed}", point.name)).collect();
        say(&format!("points come to, of those armed: {}", figures.join(", ")));
        let missed: Vec<_> = self.0.iter().filter(|(_, armed, hits)| *armed > 0 && *hits == 0).collect();
        missed
            .iter()
            .for_each(|(point, armed, _)| say(&format!("{} was armed {armed} times and never come to", point.name)));
        missed.iter().all(|(_, armed, _)| *armed < enough)
    }
}

/// Ends the server at a chosen point in each of so many rounds. `false` if a point was never come to.
pub(crate) async fn run(field: &mut Field, rounds: u32, points: &[Point]) -> anyhow::Result<bool> {
    if !field.plan.has_points().await? {
        bail!("this server has no fail points; build it with `cargo build -p hostel-crash --features failpoints`");
    }
    let mut hits = Hits::new(points);
    let mut due: VecDeque<Point> = points.iter().copied().cycle().take(rounds as usize).collect();
    let (mut round, mut missed) = (0, BTreeSet::new());
    while let Some(point) = due.pop_front() {
        round += 1;
        // The second time at its first pass, and with patience: a busy machine does not come by everywhere in time.
        let (passes, patience) = match missed.contains(&point.name) {
            true => (0, field.patience),
            false => (point.passes(field.rng.next()), PATIENCE),
        };
        let spec = point.spec(passes, "abort");
        let hit = until_it_ends(field, &spec, patience).await?;
        hits.count(point, hit);
        if hit {
            missed.remove(point.name);
        } else if missed.insert(point.name) {
            due.push_back(point);
        }
        let Some(mut server) = field.restart(round).await else {
            say(&format!("the round before had {spec}"));
            return Ok(hits.report(TWICE));
        };
        server.kill().await;
    }
    let server = field.plan.start().await?;
    field.finish(server).await?;
    Ok(hits.report(TWICE))
}

/// A life of the server with something armed; `false` if the armed point was not come to.
async fn until_it_ends(field: &mut Field, spec: &str, patience: Duration) -> anyhow::Result<bool> {
    match field.plan.armed(spec).try_start().await? {
        Started::Not(mut server) => {
            let hit = was_killed(&mut server)?;
            if !hit {
                say(&format!("with {spec} the server did not start: {}", field.plan.last_words()));
            }
            Ok(hit)
        }
        Started::Up(mut server) => {
            let mut load = field.load(&server);
            wait(&mut server, patience, |server| Ok(server.ended()?.is_some())).await?;
            let hit = was_killed(&mut server);
            server.kill().await;
            load.end().await;
            hit
        }
    }
}

/// A point ends the process as `kill -9` does; one that ended otherwise (a port that was taken) never came to it.
fn was_killed(server: &mut Server) -> anyhow::Result<bool> {
    Ok(server.ended()?.is_some_and(|status| status.signal().is_some()))
}

/// Waits for something about the server, for as long as a round may last.
pub(crate) async fn wait(
    server: &mut Server,
    patience: Duration,
    mut what: impl FnMut(&mut Server) -> anyhow::Result<bool>,
) -> anyhow::Result<bool> {
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if what(server)? {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(false)
}
