//! HTTP requests to an agent.

use hostel_core::{
    Body, Request, Response, Result,
    event::{Event, Output},
};
use tokio::sync::oneshot;

use super::{By, Cell, job::answer};
use crate::gate::Delivery;

impl Cell {
    /// Runs `on_request`; its response leaves through the gate. Without the hook: 404 (agents-protocol, 8).
    pub(super) fn request(&self, request: Request, by: Option<By>, done: oneshot::Sender<Result<Response>>) {
        let event = Event::Request(request);
        if self.class.mode(&event).is_none() {
            return answer(done, Ok(not_implemented()));
        }
        self.run_hook_for(by, event, None, |cell, outcome| {
            let response = outcome.map(|output| match output {
                Output::Response(response) => response,
                _ => not_implemented(),
            });
            cell.release(vec![Delivery::resolve(move |durable| answer(done, durable.and(response)))]);
        });
    }
}

fn not_implemented() -> Response {
    let mut response = Response::new(Body::from("Not implemented"));
    *response.status_mut() = http::StatusCode::NOT_FOUND;
    let plain = http::HeaderValue::from_static("text/plain;charset=UTF-8");
    response.headers_mut().insert(http::header::CONTENT_TYPE, plain);
    response
}
