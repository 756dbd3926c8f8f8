//! A client as a script: sends, and waits for what it expects.

use std::{collections::VecDeque, time::Duration};

use hostel_client::{Call, Client, Error, Event, Events};
use serde_json::Value;

/// How long anything expected may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client on a real socket that speaks the wire of the published clients.
///
/// What it cannot get within 30 seconds fails the test, with what came instead.
#[derive(Debug)]
pub struct Peer {
    client: Client,
    events: Events,
    /// What came while a call was waited for.
    unread: VecDeque<Event>,
    /// The last messages that were passed over, for the report.
    passed: VecDeque<String>,
}

impl Peer {
    pub(crate) fn new(client: Client, events: Events) -> Self {
        Self { client, events, unread: VecDeque::new(), passed: VecDeque::new() }
    }

    /// Calls a method; `args` is a JSON array.
    ///
    /// # Panics
    /// When the call fails: see [`Peer::try_call`].
    pub async fn call(&mut self, method: &str, args: Value) -> Value {
        match self.try_call(method, args).await {
            Ok(value) => value,
            Err(error) => panic!("{method} failed: {error}"),
        }
    }

    /// Calls a method that may fail.
    ///
    /// # Errors
    /// The agent's refusal with its code, or how the connection ended.
    ///
    /// # Panics
    /// When `args` is no JSON array.
    pub async fn try_call(&mut self, method: &str, args: Value) -> Result<Value, Error> {
        let Value::Array(args) = args else { panic!("the arguments of {method} are no JSON array: {args}") };
        let client = self.client.clone();
        let call = client.call(Call::new(method, args));
        tokio::pin!(call);
        // Messages are taken meanwhile, or the connection would stand still once many wait.
        loop {
            tokio::select! {
                biased;
                answer = &mut call => return answer,
                event = self.events.next() => match event {
                    Some(event) => self.unread.push_back(event),
                    None => return call.await,
                },
            }
        }
    }

    /// The agent's state as it was sent last; `null` if there is none.
    ///
    /// # Panics
    /// When the connection has ended.
    pub async fn state(&mut self) -> Value {
        self.client.state().await.expect("the connection is open").unwrap_or_default()
    }

    /// Replaces the agent's state.
    ///
    /// # Errors
    /// The agent's refusal with its code, or how the connection ended.
    pub async fn set_state(&mut self, state: &Value) -> Result<(), Error> {
        self.client.set_state(state).await.map(drop)
    }

    /// Sends a text message as it is.
    ///
    /// # Panics
    /// When the connection has ended.
    pub async fn send(&mut self, text: impl Into<String>) {
        self.client.send_text(text).await.expect("the connection is open");
    }

    /// Reads on to the text message `expected`, which it returns.
    ///
    /// # Panics
    /// When it does not come.
    pub async fn until_text(&mut self, expected: &str) -> String {
        self.until(|text| text == expected).await
    }

    /// Reads on to a JSON message of this type, e.g. `cf_agent_state`.
    ///
    /// # Panics
    /// When it does not come.
    pub async fn until_frame(&mut self, kind: &str) -> Value {
        let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
        let text = self.until(|text| parse(text)["type"] == kind).await;
        parse(&text)
    }

    /// Reads on to the first text message that is wanted.
    ///
    /// # Panics
    /// When none comes.
    pub async fn until(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let Ok(event) = tokio::time::timeout(PATIENCE, self.next()).await else {
                panic!("the expected message did not come within {PATIENCE:?}; before: {:#?}", self.passed)
            };
            match event {
                Some(Event::Text { text, .. }) if wanted(&text) => return text,
                Some(Event::Closed(closed)) => panic!("closed instead: {closed:?}; before: {:#?}", self.passed),
                Some(event) => self.note(&event),
                None => panic!("the connection has ended; before: {:#?}", self.passed),
            }
        }
    }

    /// The next text message; `None` once the connection has ended, which a crash of the host may have done.
    pub async fn next_text(&mut self) -> Option<String> {
        loop {
            match self.next().await? {
                Event::Text { text, .. } => return Some(text),
                Event::Closed(_) => return None,
                _ => {}
            }
        }
    }

    /// How the connection ended, once it has.
    pub async fn closed(&mut self) -> (u16, String) {
        let closed = self.client.closed().await;
        (closed.code, closed.reason)
    }

    /// Says good-bye and waits for the end.
    pub async fn leave(self) {
        drop(self.events);
        self.client.close().await;
    }

    async fn next(&mut self) -> Option<Event> {
        match self.unread.pop_front() {
            Some(event) => Some(event),
            None => self.events.next().await,
        }
    }

    fn note(&mut self, event: &Event) {
        if let Event::Text { text, .. } = event {
            if self.passed.len() == 8 {
                self.passed.pop_front();
            }
            self.passed.push_back(text.chars().take(200).collect());
        }
    }
}
