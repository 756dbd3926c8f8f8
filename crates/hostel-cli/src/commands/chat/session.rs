//! A conversation at a terminal.

use std::process::ExitCode;
use std::time::Duration;

use hostel_client::chat::{Change, End, Outcome};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use crate::chat::{
    Aim, CHANGED, Console, HELP, Link, Mode, News, OWN, Painter, Question, Shown, Typed, Typing, Verdict, pressed,
    questions, questions_about, read, verdict,
};
use crate::cli::ChatArgs;
use crate::output::{Paint, harmless};

/// How long an answer that goes on after a yes may take to show it, before something else can be said.
const GOES_ON: Duration = Duration::from_secs(5);

pub(super) async fn run(link: Link, args: &ChatArgs) -> anyhow::Result<ExitCode> {
    // Before the editor, which puts back whoever heard of it before.
    let interrupts = signal(SignalKind::interrupt())?;
    let console = Console::start(OWN);
    let mut session = Session {
        link,
        console,
        interrupts,
        shown: Shown::default(),
        painter: Painter::new(Paint::stdout()),
        json: args.json,
        approve: args.approve,
        said: None,
        asking: None,
        why: None,
        is_why_void: false,
        answered: Vec::new(),
        cancelled: None,
        goes_on: None,
    };
    let target = session.link.target().to_string();
    session.console.note(&format!("connected to {target}; /help lists what can be typed"))?;
    session.is_connected();
    session.history(args.last)?;
    session.run().await
}

struct Session {
    link: Link,
    console: Console,
    interrupts: Signal,
    shown: Shown,
    painter: Painter,
    json: bool,
    approve: bool,
    /// The message that was said here last.
    said: Option<String>,
    /// The tool that the next line or key answers.
    asking: Option<Question>,
    /// The tool that is denied, once it was said why.
    why: Option<Question>,
    /// The reason that is being typed is one for nothing any more.
    is_why_void: bool,
    /// The calls that were answered here; the transcript shows it once the server has taken it.
    answered: Vec<String>,
    /// The turn that was cancelled here.
    cancelled: Option<String>,
    /// Until then an answer is waited for that goes on after a yes or a no.
    goes_on: Option<Instant>,
}

impl Session {
    fn history(&mut self, last: usize) -> anyhow::Result<()> {
        let messages: Vec<_> = self.link.talk.messages().into_iter().cloned().collect();
        let before = messages.len().saturating_sub(last);
        for message in &messages[..before] {
            self.shown.skip(message);
        }
        if before > 0 {
            self.console.note(&format!("… {before} messages before"))?;
        }
        self.show()?;
        self.ask()
    }

    async fn run(&mut self) -> anyhow::Result<ExitCode> {
        loop {
            self.prompt().await?;
            let waits = self.goes_on;
            tokio::select! {
                happened = self.link.next() => {
                    let news = self.link.take(happened).await?;
                    self.news(news).await?;
                }
                typed = self.console.next() => if self.typing(typed).await? { break },
                _ = self.interrupts.recv() => if self.interrupted().await? { break },
                () = until(waits) => self.goes_on = None,
            }
        }
        self.link.leave().await;
        Ok(ExitCode::SUCCESS)
    }

    /// True to leave.
    async fn typing(&mut self, typed: Typing) -> anyhow::Result<bool> {
        match typed {
            Typing::Line(line, aim) => self.typed(&line, &aim).await,
            Typing::Key(key, aim) => self.pressed(key, &aim).await.map(|()| false),
            Typing::Cancelled if std::mem::take(&mut self.is_why_void) => Ok(false),
            Typing::Cancelled if self.why.take().is_some() => self.ask().map(|()| false),
            Typing::Cancelled => {
                if !self.cancel().await? {
                    self.console.note("Ctrl-D leaves")?;
                }
                Ok(false)
            }
            Typing::End => Ok(true),
        }
    }

    /// Ctrl-C where nobody can type; true to leave.
    async fn interrupted(&mut self) -> anyhow::Result<bool> {
        self.new_line()?;
        Ok(!self.cancel().await?)
    }

    /// Cancels the turn under way; false if there is none, or it was cancelled before.
    async fn cancel(&mut self) -> anyhow::Result<bool> {
        self.goes_on = None;
        let under_way = self.link.talk.under_way().map(str::to_owned);
        if under_way.is_none() || under_way == self.cancelled {
            return Ok(false);
        }
        self.cancelled = under_way;
        let frame = self.link.talk.cancel().into_iter().collect();
        self.link.send_all(frame).await;
        self.console.note("cancelling; Ctrl-C once more leaves")?;
        Ok(true)
    }

    async fn typed(&mut self, line: &str, aim: &Aim) -> anyhow::Result<bool> {
        if self.is_late(line, aim) {
            self.aside(CHANGED)?;
            return Ok(false);
        }
        if let Some(question) = self.why.take() {
            self.decide(&question, &Verdict::NoBecause(line.trim().to_owned())).await?;
            return Ok(false);
        }
        if let Some(question) = self.asking.take() {
            match verdict(line) {
                Some(verdict) if may(&question, &verdict) => self.decide(&question, &verdict).await?,
                answer => {
                    self.console.note(answers(&question, answer.is_some()))?;
                    self.asking = Some(question);
                }
            }
            return Ok(false);
        }
        match read(line) {
            Typed::Nothing => {}
            Typed::Help => self.help().await?,
            Typed::Quit => return Ok(true),
            Typed::Say(text) => {
                let (_, frame) = self.link.talk.submit(&text);
                self.note_said();
                self.skip_own();
                self.link.send_all(vec![frame]).await;
            }
            Typed::Regenerate => match self.link.talk.regenerate() {
                Some((_, frame)) => {
                    self.note_said();
                    self.link.send_all(vec![frame]).await;
                }
                None => self.console.note("nothing was said yet")?,
            },
            Typed::Clear => {
                let frame = self.link.talk.clear();
                self.link.send_all(vec![frame]).await;
                self.console.note("cleared")?;
            }
        }
        Ok(false)
    }

    /// Whether a line answers something else than what is asked now.
    fn is_late(&mut self, line: &str, aim: &Aim) -> bool {
        if std::mem::take(&mut self.is_why_void) {
            return true;
        }
        let is_answer = self.why.is_none() && verdict(line).is_some();
        is_answer
            && match &self.asking {
                Some(question) => !aim.is_at(&question.id()),
                None => *aim != Aim::Nothing,
            }
    }

    async fn help(&mut self) -> anyhow::Result<()> {
        self.console.note(HELP)?;
        for line in self.link.commands().await {
            self.console.note(&harmless(&line))?;
        }
        Ok(())
    }

    /// A key that answers a question.
    async fn pressed(&mut self, key: char, aim: &Aim) -> anyhow::Result<()> {
        let Some(question) = self.asking.take_if(|question| aim.is_at(&question.id())) else {
            return self.aside(CHANGED);
        };
        match pressed(key) {
            Some(verdict) if !may(&question, &verdict) => {
                self.console.note(answers(&question, true))?;
                self.asking = Some(question);
                Ok(())
            }
            Some(verdict) => {
                self.console.note(match verdict {
                    Verdict::Yes => "yes",
                    Verdict::Always => "yes, always",
                    _ => "no",
                })?;
                self.decide(&question, &verdict).await
            }
            None => {
                self.why = Some(question);
                Ok(())
            }
        }
    }

    async fn decide(&mut self, question: &Question, verdict: &Verdict) -> anyhow::Result<()> {
        match verdict {
            Verdict::Always => self.link.decide_always(&question.approval).await?,
            Verdict::NoBecause(why) => self.link.decide_not(&question.approval, why).await?,
            Verdict::Yes | Verdict::No => {}
        }
        let frames = self.link.talk.approve(&question.tool_call, matches!(verdict, Verdict::Yes | Verdict::Always));
        self.link.send_all(frames).await;
        self.answered.push(question.tool_call.clone());
        self.console.answered();
        self.ask()?;
        if self.asking.is_none() {
            self.goes_on = Some(Instant::now() + GOES_ON);
        }
        Ok(())
    }

    async fn news(&mut self, news: News) -> anyhow::Result<()> {
        let changes = match news {
            News::Lost(why) => {
                self.new_line()?;
                if let Some(state) = self.console.state() {
                    state.connected(None);
                }
                // What is shown then shows the prompt anew, and its sign with it.
                self.console.becomes(self.mode(true));
                self.aside(&harmless(&format!("{why}; trying again")))?;
                return Ok(());
            }
            News::Back(changes) => {
                self.new_line()?;
                self.is_connected();
                self.console.becomes(self.mode(true));
                self.aside("connected again")?;
                // What was answered here may have been lost with the connection: then it is asked again.
                self.answered.clear();
                changes
            }
            News::Changes(changes) => changes,
        };
        for change in changes {
            self.change(change).await?;
        }
        self.answered_elsewhere()?;
        let is_at_rest = self.asking.is_none() && self.why.is_none() && self.link.talk.under_way().is_none();
        if is_at_rest && !self.open_questions().is_empty() {
            self.questions().await?;
        }
        Ok(())
    }

    async fn change(&mut self, change: Change) -> anyhow::Result<()> {
        match change {
            Change::Chunk(chunk) if self.json => self.console.line(&chunk)?,
            Change::Message(_) | Change::Transcript => self.show()?,
            Change::Ended(end) => {
                self.goes_on = None;
                self.show()?;
                self.new_line()?;
                if let Some(why) = reason(&end) {
                    self.console.note(&harmless(&why))?;
                }
                self.questions().await?;
            }
            Change::Recovering(true) => {
                self.new_line()?;
                self.console.note("the server goes on with the answer")?;
            }
            Change::Cleared => {
                self.new_line()?;
                self.console.note("the conversation was cleared")?;
            }
            _ => {}
        }
        Ok(())
    }

    async fn questions(&mut self) -> anyhow::Result<()> {
        let said = self.said.as_deref().filter(|_| self.approve);
        let mut ours = said.map(|said| questions_about(self.link.talk.messages(), said)).unwrap_or_default();
        ours.retain(|question| !self.answered.contains(&question.tool_call));
        for question in ours {
            let frames = self.link.talk.approve(&question.tool_call, true);
            self.link.send_all(frames).await;
            self.answered.push(question.tool_call);
        }
        self.ask()
    }

    /// What was just said here, or is answered anew, is the last message.
    fn note_said(&mut self) {
        self.said = self.link.talk.messages().last().map(|message| message.id.clone());
    }

    /// Puts the oldest open question, if there is one.
    fn ask(&mut self) -> anyhow::Result<()> {
        let before = self.asking.take();
        self.asking = self.open_questions().into_iter().next();
        let Some(question) = &self.asking else { return Ok(()) };
        let is_new = before.is_none_or(|before| before.tool_call != question.tool_call);
        if is_new || !self.console.is_open() {
            let text = format!("{} asks to run with {}", question.tool, question.input);
            if self.console.is_open() {
                self.console.becomes(self.mode(true));
            }
            let (id, each_time) = (question.id(), question.each_time);
            self.new_line()?;
            self.console.question(&id, &harmless(&text), each_time)?;
        }
        Ok(())
    }

    /// What waits for a yes, but for what was answered here.
    fn open_questions(&self) -> Vec<Question> {
        let mut open = questions(self.link.talk.messages());
        open.retain(|question| !self.answered.contains(&question.tool_call));
        open
    }

    /// A question that somebody has answered in another place is none any more.
    fn answered_elsewhere(&mut self) -> anyhow::Result<()> {
        let open = self.open_questions();
        let is_open = |question: &Question| open.iter().any(|one| one.tool_call == question.tool_call);
        if self.why.as_ref().is_some_and(|question| !is_open(question)) {
            self.why = None;
            self.is_why_void = self.console.is_open();
            self.console.answered();
        }
        if self.asking.as_ref().is_some_and(|question| !is_open(question)) {
            self.asking = None;
            self.console.answered();
            self.console.becomes(self.mode(true));
            self.aside("it was answered elsewhere")?;
            self.ask()?;
        }
        Ok(())
    }

    fn show(&mut self) -> anyhow::Result<()> {
        if self.json {
            return Ok(());
        }
        let mut text = String::new();
        for message in self.link.talk.messages() {
            for piece in self.shown.rest(message) {
                text += &self.painter.piece(&piece);
            }
        }
        if text.is_empty() { Ok(()) } else { self.console.piece(&text) }
    }

    /// What was typed here stands on the screen already.
    fn skip_own(&mut self) {
        if let Some(own) = self.link.talk.messages().last() {
            self.shown.skip(own);
        }
    }

    /// A line that is not the agent's, behind whatever of the agent's has no end yet.
    fn aside(&mut self, text: &str) -> anyhow::Result<()> {
        self.new_line()?;
        self.console.note(text)
    }

    fn new_line(&mut self) -> anyhow::Result<()> {
        self.console.wipe()?;
        let end = self.painter.end_line();
        if end.is_empty() { Ok(()) } else { self.console.piece(&end) }
    }

    /// Files are completed over this connection from now on.
    fn is_connected(&self) {
        if let Some(state) = self.console.state() {
            state.connected(self.link.client().cloned());
        }
    }

    /// What somebody types for, or would. The first letter of a word that is being typed answers no question.
    fn mode(&self, is_typing: bool) -> Mode {
        match () {
            () if self.why.is_some() => Mode::Why,
            () if self.asking.is_some() && is_typing => Mode::Words,
            () if self.asking.is_some() => Mode::Keys,
            () if self.link.client().is_none() => Mode::Away,
            () => Mode::Free,
        }
    }

    async fn prompt(&mut self) -> anyhow::Result<()> {
        let busy = self.link.talk.under_way().is_some() || self.goes_on.is_some();
        if self.console.is_open() || self.asking.is_none() && self.why.is_none() && busy {
            return Ok(());
        }
        self.new_line()?;
        let question = self.asking.as_ref().filter(|_| self.why.is_none());
        let (id, each_time) = (question.map(Question::id), question.is_some_and(|question| question.each_time));
        self.console.open(self.mode(false), id.as_deref(), each_time).await
    }
}

/// Whether a question can be answered like this: "always" only where something would be remembered.
fn may(question: &Question, verdict: &Verdict) -> bool {
    !(question.each_time && *verdict == Verdict::Always)
}

/// How a question can be answered, after something else was said to it.
fn answers(question: &Question, was_always: bool) -> &'static str {
    match (question.each_time, was_always) {
        (true, true) => "this is asked each time: y or n",
        (true, false) => "y, n or n WHY: yes, no, or no and why",
        (false, _) => "y, n, n WHY or a: yes, no, no and why, or always yes to this here",
    }
}

/// Never, where there is nothing to wait for.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

fn reason(end: &End) -> Option<String> {
    let plain = match end.outcome {
        Outcome::Completed | Outcome::Recovering => return None,
        Outcome::Aborted => "cancelled",
        Outcome::Skipped => "not answered: another message took its place",
        _ => "the turn failed",
    };
    Some(end.error.clone().map_or_else(|| plain.to_owned(), |error| format!("{plain}: {error}")))
}
