//! How often clients may come: counted by address and by identity, and not at all where no rate is set.

use std::{net::IpAddr, sync::Arc, time::Duration};

use hostel_core::Identity;
use hostel_protocol::refusal::{Code, Refusal};

use crate::rate::{Buckets, Rate};

/// How often one address, and one identity, may do what. `None` means as often as it likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Sockets opened.
    pub connects: Option<Rate>,
    /// HTTP requests.
    pub requests: Option<Rate>,
    /// Messages on sockets. A client that sends more is read more slowly; nothing is lost.
    pub messages: Option<Rate>,
    /// Wrong credentials from one address; then none of that address is looked at for a while. Default 60 a minute.
    pub wrong_tokens: Option<Rate>,
}

impl Default for Rates {
    fn default() -> Self {
        let wrong_tokens = Some(Rate::new(60, Duration::from_secs(60)));
        Self { connects: None, requests: None, messages: None, wrong_tokens }
    }
}

/// The rates, and who has used how much of them.
#[derive(Debug)]
pub(crate) struct Throttle {
    connects: Option<Buckets>,
    requests: Option<Buckets>,
    messages: Option<Arc<Buckets>>,
    wrong_tokens: Option<Buckets>,
}

/// Whom a rate is kept for.
#[derive(Debug, Clone, Hash, PartialEq, Eq)]
pub(crate) enum Who {
    Address(IpAddr),
    Identity(Option<Box<str>>, Box<str>),
}

impl Who {
    /// The network of an address: who has one IPv6 address has all of its last 64 bits.
    pub(crate) fn address(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V4(v4) => IpAddr::V4(v4),
            IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
        })
    }

    pub(crate) fn identity(identity: &Identity) -> Self {
        Self::Identity(identity.issuer().map(Into::into), identity.subject().into())
    }
}

impl Default for Throttle {
    fn default() -> Self {
        Self::new(Rates::default())
    }
}

impl Throttle {
    pub(crate) fn new(rates: Rates) -> Self {
        Self {
            connects: rates.connects.map(Buckets::new),
            requests: rates.requests.map(Buckets::new),
            messages: rates.messages.map(Buckets::new).map(Arc::new),
            wrong_tokens: rates.wrong_tokens.map(Buckets::new),
        }
    }

    /// Counts a socket or a request of somebody.
    pub(crate) fn admit(&self, is_socket: bool, who: impl FnOnce() -> Option<Who>) -> Result<(), Refusal> {
        let (buckets, what) = match is_socket {
            true => (&self.connects, "connect"),
            false => (&self.requests, "ask"),
        };
        match buckets.as_ref().and_then(|buckets| Some(buckets.take(who()?))) {
            Some(Err(wait)) => Err(too_often(what, wait)),
            _ => Ok(()),
        }
    }

    /// Whether credentials of this address are looked at now.
    pub(crate) fn may_try(&self, address: Option<IpAddr>) -> Result<(), Refusal> {
        let tried = self.wrong_tokens.as_ref().zip(address).map(|(wrong, address)| wrong.look(Who::address(address)));
        tried.unwrap_or(Ok(())).map_err(|wait| {
            let message = "Too many wrong tokens came from your address.";
            wait_for(Refusal::new(Code::RateLimited, message).with_fix("wait, and send the right token"), wait)
        })
    }

    /// Counts wrong credentials.
    pub(crate) fn was_wrong(&self, address: Option<IpAddr>) {
        if let (Some(wrong), Some(address)) = (&self.wrong_tokens, address) {
            let _it_is_counted_either_way = wrong.take(Who::address(address));
        }
    }

    /// The rate of messages of somebody, where there is one.
    pub(crate) fn meter(&self, identity: Option<&Identity>, address: Option<IpAddr>) -> Option<(Arc<Buckets>, Who)> {
        let messages = self.messages.as_ref()?;
        let who = identity.map(Who::identity).or_else(|| address.map(Who::address))?;
        Some((Arc::clone(messages), who))
    }
}

fn too_often(what: &str, wait: Duration) -> Refusal {
    let refusal = Refusal::new(Code::RateLimited, format!("You {what} more often than this server allows."));
    wait_for(
        refusal.with_fix("wait as long as Retry-After says; keep one socket open instead of many short ones"),
        wait,
    )
}

fn wait_for(refusal: Refusal, wait: Duration) -> Refusal {
    refusal.with_detail(crate::answer::RETRY_AFTER, wait.as_secs() + 1)
}
