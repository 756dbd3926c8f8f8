//! The connection: this machine is offered, orders come, and what becomes of them is told. Opened again when it is lost.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hostel_client::{Call, Client, Error, Options, Part, Parts, Target};
use hostel_sandbox::Terminal;
use hostel_server::hands::{Offer, Order};
use serde_json::{Value, json};
use tokio::task::{AbortHandle, JoinSet};

use super::place::Wanted;
use super::typing::Typed;
use super::work::Work;
use crate::failure::Refused;
use crate::output::{self, harmless};

mod tell;

/// The pause before the first attempt to come back, which doubles up to the longest.
const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(10);
/// How long the server may say nothing at all: it says something every quarter of a minute.
const SILENCE: Duration = Duration::from_secs(60);

/// This machine at an agent.
#[derive(Debug)]
pub(crate) struct Link {
    target: Target,
    options: Options,
    work: Arc<Work>,
    offer: Offer,
    /// Whether commands are to run here from now on.
    chosen: bool,
}

/// One connection, from its welcome on.
struct Lent<'a> {
    link: &'a mut Link,
    client: Client,
    session: String,
    tellers: JoinSet<()>,
    telling: HashMap<String, AbortHandle>,
}

impl Link {
    pub(crate) fn new(
        target: Target,
        options: Options,
        work: Arc<Work>,
        name: String,
        chosen: bool,
    ) -> anyhow::Result<Self> {
        let offer = Offer {
            name,
            instance: instance()?,
            directory: work.place.root().display().to_string(),
            platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            allow: work.allowed.lock().patterns().to_vec(),
            sandboxed: work.place.is_sandboxed(),
            asks: work.asking.asks(),
            background: true,
        };
        Ok(Self { target, options, work, offer, chosen })
    }

    /// Lends the machine until it is told to end it; comes back by itself when the connection is lost.
    ///
    /// # Errors
    /// The first connection fails, or the server says no for good.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        let (mut pause, mut was_lent) = (SHORTEST, false);
        loop {
            let error = match self.lend(&mut was_lent, &mut pause).await {
                Ok(()) => anyhow::anyhow!("the agent has let go of this machine"),
                Err(error) => error,
            };
            if !was_lent || is_final(&error) {
                return Err(error);
            }
            if pause == SHORTEST {
                output::note(&harmless(&format!("{error}; trying again")))?;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST);
        }
    }

    /// One connection, to its end.
    async fn lend(&mut self, was_lent: &mut bool, pause: &mut Duration) -> anyhow::Result<()> {
        let client = Client::connect(&self.target, &self.options).await?;
        self.offer.allow = self.work.allowed.lock().patterns().to_vec();
        let offer = Call::new("handsOffer", vec![serde_json::to_value(&self.offer)?]).timeout(SILENCE);
        let mut orders = client.call_streaming(offer).await?;
        let Some(Order::Welcome { session }) = order(&mut orders).await? else {
            return Err(Refused::plain("The agent does not take machines in a way that this version knows.").into());
        };
        let mut lent = Lent { link: self, client, session, tellers: JoinSet::new(), telling: HashMap::new() };
        lent.welcome(*was_lent).await?;
        (*was_lent, *pause) = (true, SHORTEST);
        while let Some(order) = order(&mut orders).await? {
            lent.take(order)?;
        }
        Ok(())
    }
}

/// What tells this run of the program from others.
fn instance() -> anyhow::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))?;
    Ok(format!("{:032x}", u128::from_le_bytes(bytes)))
}

/// Whether the machine of this name that is lent now is the one that commands run on: another person's of the same name may be.
fn is_chosen(view: &Value, name: &str) -> bool {
    let machines = view["machines"].as_array().into_iter().flatten();
    view["where"] == "hands" && machines.into_iter().any(|machine| machine["name"] == name && machine["chosen"] == true)
}

/// The next order; nothing if the stream has ended.
async fn order(orders: &mut Parts) -> anyhow::Result<Option<Order>> {
    Ok(match orders.next().await? {
        Part::Chunk(order) => Some(serde_json::from_value(order)?),
        Part::Done(_) => None,
    })
}

impl Lent<'_> {
    async fn welcome(&mut self, again: bool) -> anyhow::Result<()> {
        let (name, place) = (&self.link.offer.name, &self.link.offer.directory);
        if again {
            return Ok(output::note("connected again")?);
        }
        output::note(&harmless(&format!(
            "{name} is lent to {}: commands begin in {place}; Ctrl-C ends it",
            self.link.target
        )))?;
        let view = if std::mem::take(&mut self.link.chosen) {
            self.client.call(Call::new("setHands", vec![json!({"where": "hands", "name": name})])).await?
        } else {
            self.client.call(Call::new("getHands", Vec::new())).await?
        };
        Ok(output::note(match is_chosen(&view, name) {
            true => "the agent's commands run here",
            false => "the agent's commands do not run here until somebody chooses so: --use, or setHands",
        })?)
    }

    fn take(&mut self, order: Order) -> anyhow::Result<()> {
        let work = Arc::clone(&self.link.work);
        match order {
            Order::Run { id, command, directory, seconds, output_bytes, background, terminal } => {
                let time = Duration::from_secs(seconds);
                work.begin(&id, Wanted { line: command, directory, time, output_bytes, background, terminal });
                self.tell(id, 0);
            }
            Order::Input { id, of, text, end } => {
                work.type_in(&id, Typed { of, text, end });
                self.tell(id, 0);
            }
            Order::Size { id, rows, columns } => work.resize(&id, Terminal { rows, columns }),
            Order::Tell { id, from } => self.tell(id, from),
            Order::Cancel { id } => {
                if let Some(order) = work.orders.find(&id) {
                    order.cancel.cancel();
                }
            }
            Order::Forget { id } => work.forget(&id),
            Order::Replaced {} => {
                return Err(Replaced(self.link.offer.name.clone()).into());
            }
            Order::Welcome { .. } | Order::Still {} | Order::Strange => {}
        }
        Ok(())
    }

    /// Tells what becomes of an order from now on; whoever told it before is relieved.
    fn tell(&mut self, id: String, from: u64) {
        while self.tellers.try_join_next().is_some() {}
        let teller = tell::Teller {
            client: self.client.clone(),
            session: self.session.clone(),
            id: id.clone(),
            work: Arc::clone(&self.link.work),
        };
        let telling = self.tellers.spawn(teller.run(from));
        if let Some(before) = self.telling.insert(id, telling) {
            before.abort();
        }
        self.telling.retain(|_, telling| !telling.is_finished());
    }
}

/// Another machine has taken this one's place.
#[derive(Debug, thiserror::Error)]
#[error("another machine called {0:?} is lent to this agent now")]
struct Replaced(String);

/// What will be the same the next time.
fn is_final(error: &anyhow::Error) -> bool {
    if error.is::<Replaced>() || error.is::<Refused>() {
        return true;
    }
    match error.downcast_ref::<Error>() {
        Some(Error::Refused(answer)) => (400..500).contains(&answer.status) && answer.status != 429,
        Some(Error::Call(reason)) => reason.code.as_deref().is_some_and(|code| FINAL.contains(&code)),
        Some(Error::Closed(closed)) => (4400..4500).contains(&closed.code),
        _ => false,
    }
}

const FINAL: [&str; 5] = ["hands_taken", "unauthorized", "forbidden", "connection_readonly", "invalid_arguments"];
