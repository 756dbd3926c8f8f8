//! The host under test, and what a test may do to it.

use std::{
    fmt,
    time::{Duration, Instant},
};

use hostel::{Agent, App, Call, Clock, Node, Result, StartError, Timestamp};
use hostel_client::{Client, Options, Target};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::VirtualClock,
    crash::{CrashPoint, Trap, Trapped},
    life::Life,
    peer::Peer,
};

/// How often in a row the host must be found at rest before the clock is turned on.
const CALM: usize = 8;

/// How long what a life has left behind may hold its directory.
const LAST_BREATH: Duration = Duration::from_secs(5);

/// A host inside a test: its own data directory, its own thread, a clock that you turn.
///
/// It shows 2026-01-01T00:00:00Z at first. Nothing of the host reaches outside but sockets: ending it is like ending a process.
pub struct TestHome {
    app: Box<dyn Fn() -> App + Send + Sync>,
    data: TempDir,
    clock: VirtualClock,
    trap: Trap,
    life: Option<Life>,
}

impl TestHome {
    /// Starts the application on an empty directory. `app` makes it anew for every life of the host; its own data
    /// directory and clock are replaced.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn start(app: impl Fn() -> App + Send + Sync + 'static) -> Self {
        Self::start_at("2026-01-01T00:00:00Z".parse().expect("a date"), app).await
    }

    /// [`TestHome::start`], with the clock at `day`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn start_at(day: Timestamp, app: impl Fn() -> App + Send + Sync + 'static) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory can be made");
        let (app, trap) = (Box::new(app), Trap::default());
        let mut home = Self { app, data, clock: VirtualClock::at(day), trap, life: None };
        home.begin().await;
        home
    }

    async fn begin(&mut self) {
        let until = Instant::now() + LAST_BREATH;
        loop {
            match self.try_begin().await {
                Ok(life) => break self.life = Some(life),
                // The journal's thread of the life before is still answering for its last write.
                Err(error) if is_locked(&error) && Instant::now() < until => tokio::task::yield_now().await,
                Err(error) => panic!("the application cannot be started: {error}"),
            }
        }
    }

    async fn try_begin(&self) -> Result<Life, StartError> {
        let death = CancellationToken::new();
        let (trap, dies) = (self.trap.clone(), death.clone());
        let app = (self.app)().data(self.data.path()).clock(self.clock.clone());
        let app = app.durability(move |store| Box::new(Trapped { store, trap, death: dies }));
        Life::begin(app, death).await
    }

    fn life(&self) -> &Life {
        self.life.as_ref().expect("the host has ended; start it with `TestHome::restart`")
    }

    fn take_life(&mut self) -> Life {
        self.life.take().expect("the host has ended; start it with `TestHome::restart`")
    }

    /// The directory with everything that is kept.
    pub fn data(&self) -> &std::path::Path {
        self.data.path()
    }

    /// The time that its clock shows. Agents see the same, unless it shows a time before 2025, which is taken for a clock that is not
    /// set (`docs/schedules.md`).
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Where it listens, e.g. `http://127.0.0.1:40123`, for clients of your own.
    pub fn url(&self) -> String {
        format!("http://{}", self.life().address)
    }

    /// Connects to `agent/name` over a WebSocket.
    ///
    /// # Panics
    /// When it is refused: see [`TestHome::try_connect`].
    pub async fn connect(&self, agent: &str) -> Peer {
        match self.try_connect(agent, &Options::default()).await {
            Ok(peer) => peer,
            Err(error) => panic!("{agent} cannot be connected to: {error}"),
        }
    }

    /// Connects with headers and the like, and waits until the agent has said who it is.
    ///
    /// # Errors
    /// The refusal with its code.
    ///
    /// # Panics
    /// When `agent` is no address.
    pub async fn try_connect(&self, agent: &str, options: &Options) -> Result<Peer, hostel_client::Error> {
        let target = Target::parse(agent, &self.url()).expect("an address of the form agent/name");
        let (client, events) = Client::connect_with_events(&target, options).await?;
        client.identity().await?;
        Ok(Peer::new(client, events))
    }

    /// Calls the agent `name` of class `A` from inside the process.
    ///
    /// ```
    /// # use hostel::prelude::*;
    /// # #[derive(Default, Serialize, Deserialize)]
    /// # struct Counter { count: i64 }
    /// # #[agent]
    /// # impl Counter {
    /// #     #[callable]
    /// #     fn increment(&mut self, by: i64) -> i64 { self.count += by; self.count }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// # let home = hostel_testing::TestHome::start(|| App::new().agent::<Counter>()).await;
    /// let count = home.ask::<Counter, _>("a", |counter| counter.increment(2)).await?;
    /// assert_eq!(count, 2);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The agent's own, or why it cannot be reached.
    pub async fn ask<A: Agent, T>(
        &self,
        name: &str,
        call: impl FnOnce(A::Stub) -> Call<T> + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        Call<T>: IntoFuture<Output = Result<T>, IntoFuture: Send>,
    {
        let name = name.to_owned();
        self.life().inside(move |node| async move { call(node.agent::<A>(&name)).await }).await
    }

    /// Lets time pass: whatever falls due runs when it is due, in order, and has ended or waits for something else when
    /// the clock goes on.
    ///
    /// Only the host is waited for. Agents that wait for another machine are not: let those answer first.
    pub async fn advance(&self, by: impl Into<Duration>) {
        let (clock, by) = (self.clock.clone(), by.into());
        self.life().inside(move |node| pass(node, clock, by)).await;
    }

    /// Sets the time of day, forwards or back, without letting time pass: a time server did it.
    pub async fn set_time(&self, day: Timestamp) {
        self.clock.set_day(day);
        let settled = |node: Node| async move {
            node.look_at_the_clock();
            settle(&node).await;
        };
        self.life().inside(settled).await;
    }

    /// Waits until nothing is under way that does not wait for the clock or for somebody outside.
    pub async fn settle(&self) {
        self.life().inside(|node| async move { settle(&node).await }).await;
    }

    /// Ends the host at once, as `kill -9` would, and starts it again on the same data. Sockets are cut. The time is the
    /// same afterwards.
    ///
    /// # Panics
    /// When it cannot be started again.
    pub async fn crash(&mut self) {
        self.take_life().kill().await;
        self.begin().await;
    }

    /// Has the host die with the `nth` write from now, counted from 1; [`TestHome::after_crash`] waits for that.
    pub fn crash_at(&self, point: CrashPoint, nth: u64) {
        self.trap.arm(point, nth);
    }

    /// Takes back what [`TestHome::crash_at`] has prepared. `false` if the host dies of it, or is dead already.
    #[must_use = "if it is false, the crash has to be waited for"]
    pub fn call_off_crash(&self) -> bool {
        self.trap.disarm()
    }

    /// Waits for the crash that [`TestHome::crash_at`] has prepared, and starts the host again.
    ///
    /// # Panics
    /// When it cannot be started again.
    pub async fn after_crash(&mut self) {
        self.take_life().until_dead().await;
        self.begin().await;
    }

    /// Stops the host with good-byes to its clients, and starts it again, `down` later.
    ///
    /// # Panics
    /// When it cannot be started again.
    pub async fn restart(&mut self, down: Duration) {
        if let Some(life) = self.life.take() {
            life.stop().await;
        }
        self.clock.turn(down);
        self.begin().await;
        self.settle().await;
    }

    /// [`TestHome::restart`] at once, and somebody set the time of day meanwhile, forwards or back.
    ///
    /// # Panics
    /// When it cannot be started again.
    pub async fn restart_at(&mut self, day: Timestamp) {
        if let Some(life) = self.life.take() {
            life.stop().await;
        }
        self.clock.set_day(day);
        self.begin().await;
        self.settle().await;
    }
}

impl fmt::Debug for TestHome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestHome").field("clock", &self.clock).field("life", &self.life).finish_non_exhaustive()
    }
}

fn is_locked(error: &StartError) -> bool {
    matches!(error, StartError::Store(error) if error.kind() == hostel_store::ErrorKind::Locked)
}

async fn pass(node: Node, clock: VirtualClock, mut left: Duration) {
    settle(&node).await;
    while let Some(step) = clock.next_within(left) {
        clock.turn(step);
        left -= step;
        settle(&node).await;
    }
    clock.turn(left);
    settle(&node).await;
}

async fn settle(node: &Node) {
    let mut calm = 0;
    while calm < CALM {
        tokio::task::yield_now().await;
        calm = if node.is_at_rest() { calm + 1 } else { 0 };
    }
}
