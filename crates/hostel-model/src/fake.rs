//! A provider for tests: a server that speaks the three real streams over HTTP and follows a script.
//!
//! What it answers is a script of [`Scripted`](crate::Scripted). A `fault` in it is a fault of the *wire*: as the first
//! line it becomes the status and body a provider would send; after other lines it breaks the stream in the middle.
//!
//! | fault | before anything was said | in the middle |
//! | --- | --- | --- |
//! | `rate_limited`, `overloaded`, `provider`, `auth`, `quota`, `unknown_model`, `bad_request`, `context_too_long` | the provider's status (429 with `Retry-After` if the text begins with a number) | an error event |
//! | `timed_out` | no answer at all | as `stalled` |
//! | `stalled` | headers, then silence | silence |
//! | `cut`, `unreachable` | the connection ends | the connection ends |
//! | `malformed` | a chunk that is no JSON | the same |
//! | `refused` | the provider's way to refuse | its reason to end |

mod asked;
mod encode;
mod status;

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::pending,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Query, State},
    http::{HeaderMap, StatusCode, Uri, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::post,
};
use futures_util::stream;
use serde::Deserialize;
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

pub use self::asked::Asked;
use self::encode::Encoder;
use crate::{Fault, FaultKind, Scripted, scripted::Step};

/// Which provider's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// Chat completions.
    OpenAi,
    /// Messages.
    Anthropic,
    /// `streamGenerateContent`.
    Google,
}

impl Speaks {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::OpenAi, Self::Anthropic, Self::Google];
}

/// A provider for tests, on a port of its own. Dropping it ends it.
///
/// ```
/// # #[cfg(feature = "fake")] mod demo {
/// # use hostel_model::fake::FakeProvider;
/// # async fn demo() -> std::io::Result<()> {
/// let provider = FakeProvider::start(hostel_model::Scripted::built_in()).await?;
/// let settings = format!("base_url = \"{}/v1\"", provider.url());
/// # let _ = settings; Ok(()) } }
/// ```
#[derive(Debug)]
pub struct FakeProvider {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    script: Scripted,
    asked: Mutex<Vec<Asked>>,
    /// Faults for the next requests, before the script is looked at.
    faults: Mutex<VecDeque<Fault>>,
}

impl FakeProvider {
    /// Starts one on a free port of this machine.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(script: Scripted) -> io::Result<Self> {
        Self::listen(script, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Starts one at this address.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn listen(script: Scripted, address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { script, asked: Mutex::default(), faults: Mutex::default() });
        let router = router(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            // It ends with this task; an error of a single connection is not its end.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, shared, task })
    }

    /// Where it is, without a path: `/v1` speaks OpenAI and Anthropic, `/v1beta` Google.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything it was asked, oldest first.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.shared.asked).clone()
    }

    /// Has the next requests fail, so many times, before the script is asked again.
    pub fn fail_next(&self, times: usize, fault: &Fault) {
        lock(&self.shared.faults).extend((0..times).map(|_| fault.clone()));
    }

    /// Waits for its end, which does not come by itself.
    pub async fn run(mut self) {
        let _ = (&mut self.task).await;
    }
}

impl Drop for FakeProvider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(openai))
        .route("/v1/messages", post(anthropic))
        .route("/v1beta/models/{call}", post(google))
        .route("/fake/fail", post(fail))
        .with_state(shared)
}

type Said = (HeaderMap, Uri, Bytes);

async fn openai(State(shared): State<Arc<Shared>>, headers: HeaderMap, uri: Uri, body: Bytes) -> Response {
    answer(&shared, Speaks::OpenAi, (headers, uri, body)).await
}

async fn anthropic(State(shared): State<Arc<Shared>>, headers: HeaderMap, uri: Uri, body: Bytes) -> Response {
    answer(&shared, Speaks::Anthropic, (headers, uri, body)).await
}

async fn google(State(shared): State<Arc<Shared>>, headers: HeaderMap, uri: Uri, body: Bytes) -> Response {
    answer(&shared, Speaks::Google, (headers, uri, body)).await
}

/// `POST /fake/fail?times=2&kind=rate_limited&text=1`: [`FakeProvider::fail_next`] for other processes.
#[derive(Debug, Deserialize)]
struct Fail {
    times: usize,
    kind: FaultKind,
    #[serde(default)]
    text: String,
}

async fn fail(State(shared): State<Arc<Shared>>, Query(fail): Query<Fail>) -> StatusCode {
    let fault = Fault::new(fail.kind, fail.text);
    lock(&shared.faults).extend((0..fail.times).map(|_| fault.clone()));
    StatusCode::NO_CONTENT
}

async fn answer(shared: &Shared, speaks: Speaks, (headers, uri, body): Said) -> Response {
    let Ok(body) = serde_json::from_slice::<Value>(&body) else {
        return (StatusCode::BAD_REQUEST, "the body is no JSON").into_response();
    };
    let asked = Asked::new(speaks, &headers, &uri, body);
    let request = asked.request();
    lock(&shared.asked).push(asked);
    let steps = match lock(&shared.faults).pop_front() {
        Some(fault) => vec![Step::Fail(fault)],
        None => shared.script.steps(&request),
    };
    if let [Step::Fail(fault), ..] = &steps[..] {
        if fault.kind == FaultKind::TimedOut {
            pending::<Infallible>().await;
        }
        if let Some(refusal) = status::refusal(speaks, fault) {
            return refusal;
        }
    }
    let body = Body::from_stream(bytes(speaks, steps));
    ([(CONTENT_TYPE, "text/event-stream")], body).into_response()
}

/// The stream as it goes over the wire.
fn bytes(speaks: Speaks, steps: Vec<Step>) -> impl stream::Stream<Item = io::Result<Bytes>> {
    let state = (Encoder::new(speaks), steps.into_iter());
    stream::unfold(state, |(mut encoder, mut steps)| async move {
        loop {
            let bytes = match steps.next()? {
                Step::Emit(event) => encoder.event(&event),
                Step::Wait(time) => {
                    tokio::time::sleep(time).await;
                    continue;
                }
                Step::Hang => pending().await,
                Step::Fail(fault) => match fault.kind {
                    FaultKind::Stalled | FaultKind::TimedOut => pending().await,
                    FaultKind::Cut | FaultKind::Unreachable => {
                        // What was said before is to be on the wire first.
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        return Some((Err(io::Error::other("cut")), (encoder, Vec::new().into_iter())));
                    }
                    _ => encoder.fault(&fault),
                },
            };
            if !bytes.is_empty() {
                return Some((Ok(Bytes::from(bytes)), (encoder, steps)));
            }
        }
    })
}

/// The whole stream of these events as one text, for tests of what reads it.
#[cfg(test)]
pub(crate) fn text(speaks: Speaks, events: &[crate::Event]) -> String {
    let mut encoder = Encoder::new(speaks);
    events.iter().map(|event| encoder.event(event)).collect()
}
