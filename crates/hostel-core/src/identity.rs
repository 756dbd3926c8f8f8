//! Who is behind a connection or a request: a fact that the edge found out before the agent woke, and nobody can change.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use serde_json::{Map, Value};

/// Who is behind a connection, a request or a call.
///
/// What an authenticator answers; the edge attaches it to the connection before the agent hears of it, and there is no way
/// to change it afterwards. Cheap to clone.
///
/// ```
/// use hostel_core::Identity;
///
/// let ada = Identity::new("ada").with_issuer("https://id.example").with_roles(["editor"]);
/// assert_eq!(ada.subject(), "ada");
/// assert!(ada.has_role("editor") && !ada.is_operator());
/// ```
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    subject: Box<str>,
    issuer: Option<Box<str>>,
    roles: Box<[Box<str>]>,
    claims: Map<String, Value>,
    expires: Option<Timestamp>,
    operator: bool,
}

impl Identity {
    /// Somebody with this subject, and nothing else known. To be made by authenticators; agents receive it.
    pub fn new(subject: impl Into<Box<str>>) -> Self {
        Self(Arc::new(Inner {
            subject: subject.into(),
            issuer: None,
            roles: Box::default(),
            claims: Map::new(),
            expires: None,
            operator: false,
        }))
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Says who vouches for it.
    #[must_use]
    pub fn with_issuer(self, issuer: impl Into<Box<str>>) -> Self {
        self.with(|inner| inner.issuer = Some(issuer.into()))
    }

    /// Gives it roles, in place of those it has.
    #[must_use]
    pub fn with_roles(self, roles: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        self.with(|inner| inner.roles = roles.into_iter().map(Into::into).collect())
    }

    /// Keeps what else its issuer says of it.
    #[must_use]
    pub fn with_claims(self, claims: Map<String, Value>) -> Self {
        self.with(|inner| inner.claims = claims)
    }

    /// Says until when it holds.
    #[must_use]
    pub fn with_expiry(self, expires: Timestamp) -> Self {
        self.with(|inner| inner.expires = Some(expires))
    }

    /// Has it hold for as long as its connection.
    #[must_use]
    pub fn without_expiry(self) -> Self {
        self.with(|inner| inner.expires = None)
    }

    /// Makes it one of those who run the server: every rule lets them in, and the operator's endpoints answer them.
    #[must_use]
    pub fn as_operator(self) -> Self {
        self.with(|inner| inner.operator = true)
    }

    /// Who it is, in the words of its issuer.
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Who vouches for it, where that is known.
    pub fn issuer(&self) -> Option<&str> {
        self.0.issuer.as_deref()
    }

    /// Its roles.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.0.roles.iter().map(|role| &**role)
    }

    /// Whether it has this role.
    pub fn has_role(&self, role: &str) -> bool {
        self.0.roles.iter().any(|own| &**own == role)
    }

    /// What its issuer says of it under `name`.
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.0.claims.get(name)
    }

    /// Everything its issuer says of it.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.0.claims
    }

    /// Until when it holds; without one, for as long as its connection.
    pub fn expires(&self) -> Option<Timestamp> {
        self.0.expires
    }

    /// Whether it is one of those who run the server.
    pub fn is_operator(&self) -> bool {
        self.0.operator
    }
}

/// Without the claims: they are the person's own business, and this form is for logs.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("subject", &self.0.subject)
            .field("issuer", &self.0.issuer)
            .field("roles", &self.0.roles)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_on_the_way_leaves_other_holders_of_an_identity_alone() {
        let ada = Identity::new("ada");
        let operator = ada.clone().as_operator().with_roles(["admin"]);
        assert!(!ada.is_operator() && !ada.has_role("admin"));
        assert!(operator.is_operator() && operator.has_role("admin"));
    }

    #[test]
    fn an_identity_costs_a_connection_one_pointer() {
        assert_eq!(size_of::<Option<Identity>>(), size_of::<usize>());
    }

    #[test]
    fn claims_do_not_get_into_logs() {
        let claims = Map::from_iter([("mail".to_owned(), Value::from("ada@example.org"))]);
        let ada = Identity::new("ada").with_claims(claims);
        assert!(!format!("{ada:?}").contains("example.org"));
        assert_eq!(ada.claim("mail").and_then(Value::as_str), Some("ada@example.org"));
    }
}
