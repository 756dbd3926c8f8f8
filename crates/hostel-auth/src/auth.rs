//! The authenticator: credentials in, identity out.

use std::{fmt, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures_util::future::BoxFuture;
use hostel_core::{ConnectRequest, Identity};
use hostel_edge::{Authenticator, Edge, problem};
use hostel_protocol::refusal::{Code, Refusal};
use http::{HeaderMap, HeaderValue, header, request::Parts};

use crate::{
    credentials::{self, Credentials, Places},
    fetch,
    issuer::{Issuer, KeySource},
    jwt::{Jwts, is_jwt},
    refusals::{malformed, unknown_token},
    static_token::{self, StaticToken},
    ticket::TicketDesk,
};

/// Finds out who somebody is by the tokens they send.
///
/// ```
/// use hostel_auth::{Auth, StaticToken, TokenHash, new_token};
/// use hostel_core::Identity;
///
/// let token = new_token()?; // to be given to whoever deploys
/// let deploy = Identity::new("deploy").with_roles(["ci"]);
/// let auth = Auth::new().token(StaticToken::new(TokenHash::of(&token)?, deploy)).tickets().build()?;
/// # let _ = auth; Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A client shows its token in the header `Authorization: Bearer ..`; in a browser's socket as a subprotocol,
/// `["hostel", "bearer.<token>"]`; or, where that is allowed, in a cookie ([`Auth::cookie`]) or a query parameter
/// ([`Auth::query`]). Wherever it was, nothing behind sees it.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

struct Inner {
    places: Places,
    tokens: Vec<StaticToken>,
    jwts: Jwts,
    desk: Option<TicketDesk>,
    keep_expired: bool,
}

/// Collects what an [`Auth`] is made of.
#[derive(Debug, Clone)]
pub struct Builder {
    places: Places,
    tokens: Vec<StaticToken>,
    issuers: Vec<Issuer>,
    tickets: Option<Duration>,
    keep_expired: bool,
}

/// What cannot be an authenticator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadAuth {
    /// A secret that can be guessed.
    #[error("the secret of issuer {0:?} is shorter than 32 bytes: HS256 needs as many")]
    ShortSecret(String),
    /// Tokens for other applications would be taken.
    #[error("issuer {0:?} needs an audience: it makes tokens for other applications too")]
    NoAudience(String),
    /// Keys would come from anybody on the way.
    #[error(
        "the keys of issuer {issuer:?} are at {url}: that must begin with https://, or with http:// on this machine"
    )]
    PlainKeys {
        /// The issuer.
        issuer: String,
        /// Its address.
        url: String,
    },
    /// One issuer's `ada` would be the other's.
    #[error(
        "subjects of issuers {first:?} and {second:?} could not be told apart: give each a subject prefix, and none that begins another"
    )]
    SamePrefix {
        /// The one.
        first: String,
        /// The other.
        second: String,
    },
    /// An algorithm for another kind of key.
    #[error(
        "issuer {0:?} is to sign with {1}, for which it has no kind of key: HS256 goes with a secret, the others do not"
    )]
    Algorithm(String, &'static str),
    /// There is no randomness.
    #[error("the system gives no randomness")]
    Randomness,
}

/// How long a ticket is good.
const TICKET_LIFETIME: Duration = Duration::from_secs(30);

impl Auth {
    /// Begins one that knows nobody.
    #[expect(clippy::new_ret_no_self, reason = "it is built before it is used")]
    #[must_use]
    pub fn new() -> Builder {
        Builder {
            places: Places::default(),
            tokens: Vec::new(),
            issuers: Vec::new(),
            tickets: None,
            keep_expired: false,
        }
    }

    /// `GET /_hostel/who`, which says who the asker is taken for and how a token may be shown; and, with
    /// [`Builder::tickets`], `POST /_hostel/ticket`, where tickets are given out.
    pub fn routes(&self, edge: &Edge) -> Router {
        let mut routes = Router::new().route("/_hostel/who", get(say_who));
        if self.0.desk.is_some() {
            routes = routes.route("/_hostel/ticket", post(give_ticket));
        }
        routes.with_state((self.clone(), edge.clone()))
    }

    /// How a client may show its token, in the words of the guide.
    fn ways(&self) -> Vec<&'static str> {
        let places = &self.0.places;
        let further = [
            (self.0.desk.is_some(), "ticket"),
            (places.cookie.is_some(), "cookie"),
            (!places.query.is_empty(), "query"),
        ];
        let further = further.into_iter().filter_map(|(is, way)| is.then_some(way));
        ["header", "subprotocol"].into_iter().chain(further).collect()
    }

    /// What `GET /_hostel/who` answers. It names nobody but the asker.
    fn who(&self, identity: Option<&Identity>) -> serde_json::Value {
        let kinds = [(!self.0.tokens.is_empty(), "given out by hand"), (self.0.jwts.has_any(), "jwt")];
        let kinds: Vec<_> = kinds.into_iter().filter_map(|(is, kind)| is.then_some(kind)).collect();
        let you = identity.map(|you| {
            serde_json::json!({
                "subject": you.subject(),
                "issuer": you.issuer(),
                "roles": you.roles().collect::<Vec<_>>(),
                "operator": you.is_operator(),
                "expires": you.expires().map(|at| at.to_string()),
            })
        });
        serde_json::json!({"you": you, "ways": self.ways(), "tokens": kinds})
    }

    async fn decide(&self, head: &mut Parts) -> Result<Option<Identity>, Refusal> {
        match credentials::take(head, &self.0.places)? {
            Credentials::None => Ok(None),
            Credentials::Token(token) => self.token(&token).await.map(Some),
            Credentials::Ticket(ticket) => self.ticket(head, &ticket).map(Some),
            Credentials::Cookie(token) if is_from_our_page(&head.headers) => self.token(&token).await.map(Some),
            // A cookie that any page could have had the browser send is no word of the person's.
            Credentials::Cookie(_) => Ok(None),
        }
    }

    async fn token(&self, token: &str) -> Result<Identity, Refusal> {
        match static_token::owner(&self.0.tokens, token) {
            Some(identity) => Ok(identity),
            None if is_jwt(token) => self.0.jwts.verify(token).await,
            None => Err(unknown_token()),
        }
    }

    fn ticket(&self, head: &Parts, ticket: &str) -> Result<Identity, Refusal> {
        match &self.0.desk {
            Some(_) if !hostel_edge::ws::is_upgrade(&head.headers) => {
                Err(malformed("A ticket opens a socket, and nothing else."))
            }
            Some(desk) => desk.take(ticket, head.uri.path()),
            None => Err(unknown_token()),
        }
    }
}

impl Authenticator for Auth {
    fn authenticate<'a>(&'a self, head: &'a mut Parts) -> BoxFuture<'a, Result<Option<Identity>, Refusal>> {
        Box::pin(async move {
            let identity = self.decide(head).await?;
            let keeps = self.0.keep_expired && hostel_edge::ws::is_upgrade(&head.headers);
            Ok(identity.map(|identity| if keeps { identity.without_expiry() } else { identity }))
        })
    }
}

/// Whether the browser says which page asks: an `Origin`, which was found to be one of ours before, or its own word that the
/// page is of this very site. No page can forge either; a program can, but a program has no cookie of somebody else's.
fn is_from_our_page(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN) || headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin")
}

async fn give_ticket(State((auth, edge)): State<(Auth, Edge)>, request: Request) -> Response {
    let (mut head, _) = request.into_parts();
    let uri = head.uri.to_string();
    let path = ConnectRequest { uri, ..ConnectRequest::default() }.query("path");
    let given = match edge.check_site(&head.headers) {
        Ok(()) => edge.identify(&mut head).await.and_then(|identity| auth.give(identity, path)),
        Err(refusal) => Err(refusal),
    };
    answered(given)
}

/// Who the asker is. A token that is no good is refused with its reason.
async fn say_who(State((auth, edge)): State<(Auth, Edge)>, request: Request) -> Response {
    let (mut head, _) = request.into_parts();
    let found = match edge.check_site(&head.headers) {
        Ok(()) => edge.identify(&mut head).await,
        Err(refusal) => Err(refusal),
    };
    answered(found.map(|identity| auth.who(identity.as_ref()).to_string()))
}

fn answered(body: Result<String, Refusal>) -> Response {
    match body {
        Ok(body) => {
            let json = HeaderValue::from_static("application/json");
            let no_store = HeaderValue::from_static("no-store");
            ([(header::CONTENT_TYPE, json), (header::CACHE_CONTROL, no_store)], body).into_response()
        }
        Err(refusal) => problem(&refusal, None),
    }
}

impl Auth {
    fn give(&self, identity: Option<Identity>, path: Option<String>) -> Result<String, Refusal> {
        let nobody = || {
            Refusal::new(Code::Unauthorized, "A ticket is given to somebody who is known.")
                .with_fix("send your token with this request: `Authorization: Bearer ..`")
        };
        let identity = identity.ok_or_else(nobody)?;
        let ticket = self.0.desk.as_ref().and_then(|desk| serde_json::to_string(&desk.give(&identity, path)?).ok());
        ticket.ok_or_else(|| Refusal::new(Code::Internal, "No ticket could be made."))
    }
}

impl Builder {
    /// Takes a token that the operator gave out.
    #[must_use]
    pub fn token(mut self, token: StaticToken) -> Self {
        self.tokens.push(token);
        self
    }

    /// Takes the JWTs of an issuer.
    #[must_use]
    pub fn issuer(mut self, issuer: Issuer) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// Takes a token from this cookie as well, if the browser says which page asks, and the page is one of ours.
    #[must_use]
    pub fn cookie(mut self, name: impl Into<String>) -> Self {
        self.places.cookie = Some(name.into());
        self
    }

    /// Takes a token from this query parameter as well: for clients that can put it nowhere else. URLs are written down in
    /// many places on the way; a ticket is better.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>) -> Self {
        self.places.query.push(name.into());
        self
    }

    /// Gives tickets out that open one socket, at `POST /_hostel/ticket`, good for 30 s.
    #[must_use]
    pub fn tickets(self) -> Self {
        self.tickets_for(TICKET_LIFETIME)
    }

    /// [`Builder::tickets`], good for as long as this.
    #[must_use]
    pub fn tickets_for(mut self, lifetime: Duration) -> Self {
        self.tickets = Some(lifetime);
        self
    }

    /// Leaves a socket open when the token it was opened with expires. By default it is closed with 3000 then, and a client
    /// comes back with a new token.
    #[must_use]
    pub fn keep_expired_sockets(mut self) -> Self {
        self.keep_expired = true;
        self
    }

    /// Puts it together.
    ///
    /// # Errors
    /// What would let the wrong ones in.
    pub fn build(self) -> Result<Auth, BadAuth> {
        self.issuers.iter().try_for_each(check_issuer)?;
        check_prefixes(&self.issuers)?;
        let desk = match self.tickets {
            Some(lifetime) => Some(TicketDesk::new(lifetime).ok_or(BadAuth::Randomness)?),
            None => None,
        };
        Ok(Auth(Arc::new(Inner {
            places: self.places,
            tokens: self.tokens,
            jwts: Jwts::new(self.issuers),
            desk,
            keep_expired: self.keep_expired,
        })))
    }
}

fn check_issuer(issuer: &Issuer) -> Result<(), BadAuth> {
    use crate::issuer::Algorithm::Hs256;
    let name = || issuer.name.clone();
    if issuer.audiences.is_empty() {
        return Err(BadAuth::NoAudience(name()));
    }
    let is_secret = match &issuer.keys {
        KeySource::Secret(secret) if secret.len() < 32 => return Err(BadAuth::ShortSecret(name())),
        KeySource::Url(url) if !fetch::may_be_fetched(url) => {
            return Err(BadAuth::PlainKeys { issuer: name(), url: url.to_string() });
        }
        keys => matches!(keys, KeySource::Secret(_)),
    };
    match issuer.algorithms.iter().find(|algorithm| (**algorithm == Hs256) != is_secret) {
        Some(other) => Err(BadAuth::Algorithm(name(), other.name())),
        None => Ok(()),
    }
}

/// A prefix that begins another, as no prefix does, lets the one issuer make subjects of the other.
fn check_prefixes(issuers: &[Issuer]) -> Result<(), BadAuth> {
    let overlap = |one: &Issuer, other: &Issuer| {
        one.subject_prefix.starts_with(&other.subject_prefix) || other.subject_prefix.starts_with(&one.subject_prefix)
    };
    for (at, issuer) in issuers.iter().enumerate() {
        if let Some(first) = issuers[..at].iter().find(|first| overlap(first, issuer)) {
            let (first, second) = (first.name.clone(), issuer.name.clone());
            return Err(BadAuth::SamePrefix { first, second });
        }
    }
    Ok(())
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("places", &self.0.places)
            .field("tokens", &self.0.tokens.len())
            .finish_non_exhaustive()
    }
}
