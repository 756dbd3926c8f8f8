//! The sections of `hostel.toml`: what has more to it than one value.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use hostel_model::ModelSettings;
use hostel_protocol::name::nearest;
use hostel_vault::SecretValue;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use toml::Spanned;
use toml::de::{DeValue, ValueDeserializer};

use super::agents::AgentSection;
use super::auth::AuthSection;
use super::coder::CoderSection;
use super::mcp::McpSection;
use super::origin::Origin;
use super::value::{ByteSize, Value};

/// Their names.
const NAMES: [&str; 8] = ["vault", "auth", "agents", "webhooks", "mail", "mcp", "models", "coder"];

/// Everything that has a table of its own.
#[derive(Debug, Clone, Default)]
pub struct Sections {
    /// `[vault]`, and where it stands.
    pub vault: Option<(VaultSection, Origin)>,
    /// `[auth]`, and where it stands.
    pub auth: Option<(AuthSection, Origin)>,
    /// The tables `[agents.CLASS]`.
    pub agents: BTreeMap<String, AgentSection>,
    /// Where each of the agents' tables stands.
    pub agent_origins: BTreeMap<String, Origin>,
    /// `[webhooks.NAME]`, by the names.
    pub webhooks: BTreeMap<String, WebhookSection>,
    /// `[mail]`.
    pub mail: Option<MailSection>,
    /// `[mcp]`, and where it stands.
    pub mcp: Option<(McpSection, Origin)>,
    /// `[coder]`, and where it stands.
    pub coder: Option<(CoderSection, Origin)>,
    /// The tables `[models.NAME]`, and where they begin.
    pub models: Option<(BTreeMap<String, ModelSettings>, Origin)>,
}

/// `[mail]`: how mail comes in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailSection {
    /// Where to listen for SMTP.
    pub listen: Option<SocketAddr>,
    /// Certificate chain for STARTTLS; default the server's own.
    pub tls_cert: Option<PathBuf>,
    /// Its key.
    pub tls_key: Option<PathBuf>,
    /// Takes mail only after STARTTLS.
    #[serde(default)]
    pub require_tls: bool,
    /// The domains that are ours.
    pub domains: Vec<String>,
    /// The class whose agents are handed what is for no class.
    pub default_agent: Option<String>,
    /// The task that is handed a mail. Default `onEmail`.
    pub task: Option<String>,
    /// Greatest mail.
    pub max_bytes: Option<Size>,
    /// Signs what goes out, so that answers find their agent.
    pub reply_key: Option<SecretValue>,
    /// `[mail.smtp]`: how mail goes out.
    pub smtp: Option<SmtpSection>,
}

/// `[mail.smtp]`: the server that mail is sent through.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpSection {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: Option<u16>,
    /// Whether it speaks TLS. Default starttls.
    #[serde(default)]
    pub tls: SmtpEncryption,
    /// Whom to log in as.
    pub user: Option<String>,
    /// With what.
    pub password: Option<SecretValue>,
    /// Who writes.
    pub from: String,
    /// How long one attempt may take.
    pub timeout: Option<Time>,
}

/// How a mail server speaks TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpEncryption {
    /// After STARTTLS.
    #[default]
    Starttls,
    /// From the first byte.
    Implicit,
    /// Not at all.
    None,
}

/// `[webhooks.NAME]`: how it is signed, and which agent is handed it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSection {
    /// Whose signature it has.
    pub kind: WebhookKind,
    /// The secret both sides have.
    pub secret: SecretValue,
    /// The class of the agents. Needed but for `email`.
    pub agent: Option<String>,
    /// The agent's name, or a template for it. Needed but for `email`.
    pub name: Option<String>,
    /// The task that is handed it. Default `onWebhook`.
    pub task: Option<String>,
    /// Greatest body.
    pub max_bytes: Option<Size>,
    /// How old a signature may be.
    pub tolerance: Option<Time>,
    /// For `hmac`: the header of the signature.
    pub header: Option<String>,
    /// For `hmac`: what stands before it there.
    pub prefix: Option<String>,
    /// For `hmac`: the hash. Default sha256.
    pub algorithm: Option<HmacAlgorithm>,
    /// For `hmac`: how it is written. Default hex.
    pub encoding: Option<HmacEncoding>,
    /// For `hmac`: the header with the delivery's id.
    pub id_header: Option<String>,
    /// Whether two with different ids are two even if what is signed is equal.
    #[serde(default)]
    pub trust_ids: bool,
}

/// Whose signature a webhook has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they are named after what they are")]
pub enum WebhookKind {
    GitHub,
    Stripe,
    Slack,
    Standard,
    Hmac,
    Token,
    Email,
}

/// The hash of an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they are named after what they are")]
pub enum HmacAlgorithm {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// How an HMAC is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they are named after what they are")]
pub enum HmacEncoding {
    Hex,
    Base64,
}

/// A size as all settings write it, such as `64KiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub usize);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        ByteSize::read(&[text]).map(|size| Self(size.as_usize())).map_err(D::Error::custom)
    }
}

/// `[vault]`: where secrets come from, and what is masked.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultSection {
    /// The sealed file. Default `hostel.vault`, if it exists.
    pub file: Option<PathBuf>,
    /// What opens it, unless a passphrase does.
    pub key_file: Option<PathBuf>,
    /// Commands that know secrets, by the names of those.
    #[serde(default)]
    pub commands: BTreeMap<String, Vec<String>>,
    /// How long such a command may take.
    pub command_timeout: Option<Time>,
    /// Kinds of tokens that are masked by their look. Default all.
    pub shapes: Option<Vec<String>>,
}

/// A time as all settings write it, such as `10s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time(pub Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Duration::read(&[text]).map(Self).map_err(D::Error::custom)
    }
}

/// What is wrong with a section, and at which byte of the file if not at its head.
pub(super) struct Wrong {
    pub(super) offset: Option<usize>,
    pub(super) message: String,
}

/// Whether a section has this name.
pub(super) fn is_one(name: &str) -> bool {
    NAMES.contains(&name)
}

impl Sections {
    pub(super) fn read(
        &mut self,
        name: &str,
        value: &Spanned<DeValue<'_>>,
        origin: Origin,
        place: &dyn Fn(usize) -> Origin,
    ) -> Result<(), Wrong> {
        match name {
            "vault" => self.vault = Some((section(name, value)?, origin)),
            "auth" => self.auth = Some((section(name, value)?, origin)),
            "agents" => {
                self.agents = section(name, value)?;
                self.agent_origins = origins(value, place);
            }
            "mail" => self.mail = Some(section(name, value)?),
            "coder" => self.coder = Some((section(name, value)?, origin)),
            "mcp" => self.mcp = Some((section(name, value)?, origin)),
            "models" => self.models = Some((section(name, value)?, origin)),
            _ => self.webhooks = section(name, value)?,
        }
        Ok(())
    }
}

/// Where the tables within a table stand.
fn origins(value: &Spanned<DeValue<'_>>, place: &dyn Fn(usize) -> Origin) -> BTreeMap<String, Origin> {
    let DeValue::Table(tables) = value.get_ref() else { return BTreeMap::new() };
    tables.iter().map(|(key, _)| (key.get_ref().to_string(), place(key.span().start))).collect()
}

fn section<'de, T: Deserialize<'de>>(name: &str, value: &Spanned<DeValue<'de>>) -> Result<T, Wrong> {
    if !matches!(value.get_ref(), DeValue::Table(_)) {
        return Err(Wrong { offset: None, message: format!("{name}: expected a table, [{name}]") });
    }
    T::deserialize(ValueDeserializer::from(value.clone())).map_err(|error| {
        let offset = error.span().map(|span| span.start);
        Wrong { offset, message: format!("{name}: {}", nearer(error.message())) }
    })
}

/// Of a list of everything that would have been right, the nearest.
fn nearer(message: &str) -> String {
    let quoted = |text: &str| -> Vec<String> { text.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let listed = message.split_once(", expected ");
    let unknown = |what: &str| message.strip_prefix(what).is_some();
    let Some((found, expected)) = listed.filter(|_| unknown("unknown field") || unknown("unknown variant")) else {
        return message.to_owned();
    };
    let (found, known) = (quoted(found), quoted(expected));
    let near = found.first().and_then(|found| nearest(found, known.iter().map(String::as_str)));
    near.map_or_else(|| message.to_owned(), |near| format!("{message}; did you mean `{near}`?"))
}
