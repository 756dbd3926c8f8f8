//! `hostel backup`: all agents to a directory.

use std::path::Path;
use std::process::ExitCode;

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::BackupArgs;
use crate::door::{Door, Sent};
use crate::failure::Refused;
use crate::output;
use crate::past::When;
use crate::place::{directory, refusable};
use crate::progress::{Progress, count, size};

/// One line of what the server says while it works.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    Progress(Step),
    Done(Value),
    Refused(hostel_server::Refused),
}

#[derive(Debug, Deserialize)]
struct Step {
    doing: String,
    done: u64,
    of: u64,
    bytes: u64,
}

/// What was done.
#[derive(Debug, Deserialize)]
struct Done {
    time_ms: i64,
    files: u64,
    copied: u64,
    copied_bytes: u64,
    removed: u64,
}

pub(super) async fn run(args: &BackupArgs) -> anyhow::Result<ExitCode> {
    let dir = std::path::absolute(&args.dir)?;
    let done = match &args.place.data {
        Some(data) => offline(data, &dir)?,
        None => ask(&Door::of(&args.place.server)?, &dir).await?,
    };
    if args.json {
        output::line(&done.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    output::line(&told(&serde_json::from_value(done)?, &dir, &When::new(false)))?;
    Ok(ExitCode::SUCCESS)
}

fn told(done: &Done, dir: &Path, when: &When) -> String {
    let removed = match done.removed {
        0 => String::new(),
        removed => format!(", {removed} removed"),
    };
    let (dir, at, copied) = (dir.display(), when.show(done.time_ms), count(done.copied, "file"));
    format!(
        "{dir} has everything as of {at}: {copied} copied ({}){removed}, {} in all.",
        size(done.copied_bytes),
        done.files
    )
}

fn offline(data: &Path, dir: &Path) -> anyhow::Result<Value> {
    let mut progress = Progress::new();
    let data = directory(data)?;
    refusable(data.backup(dir, &mut |at| progress.step(at.doing, (at.done, at.of), at.bytes)))
}

async fn ask(door: &Door, dir: &Path) -> anyhow::Result<Value> {
    let mut progress = Progress::new();
    let mut answer = door.ask(Method::POST, "/_hostel/backup", Sent::Json(json!({"dir": dir}))).await?;
    let mut text = Vec::new();
    while let Some(bytes) = answer.next().await? {
        text.extend_from_slice(&bytes);
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = text.drain(..=end).collect();
            match serde_json::from_slice(&line)? {
                Said::Progress(at) => progress.step(&at.doing, (at.done, at.of), at.bytes),
                Said::Done(done) => return Ok(done),
                Said::Refused(refused) => return Err(Refused::from(refused).into()),
            }
        }
    }
    Err(Refused::plain("The server stopped in the middle of the backup; the one that was there is still one.").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_says_what_it_copied() {
        let mut done = Done { time_ms: 0, files: 12, copied: 1, copied_bytes: 2048, removed: 0 };
        let shown = |done: &Done| told(done, Path::new("/b"), &When::east());
        let head = "/b has everything as of 1970-01-01 02:00:00: 1 file copied (2.0 KiB)";
        assert_eq!(shown(&done), format!("{head}, 12 in all."));
        done.removed = 3;
        assert_eq!(shown(&done), format!("{head}, 3 removed, 12 in all."));
    }
}
