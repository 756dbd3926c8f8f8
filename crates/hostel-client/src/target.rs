//! Where to connect: a URL, or an agent and its name.

use std::fmt;

use hostel_protocol::name::kebab;
use url::{Host, Url};

/// An address that can be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
}

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadTarget {
    /// Not a URL at all.
    #[error("{text:?} is no URL: {why}")]
    Url {
        /// What was given.
        text: String,
        /// Why it cannot be read.
        why: String,
    },
    /// A scheme that is not spoken.
    #[error("the scheme of {text:?} is none of ws, wss, http, https")]
    Scheme {
        /// What was given.
        text: String,
    },
    /// An agent without a name.
    #[error("{text:?} names an agent but no instance of it: write {text}/default")]
    MissingName {
        /// What was given.
        text: String,
    },
}

impl Target {
    /// Reads `ws(s)://` and `http(s)://` URLs, `host:port/path`, and `agent/name`, which is
    /// looked for at `base`, whose path, if it has one, is the prefix instead of `agents`.
    ///
    /// The agent of `agent/name` is spelled as the published clients spell it
    /// (`CoderAgent` becomes `coder-agent`); a URL is taken as it is.
    ///
    /// # Errors
    ///
    /// [`BadTarget`] with a sentence.
    pub fn parse(text: &str, base: &str) -> Result<Self, BadTarget> {
        let text = text.trim();
        if text.contains("://") {
            return Self::from_url(text);
        }
        let first = text.split('/').next().unwrap_or_default();
        if first.contains(':') || first.contains('.') || first == "localhost" {
            return Self::from_url(&format!("http://{text}"));
        }
        let base = Self::from_url(base)?;
        match base.path().trim_matches('/') {
            "" => base.agent(text, "agents"),
            prefix => base.agent(text, prefix),
        }
    }

    fn from_url(text: &str) -> Result<Self, BadTarget> {
        let bad = |why: &dyn fmt::Display| BadTarget::Url { text: text.to_owned(), why: why.to_string() };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| bad(&"it has no scheme"))?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "ws" | "http" => "http",
            "wss" | "https" => "https",
            _ => return Err(BadTarget::Scheme { text: text.to_owned() }),
        };
        let mut url = Url::parse(&format!("{scheme}://{rest}")).map_err(|error| bad(&error))?;
        url.set_fragment(None);
        Ok(Self { url })
    }

    /// The same server at the path of an `agent/name`.
    ///
    /// # Errors
    ///
    /// [`BadTarget`] when the name is missing.
    pub fn agent(&self, agent_and_name: &str, prefix: &str) -> Result<Self, BadTarget> {
        let missing = || BadTarget::MissingName { text: agent_and_name.trim_end_matches('/').to_owned() };
        let (agent, name) = agent_and_name.split_once('/').ok_or_else(missing)?;
        if agent.is_empty() || name.is_empty() {
            return Err(missing());
        }
        let prefix = prefix.trim_matches('/');
        Ok(self.with_path(&format!("/{prefix}/{}/{name}", kebab(agent))))
    }

    /// The same server with another path and without a query.
    #[must_use]
    pub fn with_path(&self, path: &str) -> Self {
        let mut url = self.url.clone();
        url.set_query(None);
        match path.split_once('?') {
            Some((path, query)) => {
                url.set_path(path);
                url.set_query(Some(query));
            }
            None => url.set_path(path),
        }
        Self { url }
    }

    /// A path below this one, with the same query: it may hold a token.
    #[must_use]
    pub fn below(&self, rest: &str) -> Self {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/{rest}", self.url.path().trim_end_matches('/')));
        Self { url }
    }

    /// The same target on another port.
    #[must_use]
    pub fn with_port(&self, port: u16) -> Self {
        let mut url = self.url.clone();
        // It fails only for URLs without a host, and every target has one.
        let _ = url.set_port(Some(port));
        Self { url }
    }

    /// The same target with TLS turned on or off, on the same port.
    #[must_use]
    pub fn with_tls(&self, tls: bool) -> Self {
        let port = self.port();
        let mut url = self.url.clone();
        let _ = url.set_scheme(if tls { "https" } else { "http" });
        Self { url }.with_port(port)
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The host name or address, without the brackets of an IPv6 address.
    #[must_use]
    pub fn host(&self) -> String {
        match self.url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => String::new(),
        }
    }

    /// The port, given or implied by the scheme.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or(80)
    }

    /// The `Host` header.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// The path, as it is sent.
    #[must_use]
    pub fn path(&self) -> &str {
        self.url.path()
    }

    /// Path and query, as they are sent.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        &self.url[url::Position::BeforePath..url::Position::AfterQuery]
    }

    /// Path and query with the connection id added.
    pub(crate) fn path_with_id(&self, id: Option<&str>, versions: bool) -> String {
        let mut url = self.url.clone();
        if let Some(id) = id {
            url.query_pairs_mut().append_pair("_pk", id);
        }
        if versions {
            url.query_pairs_mut().append_pair("state_version", "1");
        }
        url[url::Position::BeforePath..url::Position::AfterQuery].to_owned()
    }

    /// As an `http(s)://` URL.
    #[must_use]
    pub fn http_url(&self) -> String {
        self.url.to_string()
    }

    /// As a `ws(s)://` URL.
    #[must_use]
    pub fn ws_url(&self) -> String {
        self.url.as_str().replacen("http", "ws", 1)
    }

    /// Scheme, host and port, without a path: what a page of this server has as its origin.
    #[must_use]
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.ws_url())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "http://127.0.0.1:8787";

    fn parsed(text: &str) -> String {
        Target::parse(text, BASE).unwrap().ws_url()
    }

    #[test]
    fn urls_and_agent_names_become_addresses() {
        for (text, url) in [
            ("coder-agent/default", "ws://127.0.0.1:8787/agents/coder-agent/default"),
            ("CoderAgent/My%20Room", "ws://127.0.0.1:8787/agents/coder-agent/My%20Room"),
            ("coder-agent/a/files", "ws://127.0.0.1:8787/agents/coder-agent/a/files"),
            ("ws://h/agents/x/y?a=1#f", "ws://h/agents/x/y?a=1"),
            ("https://h/agents/X/y", "wss://h/agents/X/y"),
            ("WSS://h:1/a", "wss://h:1/a"),
            ("localhost:8787/agents/x/y", "ws://localhost:8787/agents/x/y"),
            ("example.com/agents/x/y", "ws://example.com/agents/x/y"),
        ] {
            assert_eq!(parsed(text), url, "{text}");
        }
    }

    #[test]
    fn the_path_of_the_base_is_the_prefix() {
        let target = Target::parse("Counter/a", "https://h/api/v1/").unwrap();
        assert_eq!(target.ws_url(), "wss://h/api/v1/counter/a");
    }

    #[test]
    fn an_address_that_cannot_be_is_refused_with_a_sentence() {
        for (text, part) in [
            ("coder-agent", "write coder-agent/default"),
            ("coder-agent/", "write coder-agent/default"),
            ("ftp://h/x", "none of ws, wss"),
            ("ws://", "is no URL"),
            ("ws://h:99999/", "is no URL"),
        ] {
            let error = Target::parse(text, BASE).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn parts_of_an_address_are_as_they_are_sent() {
        let target = Target::parse("wss://[::1]:9/a%20b?c=d", BASE).unwrap();
        assert_eq!((target.host().as_str(), target.port()), ("::1", 9));
        assert_eq!(target.authority(), "[::1]:9");
        assert_eq!(target.path_and_query(), "/a%20b?c=d");
        assert_eq!(target.path_with_id(Some("x y"), false), "/a%20b?c=d&_pk=x+y");
        assert_eq!(target.path_with_id(None, true), "/a%20b?c=d&state_version=1");
        assert_eq!(target.below("x/y").ws_url(), "wss://[::1]:9/a%20b/x/y?c=d");
        assert_eq!(target.with_tls(false).ws_url(), "ws://[::1]:9/a%20b?c=d");
        assert_eq!(Target::parse("wss://h/", BASE).unwrap().with_tls(false).ws_url(), "ws://h:443/");
    }
}
