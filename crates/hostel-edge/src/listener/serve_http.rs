//! Between the HTTP library and the service: stand-ins are answered, hosts
//! compared, bodies guarded, and the connection's facts attached.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::body::Body;
use futures_util::FutureExt as _;
use hostel_protocol::refusal::{Code, Refusal};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::sync::Notify;
use tower::ServiceExt;

use super::body::Guarded;
use super::http_io::{FaultSlot, STAND_IN};
use super::sent::Sent;
use super::{ConnInfo, Fault, HttpService};
use crate::{Limits, problem};

/// The service of one connection.
#[derive(Clone)]
pub(super) struct PerConnection<S> {
    pub(super) service: S,
    pub(super) info: ConnInfo,
    pub(super) fault: FaultSlot,
    pub(super) limits: Limits,
    pub(super) activity: Arc<Activity>,
}

/// Whether a connection is of use to anybody.
#[derive(Debug, Default)]
pub(super) struct Activity {
    begun: AtomicUsize,
    ended: AtomicUsize,
    leaves: AtomicBool,
    left: Notify,
}

impl Activity {
    /// A number that changes whenever a request begins or ends, and whether all of them have ended.
    pub(super) fn seen(&self) -> (usize, bool) {
        // In this order, an end in between is seen as work and never the other way round.
        let ended = self.ended.load(Ordering::Acquire);
        let begun = self.begun.load(Ordering::Acquire);
        (begun, begun == ended)
    }

    /// It is not to be used any more: the answer under way is its last.
    pub(super) fn leave(&self) {
        self.leaves.store(true, Ordering::Release);
        self.left.notify_one();
    }

    /// Completes once that was said.
    pub(super) async fn left(&self) {
        self.left.notified().await;
    }

    /// The answer, which tells an HTTP/1 client that it is the last. HTTP/2 has no such header and the library leaves it out there.
    fn part(&self, mut answer: Response<Body>) -> Response<Body> {
        let is_socket = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
        if self.leaves.load(Ordering::Acquire) && !is_socket {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }
}

/// A request that is under way.
pub(super) struct Running(Arc<Activity>);

impl Running {
    pub(super) fn begin(activity: &Arc<Activity>) -> Self {
        activity.begun.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(activity))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Its end counts like something that begins and ends: the time without requests begins now.
        self.0.begun.fetch_add(1, Ordering::AcqRel);
        self.0.ended.fetch_add(2, Ordering::AcqRel);
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<S: HttpService> hyper::service::Service<Request<Incoming>> for PerConnection<S> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: Request<Incoming>) -> Answer {
        let running = Running::begin(&self.activity);
        let is_http2 = request.version() == Version::HTTP_2;
        match self.prepare(request) {
            Ok(request) => {
                let answer = AssertUnwindSafe(self.service.clone().oneshot(request)).catch_unwind();
                Box::pin(async move {
                    // The panic itself is in the log; without an answer the client would only see the connection end.
                    let answer = answer.await.unwrap_or_else(|_| Ok(panicked()));
                    let answer = answer.map(|answer| running.0.part(answer));
                    if is_http2 { answer.map(|answer| Sent::over(answer, &running.0)) } else { answer }
                })
            }
            Err(fault) => Box::pin(std::future::ready(Ok(refusal(fault)))),
        }
    }
}

impl<S> PerConnection<S> {
    fn prepare(&self, mut request: Request<Incoming>) -> Result<Request<Body>, Fault> {
        if request.headers().contains_key(STAND_IN)
            && let Some(fault) = self.fault.get()
        {
            return Err(*fault);
        }
        if request.version() == Version::HTTP_2 && request.method() == Method::CONNECT {
            return Err(Fault::Malformed("CONNECT is not served here: this is no proxy."));
        }
        one_host(&mut request)?;
        if request.body().size_hint().lower() > self.limits.body_bytes {
            return Err(Fault::BodyTooLarge);
        }
        request.extensions_mut().insert(self.info.clone());
        let (parts, body) = request.into_parts();
        let (body, limit) = Guarded::new(body, &self.limits);
        let mut request = Request::from_parts(parts, Body::new(body));
        request.extensions_mut().insert(limit);
        Ok(request)
    }
}

/// Leaves the request with one host, in the header, whichever way it came.
fn one_host(request: &mut Request<Incoming>) -> Result<(), Fault> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (named, second) = (hosts.next(), hosts.next());
    let authority = request.uri().authority().map(|authority| authority.as_str());
    match (named, authority) {
        _ if second.is_some() => Err(Fault::Malformed("The request has two Host headers.")),
        (Some(named), Some(authority)) if !named.as_bytes().eq_ignore_ascii_case(authority.as_bytes()) => {
            Err(Fault::Malformed("The request names two different hosts."))
        }
        (None, Some(authority)) => {
            let host = HeaderValue::from_str(authority)
                .map_err(|_| Fault::Malformed("The request's authority is not a host name."))?;
            request.headers_mut().insert(header::HOST, host);
            Ok(())
        }
        (None, None) if request.version() == Version::HTTP_2 => Err(Fault::Malformed("The request has no :authority.")),
        _ => Ok(()),
    }
}

fn panicked() -> Response<Body> {
    let refusal = Refusal::new(Code::Internal, "The code that answers this request panicked.");
    problem(&refusal.with_fix("find the panic in the server's log and mend it"), None)
}

fn refusal(fault: Fault) -> Response<Body> {
    let mut response = Response::new(Body::from(fault.problem()));
    *response.status_mut() = fault.status();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert("x-hostel-code", HeaderValue::from_static(fault.code().as_str()));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // HTTP/2 has no such header and the library leaves it out there.
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    if let Some(seconds) = fault.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
