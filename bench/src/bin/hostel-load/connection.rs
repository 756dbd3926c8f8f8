//! One client: connects, writes frames, hands out the text frames it receives.

use std::{
    cell::Cell,
    net::{Ipv4Addr, SocketAddr},
};

use anyhow::{Context, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::{
    flags::Flags,
    frame::{self, Kind},
};

/// Connections of one local address; ports of one that were used lately are not free.
const PER_ADDRESS: u32 = 16_000;

thread_local! {
    static OPENED: Cell<u32> = const { Cell::new(0) };
}

/// One client's socket.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Bytes of the buffer that have been handed out.
    taken: usize,
}

impl Connection {
    /// Connects to a counter, as far as the 101.
    pub(crate) async fn open(flags: &Flags, agent: &str) -> anyhow::Result<Self> {
        Self::reach(flags, &format!("counter-agent/{agent}")).await
    }

    /// Connects to any agent, as far as the 101.
    pub(crate) async fn reach(flags: &Flags, agent: &str) -> anyhow::Result<Self> {
        let stream = connect(flags.server).await.context("cannot connect")?;
        let mut connection = Self { stream, buffer: Vec::new(), taken: 0 };
        let request = format!(
            "GET /agents/{agent} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            flags.server
        );
        connection.send(request.as_bytes()).await?;
        connection.switched().await?;
        Ok(connection)
    }

    /// Connects, and waits to be told whom it reached.
    pub(crate) async fn ready(flags: &Flags, agent: &str) -> anyhow::Result<Self> {
        let mut connection = Self::open(flags, agent).await?;
        if !flags.floor {
            connection.until(|text| text.contains("cf_agent_identity")).await?;
        }
        Ok(connection)
    }

    async fn switched(&mut self) -> anyhow::Result<()> {
        loop {
            self.read().await?;
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                ensure!(self.buffer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&self.buffer));
                self.taken = end + 4;
                return Ok(());
            }
        }
    }

    pub(crate) async fn send(&mut self, frames: &[u8]) -> anyhow::Result<()> {
        Ok(self.stream.write_all(frames).await?)
    }

    /// Waits for more bytes.
    pub(crate) async fn read(&mut self) -> anyhow::Result<()> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.reserve(1 << 10);
        ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the server closed the connection");
        Ok(())
    }

    /// The next text that has arrived.
    pub(crate) fn next_text(&mut self) -> anyhow::Result<Option<&str>> {
        while let Some((kind, payload)) = frame::decode(&self.buffer[self.taken..]) {
            let payload = self.taken + payload.start..self.taken + payload.end;
            self.taken = payload.end;
            match kind {
                Kind::Text => return Ok(Some(std::str::from_utf8(&self.buffer[payload])?)),
                Kind::Close => bail!("closed: {}", String::from_utf8_lossy(&self.buffer[payload])),
                Kind::Ping => drop(self.stream.try_write(&frame::pong())),
                Kind::Other => {}
            }
        }
        Ok(None)
    }

    /// Waits for a text that is what was wanted.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&str) -> bool) -> anyhow::Result<()> {
        loop {
            while let Some(text) = self.next_text()? {
                if wanted(text) {
                    return Ok(());
                }
            }
            self.read().await?;
        }
    }

    /// Calls a method and waits for its result.
    pub(crate) async fn call(&mut self, method: &str) -> anyhow::Result<()> {
        self.send(&frame::text(&call(method, 0))).await?;
        self.until(|text| text.contains("\"success\":true")).await
    }

    /// Says goodbye, and leaves without keeping the port occupied.
    pub(crate) async fn close(mut self) -> anyhow::Result<()> {
        self.send(&frame::close()).await?;
        while self.next_text().is_ok() && self.read().await.is_ok() {}
        Ok(self.stream.set_zero_linger()?)
    }
}

/// The frame of a call, its id as long as a client's.
pub(crate) fn call(method: &str, id: usize) -> String {
    format!(r#"{{"args":[],"id":"9b1deb4d-3b7d-4bad-9bdd-2b0d7b3d{id:04}","method":"{method}","type":"rpc"}}"#)
}

async fn connect(server: SocketAddr) -> anyhow::Result<TcpStream> {
    if !server.ip().is_loopback() || server.is_ipv6() {
        return Ok(TcpStream::connect(server).await?);
    }
    let opened = OPENED.replace(OPENED.get() + 1);
    let socket = TcpSocket::new_v4()?;
    socket.set_nodelay(true)?;
    socket.bind((Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + 1 + opened / PER_ADDRESS), 0).into())?;
    Ok(socket.connect(server).await?)
}
