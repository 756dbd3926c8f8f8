//! `hostel backup`: all agents to a directory.

use std::path::Path;
use std::process::ExitCode;

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::BackupArgs;
use crate::door::{Door, Sent};
use crate::failure::Refused;
use crate::output::{self, harmless};
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
    /// What is of a later moment than all else.
    #[serde(default)]
    worked_in: Vec<String>,
    #[serde(default)]
    left_out: Vec<LeftOut>,
}

/// What the backup has not got as it is.
#[derive(Debug, Deserialize)]
struct LeftOut {
    what: String,
    why: String,
    has_older: bool,
}

pub(super) async fn run(args: &BackupArgs) -> anyhow::Result<ExitCode> {
    let dir = std::path::absolute(&args.dir)?;
    let done = match &args.place.data {
        Some(data) => offline(data, &dir)?,
        None => ask(&Door::of(&args.place.server)?, &dir).await?,
    };
    let is_whole = done["left_out"].as_array().is_none_or(Vec::is_empty);
    let code = if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if args.json {
        output::line(&done.to_string())?;
        return Ok(code);
    }
    let done: Done = serde_json::from_value(done)?;
    output::line(&told(&done, &dir, &When::new(false)))?;
    for line in reservations(&done) {
        output::line(&harmless(&line).replace('\n', " "))?;
    }
    Ok(code)
}

/// What is not as all else.
fn reservations(done: &Done) -> Vec<String> {
    let later = done
        .worked_in
        .iter()
        .map(|what| format!("{what} was worked in: its files are of after that moment, each as it was found."));
    let out = done.left_out.iter().map(|left| {
        let instead = if left.has_older { "what an earlier backup has of it stays" } else { "nothing is there of it" };
        format!("✗ {} could not be taken ({}); {instead}.", left.what, left.why)
    });
    later.chain(out).collect()
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
        let mut done: Done = serde_json::from_value(json!({
            "time_ms": 0, "files": 12, "copied": 1, "copied_bytes": 2048, "removed": 0
        }))
        .unwrap();
        let shown = |done: &Done| told(done, Path::new("/b"), &When::east());
        let head = "/b has everything as of 1970-01-01 02:00:00: 1 file copied (2.0 KiB)";
        assert_eq!(shown(&done), format!("{head}, 12 in all."));
        done.removed = 3;
        assert_eq!(shown(&done), format!("{head}, 3 removed, 12 in all."));
    }

    #[test]
    fn what_is_of_a_later_moment_or_missing_is_named() {
        let left = json!([{"what": "workspace/b", "why": "it is too large", "has_older": true},
            {"what": "workspace/c", "why": "it cannot be read", "has_older": false}]);
        let done = json!({"time_ms": 0, "files": 1, "copied": 1, "copied_bytes": 1, "removed": 0,
            "worked_in": ["workspace/a"], "left_out": left});
        let said = reservations(&serde_json::from_value(done).unwrap());
        assert!(said[0].starts_with("workspace/a was worked in"), "{said:?}");
        assert!(said[1].contains("b could not be taken (it is too large); what an earlier"), "{said:?}");
        assert!(said[2].ends_with("(it cannot be read); nothing is there of it."), "{said:?}");
    }
}
