//! Where a request comes from: the peer, or, behind a proxy that is known, whoever the proxy speaks for.

use std::{net::IpAddr, str::FromStr};

use http::{Extensions, HeaderMap};

use crate::listener::ConnInfo;

/// A network of proxies that are believed: an address, or one with the length of its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

/// A text that is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an address such as 10.0.0.5, or a network such as 10.0.0.0/8, found {0:?}")]
pub struct BadNetwork(String);

impl Network {
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(other)) => {
                same(u128::from(u32::from(net)) << 96, u128::from(u32::from(other)) << 96, self.prefix)
            }
            (IpAddr::V6(net), IpAddr::V6(other)) => same(net.into(), other.into(), self.prefix),
            _ => false,
        }
    }
}

fn same(net: u128, other: u128, prefix: u32) -> bool {
    (net ^ other).checked_shr(128 - prefix).unwrap_or(0) == 0
}

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let bad = || BadNetwork(text.to_owned());
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address = address.trim().parse::<IpAddr>().map_err(|_| bad())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(longest), |prefix| prefix.trim().parse().map_err(|_| bad()))?;
        if prefix > longest { Err(bad()) } else { Ok(Self { address, prefix }) }
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// Replaces what the listener knows of the client by what a believed proxy says. To be done before the headers are dropped.
pub(crate) fn believe(headers: &HeaderMap, extensions: &mut Extensions, proxies: &[Network]) {
    if let Some(info) = seen(headers, extensions, proxies) {
        extensions.insert(info);
    }
}

/// What a believed proxy says of the client, if it came by one.
pub(crate) fn seen(headers: &HeaderMap, extensions: &Extensions, proxies: &[Network]) -> Option<ConnInfo> {
    let info = extensions.get::<ConnInfo>()?;
    if !proxies.iter().any(|proxy| proxy.has(info.peer.ip())) {
        return None;
    }
    let mut info = info.clone();
    info.keep_open();
    if let Some(client) = forwarded_for(headers, proxies) {
        info.peer.set_ip(client);
    }
    let scheme = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
    info.tls |= scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
    Some(info)
}

/// The last address that is none of the proxies: what stands before it, anybody may have written.
fn forwarded_for(headers: &HeaderMap, proxies: &[Network]) -> Option<IpAddr> {
    let lines = headers.get_all("x-forwarded-for");
    let lines: Vec<&str> = lines.iter().filter_map(|value| value.to_str().ok()).collect();
    let hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
    for hop in hops {
        let address = hop.trim().parse::<IpAddr>().ok()?.to_canonical();
        if !proxies.iter().any(|proxy| proxy.has(address)) {
            return Some(address);
        }
    }
    None
}

/// The address a request comes from, if it came over a socket of ours.
pub(crate) fn address(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnInfo>().map(|info| info.peer.ip().to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &[&str]) -> (String, bool) {
        let proxies = ["10.0.0.0/8", "::1"].map(|net| net.parse().expect("a network"));
        let mut request = http::Request::builder().uri("/").header("x-forwarded-proto", "https");
        for line in forwarded {
            request = request.header("x-forwarded-for", *line);
        }
        let mut request = request.body(()).expect("a request");
        let peer = std::net::SocketAddr::new(peer.parse().expect("an address"), 1);
        request.extensions_mut().insert(ConnInfo::plain(peer));
        let (mut head, ()) = request.into_parts();
        believe(&head.headers, &mut head.extensions, &proxies);
        let info = head.extensions.get::<ConnInfo>().expect("it stays");
        (info.peer.ip().to_string(), info.tls)
    }

    #[test]
    fn threat_6_only_a_listed_proxy_says_where_a_request_comes_from() {
        assert_eq!(seen("203.0.113.9", &["192.0.2.1"]), ("203.0.113.9".into(), false));
        assert_eq!(seen("10.1.2.3", &["192.0.2.1"]), ("192.0.2.1".into(), true));
        assert_eq!(seen("::1", &["192.0.2.1, 10.9.9.9"]), ("192.0.2.1".into(), true));
        assert_eq!(seen("10.1.2.3", &[]), ("10.1.2.3".into(), true));
    }

    #[test]
    fn threat_6_what_a_client_writes_before_its_proxy_counts_for_nothing() {
        assert_eq!(seen("10.1.2.3", &["127.0.0.1, 192.0.2.1"]).0, "192.0.2.1");
        assert_eq!(seen("10.1.2.3", &["127.0.0.1", "192.0.2.1, 10.0.0.7"]).0, "192.0.2.1");
        assert_eq!(seen("10.1.2.3", &["192.0.2.1, not an address"]).0, "10.1.2.3");
    }

    #[test]
    fn networks_are_read_and_bad_ones_named() {
        for text in ["10.0.0.5", "0.0.0.0/0", "2001:db8::/32", "::/0"] {
            assert!(text.parse::<Network>().is_ok(), "{text}");
        }
        for text in ["", "10.0.0.0/33", "example.org", "10.0.0.0/x"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        assert!("0.0.0.0/0".parse::<Network>().is_ok_and(|net| net.has(IpAddr::from([1, 2, 3, 4]))));
        assert!("10.0.0.0/31".parse::<Network>().is_ok_and(|net| !net.has(IpAddr::from([10, 0, 0, 2]))));
    }
}
