//! Is it up, is it ready, and how is it doing.

use hostel::{
    axum::{Json, Router, response::IntoResponse, routing::get},
    http::header,
};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};

/// `/healthz` and `/readyz`, open to everybody.
pub(crate) fn routes() -> Router {
    // The listener stops accepting before agents stop, so who can still ask is served: ready and healthy are one.
    Router::new().route("/healthz", get(health)).route("/readyz", get(health))
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
