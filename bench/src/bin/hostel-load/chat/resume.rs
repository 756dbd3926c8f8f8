//! Clients that come when a long answer has been said and has not ended: how long until they have all of it.

use std::time::{Duration, Instant};

use anyhow::ensure;

use super::{Client, provider::Wish};
use crate::{
    connection::Connection,
    flags::{Flags, Resume},
    frame,
    histogram::Histogram,
    report::Report,
};

/// For how long the answer does not end.
const HOLD: Duration = Duration::from_secs(15);
const ACK: &str = r#"{"type":"cf_agent_stream_resume_ack","id":"luAQa8hA"}"#;
const COMPLETE: &str = r#""replayComplete":true"#;

/// Has one long answer, and many clients that resume it.
pub(crate) async fn run(flags: &Flags, resume: &Resume) -> anyhow::Result<Report> {
    let wish = Wish { hold: HOLD, ..Wish::new(resume.chunks, Duration::from_micros(resume.pace_us)) };
    let mut asker = Client::open(flags, "resume").await?;
    asker.ask(wish).await?;
    let last = asker.hear_chunks(resume.chunks).await?;
    let (mut from_ack, mut from_connect, mut frames) = (Histogram::default(), Histogram::default(), 0);
    for _ in 0..resume.clients {
        let connecting = Instant::now();
        let mut client = Client(Connection::reach(flags, "talker/resume").await?);
        client.0.until(|text| text.contains("cf_agent_stream_resuming")).await?;
        let (acknowledged, mut heard) = (Instant::now(), 0);
        client.0.send(&frame::text(ACK)).await?;
        frames = client.hear(COMPLETE, |_| heard += 1).await?;
        ensure!(heard == resume.chunks, "{heard} of {} chunks were replayed", resume.chunks);
        from_ack.add(acknowledged.elapsed());
        from_connect.add(connecting.elapsed());
    }
    ensure!(last.elapsed() < HOLD, "the answer ended before all clients had come");
    Ok(Report::new(&flags.label, format!("{} chunks resumed", resume.chunks))
        .with("frames", frames as f64)
        .with("ms from the ack p50", from_ack.quantile_us(0.5) / 1e3)
        .with("ms from the ack, worst", from_ack.quantile_us(1.0) / 1e3)
        .with("ms from connecting p50", from_connect.quantile_us(0.5) / 1e3))
}

impl Client {
    /// Hears as many chunks, and says when the last one came.
    async fn hear_chunks(&mut self, count: usize) -> anyhow::Result<Instant> {
        let mut heard = 0;
        while heard < count {
            self.0.read().await?;
            while let Some(text) = self.0.next_text()? {
                super::moments(text.as_bytes(), |_| heard += 1);
            }
        }
        Ok(Instant::now())
    }
}
