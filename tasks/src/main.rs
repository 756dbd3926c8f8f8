//! `hostel-tasks run` and `hostel-tasks swe`.

use std::{io::Write as _, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use hostel_tasks::{Instance, Options, Report, SweOptions, Task, Verdict, chosen, run, swe};

/// Measures the coding agent.
#[derive(Parser)]
#[command(name = "hostel-tasks", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The set of small repository tasks.
    Run {
        /// The directory with the tasks.
        #[arg(long, default_value = "tasks/set")]
        set: PathBuf,
        /// Only tasks with one of these texts in their names.
        only: Vec<String>,
        #[command(flatten)]
        common: Common,
    },
    /// A file of tasks in the form of SWE-bench.
    Swe {
        /// The file: one JSON object a line.
        dataset: PathBuf,
        /// The directory with the repositories, each as owner__name.
        #[arg(long)]
        repos: PathBuf,
        /// The command that runs tests.
        #[arg(long, default_value = "python3 -m pytest -q {tests}")]
        test: String,
        /// Where to write the patches.
        #[arg(long)]
        predictions: Option<PathBuf>,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Args)]
struct Common {
    /// scripted; idle, which does nothing; main, which is of the provider whose key is set; or provider/model.
    #[arg(long, env = "HOSTEL_TASKS_MODEL", default_value = "scripted")]
    model: String,
    /// Where to write the report as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Where to work; not below /tmp.
    #[arg(long, default_value = "/var/tmp")]
    work: PathBuf,
    /// Seconds for one task.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Seconds for the tests of one task.
    #[arg(long, default_value_t = 120)]
    test_seconds: u64,
}

fn main() -> Result<ExitCode> {
    hostel_sandbox::run_if_helper();
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (report, json) = runtime.block_on(measured(cli.command))?;
    writeln!(std::io::stdout(), "\n{}", report.table())?;
    if let Some(file) = json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(&file, text).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(if report.solved == report.tasks.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measured(command: Command) -> Result<(Report, Option<PathBuf>)> {
    match command {
        Command::Run { set, only, common } => {
            let mut tasks = Task::all(&set)?;
            tasks.retain(|task| only.is_empty() || only.iter().any(|part| task.name.contains(part)));
            let report = run(&tasks, &options(&common)?, told).await;
            Ok((report, common.json))
        }
        Command::Swe { dataset, repos, test, predictions, common } => {
            let repos = repos.canonicalize().with_context(|| format!("{} is not there", repos.display()))?;
            let options = SweOptions { run: options(&common)?, repos, test, predictions };
            let report = swe(&Instance::all(&dataset)?, &options, told).await?;
            Ok((report, common.json))
        }
    }
}

fn options(common: &Common) -> Result<Options> {
    let time = Duration::from_secs(common.seconds);
    let test_time = Duration::from_secs(common.test_seconds);
    Ok(Options { work: common.work.clone(), time, test_time, ..Options::new(chosen(&common.model)?) })
}

/// Each verdict as it comes, where a table would let people wait.
fn told(verdict: &Verdict) {
    let _ = writeln!(std::io::stderr(), "{:?} {} ({:.1} s)", verdict.outcome, verdict.task, verdict.seconds);
}
