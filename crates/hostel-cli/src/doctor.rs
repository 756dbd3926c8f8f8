//! `hostel doctor URL`: walks the way of a client and stops at the first break with one
//! sentence and one change to make.

mod cors;
mod explain;
pub(crate) mod listen;
mod network;
mod path;
mod report;
mod server;
mod session;
mod upgrade;
mod who;

use std::process::ExitCode;

use hostel_client::{Options, Target};
use hostel_protocol::Code;

use crate::cli::DoctorArgs;
use report::Report;

/// What is wrong, and the one change to make.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Break {
    /// The step that found it.
    step: &'static str,
    /// The server's code, or ours where the server has none.
    code: String,
    sentence: String,
    fix: String,
}

impl Break {
    fn new(step: &'static str, code: &str, sentence: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { step, code: code.to_owned(), sentence: sentence.into(), fix: fix.into() }
    }

    fn known(step: &'static str, code: Code, sentence: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(step, code.as_str(), sentence, fix)
    }
}

/// One examination.
struct Doctor<'a> {
    args: &'a DoctorArgs,
    options: Options,
    target: Target,
    report: Report,
    /// The server said that it is Hostel.
    hostel: bool,
}

/// Examines the way to `text` and says what it found.
pub(crate) async fn run(text: &str, args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let mut report = Report::new(text, args.json)?;
    let broken = match args.server.target(text) {
        Ok(target) => {
            let mut doctor = Doctor::new(target, args, report);
            let broken = doctor.walk().await?;
            report = doctor.report;
            broken
        }
        Err(error) => Some(path::unreadable(&error)),
    };
    report.end(broken.as_ref())?;
    Ok(if broken.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl<'a> Doctor<'a> {
    fn new(target: Target, args: &'a DoctorArgs, report: Report) -> Self {
        let mut options = args.server.options();
        options.connect_timeout = args.timeout;
        options.ready_timeout = args.timeout;
        options.call_timeout = args.timeout;
        Self { args, options, target, report, hostel: false }
    }

    /// The steps in order. The outer error is one of our own output.
    async fn walk(&mut self) -> anyhow::Result<Option<Break>> {
        self.report.passed("address", &self.target.to_string())?;
        match self.steps().await {
            Ok(()) => Ok(None),
            Err(Stop::Broken(broken)) => Ok(Some(*broken)),
            Err(Stop::Output(error)) => Err(error.into()),
        }
    }

    async fn steps(&mut self) -> Result<(), Stop> {
        self.network().await?;
        self.server().await?;
        self.who().await?;
        let (client, events) = self.upgrade().await?;
        self.session(&client, events).await?;
        client.close().await;
        self.history().await?;
        self.cors().await
    }
}

/// Why the walk ends early.
enum Stop {
    Broken(Box<Break>),
    Output(std::io::Error),
}

impl From<Break> for Stop {
    fn from(broken: Break) -> Self {
        Self::Broken(Box::new(broken))
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::Output(error)
    }
}
