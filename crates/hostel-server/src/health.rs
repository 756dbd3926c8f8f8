//! Is it up, is it ready, and how is it doing.

use hostel::{
    axum::{
        Json, Router,
        extract::State,
        response::{IntoResponse, Response},
        routing::get,
    },
    http::header,
    problem,
};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};

use crate::disk::Disk;

/// `/healthz` and `/readyz`, open to everybody.
pub(crate) fn routes(disk: Disk) -> Router {
    Router::new().route("/healthz", get(health)).route("/readyz", get(ready)).with_state(disk)
}

/// The listener stops accepting before agents stop, so who can still ask is served; what may be missing is the disk.
async fn ready(State(disk): State<Disk>) -> Response {
    match disk.trouble().await {
        None => health().await.into_response(),
        Some(refusal) => problem(&refusal, None),
    }
}

async fn health() -> impl IntoResponse {
    ([(header::SERVER, "hostel")], Json(report()))
}

fn report() -> Value {
    json!({"status": "ok", "server": "hostel", "version": env!("CARGO_PKG_VERSION")})
}

/// `/metrics` in Prometheus' text format.
pub(crate) fn metrics(handle: PrometheusHandle) -> Router {
    let text = move || async move {
        handle.run_upkeep();
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], handle.render())
    };
    Router::new().route("/metrics", get(text))
}
