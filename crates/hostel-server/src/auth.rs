//! The authenticator, the rules and the rates as they are configured.

use anyhow::{Context as _, bail, ensure};
use hostel::auth::{Auth, Issuer, KeySource, StaticToken, TokenHash};
use hostel::{App, Identity, Permissions, Rate, Rates};
use hostel_vault::Vault;

use crate::builtin;
use crate::config::{AuthSection, Config, IssuerSection, OrOff, TokenSection};

/// Sets who may come in, and how often.
pub(crate) fn guard(app: App, config: &Config, vault: Option<&Vault>) -> anyhow::Result<App> {
    let app = app.permissions(permissions(config)).rates(rates(config)).proxies(config.trusted_proxies.0.clone());
    let Some((section, origin)) = &config.sections.auth else { return Ok(app) };
    // A page that any site may be would be let in with the cookie of whoever looks at it.
    let any_page = config.allow_origins.iter().any(|origin| origin.trim() == "*");
    ensure!(
        section.cookie.is_none() || !any_page,
        "{origin}: [auth]: a cookie lets in whoever has it, and --allow-origin '*' lets any page use it: name the origins"
    );
    let auth = auth(section, vault).with_context(|| format!("{origin}: [auth]"))?;
    Ok(app.auth(auth))
}

fn permissions(config: &Config) -> Permissions {
    let default = config.sections.auth.as_ref().and_then(|(section, _)| section.default_allow.clone());
    let permissions = default.into_iter().fold(Permissions::default(), |all, rules| all.default_allow(rules.0));
    let of = |class: &str| Some(config.sections.agents.get(class)?.allow.as_ref()?.0.clone());
    // Who may not reach a conversation is not to see it in the list; said of the list itself, another rule counts.
    let permissions = builtin::LISTED_BY.into_iter().fold(permissions, |all, (class, list)| match of(class) {
        Some(rules) => all.allow(list, rules),
        None => all,
    });
    let classes = config.sections.agents.keys();
    classes
        .filter_map(|class| Some((class, of(class)?)))
        .fold(permissions, |all, (class, rules)| all.allow(class, rules))
}

fn rates(config: &Config) -> Rates {
    Rates {
        connects: rate(&config.connect_rate),
        requests: rate(&config.request_rate),
        messages: rate(&config.message_rate),
        wrong_tokens: rate(&config.wrong_token_rate),
    }
}

fn rate(setting: &OrOff<Rate>) -> Option<Rate> {
    match setting {
        OrOff::Off => None,
        OrOff::UpTo(rate) => Some(*rate),
    }
}

fn auth(section: &AuthSection, vault: Option<&Vault>) -> anyhow::Result<Auth> {
    let knows_nobody = section.token.is_empty() && section.issuer.is_empty();
    ensure!(
        !knows_nobody,
        "nobody could come in: add [[auth.token]] or [[auth.issuer]]; `hostel token new` makes a token"
    );
    let mut auth = Auth::new();
    for entry in &section.token {
        auth = auth.token(token(entry, vault).with_context(|| format!("the token of {}", entry.subject))?);
    }
    for entry in &section.issuer {
        auth = auth.issuer(issuer(entry, vault).with_context(|| format!("the issuer {}", entry.name))?);
    }
    if let Some(cookie) = &section.cookie {
        auth = auth.cookie(cookie);
    }
    auth = section.query.iter().fold(auth, |auth, name| auth.query(name));
    if let Some(lifetime) = section.tickets {
        auth = auth.tickets_for(lifetime.0);
    }
    if section.keep_expired_sockets {
        auth = auth.keep_expired_sockets();
    }
    Ok(auth.build()?)
}

fn token(entry: &TokenSection, vault: Option<&Vault>) -> anyhow::Result<StaticToken> {
    let hash = match (&entry.hash, &entry.token) {
        (Some(hash), None) => *hash,
        (None, Some(token)) => TokenHash::of(token.reveal_blocking(vault)?.expose())?,
        _ => bail!("say either its hash or the token, as secret:NAME"),
    };
    let identity = Identity::new(entry.subject.as_str()).with_roles(entry.roles.iter().map(String::as_str));
    Ok(StaticToken::new(hash, if entry.operator { identity.as_operator() } else { identity }))
}

fn issuer(entry: &IssuerSection, vault: Option<&Vault>) -> anyhow::Result<Issuer> {
    let keys = match (&entry.secret, &entry.keys_file, &entry.keys_url) {
        (Some(secret), None, None) => KeySource::Secret(secret.reveal_blocking(vault)?.expose_bytes().to_vec()),
        (None, Some(path), None) => KeySource::File(path.clone()),
        (None, None, Some(url)) => KeySource::Url(url.parse().context("keys_url is no address")?),
        _ => bail!("say one of secret, keys_file and keys_url"),
    };
    let issuer = entry.audience.as_slice().iter().fold(Issuer::new(&entry.name, keys), Issuer::audience);
    let issuer = match entry.algorithms.as_slice() {
        [] => issuer,
        algorithms => issuer.algorithms(algorithms),
    };
    let issuer = entry.roles_claim.iter().fold(issuer, Issuer::roles_claim);
    let issuer = entry.operator_role.iter().fold(issuer, Issuer::operator_role);
    let issuer = entry.subject_prefix.iter().fold(issuer, Issuer::subject_prefix);
    Ok(entry.leeway.iter().fold(issuer, |issuer, leeway| issuer.leeway(leeway.0)))
}
