//! One life of a host: a runtime on a thread of its own, which ends as a process ends.

use std::{net::SocketAddr, sync::Arc, thread::JoinHandle, time::Duration};

use hostel::{App, Edge, Node, StartError};
use parking_lot::Mutex;
use tokio::{
    net::TcpListener,
    runtime::{Builder, Handle},
    sync::oneshot,
};
use tokio_util::sync::CancellationToken;

/// How long blocking work may go on after the end.
const LAST_BREATH: Duration = Duration::from_secs(5);

/// A host that is alive. What it owns is reached only from inside, so that nothing outlives it.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) address: SocketAddr,
    handle: Handle,
    edge: Arc<Mutex<Option<Edge>>>,
    /// Ends it at once.
    death: CancellationToken,
    /// Ends it with good-byes.
    rest: CancellationToken,
    thread: JoinHandle<()>,
}

type Born = Result<(SocketAddr, Handle), StartError>;

impl Life {
    /// Starts `app` on a free port of this machine.
    pub(crate) async fn begin(app: App, death: CancellationToken) -> Result<Self, StartError> {
        let (tell, told) = oneshot::channel();
        let (rest, edge) = (CancellationToken::new(), Arc::new(Mutex::new(None)));
        let inside = Inside { death: death.clone(), rest: rest.clone(), edge: Arc::clone(&edge) };
        let thread = std::thread::spawn(move || inside.run(app, tell));
        let (address, handle) = told.await.expect("the host's thread tells how it began")?;
        Ok(Self { address, handle, edge, death, rest, thread })
    }

    /// Runs `work` inside the host.
    ///
    /// # Panics
    /// When the host has ended, or ends meanwhile.
    pub(crate) async fn inside<T, F>(&self, work: impl FnOnce(Node) -> F + Send + 'static) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let node = self.edge.lock().as_ref().map(|edge| edge.node().clone());
        let node = node.expect("the host is alive; after a crash call `TestHome::restart`");
        let ran = self.handle.spawn(async move { work(node).await }).await;
        ran.expect("the host lives until the work is done")
    }

    /// Waits for the end, which somebody else brings about.
    pub(crate) async fn until_dead(self) {
        self.death.cancelled().await;
        self.join().await;
    }

    pub(crate) async fn kill(self) {
        self.death.cancel();
        self.join().await;
    }

    pub(crate) async fn stop(self) {
        self.rest.cancel();
        self.join().await;
    }

    async fn join(self) {
        let thread = self.thread;
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        assert!(matches!(joined, Ok(Ok(()))), "the host's thread panicked");
    }
}

/// What the thread of a host has.
struct Inside {
    death: CancellationToken,
    rest: CancellationToken,
    edge: Arc<Mutex<Option<Edge>>>,
}

impl Inside {
    fn run(self, app: App, tell: oneshot::Sender<Born>) {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
        runtime.block_on(async {
            tokio::select! {
                () = self.death.cancelled() => {}
                () = self.live(app, tell) => {}
            }
            // Who holds the node keeps the data directory locked.
            self.edge.lock().take();
        });
        runtime.shutdown_timeout(LAST_BREATH);
        self.death.cancel();
    }

    async fn live(&self, app: App, tell: oneshot::Sender<Born>) {
        let began = async {
            let home = app.start().await?;
            let bound = TcpListener::bind("127.0.0.1:0").await;
            let listener = bound.map_err(|source| StartError::Listen { address: "127.0.0.1:0".into(), source })?;
            Ok((home, listener))
        };
        let (home, listener) = match began.await {
            Ok(began) => began,
            Err(error) => return drop(tell.send(Err(error))),
        };
        *self.edge.lock() = Some(home.edge().clone());
        let address = listener.local_addr().expect("a bound socket has an address");
        if tell.send(Ok((address, Handle::current()))).is_ok() {
            let served = home.serve(listener, self.rest.clone()).await;
            served.expect("a loopback address may be served");
        }
    }
}
