//! Clients that make requests and watch until the server is gone, and note what they are told.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use hostel_client::{Call, Client, Error, Event, Events, Options, Target, http};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    account::{Claim, Told},
    fork::{self, Fork},
    ledger::{Ledger, Who},
    note::text_of,
    rng::Rng,
    server::Server,
    talk,
};

/// One of so many requests ends the life of its agent.
const ENDS: u64 = 60;
/// Requests of one client under way at a time, at most: those that arrive together share a record of the journal.
const DEPTH: u64 = 8;

/// What a socket is told when its agent is destroyed.
const DESTROYED: &str = "Durable Object destroyed";

/// The close code of a server that cannot do something now.
const TRY_AGAIN_LATER: u16 = 1013;

/// Clients at work.
#[derive(Debug)]
pub(crate) struct Load {
    clients: JoinSet<()>,
    stop: CancellationToken,
}

impl Load {
    /// Lets clients loose. `round` makes their requests different from those of other rounds.
    pub(crate) fn start(server: &Server, ledger: &Arc<Ledger>, clients: u64, round: &str, rng: &mut Rng) -> Self {
        let stop = CancellationToken::new();
        let mut set = JoinSet::new();
        // One is forked in every life, or the points of that might not be come to in several.
        let mut is_forked = false;
        for client in 0..clients {
            let mut rng = Rng::new(rng.next());
            let who = ledger.any(rng.next());
            let Ok(target) = server.agent(who) else { continue };
            if rng.below(2) == 0 {
                set.spawn(observe(target.clone(), Arc::clone(ledger), who, stop.clone()));
            }
            if let Who::Ledger(at) = who
                && (rng.below(8) == 0 || !is_forked)
            {
                is_forked = true;
                let name = format!("fork-{round}-{client}");
                if let Ok((make, forked)) = server.fork(at, &name) {
                    set.spawn(make_fork(make, forked, name, Arc::clone(ledger)));
                }
            }
            let writer = Writer { target, ledger: Arc::clone(ledger), who, stop: stop.clone(), rng };
            set.spawn(writer.run(format!("{round}-{client}")));
        }
        Self { clients: set, stop }
    }

    /// Waits for clients whose server is gone.
    pub(crate) async fn end(&mut self) {
        while self.clients.join_next().await.is_some() {}
    }

    /// Asks the clients to stop, and waits.
    pub(crate) async fn stop(&mut self) {
        self.stop.cancel();
        self.end().await;
    }
}

/// A client that makes requests of one agent.
struct Writer {
    target: Target,
    ledger: Arc<Ledger>,
    who: Who,
    stop: CancellationToken,
    rng: Rng,
}

impl Writer {
    /// Connects again and again, until the server is gone or it is asked to stop.
    async fn run(mut self, name: String) {
        for session in 0.. {
            let connected = Client::connect_with_events(&self.target, &Options::default()).await;
            let (client, events) = match connected {
                Ok(connected) => connected,
                Err(Error::Connect { .. }) => return,
                Err(_) if self.stop.is_cancelled() => return,
                // It is there, and does not let us in: a fault that may pass.
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    continue;
                }
            };
            self.work(client, events, &format!("{name}-{session}")).await;
            if self.stop.is_cancelled() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Does what is to be done with this agent, until something fails.
    async fn work(&mut self, client: Client, events: Events, session: &str) {
        if let Who::Talk(at, part) = self.who {
            return talk::speak(&client, events, (&self.ledger, (at, part)), session, &self.stop).await;
        }
        let watcher = tokio::spawn(watch(events, Arc::clone(&self.ledger), self.who));
        match self.who {
            Who::Ledger(at) => self.enter(&client, at, session).await,
            Who::Note(at) => self.set_states(&client, at).await,
            Who::Talk(..) => {}
        }
        drop(client);
        let _ended_with_its_socket = watcher.await;
    }

    /// Makes entries until one fails, several at a time.
    async fn enter(&mut self, client: &Client, at: usize, session: &str) {
        let (mut number, mut later) = (0, 0);
        while !self.stop.is_cancelled() {
            if self.rng.below(ENDS) == 0 {
                return self.end(client, at).await;
            }
            let depth = 1 + self.rng.below(DEPTH);
            let mut calls = Vec::new();
            for _ in 0..depth {
                // A request that waits on the way may be overtaken: it is a session of its own.
                let waits = self.rng.below(8) == 0;
                let counter = if waits { &mut later } else { &mut number };
                *counter += 1;
                let op = if waits { format!("{session}/{later}.1") } else { format!("{session}.{number}") };
                let filler = filler(self.rng.next());
                calls.push(self.call(client, at, op, waits, filler));
            }
            // Their order on the wire is that of their first polls.
            if join_all(calls).await.contains(&false) {
                return;
            }
        }
    }

    fn call(
        &self,
        client: &Client,
        at: usize,
        op: String,
        waits: bool,
        filler: u64,
    ) -> impl Future<Output = bool> + use<> {
        let (client, ledger) = (client.clone(), Arc::clone(&self.ledger));
        ledger.send(at, &op);
        let method = if waits { "addLater" } else { "add" };
        async move {
            match client.call(Call::new(method, vec![json!(op), json!(filler)])).await {
                Ok(answer) => ledger.claim(at, entered(&answer, op)),
                Err(Error::Call(reason)) => {
                    ledger.refused(at, &op, &reason);
                    return false;
                }
                Err(_) => return false,
            }
            true
        }
    }

    async fn end(&self, client: &Client, at: usize) {
        self.ledger.send_end(at);
        if let Ok(born) = client.call(Call::new("end", Vec::new())).await {
            self.ledger.ended(at, born.as_str().unwrap_or_default());
        }
        self.until_closed(client).await;
    }

    /// Sets the state until the socket is gone, if nobody else does.
    async fn set_states(&self, client: &Client, at: usize) {
        if !self.ledger.note(at).take() {
            return self.until_closed(client).await;
        }
        while !self.stop.is_cancelled() {
            let value = self.ledger.send_note(at);
            match client.set_state(&json!({ "value": value, "text": text_of(value) })).await {
                Ok(_) => self.ledger.note_told(at, value, Told::Answered),
                Err(Error::State(reason)) => self.ledger.note_refused(&reason),
                Err(_) => break,
            }
        }
        self.ledger.note(at).give_back();
    }

    async fn until_closed(&self, client: &Client) {
        tokio::select! {
            _ = client.closed() => {}
            () = self.stop.cancelled() => {}
        }
    }
}

fn filler(random: u64) -> u64 {
    match random % 16 {
        0 => 20_000,
        n => n * 50,
    }
}

fn entered(answer: &Value, op: String) -> Claim {
    let born = answer["born"].as_str().unwrap_or_default().to_owned();
    Claim { born, n: answer["count"].as_u64().unwrap_or(0), op, kind: Told::Answered }
}

/// Forks an agent at a random moment of the round, and looks at the fork.
async fn make_fork(make: Target, forked: Target, name: String, ledger: Arc<Ledger>) {
    tokio::time::sleep(Duration::from_millis(10)).await;
    if !http::get(&make, &Options::default()).await.is_ok_and(|answer| answer.status == 200) {
        return;
    }
    ledger.forked(Fork { name: name.clone(), shown: None });
    if let Ok(look) = fork::look(&forked).await {
        ledger.forked(Fork { name, shown: Some((look.born, look.count)) });
    }
}

/// A second socket that only looks.
async fn observe(target: Target, ledger: Arc<Ledger>, who: Who, stop: CancellationToken) {
    let Ok((client, events)) = Client::connect_with_events(&target, &Options::default()).await else { return };
    tokio::select! {
        () = watch(events, ledger, who) => {}
        () = stop.cancelled() => {}
    }
    drop(client);
}

/// Notes what state frames show, of whoever's doing, and the end of an agent's life.
async fn watch(mut events: Events, ledger: Arc<Ledger>, who: Who) {
    let mut born = String::new();
    while let Some(event) = events.next().await {
        match event {
            Event::Text { text, .. } => {
                let frame: Value = serde_json::from_str(&text).unwrap_or_default();
                if let Who::Talk(at, part) = who {
                    talk::hear(&ledger, (at, part), &frame, None);
                } else if frame["type"] == "cf_agent_state" {
                    see(&ledger, who, &frame["state"], &mut born);
                }
            }
            Event::Closed(closed) if closed.code == TRY_AGAIN_LATER => ledger.note_closed(&closed.reason),
            Event::Closed(closed) if closed.reason == DESTROYED && !born.is_empty() => {
                if let Who::Ledger(at) = who {
                    ledger.ended(at, &born);
                }
            }
            _ => {}
        }
    }
}

fn see(ledger: &Ledger, who: Who, state: &Value, born: &mut String) {
    let word = |field: &str| state[field].as_str().unwrap_or_default().to_owned();
    match who {
        Who::Ledger(at) => {
            *born = word("born");
            let n = state["count"].as_u64().unwrap_or(0);
            if n > 0 {
                ledger.claim(at, Claim { born: born.clone(), n, op: word("last"), kind: Told::Shown });
            }
        }
        Who::Note(at) => ledger.note_told(at, state["value"].as_u64().unwrap_or(0), Told::Shown),
        Who::Talk(..) => {}
    }
}
