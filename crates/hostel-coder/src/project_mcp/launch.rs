//! Starting the program that is an MCP server of a project: in the sandbox of its workspace, or not at all.

use std::{sync::Arc, time::Duration};

use hostel::{
    AgentId, BoxFuture, Error, Result,
    mcp::{Launched, Launcher},
};
use hostel_sandbox::{Command, Job, Source};
use serde_json::Value;
use tokio::io::{AsyncWrite, AsyncWriteExt as _, DuplexStream, duplex};

use super::file::Program;
use crate::{
    beside::beside,
    workspaces::{Workspaces, said},
};

/// How long one may run. Long before, it ends because nobody uses it.
const TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a line may be. A server reads whole lines, and what a project's program writes has no bound of its own.
const LINE: usize = 4 << 20;

/// How long it has to end by itself.
const GRACE: Duration = Duration::from_secs(2);

const ROOM: usize = 64 << 10;

impl Launcher for Workspaces {
    fn launch(self: Arc<Self>, agent: AgentId, program: Value) -> BoxFuture<Result<Launched>> {
        Box::pin(async move { streams(started(self, agent, serde_json::from_value(program)?).await?) })
    }
}

async fn started(workspaces: Arc<Workspaces>, agent: AgentId, program: Program) -> Result<Job> {
    workspaces.probe().await;
    if let Some(why) = workspaces.unsandboxed() {
        return Err(Error::msg(format!(
            "A project's programs are run in the sandbox alone, and there is none: {why}."
        )));
    }
    let of = Arc::clone(&workspaces);
    let mut policy = beside(move || {
        let workspace = of.open(&agent)?;
        workspace.check_size().map_err(said)?;
        Ok(of.policy(workspace.path()))
    })
    .await?;
    policy.limits.time = TIME;
    policy.limits.output_bytes = u64::MAX;
    let Program { command, args, env, cwd } = program;
    let command = Command::new(std::iter::once(command).chain(args)).dir(cwd);
    let command = env.into_iter().fold(command, |command, (name, value)| command.env(name, value));
    workspaces.start(&policy, &command).await.map_err(|error| Error::msg(error.to_string()))
}

fn streams(mut job: Job) -> Result<Launched> {
    let to = job.take_input().ok_or_else(|| Error::msg("The program has no input."))?;
    let ((input, from_input), (output, to_output), (errors, to_errors)) = (duplex(ROOM), duplex(ROOM), duplex(ROOM));
    tokio::spawn(async move {
        tokio::select! {
            () = fed(from_input, to) => {}
            () = heard(&mut job, to_output, to_errors) => {}
        }
    });
    Ok(Launched { input, output, errors })
}

/// Hands on what is said to the program. When nobody can say more it is told so, and has a moment to end by itself.
async fn fed(mut from: DuplexStream, mut to: impl AsyncWrite + Unpin) {
    let _ = tokio::io::copy(&mut from, &mut to).await;
    drop(to);
    tokio::time::sleep(GRACE).await;
}

/// Hands on what the program says, until it is over or says more than a line may have.
async fn heard(job: &mut Job, mut output: DuplexStream, mut errors: DuplexStream) {
    let mut line = 0;
    while let Some(piece) = job.next().await {
        if piece.source == Source::Errors {
            // Somebody who does not read them still has the output.
            let _ = errors.write_all(&piece.bytes).await;
            continue;
        }
        line = grown(line, &piece.bytes);
        if line > LINE {
            let _ = errors.write_all(b"a line was longer than a server's may be").await;
            return;
        }
        if output.write_all(&piece.bytes).await.is_err() {
            return;
        }
    }
}

/// How long the line is that is not at its end.
fn grown(line: usize, bytes: &[u8]) -> usize {
    match bytes.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => bytes.len() - end - 1,
        None => line + bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_line_that_is_open_counts() {
        assert_eq!([grown(5, b"abc"), grown(5, b"a\nbc"), grown(5, b"abc\n")], [8, 2, 0]);
    }
}
