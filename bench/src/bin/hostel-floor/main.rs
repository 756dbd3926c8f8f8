//! The floor: what the WebSocket library and the runtime cost when nothing else is done.

mod echo;
mod fan;
mod socket;

use std::{net::SocketAddr, rc::Rc};

use clap::{Parser, ValueEnum};
use hostel_bench::{runtime, say};
use mimalloc::MiMalloc;
use tokio::{net::TcpListener, task::LocalSet};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// A bare echo or fan-out server on one thread.
#[derive(Debug, Parser)]
struct Flags {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8788")]
    listen: SocketAddr,
    /// What is done with a message.
    #[arg(long, value_enum, default_value_t = Mode::Echo)]
    mode: Mode,
    /// On: what is ready is answered with one flush. Off: one flush a message.
    #[arg(long, value_enum, default_value_t = Batching::On)]
    write_batching: Batching,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Mode {
    /// It goes back.
    Echo,
    /// It goes to all other sockets.
    Fan,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Batching {
    On,
    Off,
}

fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let runtime = runtime(1)?;
    LocalSet::new().block_on(&runtime, serve(flags))
}

async fn serve(flags: Flags) -> anyhow::Result<()> {
    let listener = TcpListener::bind(flags.listen).await?;
    let room = Rc::new(fan::Room::default());
    say(&format!("listening on http://{}", flags.listen))?;
    loop {
        let (stream, _) = listener.accept().await?;
        let room = Rc::clone(&room);
        tokio::task::spawn_local(async move {
            // Whoever leaves, leaves: the load notices what it misses.
            let Ok(Some(socket)) = socket::accept(stream).await else { return };
            match (flags.mode, flags.write_batching) {
                (Mode::Fan, _) => fan::run(socket, &room).await,
                (Mode::Echo, Batching::On) => echo::batched(socket).await,
                (Mode::Echo, Batching::Off) => echo::one_by_one(socket).await,
            }
        });
    }
}
