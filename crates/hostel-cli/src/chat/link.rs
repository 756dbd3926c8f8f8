//! The connection a conversation is held over: opened again when it is lost.

use std::time::Duration;

use hostel_client::chat::{Change, Conversation, UiMessage, transcript};
use hostel_client::{Call, Client, Closed, Error, Event, Events, Options, Target, http};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::door::encoded;
use crate::failure::Refused;

/// The pause before the first attempt to come back, which doubles up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(10);
/// How long a server may be away before the command gives up.
const PATIENCE: Duration = Duration::from_secs(120);
/// Transcript of a conversation that is read at most.
const TRANSCRIPT_BYTES: usize = 256 << 20;

/// A conversation and its connection.
#[derive(Debug)]
pub(crate) struct Link {
    target: Target,
    options: Options,
    wire: Wire,
    pub(crate) talk: Conversation,
}

#[derive(Debug)]
enum Wire {
    Open(Client, Events),
    Lost { since: Instant, next: Instant, pause: Duration, closed: Closed },
}

/// What came over the connection, to be handed to [`Link::take`].
#[derive(Debug)]
pub(crate) enum Happened {
    Came(Event),
    Back(Client, Events, Vec<UiMessage>),
    Failed(anyhow::Error),
    GaveUp(Closed),
}

/// What it means.
#[derive(Debug, PartialEq)]
pub(crate) enum News {
    Changes(Vec<Change>),
    Lost(String),
    Back(Vec<Change>),
}

impl Link {
    /// Connects, and takes the transcript.
    pub(crate) async fn open(target: Target, options: Options) -> anyhow::Result<Self> {
        let (client, events) = Client::connect_with_events(&target, &options).await?;
        let mut link = Self { target, options, wire: Wire::Open(client, events), talk: Conversation::default() };
        let transcript = link.transcript().await?;
        let step = link.talk.connected(transcript);
        link.send_all(step.send).await;
        Ok(link)
    }

    /// The connection, while there is one.
    pub(crate) fn client(&self) -> Option<&Client> {
        match &self.wire {
            Wire::Open(client, _) => Some(client),
            Wire::Lost { .. } => None,
        }
    }

    /// Where it is.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Says goodbye.
    pub(crate) async fn leave(&self) {
        if let Wire::Open(client, _) = &self.wire {
            client.close().await;
        }
    }

    /// Says yes to a tool, now and whenever it asks in this agent.
    pub(crate) async fn decide_always(&self, approval: &str) -> anyhow::Result<()> {
        self.decide(approval, &json!({"approve": true, "always": true})).await
    }

    /// Says no to a tool, and why.
    pub(crate) async fn decide_not(&self, approval: &str, why: &str) -> anyhow::Result<()> {
        self.decide(approval, &json!({"approve": false, "reason": why})).await
    }

    /// What the agent's own commands are, one a line; nothing if it has none.
    pub(crate) async fn commands(&self) -> Vec<String> {
        let Wire::Open(client, _) = &self.wire else { return Vec::new() };
        let Ok(commands) = client.call(Call::new("slashCommands", Vec::new())).await else { return Vec::new() };
        let line = |one: &Value| Some(format!("{:13} {}", one["usage"].as_str()?, one["about"].as_str()?));
        commands.as_array().into_iter().flatten().filter_map(line).collect()
    }

    async fn decide(&self, approval: &str, answer: &Value) -> anyhow::Result<()> {
        let target = self.target.below(&format!("approvals/{}", encoded(approval)));
        let answer = http::post_json(&target, answer, &self.options).await?;
        if answer.status >= 300 {
            return Err(Refused::answer(&answer).into());
        }
        Ok(())
    }

    async fn transcript(&self) -> anyhow::Result<Vec<UiMessage>> {
        let target = self.target.below("get-messages");
        let answer = http::get_up_to(&target, &self.options, TRANSCRIPT_BYTES).await?;
        if answer.status != 200 {
            return Err(Refused::answer(&answer).into());
        }
        let foreign = |_| Refused::plain("The transcript cannot be read: this is no chat agent.");
        Ok(transcript(&answer.body).map_err(foreign)?)
    }

    /// Sends frames. What cannot be sent is lost with its connection, and the conversation knows what to send again.
    pub(crate) async fn send_all(&self, frames: Vec<String>) {
        let Wire::Open(client, _) = &self.wire else { return };
        for frame in frames {
            let _ = client.send_text(frame).await;
        }
    }

    /// The next that happens. Cancel safe: what it gives has changed nothing yet.
    pub(crate) async fn next(&mut self) -> Happened {
        let (since, next, closed) = match &mut self.wire {
            Wire::Open(_, events) => {
                let lost = Closed { code: 1006, reason: String::new(), said: None };
                return Happened::Came(events.next().await.unwrap_or(Event::Closed(lost)));
            }
            Wire::Lost { since, next, closed, .. } => (*since, *next, closed.clone()),
        };
        if since.elapsed() > PATIENCE {
            return Happened::GaveUp(closed);
        }
        sleep_until(next).await;
        match self.again().await {
            Ok((client, events, transcript)) => Happened::Back(client, events, transcript),
            Err(error) => Happened::Failed(error),
        }
    }

    async fn again(&self) -> anyhow::Result<(Client, Events, Vec<UiMessage>)> {
        let (client, events) = Client::connect_with_events(&self.target, &self.options).await?;
        let transcript = self.transcript().await?;
        Ok((client, events, transcript))
    }

    /// Takes what happened.
    ///
    /// # Errors
    /// The connection ended for good: the server said why, or did not come back.
    pub(crate) async fn take(&mut self, happened: Happened) -> anyhow::Result<News> {
        match happened {
            Happened::Came(Event::Text { text, .. }) => {
                let step = self.talk.receive(&text);
                self.send_all(step.send).await;
                Ok(News::Changes(step.changes))
            }
            Happened::Came(Event::Closed(closed)) if is_final(&closed) => Err(Error::Closed(closed).into()),
            Happened::Came(Event::Closed(closed)) => {
                let now = Instant::now();
                let why = closed.to_string();
                self.wire = Wire::Lost { since: now, next: now, pause: SHORTEST, closed };
                Ok(News::Lost(why))
            }
            Happened::Came(_) => Ok(News::Changes(Vec::new())),
            Happened::Back(client, events, transcript) => {
                self.wire = Wire::Open(client, events);
                let step = self.talk.connected(transcript);
                self.send_all(step.send).await;
                Ok(News::Back(step.changes))
            }
            Happened::Failed(error) => self.later(error),
            Happened::GaveUp(closed) => Err(Error::Closed(closed).into()),
        }
    }

    /// Puts the next attempt off, unless the refusal is one that will not change.
    fn later(&mut self, error: anyhow::Error) -> anyhow::Result<News> {
        if will_not_change(&error) {
            return Err(error);
        }
        if let Wire::Lost { next, pause, .. } = &mut self.wire {
            *next = Instant::now() + *pause;
            *pause = (*pause * 2).min(LONGEST);
        }
        Ok(News::Changes(Vec::new()))
    }
}

/// The server closed because of something that stays as it is.
fn is_final(closed: &Closed) -> bool {
    closed.code == 1000 || (4400..4500).contains(&closed.code)
}

fn will_not_change(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::Refused(answer)) if (400..500).contains(&answer.status) && answer.status != 429)
}
