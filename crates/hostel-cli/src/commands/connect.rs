//! `hostel connect`: every frame on screen, typed lines out.

mod input;
mod show;

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;
use std::time::Duration;

use hostel_client::{Client, Event, Events, Part};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::cli::ConnectArgs;
use crate::output;
use input::Input;
use show::Show;

/// How long a session fed from a file stays open after its last answer.
const QUIET: Duration = Duration::from_millis(500);

pub(super) async fn run(args: &ConnectArgs) -> anyhow::Result<ExitCode> {
    let target = args.server.target(&args.target)?;
    let (client, events) = Client::connect_with_events(&target, &args.server.options()).await?;
    let show = Show::new(args.raw);
    if std::io::stdin().is_terminal() {
        output::note(&format!("connected to {target}; /help lists what can be typed"))?;
    }
    Session { client, events, show, calls: JoinSet::new() }.run(lines()).await
}

/// The lines of stdin, read on a thread of its own: nothing can interrupt that read.
pub(super) fn lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(64);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

struct Session {
    client: Client,
    events: Events,
    show: Show,
    calls: JoinSet<()>,
}

impl Session {
    async fn run(mut self, mut lines: mpsc::Receiver<String>) -> anyhow::Result<ExitCode> {
        loop {
            tokio::select! {
                event = self.events.next() => match event {
                    Some(event) => if let Some(code) = self.event(&event)? { return Ok(code) },
                    None => return Ok(ExitCode::FAILURE),
                },
                line = lines.recv() => match line {
                    Some(line) => self.typed(&line).await?,
                    None => return self.finish().await,
                },
                Some(_) = self.calls.join_next() => {}
            }
        }
    }

    /// Shows an event; the end of the connection is the end of the command.
    fn event(&self, event: &Event) -> anyhow::Result<Option<ExitCode>> {
        output::line(&self.show.event(event))?;
        Ok(match event {
            Event::Closed(closed) if closed.code == 1000 => Some(ExitCode::SUCCESS),
            Event::Closed(_) => Some(ExitCode::FAILURE),
            _ => None,
        })
    }

    async fn typed(&mut self, line: &str) -> anyhow::Result<()> {
        match input::read(line) {
            Ok(Input::Nothing) => {}
            Ok(Input::Help) => output::note(input::HELP)?,
            Ok(Input::Send(text)) => drop(self.client.send_text(text).await),
            Ok(Input::State(state)) => {
                let frame = hostel_protocol::server::state_update(&state.to_string());
                drop(self.client.send_text(frame).await);
            }
            Ok(Input::Call(call)) => {
                // Its answer is shown as a frame; what is waited for here is only that it comes.
                if let Ok(mut parts) = self.client.call_streaming(call).await {
                    self.calls.spawn(async move { while let Ok(Part::Chunk(_)) = parts.next().await {} });
                }
            }
            Ok(Input::Close { code, reason }) => {
                let client = self.client.clone();
                self.calls.spawn(async move { drop(client.close_with(code, &reason).await) });
            }
            Err(message) => output::note(&message)?,
        }
        Ok(())
    }

    /// Stdin ended: waits for open calls and a moment of silence, then closes.
    async fn finish(mut self) -> anyhow::Result<ExitCode> {
        loop {
            tokio::select! {
                event = timeout(QUIET, self.events.next()) => match event {
                    Ok(Some(event)) => if let Some(code) = self.event(&event)? { return Ok(code) },
                    Ok(None) => return Ok(ExitCode::FAILURE),
                    Err(_) if self.calls.is_empty() => break,
                    Err(_) => {}
                },
                Some(_) = self.calls.join_next() => {}
            }
        }
        let client = self.client.clone();
        self.calls.spawn(async move { drop(client.close().await) });
        while let Some(event) = self.events.next().await {
            if let Some(code) = self.event(&event)? {
                return Ok(code);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
