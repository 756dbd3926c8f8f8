//! The tool `fetch`: pages of the hosts that are written down.

use std::sync::Arc;

use hostel::{Error, Result};
use hostel_chat::{Tool, ToolCx};
use hostel_fetch::{Url, body};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ConfiguredAgent, Made};
use crate::config::HostPattern;

/// The largest page.
const BYTES: usize = 2 << 20;

/// The hosts that may be reached.
#[derive(Debug, Clone, Default)]
pub(super) struct Hosts(Vec<String>);

impl Hosts {
    pub(super) fn new(patterns: &[HostPattern]) -> Self {
        Self(patterns.iter().map(|pattern| pattern.0.clone()).collect())
    }

    /// Whether one of the patterns is this URL's host, with its port if the pattern has one.
    pub(super) fn permit(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let with_port = url.port_or_known_default().map(|port| format!("{host}:{port}")).unwrap_or_default();
        self.0.iter().any(|pattern| {
            let found = if pattern.contains(':') { with_port.as_str() } else { host };
            match pattern.strip_prefix("*.") {
                Some(rest) => found.strip_suffix(rest).is_some_and(|before| before.ends_with('.')),
                None => pattern == "*" || pattern == found,
            }
        })
    }
}

#[derive(Deserialize, JsonSchema)]
struct Page {
    /// The page's URL.
    url: String,
}

pub(super) fn tool(made: &Arc<Made>) -> Tool<ConfiguredAgent> {
    let made = Arc::clone(made);
    let about = format!("Reads a page. Hosts: {}.", made.hosts.0.join(", "));
    Tool::new("fetch", about, move |_: ToolCx<ConfiguredAgent>, page: Page| {
        let made = Arc::clone(&made);
        async move { read(&made, &page.url).await }
    })
    .repeatable()
}

async fn read(made: &Made, url: &str) -> Result<Value> {
    let url: Url = url.parse().map_err(|_| Error::msg(format!("{url:?} is no URL.")))?;
    if !made.hosts.permit(&url) {
        let hosts = made.hosts.0.join(", ");
        return Err(Error::msg(format!("This host may not be read. Those that may: {hosts}.")));
    }
    let request = made.fetch.request(hostel::http::Method::GET, url).build();
    let request = request.map_err(|error| Error::msg(error.without_url().to_string()))?;
    let response = made.fetch.send(request).await.map_err(|error| Error::msg(error.to_string()))?;
    let (status, bytes) =
        (response.status(), body(response, BYTES).await.map_err(|error| Error::msg(error.to_string()))?);
    Ok(json!({"status": status.as_u16(), "text": String::from_utf8_lossy(&bytes)}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_that_are_written_down_may_be_read() {
        let hosts = |patterns: &[&str]| Hosts(patterns.iter().map(|&pattern| pattern.to_owned()).collect());
        for (patterns, url, expect) in [
            (&["docs.example.com"][..], "https://docs.example.com/a", true),
            (&["docs.example.com"], "https://docs.example.com.evil.test/", false),
            (&["docs.example.com"], "https://evil.test/docs.example.com", false),
            (&["docs.example.com"], "https://docs.example.com@evil.test/", false),
            (&["*.example.com"], "https://a.b.example.com/", true),
            (&["*.example.com"], "https://example.com/", false),
            (&["*.example.com"], "https://evilexample.com/", false),
            (&["a.test:8080"], "http://a.test:8080/", true),
            (&["a.test:8080"], "http://a.test/", false),
            (&["*"], "https://anything.test/", true),
            (&[], "https://anything.test/", false),
        ] {
            assert_eq!(hosts(patterns).permit(&url.parse().unwrap()), expect, "{patterns:?} {url}");
        }
    }
}
