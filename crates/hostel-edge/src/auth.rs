//! Who somebody is, and whether they may come in: one decision for HTTP and for sockets, made before any agent wakes.

mod client;
mod patience;
mod permission;
mod throttle;

use std::{fmt, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use hostel_core::{
    Identity,
    allow::{self, Rule},
    erased::ClassInfo,
};
use hostel_protocol::refusal::{Code, Refusal};
use http::{Request, request::Parts};

pub use self::{
    client::{BadNetwork, Network},
    permission::Permissions,
    throttle::Rates,
};
pub(crate) use self::{
    client::{address, believe, seen},
    throttle::{Throttle, Who, network},
};

/// Finds out who sends a request, before it reaches anything that could act on it.
///
/// It is asked once for every HTTP request and once for every socket, with the same head, and cannot tell agents apart: what
/// somebody may do is decided afterwards, by the rules of the class.
///
/// An authenticator takes what it understands as credentials *out* of the head (a query parameter, a cookie, a header), so
/// that no log, agent or error ever shows it. It answers `Ok(None)` for somebody who shows no credentials, and a refusal for
/// somebody whose credentials are bad: a bad token must not pass as nobody.
///
/// A closure that needs not wait is one:
///
/// ```
/// use hostel_core::Identity;
/// use hostel_edge::Authenticator;
/// use hostel_protocol::refusal::{Code, Refusal};
/// use http::request::Parts;
///
/// fn from_header(head: &mut Parts) -> Result<Option<Identity>, Refusal> {
///     match head.headers.remove("x-badge") {
///         None => Ok(None),
///         Some(badge) if badge == "4711-and-a-long-secret" => Ok(Some(Identity::new("ada"))),
///         Some(_) => Err(Refusal::new(Code::Unauthorized, "This badge is not known.")),
///     }
/// }
/// fn takes(_: impl Authenticator) {}
/// takes(from_header);
/// ```
pub trait Authenticator: Send + Sync + 'static {
    /// Who sends the request with this head.
    ///
    /// # Errors
    /// Why the credentials that were shown are no good: `unauthorized` and its like, or a code of the 503 kind when that
    /// cannot be told now.
    ///
    /// # Cancel safety
    /// It may be dropped at any wait; the request is then answered by the deadline's refusal.
    fn authenticate<'a>(&'a self, head: &'a mut Parts) -> BoxFuture<'a, Result<Option<Identity>, Refusal>>;
}

impl<F> Authenticator for F
where
    F: Fn(&mut Parts) -> Result<Option<Identity>, Refusal> + Send + Sync + 'static,
{
    fn authenticate<'a>(&'a self, head: &'a mut Parts) -> BoxFuture<'a, Result<Option<Identity>, Refusal>> {
        Box::pin(std::future::ready(self(head)))
    }
}

/// How long finding out who somebody is may take; keys may have to be fetched for it.
const DEADLINE: Duration = Duration::from_secs(10);

/// The authenticator of an application with the rules of its classes. Without an authenticator everybody is nobody, and
/// every class that declares no rule is open.
#[derive(Clone, Default)]
pub(crate) struct Guard {
    pub(crate) authenticator: Option<Arc<dyn Authenticator>>,
    pub(crate) permissions: Permissions,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) proxies: Vec<Network>,
}

impl Guard {
    /// The one decision about who it is, for HTTP and sockets alike.
    pub(crate) async fn identify(&self, head: &mut Parts) -> Result<Option<Identity>, Refusal> {
        let Some(authenticator) = &self.authenticator else { return Ok(None) };
        believe(&head.headers, &mut head.extensions, &self.proxies);
        let address = address(&head.extensions);
        let tried = self.throttle.may_try(address);
        // It is asked in any case, for it takes the credentials out of the head; but over the rate its answer counts for
        // nothing, or guessing would go on.
        let decision = match tokio::time::timeout(DEADLINE, authenticator.authenticate(head)).await {
            Ok(decision) => decision,
            Err(_) => Err(too_slow()),
        };
        let (wrong, over) = (decision.as_ref().is_err_and(is_guess), tried.is_err());
        if wrong {
            self.throttle.was_wrong(address);
        }
        let decision = match decision {
            // Who shows nothing guesses nothing.
            Ok(None) => return Ok(None),
            Ok(identity) => tried.map(|()| identity),
            Err(refusal) => tried.and(Err(refusal)),
        };
        if wrong || over {
            self.throttle.keep_waiting(&head.extensions).await;
        }
        decision
    }

    /// Counts a request or a socket, by address before anything else is done for it, and by identity once that is known.
    fn admit_rate<B>(&self, request: &Request<B>, identity: Option<&Identity>) -> Result<(), Refusal> {
        let is_socket = crate::ws::is_upgrade(request.headers());
        self.throttle.admit(is_socket, || match identity {
            Some(identity) => Some(Who::identity(identity)),
            None => address(request.extensions()).map(Who::address),
        })
    }

    /// The request, with what a known proxy says of where it comes from.
    pub(crate) fn believe<B>(&self, request: Request<B>) -> Request<B> {
        if self.proxies.is_empty() {
            return request;
        }
        let (mut head, body) = request.into_parts();
        believe(&head.headers, &mut head.extensions, &self.proxies);
        Request::from_parts(head, body)
    }

    /// [`Guard::identify`] for a whole request, if such may come now. The request is handed back without its credentials.
    pub(crate) async fn admit<B>(&self, request: Request<B>) -> (Request<B>, Result<Option<Identity>, Refusal>) {
        if let Err(refusal) = self.admit_rate(&request, None) {
            return (request, Err(refusal));
        }
        if self.authenticator.is_none() {
            return (request, Ok(None));
        }
        let (mut head, body) = request.into_parts();
        let decision = self.identify(&mut head).await;
        let request = Request::from_parts(head, body);
        let decision = decision.and_then(|identity| {
            identity.iter().try_for_each(|identity| self.admit_rate(&request, Some(identity)))?;
            Ok(identity)
        });
        (request, decision)
    }

    /// Whether the class's rules let somebody reach an agent of it: the same answer whether the agent exists or not, and
    /// before anything could make it.
    pub(crate) fn check_permission(
        &self,
        info: &ClassInfo,
        name: &str,
        identity: Option<&Identity>,
    ) -> Result<(), Refusal> {
        let rules = self.rules(&info.namespace, info.options.allow);
        if allow::permits(rules, identity, name) { Ok(()) } else { Err(allow::denied(identity)) }
    }

    /// The rules of a class: those of the configuration, or its own, or the default.
    pub(crate) fn rules<'a>(&'a self, namespace: &str, declared: Option<&'static [Rule]>) -> &'a [Rule] {
        let default = if self.authenticator.is_some() { USER } else { PUBLIC };
        self.permissions.of(namespace).or(declared).or(self.permissions.default_rules()).unwrap_or(default)
    }
}

const USER: &[Rule] = &[Rule::User];
const PUBLIC: &[Rule] = &[Rule::Public];

/// Whether what was shown was wrong, and not merely too old.
fn is_guess(refusal: &Refusal) -> bool {
    refusal.code.http_status() == 401 && refusal.code != Code::TokenExpired
}

fn too_slow() -> Refusal {
    Refusal::new(Code::AgentUnavailable, "Who you are could not be found out in time.").with_fix("come back later")
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authenticates = self.authenticator.is_some();
        f.debug_struct("Guard").field("authenticates", &authenticates).field("permissions", &self.permissions).finish()
    }
}
