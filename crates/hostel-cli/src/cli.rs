//! What can be written on the command line.

mod chat;
mod hands;
mod operate;
mod orders;
mod past;
mod runs;
mod secret;
mod server;
mod talk;
mod token;
mod travel;

use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::settings::Settings;

pub(crate) use chat::{ApprovalsArgs, ApprovalsCommand, ChatArgs, WhichApproval};
pub(crate) use hands::HandsArgs;
pub(crate) use operate::{AgentsArgs, AgentsCommand, DoctorArgs};
pub(crate) use orders::{LettersArgs, LettersCommand, SchedulesArgs, SchedulesCommand};
pub(crate) use past::{DiffArgs, ForkArgs, HistoryArgs, MOMENTS, RestoreArgs};
pub(crate) use runs::{AnswerArgs, RunsArgs, RunsCommand, VerdictArgs, WhichRun};
pub(crate) use secret::{SecretCommand, VaultCommand, VaultPlace};
pub(crate) use server::{Look, Place, ServerArgs};
pub(crate) use talk::{CallArgs, ConnectArgs, StateCommand};
pub(crate) use token::TokenCommand;
pub(crate) use travel::{BackupArgs, ExportArgs, ImportArgs, VerifyArgs};

const EXAMPLES: &str = "\
Examples:
  hostel                                      serve agents on http://127.0.0.1:8787
  hostel call coder-agent/default getProjectContext
  hostel connect coder-agent/default
  hostel restore coder-agent/default --at '10m ago'
  hostel doctor ws://localhost:8787/agents/coder-agent/default

Exit codes: 0 done; 1 the server, the agent or the connection said no; 2 the command line or the
configuration cannot be used.";

/// A home for stateful agents that clients of the Agents SDK connect to unchanged.
#[derive(Debug, Parser)]
#[command(name = "hostel", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Without a command, `serve`.
    #[command(flatten)]
    pub(crate) settings: Settings,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve agents (the default command).
    #[command(after_help = "\
Examples:
  hostel serve
  hostel serve --listen 127.0.0.1:9000 --data /var/lib/hostel
  hostel serve --listen 0.0.0.0:443 --tls-cert c.pem --tls-key k.pem --allow-host agents.example --insecure-no-auth")]
    Serve(Settings),
    /// Connect a WebSocket: see every frame, type to send.
    #[command(after_help = "\
A typed line is sent as it is, except:
  /call METHOD [JSON...]   make a call, as in: /call add 1 2
  /state JSON              replace the state
  /close [CODE [REASON]]   close the connection
  //text                   send text that begins with a slash

Examples:
  hostel connect coder-agent/default
  hostel connect wss://agents.example/agents/counter/a --origin https://app.example
  echo '/call getMessages' | hostel connect coder-agent/default")]
    Connect(ConnectArgs),
    /// Talk with a chat agent; with --message or text on stdin, print one answer and end.
    #[command(after_help = "\
Typed lines are said to the agent; /help lists the commands. Ctrl-C cancels the answer under way.

Exit codes with --message or stdin: 0 answered; 1 failed, cancelled or refused; 3 a tool waits for somebody's yes;
130 interrupted.

Examples:
  hostel chat support/ann
  hostel chat coder-agent/default --message 'What does this project do?'
  git diff | hostel chat reviewer/main
  hostel chat support/ann --message hi --json | jq .type")]
    Chat(ChatArgs),
    /// List the tools of an agent that wait for a yes, and answer them.
    #[command(after_help = "\
The first answer counts, from wherever it comes.

Examples:
  hostel approvals support/ann
  hostel approvals support/ann approve FkA-VoiI-
  hostel approvals support/ann always FkA-VoiI-
  hostel approvals support/ann deny FkA-VoiI- --reason 'not on a Friday'")]
    Approvals(ApprovalsArgs),
    /// Lend this machine to a coding agent, as the place where its commands run.
    #[command(after_help = "\
What --allow names runs. Everything else is asked about here, if this is a terminal, and else refused. A command
runs as you, unless --sandbox is given: with your files, your network, and the variables PATH, HOME, USER, LOGNAME,
SHELL, LANG, LC_ALL, LC_CTYPE, TZ, TMPDIR and those of --env. It ends with this program, and with the connection if
that does not come back.

Examples:
  hostel hands coder/default --directory ~/project --use --allow 'cargo *' --allow 'git status'
  hostel hands coder/default --url https://agents.example --directory . --allow-file ~/.hostel-allow
  hostel hands coder/default --sandbox --allow '*' --deny 'git push*'
  hostel call coder/default setHands '{\"where\": \"hands\"}'
  hostel call coder/default setHands '{\"where\": \"sandbox\"}'")]
    Hands(HandsArgs),
    /// Call a method of an agent and print its result as JSON, pieces of a stream one a line.
    #[command(after_help = "\
Examples:
  hostel call counter/a increment 5
  hostel call coder-agent/default setProjectContext '{\"repoOwner\": \"a\", \"repoName\": \"b\"}'
  hostel call counter/a increment 1 --idempotency-key 2a91 --timeout 5")]
    Call(CallArgs),
    /// Read, replace or watch the state of an agent.
    #[command(subcommand)]
    State(StateCommand),
    /// List classes, the agents of a class, or clear a quarantine.
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "\
Examples:
  hostel agents
  hostel agents coder-agent --limit 20
  hostel agents clear coder-agent/default"
    )]
    Agents(AgentsArgs),
    /// List what an agent has scheduled and queued, or take a run back.
    #[command(after_help = "\
Examples:
  hostel schedules counter/a
  hostel schedules counter/a cancel FkA-VoiI-")]
    Schedules(SchedulesArgs),
    /// List the runs of an agent that were given up, have one run again, or forget it.
    #[command(after_help = "\
Examples:
  hostel dead-letters counter/a
  hostel dead-letters counter/a retry FkA-VoiI-
  hostel dead-letters counter/a retry FkA-VoiI- --args '[\"ann@example.org\"]'
  hostel dead-letters counter/a discard FkA-VoiI-")]
    DeadLetters(LettersArgs),
    /// List the turns of an agent, newest first.
    #[command(after_help = "\
Examples:
  hostel history counter/a
  hostel history counter/a --changes --limit 5
  hostel history counter/a --before 1038
  hostel history counter/a --data .hostel     of a server that is stopped")]
    History(HistoryArgs),
    /// Show what changed between two moments of an agent: state and rows.
    #[command(after_help = format!("\
Examples:
  hostel diff counter/a 1038..1042
  hostel diff counter/a 1038                  until now
  hostel diff counter/a '2h ago..10m ago'

{MOMENTS}"))]
    Diff(DiffArgs),
    /// Bring an agent back to an earlier moment; connected clients get the restored state.
    #[command(after_help = format!("\
It shows what will change and asks, unless told --yes. A restore is a turn like any other: go back \
to the turn before it to undo it.

Examples:
  hostel restore counter/a --at 1038
  hostel restore counter/a --at '10m ago' --yes

{MOMENTS}"))]
    Restore(RestoreArgs),
    /// Make a new agent out of a moment of another.
    #[command(after_help = format!("\
Examples:
  hostel fork counter/a experiment
  hostel fork counter/a before-the-bug --at '2h ago'

{MOMENTS}"))]
    Fork(ForkArgs),
    /// Write an agent with its history to one file.
    #[command(after_help = "\
Examples:
  hostel export counter/a
  hostel export counter/a -o - --no-history | ssh other hostel import -
  hostel export counter/a --durable-object -o a.sqlite")]
    Export(ExportArgs),
    /// Make an agent out of an exported file.
    #[command(after_help = "\
Examples:
  hostel import a.hostel
  hostel import a.hostel --as counter/b
  hostel import dump.sql --durable-object --as counter/a")]
    Import(ImportArgs),
    /// Copy all agents to a directory while the server runs; again into the same one copies what changed.
    #[command(after_help = "\
A backup is a data directory. To go back to it, serve a copy of it: once served it is no backup any more.

Examples:
  hostel backup /var/backups/hostel
  hostel verify /var/backups/hostel
  hostel backup /mnt/usb --data .hostel       of a server that is stopped")]
    Backup(BackupArgs),
    /// Check every database, record and checksum of a data directory or a backup.
    #[command(after_help = "\
Examples:
  hostel verify
  hostel verify /var/backups/hostel")]
    Verify(VerifyArgs),
    /// Make the vault that secrets are kept in.
    #[command(
        subcommand,
        after_help = "\
Examples:
  hostel vault init                           asks for a passphrase
  hostel vault init --key-file /etc/hostel/vault.key"
    )]
    Vault(VaultCommand),
    /// Keep, list and remove secrets; a running server notices.
    #[command(
        subcommand,
        after_help = "\
Examples:
  hostel secret set GITHUB_TOKEN
  pass show github | hostel secret set user:alice#GITHUB_TOKEN
  hostel secret list"
    )]
    Secret(SecretCommand),
    /// Make tokens that clients are known by.
    #[command(
        subcommand,
        after_help = "\
Examples:
  hostel token new deploy
  hostel token new alice --role editor --operator"
    )]
    Token(TokenCommand),
    /// List the durable runs of an agent, answer them, end them, have them go on.
    #[command(after_help = "\
Examples:
  hostel runs shop/main
  hostel runs shop/main --status uncertain
  hostel runs shop/main show V1StGXR8_Z5jdHi6
  hostel runs shop/main approve V1StGXR8_Z5jdHi6 refund --by ann
  hostel runs shop/main send V1StGXR8_Z5jdHi6 delivered '\"Berlin\"'
  hostel runs shop/main resolve V1StGXR8_Z5jdHi6 --again
  hostel runs shop/main cancel V1StGXR8_Z5jdHi6 --reason 'changed my mind'")]
    Runs(RunsArgs),
    /// Print TypeScript types of the agents of this binary.
    #[command(after_help = "\
Example:
  hostel types > src/agents.d.ts")]
    Types,
    /// Print every setting with its value and where it comes from.
    #[command(after_help = "\
Examples:
  hostel config
  HOSTEL_DATA=/tmp/x hostel config --listen 127.0.0.1:9000")]
    Config(Settings),
    /// Find out why a client cannot connect, and what to change.
    #[command(after_help = "\
Examples:
  hostel doctor ws://localhost:8787/agents/coder-agent/default
  hostel doctor coder-agent/default --origin https://app.example
  hostel doctor coder-agent/default --frame '{\"type\":\"call\"}'
  hostel doctor --listen                      diagnose whichever client comes to 127.0.0.1:8787")]
    Doctor(DoctorArgs),
}

/// A time in seconds, for several commands.
fn seconds(text: &str) -> Result<Duration, String> {
    let time = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.filter(|time| !time.is_zero()).ok_or_else(|| "expected a number of seconds".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_definition_has_no_contradictions() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_a_command_the_flags_are_those_of_serve() {
        let cli = Cli::try_parse_from(["hostel", "--listen", "127.0.0.1:1", "--insecure-no-auth"]).unwrap();
        assert!(cli.command.is_none());
        let config = cli.settings.load().unwrap();
        assert_eq!(config.listen.port(), 1);
        assert!(*config.insecure_no_auth);
    }

    #[test]
    fn arguments_of_a_call_are_json_and_may_be_negative() {
        let cli = Cli::try_parse_from(["hostel", "call", "c/a", "add", "-5", "\"x\"", "--timeout", "2"]).unwrap();
        let Some(Command::Call(call)) = cli.command else { panic!("a call") };
        assert_eq!(call.args, [Value::from(-5), Value::from("x")]);
        assert_eq!(call.timeout, Duration::from_secs(2));
        let error = Cli::try_parse_from(["hostel", "call", "c/a", "add", "text"]).unwrap_err();
        assert!(error.to_string().contains("'\"text\"'"), "{error}");
    }
}
