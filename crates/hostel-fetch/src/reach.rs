//! What outbound requests may reach.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;
use url::{Host, Url};

use crate::{address::not_public, error::FetchError};

/// What outbound requests may reach: the public internet over `http` and `https`, and what the operator lists besides.
///
/// ```
/// use hostel_fetch::{Reach, Url};
///
/// let reach = Reach::public().allow("ollama.internal:11434")?.allow("10.1.0.0/16")?;
/// assert!(reach.check(&Url::parse("http://10.1.2.3/mcp")?).is_ok());
/// assert!(reach.check(&Url::parse("http://10.2.2.3/mcp")?).is_err());
/// assert!(reach.check(&Url::parse("http://2130706433/")?).is_err()); // 127.0.0.1
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Reach {
    listed: Vec<Listed>,
}

/// A host the operator lists: `name`, `*.name`, an address or a network, each with or without a port.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listed {
    what: What,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Name(String),
    Below(String),
    Network(IpNet),
}

/// A text that names no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no host: write a name, *.name, an address or a network such as 10.0.0.0/8, and a port after it if you like"
)]
pub struct BadHost(String);

impl Reach {
    /// The public internet alone.
    pub fn public() -> Self {
        Self::default()
    }

    /// Adds a host: `name`, `*.name`, an address, or a network such as `10.0.0.0/8`; with `:port` only that port.
    ///
    /// # Errors
    /// When the text is none of these.
    pub fn allow(mut self, host: &str) -> Result<Self, BadHost> {
        self.listed.push(host.parse()?);
        Ok(self)
    }

    /// Whether a URL may be fetched, as far as that can be told without resolving its name.
    ///
    /// # Errors
    /// `Refused`, with what the operator could list.
    pub fn check(&self, url: &Url) -> Result<(), FetchError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused(format!("Only http and https URLs are fetched, not {}:", shown(url.scheme()))));
        }
        let port = url.port_or_known_default();
        match url.host() {
            Some(Host::Ipv4(v4)) => self.check_address(&v4.to_string(), port, v4.into()),
            Some(Host::Ipv6(v6)) => self.check_address(&format!("[{v6}]"), port, v6.into()),
            Some(Host::Domain(name)) if is_local(name) && !self.lists(name, port) => {
                Err(refused(format!("{} is this machine or its network.", shown(name))).with_host(name))
            }
            Some(Host::Domain(name)) if self.names(name) && !self.lists(name, port) => {
                Err(refused(format!("{} may be reached on other ports only.", shown(name))).with_host(name))
            }
            Some(Host::Domain(_)) => Ok(()),
            None => Err(refused("The URL has no host.".to_owned())),
        }
    }

    /// Whether this address, found for a name whose URL was checked, may be connected to.
    pub(crate) fn check_found(&self, name: &str, address: IpAddr) -> Result<(), FetchError> {
        if self.names(name) { Ok(()) } else { self.check_address(name, None, address) }
    }

    fn check_address(&self, host: &str, port: Option<u16>, address: IpAddr) -> Result<(), FetchError> {
        let Some(what) = not_public(address) else { return Ok(()) };
        if self.lists_address(port, address) {
            return Ok(());
        }
        Err(refused(format!("{} leads to {address}, which is {what}.", shown(host))).with_host(host))
    }

    /// Whether the operator lists this name for this port.
    fn lists(&self, host: &str, port: Option<u16>) -> bool {
        self.listed.iter().any(|listed| listed.takes_port(port) && listed.is_name(host))
    }

    /// Whether the operator lists this name for some port.
    fn names(&self, host: &str) -> bool {
        self.listed.iter().any(|listed| listed.is_name(host))
    }

    fn lists_address(&self, port: Option<u16>, address: IpAddr) -> bool {
        let inside = |listed: &Listed| matches!(&listed.what, What::Network(network) if network.contains(&address));
        self.listed.iter().any(|listed| listed.takes_port(port) && inside(listed))
    }
}

impl Listed {
    fn takes_port(&self, port: Option<u16>) -> bool {
        self.port.is_none() || self.port == port
    }

    fn is_name(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        match &self.what {
            What::Name(name) => *name == host,
            What::Below(suffix) => host.strip_suffix(suffix.as_str()).is_some_and(|front| front.ends_with('.')),
            What::Network(_) => false,
        }
    }
}

impl FromStr for Listed {
    type Err = BadHost;

    fn from_str(text: &str) -> Result<Self, BadHost> {
        let bad = || BadHost(text.chars().take(100).collect());
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self { what: What::Network(address.into()), port: None });
        }
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self { what: What::Network(network), port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| bad())?)),
            None => (text, None),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let what = match (bare.parse::<IpAddr>(), bare.parse::<IpNet>(), host.strip_prefix("*.")) {
            (Ok(address), ..) => What::Network(address.into()),
            (_, Ok(network), _) => What::Network(network),
            (.., Some(suffix)) => What::Below(name(suffix).ok_or_else(bad)?),
            _ => What::Name(name(host).ok_or_else(bad)?),
        };
        Ok(Self { what, port })
    }
}

fn name(text: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    (!text.is_empty() && text.chars().all(fits)).then(|| text.trim_end_matches('.').to_ascii_lowercase())
}

/// Names that mean the machine or its network wherever they are asked.
fn is_local(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let ends = |suffix: &str| name == suffix[1..] || name.ends_with(suffix);
    !name.contains('.') || [".localhost", ".local", ".internal", ".home.arpa", ".lan"].into_iter().any(ends)
}

fn refused(message: String) -> FetchError {
    FetchError::Refused { message, host: None }
}

/// At most one line of what somebody else wrote.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the public internet and {} listed hosts", self.listed.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(reach: &Reach, url: &str) -> bool {
        reach.check(&Url::parse(url).unwrap()).is_ok()
    }

    #[test]
    fn hosts_are_listed_by_name_suffix_address_and_network_with_and_without_a_port() {
        let listed = ["box", "*.corp.test", "10.1.0.0/16", "192.168.1.5:8080", "[fd00::1]:90", "::1", "localhost:3000"];
        let reach = listed.iter().fold(Reach::public(), |reach, host| reach.allow(host).unwrap());
        for fine in [
            "http://box/",
            "https://BOX:444/",
            "http://a.b.corp.test/",
            "http://10.1.255.1:9/",
            "http://192.168.1.5:8080/",
            "http://[fd00::1]:90/",
            "http://[::1]:1/",
            "http://localhost:3000/",
            "http://box./",
        ] {
            assert!(allows(&reach, fine), "{fine}");
        }
        for bad in [
            "http://boxes/",
            "http://10.2.0.1/",
            "http://192.168.1.5/",
            "http://[fd00::1]/",
            "http://localhost:3001/",
            "http://evilcorp.internal/",
        ] {
            assert!(!allows(&reach, bad), "{bad}");
        }
    }

    #[test]
    fn what_is_no_host_is_no_entry() {
        for bad in ["", "a b", "http://x", "x:y", "*.", "10.0.0.0/99"] {
            assert!(Reach::public().allow(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_refusal_names_what_to_list() {
        let error = Reach::public().check(&Url::parse("http://127.1:5/").unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "127.0.0.1 leads to 127.0.0.1, which is this machine.");
        assert!(error.fix().unwrap().contains("\"127.0.0.1\""), "{:?}", error.fix());
    }
}
