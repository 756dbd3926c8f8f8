//! `[auth]`: whose tokens are taken, and who may reach what.

use std::path::PathBuf;

use hostel::allow::{self, Rule};
use hostel::auth::{Algorithm, TokenHash};
use hostel_vault::SecretValue;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::sections::Time;

/// `[auth]`: the ways in which clients may say who they are.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthSection {
    /// Who may reach classes that declare no rule. Default `user`.
    pub default_allow: Option<Rules>,
    /// The name of a cookie that holds a token.
    pub cookie: Option<String>,
    /// Names of query parameters that hold a token.
    pub query: Vec<String>,
    /// How long a ticket for a socket is good; without it none are given out.
    pub tickets: Option<Time>,
    /// Whether a socket stays open when the token it was opened with expires.
    pub keep_expired_sockets: bool,
    /// `[[auth.token]]`: tokens that were given out by hand.
    pub token: Vec<TokenSection>,
    /// `[[auth.issuer]]`: whose JWTs are taken.
    pub issuer: Vec<IssuerSection>,
}

/// `[[auth.token]]`: one token, and whose it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSection {
    /// Whose it is.
    pub subject: String,
    /// Its hash, as `hostel token new` prints it.
    #[serde(default, deserialize_with = "parsed")]
    pub hash: Option<TokenHash>,
    /// Or the token itself: better as `secret:NAME`.
    pub token: Option<SecretValue>,
    /// Their roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Whether they are one of those who run the server.
    #[serde(default)]
    pub operator: bool,
}

/// `[[auth.issuer]]`: somebody whose JWTs are taken.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerSection {
    /// What it calls itself in `iss`.
    pub name: String,
    /// Whom its tokens must be for (`aud`): one of these.
    pub audience: OneOrMore,
    /// A secret shared with it, for HS256.
    pub secret: Option<SecretValue>,
    /// Or a file with its keys.
    pub keys_file: Option<PathBuf>,
    /// Or the address of its keys.
    pub keys_url: Option<String>,
    /// Which algorithms are taken.
    #[serde(default, deserialize_with = "all_parsed")]
    pub algorithms: Vec<Algorithm>,
    /// Where the roles are.
    pub roles_claim: Option<String>,
    /// Who has this role is one of those who run the server.
    pub operator_role: Option<String>,
    /// What is put before its subjects.
    pub subject_prefix: Option<String>,
    /// By how much clocks may differ.
    pub leeway: Option<Time>,
}

/// Rules, as in `"role:editor | owner"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules(pub Vec<Rule>);

/// One text, or a list of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum OneOrMore {
    /// One.
    One(String),
    /// Some.
    More(Vec<String>),
}

impl OneOrMore {
    /// All of them.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::More(texts) => texts,
        }
    }
}

impl<'de> Deserialize<'de> for Rules {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        allow::parse(&String::deserialize(deserializer)?).map(Self).map_err(D::Error::custom)
    }
}

fn parsed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TokenHash>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(D::Error::custom)
}

fn all_parsed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Algorithm>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
}
