//! One message, its answer on stdout, and an exit code: for scripts.

use std::process::ExitCode;

use hostel_client::chat::{Change, Conversation, End, Outcome};

use crate::chat::{Kind, Link, News, Question, Shown, has_open_answers, questions_about};
use crate::cli::ChatArgs;
use crate::output::{self, harmless};

/// The exit code when the turn waits for somebody.
const WAITS: u8 = 3;
/// The exit code after Ctrl-C, as shells have it.
const INTERRUPTED: u8 = 130;

pub(super) async fn run(link: Link, args: &ChatArgs, text: &str) -> anyhow::Result<ExitCode> {
    let mut shown = Shown::default();
    for message in link.talk.messages() {
        shown.skip(message);
    }
    let once = Once {
        link,
        shown,
        json: args.json,
        approve: args.approve,
        request: String::new(),
        asked: String::new(),
        said: false,
    };
    once.run(text).await
}

struct Once {
    link: Link,
    shown: Shown,
    json: bool,
    approve: bool,
    /// Whose end is waited for; empty for that of a continuation.
    request: String,
    /// The message that was said here.
    asked: String,
    said: bool,
}

impl Once {
    async fn run(mut self, text: &str) -> anyhow::Result<ExitCode> {
        let (request, frame) = self.link.talk.submit(text);
        self.request = request;
        self.asked = self.link.talk.messages().last().map(|message| message.id.clone()).unwrap_or_default();
        self.link.send_all(vec![frame]).await;
        loop {
            tokio::select! {
                happened = self.link.next() => {
                    let news = self.link.take(happened).await?;
                    if let Some(code) = self.news(news).await? {
                        return Ok(code);
                    }
                }
                _ = tokio::signal::ctrl_c() => return self.interrupted().await,
            }
        }
    }

    async fn news(&mut self, news: News) -> anyhow::Result<Option<ExitCode>> {
        let changes = match news {
            News::Lost(why) => {
                output::note(&harmless(&format!("{why}; trying again")))?;
                return Ok(None);
            }
            News::Back(changes) | News::Changes(changes) => changes,
        };
        for change in changes {
            match change {
                Change::Chunk(chunk) if self.json => output::line(&chunk)?,
                Change::Message(_) | Change::Transcript => self.show()?,
                Change::Ended(end) if self.is_ours(&end) => return self.ended(end).await,
                _ => {}
            }
        }
        Ok(None)
    }

    /// A continuation has an id of its own.
    fn is_ours(&self, end: &End) -> bool {
        self.request.is_empty() || end.request == self.request
    }

    /// Prints the agent's words, and nothing else.
    fn show(&mut self) -> anyhow::Result<()> {
        if self.json {
            return Ok(());
        }
        let answer = answer_of(&self.link.talk);
        let pieces: Vec<_> = answer.iter().flat_map(|message| self.shown.rest(message)).collect();
        for piece in pieces.iter().filter(|piece| piece.kind == Kind::Said) {
            output::piece(&harmless(&piece.text))?;
            self.said = true;
        }
        Ok(())
    }

    async fn ended(&mut self, end: End) -> anyhow::Result<Option<ExitCode>> {
        self.show()?;
        let open = questions_about(self.link.talk.messages(), &self.asked);
        if end.is_complete() && !open.is_empty() {
            if !self.approve {
                self.end_line()?;
                return waits(&open).map(Some);
            }
            self.request.clear();
            for question in open {
                let frames = self.link.talk.approve(&question.tool_call, true);
                self.link.send_all(frames).await;
            }
            return Ok(None);
        }
        if end.is_complete() && self.goes_on() {
            return Ok(None);
        }
        self.end_line()?;
        outcome(&end).map(Some)
    }

    /// Whether a call that was answered here is still to be carried out: what has ended was another turn, which somebody else's answer
    /// had let go on.
    fn goes_on(&self) -> bool {
        self.request.is_empty() && has_open_answers(self.link.talk.messages(), &self.asked)
    }

    fn end_line(&mut self) -> anyhow::Result<()> {
        if std::mem::take(&mut self.said) {
            output::line("")?;
        }
        Ok(())
    }

    async fn interrupted(&mut self) -> anyhow::Result<ExitCode> {
        let cancel = self.link.talk.cancel().into_iter().collect();
        self.link.send_all(cancel).await;
        self.link.leave().await;
        self.end_line()?;
        Ok(ExitCode::from(INTERRUPTED))
    }
}

/// The messages behind the last that a person said.
fn answer_of(talk: &Conversation) -> Vec<hostel_protocol::chat::UiMessage> {
    let messages = talk.messages();
    let asked = messages.iter().rposition(|message| message.role == hostel_protocol::chat::Role::User);
    messages.into_iter().skip(asked.map_or(0, |asked| asked + 1)).cloned().collect()
}

fn waits(open: &[Question]) -> anyhow::Result<ExitCode> {
    for question in open {
        output::note(&harmless(&format!("waiting for a yes: {} {}", question.tool, question.input)))?;
    }
    output::note("fix: answer with `hostel approvals`, or say --approve beforehand")?;
    Ok(ExitCode::from(WAITS))
}

fn outcome(end: &End) -> anyhow::Result<ExitCode> {
    let why = match (end.outcome, &end.error) {
        (Outcome::Completed, _) => return Ok(ExitCode::SUCCESS),
        (_, Some(error)) => error.clone(),
        (Outcome::Aborted, None) => "The answer was cancelled.".to_owned(),
        (Outcome::Skipped, None) => "The message was not answered: another took its place.".to_owned(),
        (_, None) => "The turn ended without an answer.".to_owned(),
    };
    output::note(&harmless(&why))?;
    Ok(ExitCode::FAILURE)
}
