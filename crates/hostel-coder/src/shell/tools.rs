//! Commands in the background, for the model.

use std::time::Duration;

use hostel::{JsonSchema, Result};
use hostel_chat::{Preview, Tool};
use hostel_sandbox::{Terminal, whole_characters};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Known, Rows, STOPPED, Start, all, end_of, lent, running, start, tail, unknown, wrong};
use crate::{
    CoderAgent, hands,
    ledger::{self, Found},
    tools::{Call, refused, run},
};

/// How long a command in the background may run if nobody says, and at most.
const TIME: u64 = 60 * 60;
const LONGEST: u64 = 12 * 60 * 60;
/// How long may be waited for output.
const PATIENCE: u64 = 60;
/// How much is answered at once.
const SHOWN: usize = 32 << 10;

#[derive(Deserialize, JsonSchema)]
struct StartCommand {
    /// A line for the shell.
    command: String,
    /// Where, relative to the workspace.
    #[serde(default)]
    directory: String,
    /// Whether it gets a terminal: for programs that ask, or draw.
    #[serde(default)]
    terminal: bool,
    /// How long it may run, in seconds; an hour without, twelve at most.
    #[serde(default)]
    seconds: Option<u64>,
}

#[derive(Deserialize, JsonSchema)]
struct CommandOutput {
    /// The number that start_command answered.
    id: i64,
    /// From which byte on: `next` of the answer before.
    #[serde(default)]
    from: u64,
    /// How many seconds to wait for something new, 60 at most.
    #[serde(default)]
    wait: u64,
}

#[derive(Deserialize, JsonSchema)]
struct SendInput {
    /// The number that start_command answered.
    id: i64,
    /// What is typed; a new line at its end is part of it.
    #[serde(default)]
    text: String,
    /// Whether the input ends after it.
    #[serde(default)]
    end: bool,
}

#[derive(Deserialize, JsonSchema)]
struct Which {
    /// The number that start_command answered.
    id: i64,
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

const ABOUT: &str = "Starts a shell command in the background, such as a server or a long build, in the same sandbox as run_command. \
Answers its number; command_output tells what it says. It ends with the server.";

const ABOUT_THERE: &str = "Starts a shell command in the background, such as a server or a long build, on the machine that is lent to you, \
as run_command does. Answers its number; command_output tells what it says. It ends with the program that lends the machine.";

/// How long somebody may be asked at a machine that is lent.
const ASKED: Duration = Duration::from_secs(12 * 60 * 60);

pub(crate) fn tools(elsewhere: bool) -> Vec<Tool<CoderAgent>> {
    let about = if elsewhere { ABOUT_THERE } else { ABOUT };
    let begin = Tool::new("start_command", about, |cx: Call, ask: StartCommand| async move { begun(&cx, ask).await });
    let begin = begin.preview(|cx: Call, ask: StartCommand| async move {
        let shown = run::conditions(&cx, &ask.directory, time(&ask))?;
        let text = format!("In the background. {shown}");
        Ok(Preview::command(ask.command).with_text(text).with_fingerprint(hands::fingerprint(&cx)?))
    });
    let about =
        "What a command in the background said, from a byte on, and how it is. Only the end of a long output is kept.";
    let output = Tool::new("command_output", about, |cx: Call, ask: CommandOutput| async move { said(&cx, ask).await });
    let about = "Types into a command in the background.";
    let send = Tool::new("send_input", about, |cx: Call, ask: SendInput| async move { typed(&cx, ask).await });
    let send = send.preview(|cx: Call, ask: SendInput| async move {
        let Known { row, on, .. } = find(&cx, ask.id)?;
        let on = on.map(|name| format!(" on the machine {name:?}")).unwrap_or_default();
        Ok(Preview::command(ask.text).with_text(format!("Typed into command {} ({}){on}.", ask.id, row.title)))
    });
    let about = "Ends a command in the background, and all it started.";
    let stop = Tool::new("stop_command", about, |cx: Call, Which { id }: Which| async move { stopped(&cx, id).await });
    let about = "The commands in the background, and how they are.";
    let list = Tool::new("list_commands", about, |cx: Call, Nothing {}: Nothing| async move {
        Ok(all(&cx)?.into_iter().filter(|known| known.row.call.is_some()).map(listed).collect::<Vec<_>>())
    });
    let (begin, send) = (begin.ask().resumable(), send.ask().resumable());
    let (begin, send) = if elsewhere { (begin.timeout(ASKED), send.timeout(ASKED)) } else { (begin, send) };
    vec![begin, output.repeatable(), send, stop.resumable(), list.repeatable()]
}

fn listed(Known { id, row, ended, on }: Known) -> Value {
    let mut line = json!({"id": id, "command": row.title, "running": ended.is_none(), "ended": ended});
    if let Some(on) = on {
        line["on"] = on.into();
    }
    line
}

/// One that the model has started: terminals of people are theirs.
fn find(cx: &Call, id: i64) -> Result<Known> {
    let mine = all(cx)?.into_iter().find(|known| known.id == id && known.row.call.is_some());
    mine.ok_or_else(|| unknown(id))
}

fn time(ask: &StartCommand) -> Duration {
    Duration::from_secs(ask.seconds.unwrap_or(TIME).clamp(1, LONGEST))
}

/// Starts it once, where somebody has chosen. What was started here before a crash has ended with the server; what was started
/// elsewhere is found there.
async fn begun(cx: &Call, ask: StartCommand) -> Result<Value> {
    let ask = &ask;
    let plan = async {
        run::check_place(cx)?;
        let there = hands::there(cx, |text| run::show(cx, text)).await?;
        // It may have come back as another, and what was ruled was ruled before.
        run::check_place(cx)?;
        run::check_ruling(cx, "start_command", &ask.command, &ask.directory)?;
        there.as_ref().map_or(Ok(()), hands::There::check_background)?;
        let about = there.as_ref().map(|there| there.about());
        Ok((json!({"command": ask.command, "terminal": ask.terminal, "hands": about}), there))
    };
    let work = |there: Option<hands::There>| async move {
        match there {
            Some(there) => {
                let (line, directory) = (ask.command.clone(), ask.directory.clone());
                let begin = hands::Begin { line, directory, time: time(ask), terminal: ask.terminal };
                lent::begun(cx, there, begin).await
            }
            None => begun_here(cx, ask).await,
        }
    };
    let check = |about: Value| async move {
        match &about["hands"] {
            Value::Null => Ok(match Rows(cx).of_call(cx.call_id())? {
                Some(id) => Found::Done(json!({"id": id, "running": false, "ended": STOPPED})),
                None => Found::NotDone,
            }),
            _ => lent::found(cx, &about).await,
        }
    };
    ledger::planned(cx, "", plan, work, check).await
}

async fn begun_here(cx: &Call, ask: &StartCommand) -> Result<Value> {
    let terminal = ask.terminal.then(Terminal::default);
    let (line, call) = (Some(&*ask.command), Some(cx.call_id()));
    let start_ = Start { line, directory: &ask.directory, terminal, time: time(ask), call };
    Ok(json!({"id": start(cx, &start_).await?, "running": true}))
}

/// Types it once. Of a command that ran here nothing is left after a crash; one that runs elsewhere is asked whether it heard it.
async fn typed(cx: &Call, SendInput { id, text, end }: SendInput) -> Result<Value> {
    find(cx, id)?;
    if let Some(ordered) = Rows(cx).far(id)? {
        return ordered.typed(cx, text, end).await;
    }
    let (shell, job) = running(cx, id)?;
    if !text.is_empty() {
        shell.jobs.write(job, Some(text.into_bytes())).map_err(wrong)?;
    }
    if end {
        shell.jobs.write(job, None).map_err(wrong)?;
    }
    Ok(json!({"sent": true}))
}

async fn stopped(cx: &Call, id: i64) -> Result<Value> {
    let Known { on, .. } = find(cx, id)?;
    if let Some(name) = on {
        let far = lent::find(cx, id, hands::patience(cx)).await?.ok_or_else(|| {
            let why = format!("It runs, or ran, on {name:?}, which is not there with it.");
            refused(why, "ask for `hostel hands` there: what nobody follows is ended there")
        })?;
        far.cancel();
        return Ok(json!({"id": id, "ended": far.over().await}));
    }
    let (shell, job) = running(cx, id)?;
    shell.jobs.cancel(job).map_err(wrong)?;
    let state = shell.jobs.wait(job).await.map_err(wrong)?;
    Ok(json!({"id": id, "ended": end_of(&state)}))
}

async fn said(cx: &Call, ask: CommandOutput) -> Result<Value> {
    let Known { ended, .. } = find(cx, ask.id)?;
    let patience = Duration::from_secs(ask.wait.min(PATIENCE));
    let Some(mut tail) = tail(cx, ask.id, ask.from, patience).await? else {
        return Ok(json!({"id": ask.id, "running": false, "ended": ended, "output": "", "next": ask.from}));
    };
    let more = tail.bytes.len() > SHOWN;
    tail.bytes.truncate(SHOWN);
    let ended = end_of(&tail.state).filter(|_| !more);
    let (output, took) = whole_characters(&tail.bytes, ended.is_some());
    let next = tail.from + took as u64;
    let left_out = tail.from.saturating_sub(ask.from);
    Ok(
        json!({"id": ask.id, "running": end_of(&tail.state).is_none(), "ended": ended, "output": output, "from": tail.from,
        "next": next, "leftOut": left_out, "more": more}),
    )
}
