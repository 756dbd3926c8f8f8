//! What can be written on the command line.

mod past;
mod travel;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use hostel_client::{Options, Target, TlsOptions};
use serde_json::Value;

use crate::settings::Settings;

pub(crate) use past::{DiffArgs, ForkArgs, HistoryArgs, MOMENTS, RestoreArgs};
pub(crate) use travel::{BackupArgs, ExportArgs, ImportArgs, VerifyArgs};

const EXAMPLES: &str = "\
Examples:
  hostel                                      serve agents on http://127.0.0.1:8787
  hostel call coder-agent/default getProjectContext
  hostel connect coder-agent/default
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
  hostel export counter/a -o - --no-history | ssh other hostel import - --as counter/b
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

/// Which server, and how to reach it.
#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// The server that agents are looked for at; a path in it replaces the prefix `agents`.
    #[arg(long, value_name = "URL", env = "HOSTEL_URL", default_value = "http://127.0.0.1:8787")]
    pub(crate) url: String,
    /// Connect as a page of this origin would.
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) origin: Option<String>,
    /// A header to send, as in `--header 'Cookie: a=b'`. Repeatable.
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub(crate) headers: Vec<Header>,
    /// A PEM file of certificate authorities to trust besides the well-known ones.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Take any certificate.
    #[arg(long)]
    pub(crate) insecure: bool,
}

pub(crate) type Header = (http::HeaderName, http::HeaderValue);

fn header(text: &str) -> Result<Header, String> {
    let (name, value) = text.split_once(':').ok_or("expected NAME: VALUE")?;
    let name = name.trim().parse().map_err(|_| format!("{name:?} is no header name"))?;
    let value = value.trim().parse().map_err(|_| "the value cannot be sent in a header".to_owned())?;
    Ok((name, value))
}

impl ServerArgs {
    pub(crate) fn options(&self) -> Options {
        Options {
            origin: self.origin.clone(),
            headers: self.headers.clone(),
            tls: TlsOptions { ca_file: self.ca_file.clone(), insecure: self.insecure },
            ..Options::default()
        }
    }

    /// The address of `text`, which is a URL or an `agent/name`.
    pub(crate) fn target(&self, text: &str) -> Result<Target, hostel_client::Error> {
        Ok(Target::parse(text, &self.url)?)
    }

    /// The address of a path of the server itself.
    pub(crate) fn path(&self, path: &str) -> Result<Target, hostel_client::Error> {
        let url = match self.url.contains("://") {
            true => self.url.clone(),
            false => format!("http://{}", self.url),
        };
        Ok(Target::parse(&url, "")?.with_path(path))
    }
}

/// Where agents are: at a server, or in a directory that none runs on.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Open this data directory, of a server that is stopped, instead of asking a running one.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    /// A URL, or an agent and its name such as coder-agent/default.
    pub(crate) target: String,
    /// Print messages as they are on the wire.
    #[arg(long)]
    pub(crate) raw: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// A URL, or an agent and its name such as coder-agent/default.
    pub(crate) target: String,
    /// The method, as clients call it: getProjectContext.
    pub(crate) method: String,
    /// Its arguments, each a JSON value; text needs quotes of its own: '"text"'.
    #[arg(value_name = "JSON", value_parser = json, allow_negative_numbers = true)]
    pub(crate) args: Vec<Value>,
    /// How many seconds to wait for the result, in a stream for each piece.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "30")]
    pub(crate) timeout: Duration,
    /// A key under which the server remembers the result: repeating the call does not do its work twice.
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

fn json(text: &str) -> Result<Value, String> {
    let hint = |error| format!("no JSON ({error}); text needs quotes of its own: '{}'", Value::from(text));
    serde_json::from_str(text).map_err(hint)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let time = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.filter(|time| !time.is_zero()).ok_or_else(|| "expected a number of seconds".to_owned())
}

#[derive(Debug, Subcommand)]
pub(crate) enum StateCommand {
    /// Print the state as JSON.
    #[command(after_help = "\
Examples:
  hostel state get counter/a
  hostel state get counter/a --version        with the version that set --if-version takes
  hostel state get counter/a --safe           although its code crashes")]
    Get {
        /// A URL, or an agent and its name such as coder-agent/default.
        target: String,
        /// Read it from the agent's database without waking the agent's code.
        #[arg(long)]
        safe: bool,
        /// Print an object of the version and the state.
        #[arg(long, conflicts_with = "safe")]
        version: bool,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Replace the whole state.
    #[command(after_help = "\
Examples:
  hostel state set counter/a '{\"count\": 5}'
  hostel state set counter/a '{\"count\": 6}' --if-version 5d8a2c6b0f1e4a37
  hostel state get counter/a | hostel state set counter/b -")]
    Set {
        /// A URL, or an agent and its name such as coder-agent/default.
        target: String,
        /// The new state as JSON, or - to read it from stdin.
        state: String,
        /// Only while the state has this version, which `state get --version` prints; then print the new one.
        #[arg(long, value_name = "VERSION")]
        if_version: Option<String>,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Print the state now and after each change, one JSON value a line.
    #[command(after_help = "\
Example:
  hostel state watch counter/a")]
    Watch {
        /// A URL, or an agent and its name such as coder-agent/default.
        target: String,
        #[command(flatten)]
        server: ServerArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AgentsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<AgentsCommand>,
    /// List the agents of this class.
    pub(crate) class: Option<String>,
    /// How many agents to list.
    #[arg(long, value_name = "N", default_value = "100")]
    pub(crate) limit: usize,
    /// Go on after this name.
    #[arg(long, value_name = "NAME")]
    pub(crate) after: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AgentsCommand {
    /// Let a quarantined agent start again at once.
    Clear {
        /// The agent and its name, such as coder-agent/default.
        agent: String,
        #[command(flatten)]
        server: ServerArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The URL that the client uses, or an agent and its name such as coder-agent/default.
    #[arg(required_unless_present = "listen", conflicts_with = "listen")]
    pub(crate) target: Option<String>,
    /// Wait for clients instead and tell each what it does wrong.
    #[arg(long, value_name = "ADDR:PORT", num_args = 0..=1, default_missing_value = "127.0.0.1:8787")]
    pub(crate) listen: Option<String>,
    /// Also check that the server explains frames of another protocol.
    #[arg(long)]
    pub(crate) dialect_check: bool,
    /// Send this frame, as the client does, and see what the server makes of it.
    #[arg(long, value_name = "TEXT")]
    pub(crate) frame: Option<String>,
    /// The path after the instance name is meant.
    #[arg(long)]
    pub(crate) allow_sub_path: bool,
    /// How many seconds each step may take.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "5")]
    pub(crate) timeout: Duration,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

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
