//! How often clients may come: counted by address and by identity, and not at all where no rate is set.

use std::{net::IpAddr, sync::Arc, time::Duration};

use hostel_core::Identity;
use hostel_protocol::refusal::{Code, Refusal};
use http::Extensions;

use super::{
    address,
    patience::{HOLD, Patience},
};
use crate::{
    listener::ConnInfo,
    rate::{Buckets, Rate},
};

/// How often one address, and one identity, may do what. `None` means as often as it likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Sockets opened.
    pub connects: Option<Rate>,
    /// HTTP requests.
    pub requests: Option<Rate>,
    /// Messages on sockets. A client that sends more is read more slowly; nothing is lost.
    pub messages: Option<Rate>,
    /// Wrong credentials from one address; then none of that address is looked at for a while. Default 60 a minute. Each is
    /// refused after a second, and the connection closed.
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
    patience: Patience,
}

/// Whom a rate is kept for.
#[derive(Debug, Clone, Hash, PartialEq, Eq)]
pub(crate) enum Who {
    Address(IpAddr),
    Identity(Option<Box<str>>, Box<str>),
}

impl Who {
    /// Whoever is at an address.
    pub(crate) fn address(address: IpAddr) -> Self {
        Self::Address(network(address))
    }

    pub(crate) fn identity(identity: &Identity) -> Self {
        Self::Identity(identity.issuer().map(Into::into), identity.subject().into())
    }
}

/// The network of an address: who has one IPv6 address has all of its last 64 bits.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
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
            patience: Patience::default(),
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

    /// Has whoever showed wrong credentials wait for the refusal, which is the last thing that is said on this connection.
    pub(crate) async fn keep_waiting(&self, extensions: &Extensions) {
        let info = extensions.get::<ConnInfo>();
        let (Some(info), Some(address), Some(_)) = (info, address(extensions), &self.wrong_tokens) else { return };
        info.close_after_answer();
        let Some(_place) = self.patience.place(network(address)) else { return };
        tokio::select! {
            () = tokio::time::sleep(HOLD) => {}
            () = info.shutdown.cancelled() => {}
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

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    fn from(address: &str) -> (Extensions, ConnInfo) {
        let info = ConnInfo::plain(address.parse().unwrap());
        let mut extensions = Extensions::new();
        extensions.insert(info.clone());
        (extensions, info)
    }

    #[tokio::test(start_paused = true)]
    async fn threat_5_a_refusal_of_wrong_credentials_waits_a_while_unless_many_of_that_address_do() {
        let (throttle, (guesser, _)) = (Throttle::default(), from("10.0.0.1:1"));
        let begun = Instant::now();
        let waited = futures_util::future::join_all((0..20).map(|_| async {
            throttle.keep_waiting(&guesser).await;
            begun.elapsed()
        }));
        let waited = waited.await;
        assert_eq!(waited.iter().filter(|waited| **waited == HOLD).count(), 8);
        assert_eq!(waited.iter().filter(|waited| waited.is_zero()).count(), 12);
        assert_eq!(begun.elapsed(), HOLD);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_where_wrong_credentials_are_not_counted_nor_when_the_server_stops() {
        let begun = Instant::now();
        let (asker, info) = from("10.0.0.1:1");
        Throttle::new(Rates { wrong_tokens: None, ..Rates::default() }).keep_waiting(&asker).await;
        Throttle::default().keep_waiting(&Extensions::new()).await;
        info.shutdown.cancel();
        Throttle::default().keep_waiting(&asker).await;
        assert!(begun.elapsed().is_zero());
    }
}
