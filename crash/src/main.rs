//! Ends a real server in the middle of durable writes, again and again and in every way, and looks for losses. README.md says
//! how.

mod account;
mod disk;
mod faults;
mod field;
mod fork;
mod kills;
mod ledger;
mod load;
mod note;
mod points;
mod power;
mod rng;
mod server;
mod talk;
mod trouble;

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::bail;
use clap::Parser;

use crate::{
    disk::LoopDisk,
    field::Field,
    rng::Rng,
    server::Plan,
    trouble::{Disk, Trouble},
};

/// The promise was broken.
const BROKEN: u8 = 1;
/// The run proves nothing: nothing was acknowledged, or a point was never come to.
const PROVES_NOTHING: u8 = 3;
/// This user may not mount file systems, which power cuts need.
const MAY_NOT: u8 = 4;

/// Ends a real server in the middle of durable writes, in every way, and looks for losses.
#[derive(Debug, Parser)]
struct Flags {
    /// The server: hostel-crash-server, or any program that takes its flags and serves its agents. By default the one
    /// beside this program.
    #[arg(long)]
    server: Option<PathBuf>,
    /// How often to kill it at random moments.
    #[arg(long, default_value_t = 0)]
    kills: u32,
    /// How often to end it at chosen points; the server must have been built with `--features failpoints`.
    #[arg(long, default_value_t = 0)]
    points: u32,
    /// Only at these points.
    #[arg(long, value_name = "POINT", value_delimiter = ',')]
    only: Vec<String>,
    /// How often to cut the power; needs the right to mount.
    #[arg(long, default_value_t = 0)]
    power_cuts: u32,
    /// What to have go wrong with its disk while it works: each for real where this machine can do it.
    #[arg(long, value_name = "TROUBLE", value_delimiter = ',')]
    troubles: Vec<Trouble>,
    /// Agents.
    #[arg(long, default_value_t = 50)]
    agents: u64,
    /// Clients at a time, each with a few requests under way.
    #[arg(long, default_value_t = 16)]
    clients: u64,
    /// The longest life of a process under load, in milliseconds.
    #[arg(long, default_value_t = 60)]
    longest_ms: u64,
    /// How long a round waits for a point that was missed once, in seconds.
    #[arg(long, default_value_t = 30)]
    patience: u64,
    /// Fail points armed in every process, in the words of the crate `fail`: for sabotage.
    #[arg(long, default_value = "")]
    arm: String,
    /// Where temporary files go.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Repeats the choices of an earlier run, though not the machine's scheduling.
    #[arg(long)]
    seed: Option<u64>,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let flags = Flags::parse();
    if flags.power_cuts > 0 && !disk::may_mount() {
        say("power cuts need a user who may mount file systems (root, with /dev/loop-control); nothing was done");
        return Ok(ExitCode::from(MAY_NOT));
    }
    let seed = flags.seed.unwrap_or_else(Rng::any_seed);
    say(&format!("seed {seed}"));
    let mut rng = Rng::new(seed);
    let mut codes = Vec::new();
    for series in chosen(&flags) {
        codes.push(run(&flags, series, Rng::new(rng.next())).await?);
    }
    let bad = codes.iter().filter(|code| **code != 0).min();
    Ok(bad.copied().map_or(ExitCode::SUCCESS, ExitCode::from))
}

/// One kind of rounds, and how many.
#[derive(Debug, Clone, Copy)]
enum Series {
    Kills(u32),
    Points(u32),
    PowerCuts(u32),
    Trouble(Trouble),
}

fn chosen(flags: &Flags) -> Vec<Series> {
    let mut chosen = Vec::new();
    chosen.extend((flags.kills > 0).then_some(Series::Kills(flags.kills)));
    chosen.extend((flags.points > 0).then_some(Series::Points(flags.points)));
    chosen.extend((flags.power_cuts > 0).then_some(Series::PowerCuts(flags.power_cuts)));
    chosen.extend(flags.troubles.iter().copied().map(Series::Trouble));
    chosen
}

/// One series, in a place of its own.
async fn run(flags: &Flags, series: Series, rng: Rng) -> anyhow::Result<u8> {
    let place = match &flags.dir {
        Some(dir) => tempfile::tempdir_in(dir)?,
        None => tempfile::tempdir()?,
    };
    let disk = match series {
        Series::PowerCuts(_) => Disk::Loop(LoopDisk::new(place.path(), disk::LARGE)?),
        Series::Trouble(trouble) => trouble.disk(place.path())?,
        _ => Disk::Plain(place.path().to_owned()),
    };
    let plan = Plan {
        program: server(flags)?,
        data: disk.path().join("data"),
        log: place.path().join("server.log"),
        args: Vec::new(),
        armed: flags.arm.clone(),
    };
    let mut field = Field::new(plan, flags.agents, flags.clients, flags.longest_ms, rng);
    field.patience = Duration::from_secs(flags.patience);
    let begun = Instant::now();
    let come_to = match (series, &disk) {
        (Series::Kills(kills), _) => kills::run(&mut field, kills).await.map(|()| true)?,
        (Series::Points(rounds), _) => points::run(&mut field, rounds, &points::chosen(&flags.only)?).await?,
        (Series::PowerCuts(cuts), Disk::Loop(disk)) => power::run(&mut field, disk, cuts).await?,
        (Series::Trouble(trouble), disk) => trouble::run(&mut field, disk, trouble).await.map(|()| true)?,
        (Series::PowerCuts(_), _) => bail!("no disk to cut the power of"),
    };
    say(&format!("{series:?} in {:.1} s: {}", begun.elapsed().as_secs_f64(), field.ledger.totals()));
    for (code, (times, first)) in field.ledger.take_codes() {
        say(&format!("refused {times} times: {code}, first: {first}"));
    }
    say(&format!("{series:?}: {}", field.faults));
    Ok(verdict(&field, come_to, place))
}

fn verdict(field: &Field, come_to: bool, place: tempfile::TempDir) -> u8 {
    if field.faults.any() {
        let log = field.plan.log.display().to_string();
        let _kept = place.keep();
        say(&format!("the promise was broken; the server's log is {log}"));
        return BROKEN;
    }
    if field.ledger.answered() == 0 || !come_to {
        say("this run proves nothing");
        return PROVES_NOTHING;
    }
    0
}

fn server(flags: &Flags) -> anyhow::Result<PathBuf> {
    match &flags.server {
        Some(server) => Ok(server.clone()),
        None => Ok(std::env::current_exe()?.with_file_name("hostel-crash-server")),
    }
}

/// A line for the person who watches.
#[expect(clippy::print_stdout, reason = "this is a command line program")]
fn say(line: &str) {
    println!("{line}");
}
