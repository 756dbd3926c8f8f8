//! The provider: a stream of chat completions whose every delta is the moment it was sent at.

use std::{
    net::SocketAddr,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
const END: &str = r#"data: {"id":"c1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

data: [DONE]

"#;
/// Digits of a moment, in nanoseconds since 1970.
const DIGITS: usize = 19;

/// What a stream is to be; as the text of the question it tells the provider so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish {
    pub(crate) chunks: usize,
    /// Between two chunks.
    pub(crate) pace: Duration,
    /// Between the last chunk and the end.
    pub(crate) hold: Duration,
}

impl Wish {
    pub(crate) fn new(chunks: usize, pace: Duration) -> Self {
        Self { chunks, pace, hold: Duration::ZERO }
    }

    pub(crate) fn question(self) -> String {
        format!("{} {} {}", self.chunks, self.pace.as_micros(), self.hold.as_micros())
    }

    fn parse(question: &str) -> Option<Self> {
        let mut numbers = question.split(' ').map(str::parse);
        let mut next = || numbers.next()?.ok();
        let (chunks, pace, hold): (u64, u64, u64) = (next()?, next()?, next()?);
        let (pace, hold) = (Duration::from_micros(pace), Duration::from_micros(hold));
        Some(Self { chunks: usize::try_from(chunks).ok()?, pace, hold })
    }
}

/// Nanoseconds since 1970.
pub(crate) fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

/// The moments in a text, and where in it the last one ends.
pub(crate) fn moments(text: &[u8], mut each: impl FnMut(u64)) -> usize {
    let (mut run, mut value, mut end) = (0, 0_u64, 0);
    for (at, byte) in text.iter().enumerate() {
        if byte.is_ascii_digit() {
            (run, value) = (run + 1, value.wrapping_mul(10).wrapping_add(u64::from(byte - b'0')));
            continue;
        }
        if run == DIGITS {
            each(value);
            end = at;
        }
        (run, value) = (0, 0);
    }
    end
}

/// Answers at this address from now on.
pub(crate) async fn start(at: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind(at).await.context("the provider's address is taken")?;
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Whoever leaves, leaves.
            tokio::task::spawn_local(async move { answer(stream).await.ok() });
        }
    });
    Ok(())
}

async fn answer(mut stream: TcpStream) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let wish = Wish::parse(&question(&mut stream).await?).unwrap_or(Wish::new(1, Duration::ZERO));
    stream.write_all(HEAD.as_bytes()).await?;
    let mut due = Instant::now();
    for _ in 0..wish.chunks {
        wait(due).await;
        due += wish.pace;
        let delta = format!(
            "data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"choices\":[{{\"index\":0,\"delta\":\
             {{\"content\":\"{} \"}},\"finish_reason\":null}}]}}\n\n",
            now()
        );
        stream.write_all(piece(&delta).as_bytes()).await?;
    }
    tokio::time::sleep(wish.hold).await;
    stream.write_all(format!("{}0\r\n\r\n", piece(END)).as_bytes()).await?;
    Ok(stream.shutdown().await?)
}

/// Timers have milliseconds; what is left is waited for awake.
async fn wait(due: Instant) {
    let left = due.saturating_duration_since(Instant::now());
    if left > Duration::from_millis(2) {
        tokio::time::sleep(left - Duration::from_millis(1)).await;
    }
    while Instant::now() < due {
        tokio::task::yield_now().await;
    }
}

fn piece(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// What the user said last.
async fn question(stream: &mut TcpStream) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    loop {
        anyhow::ensure!(stream.read_buf(&mut bytes).await? > 0, "nothing was asked");
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
        let body = &bytes[end + 4..];
        if body.len() >= length.context("a request without a length")? {
            let body: Value = serde_json::from_slice(body)?;
            let said = body["messages"].as_array().and_then(|all| all.last()).map(|last| &last["content"]);
            let text = said.map(|said| said.as_str().or_else(|| said[0]["text"].as_str()).unwrap_or_default());
            return Ok(text.unwrap_or_default().trim().to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_found_when_it_is_whole() {
        let mut found = Vec::new();
        let text = br#"{"delta":"1700000000000000001 1700000000000000002 ","id":"12"} 170000000000000000"#;
        let end = moments(text, |moment| found.push(moment));
        assert_eq!(found, [1_700_000_000_000_000_001, 1_700_000_000_000_000_002]);
        assert_eq!(&text[end - 1..end + 1], b"2 ");
    }

    #[test]
    fn a_wish_survives_being_asked() {
        let wish = Wish { hold: Duration::from_secs(1), ..Wish::new(7, Duration::from_millis(20)) };
        let asked = Wish::parse(&wish.question()).unwrap();
        assert_eq!((asked.chunks, asked.pace, asked.hold), (wish.chunks, wish.pace, wish.hold));
    }
}
