//! The state machine of a conversation.

use data_encoding::BASE32_NOPAD;
use hostel_protocol::chat::{Outcome, Role, UiMessage};

use super::frame::{self, Frame, Response};
use super::live::{End, Live, said};

/// One conversation as a client knows it.
#[derive(Debug, Default)]
pub struct Conversation {
    messages: Vec<UiMessage>,
    live: Option<Live>,
    /// What was asked last about streams under way, and not answered.
    probe: Option<Probe>,
    /// Our own request that has not ended, and the message it brought, if it brought one.
    asked: Option<Asked>,
}

/// A question whether a turn is under way.
#[derive(Debug)]
struct Probe {
    id: String,
    /// The request of ours that the server had been sent before.
    about: Option<String>,
}

#[derive(Debug)]
struct Asked {
    request: String,
    message: Option<String>,
    frame: String,
}

/// What a frame changed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// A message is new, or there is more of it: its id.
    Message(String),
    /// A piece of a stream, as it came.
    Chunk(String),
    /// The transcript is another one; messages may be gone.
    Transcript,
    /// A turn was accepted, and has not said anything yet.
    Waiting,
    /// No turn is under way.
    Idle,
    /// The server is about to go on with a turn after a restart, or has.
    Recovering(bool),
    /// The conversation was cleared.
    Cleared,
    /// A turn is over.
    Ended(End),
}

/// What a frame leads to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Step {
    /// What changed, in order.
    pub changes: Vec<Change>,
    /// What has to be sent.
    pub send: Vec<String>,
}

impl Conversation {
    /// The transcript, with what has arrived of a message under way.
    #[must_use]
    pub fn messages(&self) -> Vec<&UiMessage> {
        let live = self.live.as_ref().map(Live::message).filter(|live| !live.parts.is_empty());
        let mut all: Vec<&UiMessage> = self.messages.iter().collect();
        if let Some(live) = live {
            match all.iter().position(|message| message.id == live.id) {
                Some(at) => all[at] = live,
                None => all.push(live),
            }
        }
        all
    }

    /// The message with this id.
    #[must_use]
    pub fn message(&self, id: &str) -> Option<&UiMessage> {
        self.messages().into_iter().find(|message| message.id == id)
    }

    /// The id of the turn under way, as far as it is known here.
    #[must_use]
    pub fn under_way(&self) -> Option<&str> {
        let live = self.live.as_ref().map(|live| live.request.as_str());
        live.or(self.asked.as_ref().map(|asked| asked.request.as_str()))
    }

    /// A connection was opened, or opened again: takes the transcript the server has, and asks for a turn under way.
    ///
    /// What was submitted over the connection before and did not arrive is sent once more; nothing is done twice, because
    /// the message keeps its id.
    pub fn connected(&mut self, transcript: Vec<UiMessage>) -> Step {
        let lost = self.asked.as_ref().filter(|asked| !asked.arrived(&transcript) && self.live.is_none());
        let mut send: Vec<String> = lost.map(|asked| asked.frame.clone()).into_iter().collect();
        send.push(self.ask_again());
        self.take(transcript);
        Step { changes: vec![Change::Transcript], send }
    }

    /// The frame that asks whether a turn is under way.
    fn ask_again(&mut self) -> String {
        let id = new_id();
        let frame = frame::resume_request(&id);
        self.probe = Some(Probe { id, about: self.asked.as_ref().map(|asked| asked.request.clone()) });
        frame
    }

    /// Says something: the id of the request, and the frame to send.
    pub fn submit(&mut self, text: &str) -> (String, String) {
        let message = UiMessage::user(new_id(), text);
        let request = new_id();
        // The server has the rest, and merges by id.
        let frame = frame::request(&request, std::slice::from_ref(&message), "submit-message", None);
        self.asked = Some(Asked { request: request.clone(), message: Some(message.id.clone()), frame: frame.clone() });
        self.messages.push(message);
        (request, frame)
    }

    /// Has the last answer made anew: the id of the request, and the frame to send. `None` before anything was said.
    pub fn regenerate(&mut self) -> Option<(String, String)> {
        let last = self.messages.iter().rposition(|message| message.role == Role::User)?;
        let replaced = self.messages.get(last + 1).map(|message| message.id.clone());
        self.messages.truncate(last + 1);
        let request = new_id();
        let frame = frame::request(&request, &self.messages, "regenerate-message", replaced.as_deref());
        self.asked = Some(Asked { request: request.clone(), message: None, frame: frame.clone() });
        Some((request, frame))
    }

    /// The frame that cancels the turn under way.
    #[must_use]
    pub fn cancel(&self) -> Option<String> {
        self.under_way().map(frame::cancel)
    }

    /// Forgets everything, and the frame that has the server do so.
    pub fn clear(&mut self) -> String {
        self.messages.clear();
        self.live = None;
        self.asked = None;
        frame::clear()
    }

    /// Answers whether a tool may run: the frames to send.
    pub fn approve(&mut self, tool_call: &str, approved: bool) -> Vec<String> {
        vec![frame::approval(tool_call, approved), self.ask_again()]
    }

    /// Takes a text message of the server; what is no frame of chat changes nothing.
    pub fn receive(&mut self, text: &str) -> Step {
        match frame::read(text) {
            Some(Frame::Response(piece)) => self.response(&piece),
            Some(Frame::Messages { messages }) => self.transcript(messages),
            Some(Frame::Updated { message }) => {
                let change = Change::Message(message.id.clone());
                if let Some(live) = self.live.as_mut().filter(|live| live.message().id == message.id) {
                    live.becomes(&message);
                }
                self.put(message);
                Step { changes: vec![change], send: Vec::new() }
            }
            Some(Frame::Clear) => {
                self.clear();
                Change::Cleared.into()
            }
            Some(Frame::Resuming { id, probe_id }) => self.resuming(&id, probe_id.as_deref()),
            Some(Frame::Pending { probe_id }) => {
                self.answered(probe_id.as_deref());
                Change::Waiting.into()
            }
            Some(Frame::None { probe_id }) => self.nothing(probe_id.as_deref()),
            Some(Frame::Recovering { recovering }) => Change::Recovering(recovering).into(),
            None => Step::default(),
        }
    }

    fn response(&mut self, piece: &Response) -> Step {
        if piece.done {
            return self.over(piece);
        }
        if piece.replay_complete {
            if let Some(live) = self.live_of(&piece.id) {
                live.caught_up();
            }
            return Step::default();
        }
        if self.live_of(&piece.id).is_none() {
            let last = self.messages.iter().rev().find(|message| message.role == Role::Assistant);
            self.live = Some(Live::begin(piece, last, &new_id()));
        }
        let Some(live) = &mut self.live else { return Step::default() };
        if piece.error {
            live.fails(&piece.body);
            return Step::default();
        }
        let Some(chunk) = live.take(piece) else { return Step::default() };
        let message = live.message();
        let mut changes = vec![Change::Chunk(chunk.to_json())];
        if !message.parts.is_empty() {
            changes.push(Change::Message(message.id.clone()));
        }
        Step { changes, send: Vec::new() }
    }

    fn live_of(&mut self, request: &str) -> Option<&mut Live> {
        self.live.as_mut().filter(|live| live.request == request)
    }

    fn over(&mut self, last: &Response) -> Step {
        if self.asked.as_ref().is_some_and(|asked| asked.request == last.id) {
            self.asked = None;
        }
        let ours = self.live.take_if(|live| live.request == last.id);
        let end = match ours {
            Some(live) => {
                let (message, end) = live.end(last);
                if !message.parts.is_empty() {
                    self.put(message);
                }
                End { elsewhere: last.replay, ..end }
            }
            None => End {
                request: last.id.clone(),
                outcome: frame::outcome(last.outcome.as_deref(), last.error),
                error: said(last),
                elsewhere: true,
            },
        };
        Change::Ended(end).into()
    }

    fn transcript(&mut self, messages: Vec<UiMessage>) -> Step {
        self.take(messages);
        Change::Transcript.into()
    }

    /// The transcript, and behind it what was said here and has crossed it on the way.
    fn take(&mut self, transcript: Vec<UiMessage>) {
        let lost = self.asked.as_ref().filter(|asked| !asked.arrived(&transcript));
        let own =
            lost.and_then(|asked| self.messages.iter().position(|known| Some(&known.id) == asked.message.as_ref()));
        let own = own.map(|at| self.messages.swap_remove(at));
        self.messages = transcript;
        self.messages.extend(own);
    }

    fn put(&mut self, message: UiMessage) {
        match self.messages.iter_mut().find(|known| known.id == message.id) {
            Some(known) => *known = message,
            None => self.messages.push(message),
        }
    }

    /// A stream is under way. While our question is open its answer is what counts: the server volunteers one as well.
    fn resuming(&mut self, id: &str, probe: Option<&str>) -> Step {
        if self.probe.is_some() && self.answered(probe).is_none() {
            return Step::default();
        }
        if let Some(live) = self.live_of(id) {
            live.rewind();
        }
        Step { changes: Vec::new(), send: vec![frame::resume_ack(id)] }
    }

    /// Our question, if this answers it.
    fn answered(&mut self, probe: Option<&str>) -> Option<Probe> {
        self.probe.take_if(|open| probe == Some(&open.id))
    }

    /// Nothing is under way, or what waited ended without a word.
    fn nothing(&mut self, probe: Option<&str>) -> Step {
        let open = self.answered(probe);
        if probe.is_some() && open.is_none() {
            return Step::default();
        }
        self.live = None;
        let about = open.and_then(|probe| probe.about);
        let missed = self.asked.take_if(|asked| probe.is_none() || about.as_ref() == Some(&asked.request));
        let changes = match missed {
            Some(asked) => vec![Change::Ended(self.missed(asked.request)), Change::Idle],
            None => vec![Change::Idle],
        };
        Step { changes, send: Vec::new() }
    }

    /// The end of a turn that was not seen: the transcript says what became of it.
    fn missed(&self, request: String) -> End {
        let answered = self.messages.last().is_some_and(|last| last.role == Role::Assistant);
        let outcome = if answered { Outcome::Completed } else { Outcome::Error };
        End { request, outcome, error: None, elsewhere: true }
    }
}

impl Asked {
    /// Whether the server has it, as far as a transcript can say.
    fn arrived(&self, transcript: &[UiMessage]) -> bool {
        let Some(message) = &self.message else { return true };
        transcript.iter().any(|known| known.id == *message)
    }
}

impl From<Change> for Step {
    fn from(change: Change) -> Self {
        Self { changes: vec![change], send: Vec::new() }
    }
}

/// Sixteen characters that nobody has used.
fn new_id() -> String {
    let mut bytes = [0; 10];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    BASE32_NOPAD.encode(&bytes).to_ascii_lowercase()
}
