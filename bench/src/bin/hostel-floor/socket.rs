//! The opening handshake, as bare as it can be, and the library's socket after it.

use anyhow::Context;
use data_encoding::BASE64;
use sha1::{Digest, Sha1};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use yawc::{Options, Role, WebSocket};

pub(crate) type Socket = WebSocket<TcpStream>;

/// Room for a batch of small messages; a larger one gains nothing.
const BUFFER: usize = 4 << 10;
const LONGEST_HEAD: usize = 8 << 10;
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Answers the handshake, or a question after our health with `None`.
pub(crate) async fn accept(mut stream: TcpStream) -> anyhow::Result<Option<Socket>> {
    stream.set_nodelay(true)?;
    let head = head(&mut stream).await?;
    let Some(key) = header(&head, "sec-websocket-key") else {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").await?;
        return Ok(None);
    };
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    let accept = BASE64.encode(&digest);
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    let options = Options::default().with_utf8().with_read_buffer_capacity(BUFFER).with_write_buffer_capacity(BUFFER);
    Ok(Some(WebSocket::from_stream(stream, Role::Server, options)?))
}

async fn head(stream: &mut TcpStream) -> anyhow::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        anyhow::ensure!(head.len() < LONGEST_HEAD, "the head is too long");
        anyhow::ensure!(stream.read_buf(&mut head).await? > 0, "the client left");
    }
    String::from_utf8(head).context("the head is no text")
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.into_iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}
