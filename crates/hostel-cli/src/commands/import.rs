//! `hostel import`: an agent out of a file.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::stream;
use hostel_server::Arrival;
use http::Method;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::cli::ImportArgs;
use crate::door::{Door, Sent, encoded};
use crate::failure::Refused;
use crate::output;
use crate::place::{Who, directory, refusable};
use crate::progress::{Progress, count, size};

/// How much is read at once.
const PIECE: usize = 256 << 10;

/// What the server made of it.
#[derive(Debug, Deserialize)]
struct Imported {
    agent: String,
    turns: u64,
    /// Where the files are that it took the place of.
    #[serde(default)]
    replaced: Vec<String>,
}

pub(super) async fn run(args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let who = args.name.as_ref().map(|name| Who::parse(name, &args.place.server)).transpose()?;
    let answer = match &args.place.data {
        Some(dir) => offline(args, dir, who)?,
        None => upload(args, who).await?,
    };
    if args.json {
        output::line(&answer.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    let Imported { agent, turns, replaced } = serde_json::from_value(answer)?;
    let turns = match turns {
        0 => "without history".to_owned(),
        turns => format!("with {} of history", count(turns, "turn")),
    };
    output::line(&format!("{agent} is here, {turns}."))?;
    for replaced in replaced {
        output::line(&format!(
            "The files that it had are in {replaced} on the server's machine; delete them if nobody needs them."
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn offline(args: &ImportArgs, dir: &Path, who: Option<Who>) -> anyhow::Result<Value> {
    let dir = directory(dir)?;
    let (piped, path);
    let file = match is_stdin(&args.file) {
        // The reader has to be able to start again.
        true => {
            piped = spooled()?;
            piped.path()
        }
        false => {
            path = args.file.clone();
            &path
        }
    };
    let name = who.map(|who| (who.class, who.name));
    refusable(dir.import(file, Arrival { name, replace: args.replace, durable_object: args.durable_object }))
}

fn spooled() -> anyhow::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::NamedTempFile::new()?;
    std::io::copy(&mut std::io::stdin().lock().by_ref(), &mut file)?;
    Ok(file)
}

/// What SQLite has not put into the file yet would be missing without a word: only one file is sent.
fn check_log(file: &Path) -> Result<(), Refused> {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    let log = PathBuf::from(log);
    if std::fs::metadata(&log).is_ok_and(|found| found.len() > 0) {
        let mut refused = Refused::plain(&format!("A part of the database is still in {}.", log.display()));
        let file = file.display();
        refused.fix = Some(format!(
            "stop what uses it and run sqlite3 {file} 'PRAGMA wal_checkpoint(TRUNCATE)'; or import it with --data, which reads both"
        ));
        return Err(refused);
    }
    Ok(())
}

async fn upload(args: &ImportArgs, who: Option<Who>) -> anyhow::Result<Value> {
    if args.durable_object {
        check_log(&args.file)?;
    }
    let name = who.map_or_else(String::new, |who| format!("&as={}", encoded(&who.to_string())));
    let format = if args.durable_object { "&format=durable-object" } else { "" };
    let path = format!("/_hostel/import?replace={}{format}{name}", args.replace);
    let body = Sent::File(Box::pin(pieces(open(&args.file).await?)));
    Door::of(&args.place.server)?.ask(Method::POST, &path, body).await?.json().await
}

type Source = Box<dyn AsyncRead + Send + Unpin>;

async fn open(file: &PathBuf) -> anyhow::Result<Source> {
    if is_stdin(file) {
        return Ok(Box::new(tokio::io::stdin()));
    }
    let opened = tokio::fs::File::open(file).await;
    Ok(Box::new(opened.with_context(|| format!("{} cannot be read", file.display()))?))
}

fn is_stdin(file: &Path) -> bool {
    file == Path::new("-")
}

/// The file piece by piece, with progress.
fn pieces(from: Source) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> + Send {
    stream::try_unfold((from, 0, Progress::new()), |(mut from, sent, mut progress)| async move {
        let mut piece = Vec::with_capacity(PIECE);
        if (&mut from).take(PIECE as u64).read_to_end(&mut piece).await? == 0 {
            return Ok(None);
        }
        let sent = sent + piece.len() as u64;
        progress.show(&format!("{} …", size(sent)));
        Ok(Some((Bytes::from(piece), (from, sent, progress))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_not_sent_without_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.sqlite");
        assert!(check_log(&file).is_ok());
        std::fs::write(dir.path().join("a.sqlite-wal"), "").unwrap();
        assert!(check_log(&file).is_ok());
        std::fs::write(dir.path().join("a.sqlite-wal"), "x").unwrap();
        let refused = check_log(&file).unwrap_err();
        assert!(refused.fix.is_some_and(|fix| fix.contains("wal_checkpoint") && fix.contains("--data")));
    }
}
