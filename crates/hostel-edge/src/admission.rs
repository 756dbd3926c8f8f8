//! Which sites may talk to us: one decision for HTTP and for sockets, made before anything else.

use hostel_protocol::refusal::{Code, Refusal};
use http::{HeaderMap, Uri, header};

/// Decides by `Host` and `Origin` whether a request may come in.
///
/// A browser page of another site must not reach agents (cross-site WebSocket hijacking), nor may a name that an
/// attacker points at this machine (DNS rebinding). So `Host` must be `localhost`, an IP address, or listed; and `Origin`,
/// where a client sends one, must be the same host and port, or listed. Programs that are no browser send none.
///
/// ```
/// use hostel_edge::Admission;
/// use http::HeaderMap;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("host", "localhost:8787".parse()?);
/// headers.insert("origin", "https://evil.test".parse()?);
/// assert!(Admission::default().check(&headers).is_err());
/// assert!(Admission::default().allow_origin("https://evil.test").check(&headers).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Admission {
    origins: Vec<String>,
    hosts: Vec<String>,
    any: bool,
}

impl Admission {
    /// Lets everybody in. For tests, and behind something that decides itself.
    pub fn any() -> Self {
        Self { any: true, ..Self::default() }
    }

    /// Lets pages of this origin in, e.g. `https://app.example`; `*` means all.
    #[must_use]
    pub fn allow_origin(mut self, origin: &str) -> Self {
        self.origins.push(origin.trim_end_matches('/').to_ascii_lowercase());
        self
    }

    /// Answers under this host name, with or without a port; `*` means all.
    #[must_use]
    pub fn allow_host(mut self, host: &str) -> Self {
        self.hosts.push(host.to_ascii_lowercase());
        self
    }

    /// Decides.
    ///
    /// # Errors
    /// `host_refused` or `origin_refused`, with the setting that would let the request in.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if self.any {
            return Ok(());
        }
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let host = host.to_ascii_lowercase();
        if !self.knows_host(&host) {
            return Err(host_refused(&host));
        }
        // Two Origin headers are nobody's honest request: each must pass.
        let mut origins = headers.get_all(header::ORIGIN).iter();
        origins.try_for_each(|origin| self.check_origin(origin.to_str().unwrap_or_default(), &host))
    }

    fn knows_host(&self, host: &str) -> bool {
        let name = without_port(host);
        let listed = |known: &String| known == "*" || known == host || known == name;
        name == "localhost" || is_address(name) || self.hosts.iter().any(listed)
    }

    fn check_origin(&self, origin: &str, host: &str) -> Result<(), Refusal> {
        let origin = origin.to_ascii_lowercase();
        let listed = self.origins.iter().any(|known| known == "*" || *known == origin);
        if listed || is_same(&origin, host) { Ok(()) } else { Err(origin_refused(&origin, host)) }
    }
}

/// Whether an origin names exactly this host and port, over HTTP or HTTPS.
fn is_same(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let strip = |authority: &str| authority.strip_suffix(default_port).unwrap_or(authority).to_owned();
    !authority.is_empty() && strip(authority) == strip(host)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !name.ends_with(':') && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_address(name: &str) -> bool {
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    match bare {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => name.parse::<std::net::Ipv4Addr>().is_ok(),
    }
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

fn host_refused(host: &str) -> Refusal {
    let host = shown(host);
    Refusal::new(Code::HostRefused, format!("This server does not answer under the host name \"{host}\"."))
        .with_fix(format!("if that name is yours, start the server with --allow-host {host}"))
}

fn origin_refused(origin: &str, host: &str) -> Refusal {
    let (origin, host) = (shown(origin), shown(host));
    Refusal::new(Code::OriginRefused, format!("Pages of {origin} may not talk to {host}."))
        .with_fix(format!("if that page is yours, start the server with --allow-origin {origin}"))
}

/// The authority of a URI, for HTTP/2 requests that carry it there.
pub(crate) fn authority(uri: &Uri) -> Option<&str> {
    uri.authority().map(http::uri::Authority::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(host: &str, origin: Option<&str>) -> Result<(), Code> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().expect("a header value"));
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().expect("a header value"));
        }
        let admission = Admission::default().allow_host("agents.example").allow_origin("https://app.example");
        admission.check(&headers).map_err(|refusal| refusal.code)
    }

    #[test]
    fn threat_1_only_the_same_or_a_listed_origin_comes_in() {
        for origin in ["http://localhost:8787", "https://app.example", "HTTP://LOCALHOST:8787", "https://APP.example"] {
            assert_eq!(verdict("localhost:8787", Some(origin)), Ok(()), "{origin}");
        }
        let foreign = [
            "https://evil.test",
            "null",
            "",
            "file://",
            "http://localhost.evil.test",
            "http://localhost:87870",
            "http://localhost",
            "http://localhost:8788",
            "http://127.0.0.1:8787",
            "http://localhost:8787.evil.test",
            "http://evil.test/localhost:8787",
            "http://localhost:8787@evil.test",
            "ftp://localhost:8787",
            "localhost:8787",
            "http:localhost:8787",
            "//localhost:8787",
            "https://app.example.evil.test",
            "https://evilapp.example",
            "http://app.example",
            "https://app.example:444",
            "https://app.example, http://localhost:8787",
            "http://LOCALHOST:8787.",
            "http://[::1]:8787",
            "http://0.0.0.0:8787",
            "http://localhost:08787",
            "chrome-extension://abc",
            "http://",
            "http://:8787",
            "*",
            "http://*",
        ];
        assert_eq!(foreign.len(), 30);
        for origin in foreign {
            assert_eq!(verdict("localhost:8787", Some(origin)), Err(Code::OriginRefused), "{origin}");
        }
    }

    #[test]
    fn threat_1_a_rebound_host_name_is_refused_even_with_a_matching_origin() {
        assert_eq!(verdict("evil.test:8787", Some("http://evil.test:8787")), Err(Code::HostRefused));
        assert_eq!(verdict("localhost.evil.test", None), Err(Code::HostRefused));
        assert_eq!(verdict("127.0.0.1.evil.test", None), Err(Code::HostRefused));
        assert_eq!(verdict("", None), Err(Code::HostRefused));
    }

    #[test]
    fn addresses_localhost_and_listed_names_are_answered_without_an_origin() {
        for host in
            ["localhost", "localhost:1", "127.0.0.1:8787", "10.1.2.3", "[::1]:8787", "[::1]", "agents.example:443"]
        {
            assert_eq!(verdict(host, None), Ok(()), "{host}");
        }
    }

    #[test]
    fn default_ports_may_be_left_out_on_either_side() {
        assert_eq!(verdict("agents.example", Some("https://agents.example:443")), Ok(()));
        assert_eq!(verdict("agents.example:443", Some("https://agents.example")), Ok(()));
    }
}
