//! Whom JWTs are taken from, with which keys, and what is made of their claims.

use std::{path::PathBuf, time::Duration};

use http::Uri;

/// How a JWT is signed. Each key is for one of them, whatever a token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256: whoever can check a token can make one.
    Hs256,
    /// RSA with SHA-256 (PKCS #1 v1.5).
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

impl Algorithm {
    /// The name it has in a token's head.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }
}

impl std::str::FromStr for Algorithm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Hs256, Self::Rs256, Self::Es256];
        let found = all.into_iter().find(|algorithm| algorithm.name() == text);
        found.ok_or_else(|| format!("expected HS256, RS256 or ES256, found {text:?}"))
    }
}

/// Where the keys of an issuer are.
#[derive(Clone)]
pub enum KeySource {
    /// A secret that is shared with the issuer, for HS256.
    Secret(Vec<u8>),
    /// A file with a JSON Web Key Set. It is read again when a token names a key it does not have.
    File(PathBuf),
    /// A JSON Web Key Set somewhere else; fetched when first needed, kept, and fetched again now and then, and when a token
    /// names a key it does not have.
    Url(Uri),
}

impl std::fmt::Debug for KeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Secret(_) => f.write_str("Secret(..)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Url(url) => f.debug_tuple("Url").field(url).finish(),
        }
    }
}

/// Somebody whose JWTs are taken.
///
/// ```
/// use hostel_auth::{Issuer, KeySource};
///
/// let keys = KeySource::Url("https://id.example/.well-known/jwks.json".parse()?);
/// let issuer = Issuer::new("https://id.example", keys).audience("hostel").roles_claim("realm_access.roles");
/// # let _ = issuer; Ok::<(), http::uri::InvalidUri>(())
/// ```
#[derive(Debug, Clone)]
pub struct Issuer {
    pub(crate) name: String,
    pub(crate) keys: KeySource,
    pub(crate) audiences: Vec<String>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) roles_claim: String,
    pub(crate) operator_role: Option<String>,
    pub(crate) subject_prefix: String,
    pub(crate) leeway: Duration,
}

impl Issuer {
    /// The issuer that calls itself `name` in the claim `iss`. Every one of its tokens must expire, and must name whom it is
    /// for.
    pub fn new(name: impl Into<String>, keys: KeySource) -> Self {
        let algorithms = match keys {
            KeySource::Secret(_) => vec![Algorithm::Hs256],
            KeySource::File(_) | KeySource::Url(_) => vec![Algorithm::Rs256, Algorithm::Es256],
        };
        Self {
            name: name.into(),
            keys,
            audiences: Vec::new(),
            algorithms,
            roles_claim: "roles".to_owned(),
            operator_role: None,
            subject_prefix: String::new(),
            leeway: Duration::from_secs(30),
        }
    }

    /// Takes tokens that are for `audience` (the claim `aud`), besides those for others that are named here. At least one is
    /// needed: an issuer makes tokens for other applications too.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Takes these algorithms alone.
    #[must_use]
    pub fn algorithms(mut self, algorithms: &[Algorithm]) -> Self {
        self.algorithms = algorithms.to_vec();
        self
    }

    /// Sets where the roles are: a list of texts, or one text with spaces between them. A dot leads into an object. Default
    /// `roles`.
    #[must_use]
    pub fn roles_claim(mut self, claim: impl Into<String>) -> Self {
        self.roles_claim = claim.into();
        self
    }

    /// Makes whoever has this role one of those who run the server. Default: nobody.
    #[must_use]
    pub fn operator_role(mut self, role: impl Into<String>) -> Self {
        self.operator_role = Some(role.into());
        self
    }

    /// Puts this before each subject, so that subjects of several issuers stay apart.
    #[must_use]
    pub fn subject_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.subject_prefix = prefix.into();
        self
    }

    /// Sets by how much clocks may differ. Default 30 s.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }
}
