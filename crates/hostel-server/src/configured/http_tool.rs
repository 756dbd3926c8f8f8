//! A request as a tool: where it goes is written down, what is asked for is the model's.

use std::sync::Arc;

use hostel::{
    Error, Result,
    http::{Method, header},
};
use hostel_chat::{Tool, ToolCx};
use hostel_fetch::{Fetch, Url, body};
use hostel_vault::Vault;
use serde_json::{Map, Value, json};

use super::ConfiguredAgent;
use crate::config::{HttpMethod, HttpSection};

/// The largest answer.
const BYTES: usize = 2 << 20;

/// A request as a tool.
#[derive(Debug)]
pub(super) struct HttpTool {
    name: String,
    section: HttpSection,
    fetch: Fetch,
    vault: Option<Vault>,
}

impl HttpTool {
    pub(super) fn new(name: &str, section: HttpSection, fetch: Fetch, vault: Option<Vault>) -> Self {
        Self { name: name.to_owned(), section, fetch, vault }
    }

    /// For the model. What changes something asks first, unless the file says otherwise, and is not repeated.
    pub(super) fn tool(self: Arc<Self>) -> Tool<ConfiguredAgent> {
        let (reads, asks) = (self.section.method == HttpMethod::Get, self.section.ask);
        let timeout = self.section.timeout.map_or(std::time::Duration::from_secs(30), |time| time.0);
        let (name, about, schema) = (self.name.clone(), self.section.description.clone(), self.section.schema());
        let tool = Tool::untyped(name, about, schema, move |_: ToolCx<ConfiguredAgent>, input: Value| {
            let own = Arc::clone(&self);
            async move { own.run(&input).await }
        });
        let tool = tool.timeout(timeout);
        let tool = if reads { tool.repeatable() } else { tool };
        if asks.unwrap_or(!reads) { tool.ask() } else { tool }
    }

    async fn run(&self, input: &Value) -> Result<Value> {
        let input = input.as_object().ok_or_else(|| Error::msg("The input is no object."))?;
        let (url, rest) = self.address(input)?;
        let method = self.method();
        let mut request = self.fetch.request(method.clone(), url);
        if method != Method::GET && !rest.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json").body(Value::Object(rest).to_string());
        }
        for (name, value) in &self.section.headers {
            request = request.header(name, value.reveal(self.vault.as_ref()).await?.expose());
        }
        if let Some(token) = &self.section.bearer {
            request = request.bearer_auth(token.reveal(self.vault.as_ref()).await?.expose());
        }
        let request = request.build().map_err(|error| Error::msg(error.without_url().to_string()))?;
        let response = self.fetch.send(request).await.map_err(|error| Error::msg(error.to_string()))?;
        let status = response.status();
        let bytes = body(response, BYTES).await.map_err(|error| Error::msg(error.to_string()))?;
        let answer = serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
        match status.is_success() {
            true => Ok(answer),
            false => Err(Error::msg(format!("It answered {status}: {answer}"))),
        }
    }

    fn method(&self) -> Method {
        match self.section.method {
            HttpMethod::Get => Method::GET,
            HttpMethod::Post => Method::POST,
            HttpMethod::Put => Method::PUT,
            HttpMethod::Patch => Method::PATCH,
            HttpMethod::Delete => Method::DELETE,
        }
    }

    /// The URL with its inputs filled in, and those that stand nowhere in it: of a `GET` they are the query.
    fn address(&self, input: &Map<String, Value>) -> Result<(Url, Map<String, Value>)> {
        let template = &self.section.url;
        let mut text = template.0.clone();
        for name in template.inputs() {
            let value = input.get(name).map(plain).unwrap_or_default();
            if value.is_empty() {
                // `/orders/{id}` without one is another address: that of all orders.
                return Err(Error::msg(format!("The input `{name}` is part of the address and may not be empty.")));
            }
            text = text.replace(&format!("{{{name}}}"), &encoded(&value));
        }
        let placed: Vec<&str> = template.inputs().collect();
        let known = |name: &str| self.section.input.contains_key(name) && !placed.contains(&name);
        let rest: Map<_, _> =
            input.iter().filter(|(name, _)| known(name)).map(|(k, v)| (k.clone(), v.clone())).collect();
        let mut url: Url = text.parse().map_err(|_| Error::msg("The inputs make no URL."))?;
        // A parser takes `..` away, and the segment before it.
        if segments(url.as_str()) != segments(&template.0) {
            return Err(Error::msg("The inputs lead elsewhere: none may be . or .."));
        }
        if self.section.method == HttpMethod::Get && !rest.is_empty() {
            url.query_pairs_mut().extend_pairs(rest.iter().map(|(name, value)| (name, plain(value))));
        }
        Ok((url, rest))
    }
}

/// How many segments a URL's path has.
fn segments(url: &str) -> usize {
    url.split(['?', '#']).next().unwrap_or_default().matches('/').count().max(3)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// One segment of a path, or one value of a query: nothing in it can lead elsewhere.
fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use hostel_fetch::{Reach, Settings};

    use super::*;

    fn address(url: &str, method: &str, input: Value) -> String {
        let text =
            format!("description = \"x\"\nurl = \"{url}\"\nmethod = \"{method}\"\n[input]\nid = \"x\"\nq = \"y\"\n");
        let section = toml::from_str(&text).unwrap();
        let fetch = Fetch::new(Reach::public(), &Settings::default()).unwrap();
        let tool = HttpTool::new("t", section, fetch, None);
        let Value::Object(input) = input else { panic!("an object") };
        match tool.address(&input) {
            Ok((url, rest)) => format!("{url} {}", Value::Object(rest)),
            Err(error) => error.message().to_owned(),
        }
    }

    #[test]
    fn inputs_stay_where_they_are_put() {
        let at = "https://shop.test/orders/{id}";
        assert_eq!(address(at, "GET", json!({"id": "7"})), "https://shop.test/orders/7 {}");
        assert_eq!(
            address(at, "GET", json!({"id": "../../admin?x#y"})),
            "https://shop.test/orders/..%2F..%2Fadmin%3Fx%23y {}"
        );
        assert!(address(at, "GET", json!({"id": ".."})).contains("lead elsewhere"));
        assert!(address(at, "DELETE", json!({"id": ""})).contains("may not be empty"));
        assert!(address(at, "DELETE", json!({})).contains("may not be empty"));
        assert_eq!(
            address(at, "GET", json!({"id": 7, "q": "a&b"})),
            "https://shop.test/orders/7?q=a%26b {\"q\":\"a&b\"}"
        );
        assert_eq!(
            address(at, "POST", json!({"id": "7", "q": "z", "unknown": 1})),
            "https://shop.test/orders/7 {\"q\":\"z\"}"
        );
    }
}
