//! A backup to a directory of this machine, with its progress as lines of JSON.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hostel::{
    Edge, Error,
    axum::{
        body::Bytes,
        extract::State,
        response::{IntoResponse, Response},
    },
    http::header,
};
use hostel_store::{Progress, Store};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::{
    Failed, body, malformed,
    pipe::{Pipe, pipe},
};
use crate::{
    Refused,
    travel::{self, Kept},
};

/// A line at most this often.
const PACE: Duration = Duration::from_millis(100);

#[derive(Debug, Deserialize)]
struct Wanted {
    dir: PathBuf,
}

/// Lines of `{"progress": ..}`, then `{"done": ..}` or `{"refused": ..}`. What fails before the first of them is a
/// refusal as any other. A client that leaves does not end it.
pub(super) async fn backup(State(edge): State<Edge>, sent: Bytes) -> Result<Response, Failed> {
    let Wanted { dir } = body(&sent)?;
    if !dir.is_absolute() {
        return Err(malformed(
            "The directory has to be given from the root, as in {\"dir\": \"/var/backups/hostel\"}.",
        ));
    }
    let (store, kept) = (edge.node().store().clone(), edge.node().options().belongings.clone());
    let (pipe, pieces) = pipe();
    let work = spawn_blocking(move || run(&store, &kept, &dir, pipe));
    if let Some(body) = pieces.body().await {
        return Ok(([(header::CONTENT_TYPE, "application/jsonl")], body).into_response());
    }
    let ended = work.await.map_err(|error| Error::msg(error.to_string()))?;
    let refused =
        ended.err().unwrap_or_else(|| Refused::new("internal", "The backup ended without a word.", "try again"));
    Err(Failed(refused.into_error()))
}

fn run(store: &Store, kept: &Kept, dir: &std::path::Path, mut pipe: Pipe) -> Result<(), Refused> {
    let mut shown: Option<Instant> = None;
    let mut show = |at: Progress| {
        if shown.is_none_or(|at| at.elapsed() >= PACE) {
            shown = Some(Instant::now());
            say(&mut pipe, &json!({"progress": at}));
        }
    };
    match travel::back_up(store, dir, kept, &mut show) {
        Ok(done) => {
            tracing::info!(dir = %dir.display(), files = done.files, copied = done.copied, "a backup was made");
            say(&mut pipe, &json!({"done": done}));
            pipe.finish(true);
            Ok(())
        }
        Err(refused) => {
            tracing::warn!(dir = %dir.display(), code = refused.code, "a backup was not made: {}", refused.message);
            if shown.is_some() {
                say(&mut pipe, &json!({"refused": refused}));
            }
            pipe.finish(shown.is_some());
            Err(refused)
        }
    }
}

fn say(pipe: &mut Pipe, line: &Value) {
    // Nobody may be there to hear it.
    let _ = writeln!(pipe, "{line}").and_then(|()| pipe.flush());
}
