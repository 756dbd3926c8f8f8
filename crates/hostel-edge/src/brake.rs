//! Slows clients down that are refused again and again and come back at once.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{Request, header};
use parking_lot::Mutex;

use crate::listener::ConnInfo;

/// Refusals a client gets at once; older clients retry for ever, every few seconds (agents-protocol, 2.6).
const FREE: u32 = 8;
const STEP: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(5);
/// A client that was not refused for this long starts anew.
const FORGET: Duration = Duration::from_secs(60);
const MOST_CLIENTS: usize = 10_000;

/// Counts refusals of each client. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Brake(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    hasher: RandomState,
    refused: Mutex<HashMap<u64, (u32, Instant)>>,
}

impl Brake {
    /// How long to hold the refusal of this request back. Who comes from the same address and page with the same URL is
    /// the same client: a socket that reconnects keeps its URL, `_pk` included.
    pub(crate) fn delay<B>(&self, request: &Request<B>) -> Duration {
        match request.extensions().get::<ConnInfo>() {
            Some(info) => self.count(self.client(info.peer.ip(), request)),
            None => Duration::ZERO,
        }
    }

    fn client<B>(&self, address: IpAddr, request: &Request<B>) -> u64 {
        let target = request.uri().path_and_query().map(http::uri::PathAndQuery::as_str);
        let origin = request.headers().get(header::ORIGIN).map(http::HeaderValue::as_bytes);
        self.0.hasher.hash_one((address, target, origin))
    }

    fn count(&self, client: u64) -> Duration {
        let now = Instant::now();
        let mut refused = self.0.refused.lock();
        if refused.len() >= MOST_CLIENTS {
            refused.retain(|_, (_, last)| now.duration_since(*last) < FORGET);
        }
        if refused.len() >= MOST_CLIENTS {
            return STEP;
        }
        let (count, last) = refused.entry(client).or_insert((0, now));
        if now.duration_since(*last) > FORGET {
            *count = 0;
        }
        *count = count.saturating_add(1);
        *last = now;
        pause(*count)
    }
}

fn pause(count: u32) -> Duration {
    STEP.saturating_mul(count.saturating_sub(FREE)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_one_client_are_spaced_out_after_the_first_few() {
        let brake = Brake::default();
        let delays: Vec<u128> = (0..11).map(|_| brake.count(1).as_millis()).collect();
        assert_eq!(delays, [0, 0, 0, 0, 0, 0, 0, 0, 250, 500, 750]);
        assert_eq!(pause(u32::MAX), LONGEST);
    }

    #[test]
    fn another_page_or_another_url_is_another_client() {
        let brake = Brake::default();
        let address = IpAddr::from([127, 0, 0, 1]);
        let request = |uri: &str, origin: &str| {
            Request::builder().uri(uri).header(header::ORIGIN, origin).body(()).expect("a request")
        };
        let client = |uri, origin| brake.client(address, &request(uri, origin));
        let retry = client("/agents/nope/a?_pk=1", "http://a.example");
        assert_eq!(retry, client("/agents/nope/a?_pk=1", "http://a.example"));
        assert_ne!(retry, client("/agents/nope/a?_pk=2", "http://a.example"));
        assert_ne!(retry, client("/agents/nope/a?_pk=1", "http://b.example"));
    }
}
