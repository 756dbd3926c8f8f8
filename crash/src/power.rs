//! The power goes, for real. What counts is what clients had received before the call that cuts it was begun: a machine
//! without power says nothing, while a file system that is being shut down may still answer, and not always with the truth.

use std::time::{Duration, Instant};

use crate::{
    disk::{LoopDisk, Switch},
    field::Field,
    load::Load,
    points::{Hits, PATIENCE, POINTS, Point, wait},
    say,
    server::{Server, Started},
};

/// Points are drawn at random, and some are passed seldom: as often as this one must have been armed to be missed.
const OFTEN: u32 = 4;

/// When the power goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// At a random moment.
    Sometime,
    /// A while after a `kill -9` and a restart: the kernel alone has what the killed process wrote last (rule 2).
    AfterKill,
    /// While the server is starting, after a kill.
    Recovering,
    /// At a chosen point, at which all of the process was made to stand still.
    At(Point),
}

impl When {
    fn choose(random: u64, of: u64, points: bool) -> Self {
        match random % 8 {
            0..3 => Self::Sometime,
            3 => Self::AfterKill,
            4 => Self::Recovering,
            _ if points => Self::At(POINTS[usize::try_from(of).unwrap_or_default() % POINTS.len()]),
            5 | 6 => Self::Sometime,
            _ => Self::Recovering,
        }
    }
}

/// Cuts the power so many times. `false` if a point was armed and never come to.
pub(crate) async fn run(field: &mut Field, disk: &LoopDisk, cuts: u32) -> anyhow::Result<bool> {
    let points = field.plan.has_points().await?;
    let mut hits = Hits::new(if points { POINTS } else { &[] });
    let (mut longest, begun) = (Duration::ZERO, Instant::now());
    let mut server = field.plan.start().await?;
    for cut in 1..=cuts {
        let round = Instant::now();
        let when = When::choose(field.rng.next(), u64::from(cut), points);
        let hit = one(field, disk, server, when).await?;
        if let When::At(point) = when {
            hits.count(point, hit);
        }
        disk.power_on()?;
        let Some(next) = field.restart(cut).await else {
            say(&format!("the cut was {when:?}"));
            return Ok(hits.report(OFTEN));
        };
        server = next;
        longest = longest.max(round.elapsed());
        if cut % 100 == 0 {
            say(&format!("{cut} cuts: {}; {}", field.ledger.totals(), field.faults));
        }
    }
    field.finish(server).await?;
    let mean = begun.elapsed() / cuts.max(1);
    say(&format!("a cut took {mean:.0?} with everything around it, at most {longest:.0?}"));
    Ok(hits.report(OFTEN))
}

/// One life of the server, or two, and the cut that ends it. Nothing of it runs when this returns.
async fn one(field: &mut Field, disk: &LoopDisk, mut server: Server, when: When) -> anyhow::Result<bool> {
    let switch = disk.switch()?;
    match when {
        When::Sometime => {
            let load = field.load(&server);
            field.work().await;
            cut(field, switch, server, Some(load)).await?;
        }
        When::AfterKill | When::Recovering => {
            let mut load = field.load(&server);
            field.work().await;
            server.kill().await;
            load.end().await;
            again(field, switch, when).await?;
        }
        When::At(point) => {
            server.kill().await;
            return at(field, switch, point).await;
        }
    }
    Ok(true)
}

/// Starts the server that was killed, and cuts the power while it starts, or after it has done some more.
async fn again(field: &mut Field, switch: Switch, when: When) -> anyhow::Result<()> {
    if when == When::Recovering {
        let server = field.plan.spawn()?;
        field.moment().await;
        return cut(field, switch, server, None).await;
    }
    let server = field.plan.start().await?;
    // What is there now was shown to us: it must stay.
    field.compare(&server, false).await;
    let load = field.load(&server);
    field.work().await;
    cut(field, switch, server, Some(load)).await
}

/// Starts a server that comes to stand still at a point, and cuts the power there.
async fn at(field: &mut Field, switch: Switch, point: Point) -> anyhow::Result<bool> {
    let spec = point.spec(point.passes(field.rng.next()), "stop");
    match field.plan.armed(&spec).try_start().await? {
        Started::Not(server) => cut(field, switch, server, None).await.map(|()| true),
        Started::Up(mut server) => {
            let load = field.load(&server);
            let hit = wait(&mut server, PATIENCE, |server| Ok(server.is_stopped())).await?;
            // Nothing more is said. What was said before is heard to the end.
            until_quiet(field).await;
            cut(field, switch, server, Some(load)).await?;
            Ok(hit)
        }
    }
}

async fn until_quiet(field: &Field) {
    let mut told = field.ledger.told();
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(2)).await;
        let now = field.ledger.told();
        if now == told {
            return;
        }
        told = now;
    }
}

/// The cut. First nothing counts any more, then the file system is gone, then the process.
async fn cut(field: &Field, switch: Switch, mut server: Server, load: Option<Load>) -> anyhow::Result<()> {
    field.ledger.freeze();
    let cut = tokio::task::block_in_place(|| switch.cut());
    server.kill().await;
    if let Some(mut load) = load {
        load.end().await;
    }
    cut
}
