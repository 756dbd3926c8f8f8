//! Commands, in the sandbox.

use std::time::{Duration, Instant};

use hostel::{Error, JsonSchema, Result};
use hostel_chat::{Preview, Ruling, Tool};
use hostel_sandbox::{Command, Job};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, place, refused};
use crate::{
    CoderAgent, hands,
    ledger::{self, Found},
    policy,
    workspaces::{Workspaces, said},
};

/// How long a command may run if nobody says, and at most.
const TIME: Duration = Duration::from_secs(120);
pub(crate) const LONGEST: Duration = Duration::from_secs(30 * 60);

/// How long somebody may be asked at a machine that is lent.
const ASKED: Duration = Duration::from_secs(12 * 60 * 60);

/// How much of the output is kept: so much of its beginning, and so much of its end.
const KEPT: usize = 128 << 10;

/// How much of its end is shown while it runs, and how often: each time is a row of the log.
const SHOWN: usize = 4 << 10;
pub(crate) const OFTEN: Duration = Duration::from_secs(1);

#[derive(Deserialize, JsonSchema)]
struct Run {
    /// A line for the shell.
    command: String,
    /// Where, relative to the workspace.
    #[serde(default)]
    directory: String,
    /// How long it may run, in seconds; 120 without, 1800 at most.
    #[serde(default)]
    seconds: Option<u64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct OldRun {
    /// A line for the shell.
    command: String,
    /// Where, relative to the workspace.
    #[serde(default)]
    working_directory: Option<String>,
}

const UNPROTECTED: &str = "WITHOUT A SANDBOX: this machine has none. The command may read, change and delete whatever the server may, \
secrets and other agents' files included, use the network, and leave programs running.";

const ABOUT: &str = "Runs a shell command in a sandbox: it sees the workspace and the system's programs, and has no network. \
Nothing it starts goes on after it. Answers the end, the exit code and the output.";

const ABOUT_THERE: &str = "Runs a shell command on the machine that is lent to you, in the directory that is lent, not in your workspace. \
Nothing it starts is to go on after it. Answers the end, the exit code and the output.";

pub(super) fn tools(elsewhere: bool) -> Vec<Tool<CoderAgent>> {
    let run = Tool::new(
        "run_command",
        if elsewhere { ABOUT_THERE } else { ABOUT },
        |cx: Call, Run { command, directory, seconds }: Run| async move {
            let time = chosen(&cx, seconds);
            carried_out(&cx, command, directory, time).await
        },
    );
    let old = Tool::new("runCommand", "The same as run_command.", |cx: Call, run: OldRun| async move {
        let time = chosen(&cx, None);
        carried_out(&cx, run.command, run.working_directory.unwrap_or_default(), time).await
    });
    let run = run.preview(|cx: Call, Run { command, directory, seconds }: Run| async move {
        previewed(&cx, command, &directory, chosen(&cx, seconds))
    });
    let old = old.preview(|cx: Call, run: OldRun| async move {
        previewed(&cx, run.command, &run.working_directory.unwrap_or_default(), chosen(&cx, None))
    });
    // Its own limit is the one that counts: it tells what was said until then. It counts from when the command runs, which on a
    // machine that is lent may be long after somebody was asked there.
    let asked = if elsewhere { ASKED } else { Duration::ZERO };
    let patience = asked + LONGEST + 2 * hands::SLACK;
    vec![run.ask().resumable().timeout(patience), old.ask().resumable().timeout(patience)]
}

fn chosen(cx: &Call, seconds: Option<u64>) -> Duration {
    let usual = cx.env::<Workspaces>().map_or(TIME, |workspaces| workspaces.command_options().limits.time);
    seconds.map_or(usual, |seconds| Duration::from_secs(seconds.max(1))).min(LONGEST)
}

/// The line, and under which conditions it would run. Where that is tells it from others.
fn previewed(cx: &Call, line: String, directory: &str, time: Duration) -> Result<Preview> {
    let text = conditions(cx, directory, time)?;
    Ok(Preview::command(line).with_text(text).with_fingerprint(hands::fingerprint(cx)?))
}

/// Where, reaching what, and for how long a command would run.
pub(crate) fn conditions(cx: &Call, directory: &str, time: Duration) -> Result<String> {
    Ok(match hands::conditions(cx, directory, time)? {
        Some(there) => there,
        None => conditions_here(cx, directory, time),
    })
}

fn conditions_here(cx: &Call, directory: &str, time: Duration) -> String {
    let place = if directory.is_empty() { "the workspace" } else { directory };
    let Ok(workspaces) = cx.env::<Workspaces>() else { return format!("In {place}.") };
    match workspaces.unsandboxed() {
        None => {
            let reach = workspaces.command_options().reach();
            format!("In {place}, in the sandbox, {reach}, for {} s at most.", time.as_secs())
        }
        Some(why) => format!("In {place}. {UNPROTECTED} ({why})"),
    }
}

/// Runs it once, where somebody has chosen: one that ran when the server died is told with what is known of it, and not run again.
async fn carried_out(cx: &Call, line: String, directory: String, time: Duration) -> Result<Value> {
    let plan = async {
        check_place(cx)?;
        let there = hands::there(cx, |text| show(cx, text)).await?;
        // It may have come back as another, and what was ruled was ruled before.
        check_place(cx)?;
        check_ruling(cx, "run_command", &line, &directory)?;
        let about =
            json!({"command": line, "directory": directory, "hands": there.as_ref().map(|there| there.about())});
        Ok((about, (there, line.clone(), directory.clone())))
    };
    let work = |(there, line, directory): (Option<hands::There>, String, String)| async move {
        match there {
            Some(there) => there.run(cx, hands::Asked { line, directory, time }).await,
            None => ran(cx, line, directory, time).await,
        }
    };
    let check = |about: Value| async move {
        match &about["hands"] {
            Value::Null => broken_off(cx),
            there => hands::found(cx, there).await,
        }
    };
    let result = ledger::planned(cx, "", plan, work, check).await?;
    hands::settle(cx);
    Ok(result)
}

/// A yes holds for the place that was shown with the question.
pub(crate) fn check_place(cx: &Call) -> Result<()> {
    let place = hands::fingerprint(cx)?;
    let is_shown = cx.previewed().is_none_or(|shown| shown.fingerprint.is_some());
    if !is_shown && hands::is_chosen(cx) {
        return Err(refused(
            "Whoever said yes was not shown on which machine it would run. Nothing was run.",
            "call the tool again",
        ));
    }
    cx.check_preview(&place)
}

/// What nobody was asked about goes on only if nobody would have to be asked now, for the place where it is about to run.
pub(crate) fn check_ruling(cx: &Call, tool: &str, line: &str, directory: &str) -> Result<()> {
    let input = json!({"command": line, "directory": directory});
    match policy::Judge(cx.cx().clone()).ruling(tool, &input, true)? {
        Some(Ruling::Refuse(why)) => Err(refused(why, "ask what is wanted")),
        Some(Ruling::Ask) if cx.previewed().is_none() => Err(refused(
            "Since this was ruled, it has come to need somebody's yes: where commands run was changed, or the rules were. Nothing \
             was run.",
            "call the tool again",
        )),
        _ => Ok(()),
    }
}

/// Commands end with the server, so what is known is all there is.
fn broken_off(cx: &Call) -> Result<Found> {
    let output = last_said(cx)?;
    Ok(Found::Done(json!({"exitCode": null, "success": false, "output": output.unwrap_or_default(),
        "ended": "was ended, because the server stopped while it ran: some of what it does may be done, and it was not run again. \
            The output is what it said last before"})))
}

/// What a command said last before a crash.
pub(crate) fn last_said(cx: &Call) -> Result<Option<String>> {
    match cx.sql(SAID_THERE, ())?.is_empty() {
        true => Ok(None),
        false => cx.sql("select output from coder_said where call = ?", (cx.call_id(),))?.value::<String>(),
    }
}

const SAID: &str = "create table if not exists coder_said (call text primary key, output text not null) without rowid";
const SAID_THERE: &str = "select 1 from sqlite_master where type = 'table' and name = 'coder_said'";

/// Keeps what a command said last, and shows it.
pub(crate) fn show(cx: &Call, output: &str) -> Result<()> {
    cx.try_update(|_| {
        cx.sql(SAID, ())?;
        // Of others nothing is asked any more: commands of a turn run one after the other.
        cx.sql("delete from coder_said where call <> ?", (cx.call_id(),))?;
        cx.sql("insert or replace into coder_said (call, output) values (?, ?)", (cx.call_id(), output)).map(drop)
    })?;
    cx.progress(&json!({"running": true, "output": output}))
}

async fn ran(cx: &Call, line: String, directory: String, time: Duration) -> Result<Value> {
    // It may change anything.
    crate::snapshots::before(cx).await;
    let (workspaces, workspace) = place(cx).await?;
    let (of, room) = (std::sync::Arc::clone(&workspaces), workspace.clone());
    let mut policy = tokio::task::spawn_blocking(move || {
        room.check_size().map_err(said)?;
        Ok::<_, Error>(of.policy(room.path()))
    })
    .await??;
    policy.limits.time = time;
    let directory = hostel_workspace::Place::parse(&directory).map_err(said)?;
    // One pipe for both, so that errors stand where they were said.
    let command = Command::shell(format!("exec 2>&1\n{line}")).dir(directory.as_str());
    let job = workspaces.start(&policy, &command).await;
    followed(cx, job.map_err(|error| refused(error.to_string(), "do without the command"))?).await
}

/// Shows what the command says while it runs. Dropped, the command and all it started end.
async fn followed(cx: &Call, mut job: Job) -> Result<Value> {
    // Whoever reads from its input is not to wait for somebody who never writes.
    let _ = job.close_input().await;
    let (mut said, mut shown, mut is_news) = (Said::default(), Instant::now(), false);
    loop {
        let pause = if is_news { OFTEN.saturating_sub(shown.elapsed()) } else { LONGEST };
        match tokio::time::timeout(pause, job.next()).await {
            Ok(None) => break,
            Ok(Some(piece)) => {
                said.push(&piece.bytes);
                is_news = true;
            }
            Err(_) if is_news => {
                show(cx, &said.latest())?;
                (shown, is_news) = (Instant::now(), false);
            }
            Err(_) => {}
        }
    }
    let exit = job.wait().await.map_err(|error| Error::msg(error.to_string()))?;
    Ok(json!({"exitCode": exit.code, "success": exit.success(), "ended": exit.to_string(), "output": said.whole()}))
}

/// The beginning and the end of what was said.
#[derive(Debug, Default)]
pub(crate) struct Said {
    head: Vec<u8>,
    tail: Vec<u8>,
    left_out: usize,
}

impl Said {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let room = (KEPT - self.head.len()).min(bytes.len());
        self.head.extend(&bytes[..room]);
        self.tail.extend(&bytes[room..]);
        // Now and then, so that little is moved.
        if self.tail.len() > 2 * KEPT {
            let over = self.tail.len() - KEPT;
            self.tail.drain(..over);
            self.left_out += over;
        }
    }

    pub(crate) fn latest(&self) -> String {
        let all = if self.tail.len() < SHOWN { [&*self.head, &*self.tail].concat() } else { self.tail.clone() };
        String::from_utf8_lossy(&all[all.len().saturating_sub(SHOWN)..]).into_owned()
    }

    pub(crate) fn whole(&self) -> String {
        let (head, tail) = (String::from_utf8_lossy(&self.head), &self.tail);
        match self.left_out {
            0 => String::from_utf8_lossy(&[&*self.head, tail].concat()).into_owned(),
            left => format!("{head}\n({left} bytes are left out)\n{}", String::from_utf8_lossy(tail)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_output_the_beginning_and_the_end_are_kept() {
        let mut said = Said::default();
        for number in 0..200_000 {
            said.push(format!("{number}\n").as_bytes());
        }
        let whole = said.whole();
        assert!(whole.starts_with("0\n1\n") && whole.ends_with("199998\n199999\n"), "{}", whole.len());
        assert!(whole.contains("bytes are left out") && whole.len() < 4 * KEPT);
        assert!(said.latest().ends_with("199999\n") && said.latest().len() == SHOWN);
    }

    #[test]
    fn a_character_that_comes_in_two_pieces_is_whole() {
        let mut said = Said::default();
        said.push(&"ä".as_bytes()[..1]);
        said.push(&"ä".as_bytes()[1..]);
        assert_eq!((said.whole(), said.latest()), ("ä".to_owned(), "ä".to_owned()));
    }
}
