//! What can be asked for.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};

/// Puts load on a server and reports what came of it.
#[derive(Debug, Parser)]
pub(crate) struct Flags {
    /// The server.
    #[arg(long, global = true, default_value = "127.0.0.1:8787")]
    pub(crate) server: SocketAddr,
    /// Its process, for processor time and memory.
    #[arg(long, global = true)]
    pub(crate) pid: Option<u32>,
    /// Where the provider is, for chat.
    #[arg(long, global = true, default_value = "127.0.0.1:8789")]
    pub(crate) provider: SocketAddr,
    /// What the server is called in the report.
    #[arg(long, global = true, default_value = "hostel")]
    pub(crate) label: String,
    /// The server is a bare echo: it says nothing of its own accord, and the request is its own answer.
    #[arg(long, global = true)]
    pub(crate) floor: bool,
    /// One JSON object instead of a sentence.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) scenario: Scenario,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Scenario {
    /// Calls without a write: `ping`.
    Calls(Load),
    /// Durable calls: `increment`.
    Increments(Load),
    /// One client sets the state, all others receive it.
    Fanout(Fanout),
    /// Memory of idle connections.
    Idle(Idle),
    /// Creates agents with one increment each, and waits until they sleep.
    Agents(Agents),
    /// From asleep on disk to the first reply.
    Wake(Wake),
    /// New connections, until each is told whom it reached.
    Connects(Connects),
    /// Conversations with `hostel-chat-bench`, which asks a provider that is part of the load.
    #[command(subcommand)]
    Chat(Chat),
    /// Reads a provider's stream and does nothing else: the floor of `chat chunks`, which starts it.
    #[command(hide = true)]
    ChatRead(Chunks),
    /// Small writes to this machine's disk, each made durable; no server takes part.
    Disk(Disk),
    /// Prints a table of reports, one JSON object a line.
    Table {
        /// The file they are in.
        results: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Load {
    /// Open sockets.
    #[arg(long, default_value_t = 64)]
    pub(crate) connections: usize,
    /// Calls under way on each.
    #[arg(long, default_value_t = 1)]
    pub(crate) pipeline: usize,
    /// Agents they are spread over.
    #[arg(long, default_value_t = 64)]
    pub(crate) agents: usize,
    /// How long is measured, after half a second of warming up.
    #[arg(long, default_value_t = 4.0)]
    pub(crate) seconds: f64,
}

#[derive(Debug, Args)]
pub(crate) struct Fanout {
    /// Open sockets, the one that sets the state among them.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) sockets: usize,
    /// States under way. With more than one, a server may write several to a socket at once.
    #[arg(long, default_value_t = 1)]
    pub(crate) window: u64,
    /// How long is measured, after half a second of warming up.
    #[arg(long, default_value_t = 4.0)]
    pub(crate) seconds: f64,
}

#[derive(Debug, Args)]
pub(crate) struct Idle {
    /// Open sockets.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) connections: usize,
    /// Agents they are spread over.
    #[arg(long, default_value_t = 1)]
    pub(crate) agents: usize,
    /// How long the server is given to put them to sleep.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) settle: f64,
}

#[derive(Debug, Args)]
pub(crate) struct Agents {
    /// How many.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) count: usize,
    /// How many at a time.
    #[arg(long, default_value_t = 64)]
    pub(crate) at_once: usize,
    /// How long the server is given after the last agent fell asleep.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) settle: f64,
}

#[derive(Debug, Args)]
pub(crate) struct Wake {
    /// Agents woken, one after the other, each once.
    #[arg(long, default_value_t = 500)]
    pub(crate) agents: usize,
    /// The sockets stay open while the agents sleep; otherwise connecting is part of waking.
    #[arg(long)]
    pub(crate) hibernated: bool,
    /// How long the server is given to put them to sleep.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) settle: f64,
}

#[derive(Debug, Args)]
pub(crate) struct Connects {
    /// How many at a time.
    #[arg(long, default_value_t = 64)]
    pub(crate) at_once: usize,
    /// How long is measured, after half a second of warming up.
    #[arg(long, default_value_t = 4.0)]
    pub(crate) seconds: f64,
}

#[derive(Debug, Args)]
pub(crate) struct Disk {
    /// A directory on the disk.
    #[arg(long)]
    pub(crate) directory: PathBuf,
    /// How long is measured.
    #[arg(long, default_value_t = 4.0)]
    pub(crate) seconds: f64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Chat {
    /// Answers one after the other: what a chunk costs. With `--floor`, of a bare reader of the provider's stream.
    Chunks(Chunks),
    /// Many answers at once.
    Streams(Streams),
    /// Memory of open conversations.
    Memory(Memory),
    /// A client that comes when an answer has been said, but has not ended.
    Resume(Resume),
}

#[derive(Debug, Args)]
pub(crate) struct Chunks {
    /// Answers, each in a conversation of its own.
    #[arg(long, default_value_t = 10)]
    pub(crate) answers: usize,
    /// Chunks of each.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) chunks: usize,
    /// Microseconds between two chunks; 0: as fast as they are taken.
    #[arg(long, default_value_t = 0)]
    pub(crate) pace_us: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Streams {
    /// Answers at once, each in a conversation of its own.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) streams: usize,
    /// Chunks of each.
    #[arg(long, default_value_t = 200)]
    pub(crate) chunks: usize,
    /// Milliseconds between two chunks of one.
    #[arg(long, default_value_t = 50)]
    pub(crate) pace_ms: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Memory {
    /// How many.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) conversations: usize,
    /// Chunks of the answer each of them gets.
    #[arg(long, default_value_t = 50)]
    pub(crate) chunks: usize,
    /// How long the server is given to come to rest.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) settle: f64,
}

#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// Chunks of the answer.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) chunks: usize,
    /// Microseconds between two of them, so that each is sent alone.
    #[arg(long, default_value_t = 500)]
    pub(crate) pace_us: u64,
    /// How many clients come, one after the other.
    #[arg(long, default_value_t = 20)]
    pub(crate) clients: usize,
}
