//! Webhooks and mail as they are configured.

use anyhow::Context as _;
use hostel::{
    App, Tls, Webhook, mail,
    webhook::{Algorithm, Encoding, Hmac, Scheme},
};

use crate::config::{
    Config, HmacAlgorithm, HmacEncoding, MailSection, SmtpEncryption, SmtpSection, WebhookKind, WebhookSection,
};

/// The application with the webhooks of `[webhooks.NAME]` and the mail of `[mail]`.
pub(crate) fn of(config: &Config, mut app: App) -> anyhow::Result<App> {
    for (name, section) in &config.sections.webhooks {
        let webhook = webhook(section).with_context(|| format!("[webhooks.{name}]"))?;
        app = app.webhook(name, webhook);
    }
    Ok(match &config.sections.mail {
        Some(section) => {
            let tls = mail_tls(config, section).context("[mail]")?;
            anyhow::ensure!(tls.is_some() || !section.require_tls, "[mail] require_tls needs tls_cert and tls_key");
            app.mail(mail::Options { tls, ..mail(section) })
        }
        None => app,
    })
}

/// What the mail listener says STARTTLS with: its own certificate, or the server's.
fn mail_tls(config: &Config, section: &MailSection) -> anyhow::Result<Option<Tls>> {
    let pair = match (&section.tls_cert, &section.tls_key) {
        (None, None) => (*config.tls_cert).as_ref().zip((*config.tls_key).as_ref()),
        (Some(cert), Some(key)) => Some((cert, key)),
        (Some(_), None) => anyhow::bail!("tls_cert needs tls_key"),
        (None, Some(_)) => anyhow::bail!("tls_key needs tls_cert"),
    };
    Ok(pair.map(|(cert, key)| Tls::from_pem_files(cert, key)).transpose()?)
}

fn mail(section: &MailSection) -> mail::Options {
    let defaults = mail::Options::default();
    mail::Options {
        listen: section.listen,
        require_tls: section.require_tls,
        domains: section.domains.clone(),
        default_agent: section.default_agent.clone(),
        reply_key: section.reply_key.clone(),
        task: section.task.clone().unwrap_or(defaults.task),
        most_bytes: section.max_bytes.map_or(defaults.most_bytes, |size| size.0),
        smtp: section.smtp.as_ref().map(smtp),
        ..mail::Options::default()
    }
}

fn smtp(section: &SmtpSection) -> mail::Smtp {
    mail::Smtp {
        host: section.host.clone(),
        port: section.port,
        tls: match section.tls {
            SmtpEncryption::Starttls => mail::SmtpTls::Starttls,
            SmtpEncryption::Implicit => mail::SmtpTls::Implicit,
            SmtpEncryption::None => mail::SmtpTls::None,
        },
        user: section.user.clone(),
        password: section.password.clone(),
        from: section.from.clone(),
        timeout: section.timeout.map_or(std::time::Duration::from_secs(60), |time| time.0),
    }
}

fn webhook(section: &WebhookSection) -> anyhow::Result<Webhook> {
    let mut webhook = match (section.kind, &section.agent, &section.name) {
        (WebhookKind::Email, None, None) => Webhook::email(section.secret.clone()),
        (WebhookKind::Email, ..) => anyhow::bail!("mail goes where its address leads: leave agent and name out"),
        (_, Some(agent), Some(name)) => Webhook::new(scheme(section)?, section.secret.clone())
            .to_named(agent, name)
            .map_err(|error| anyhow::anyhow!("{error:?}; {}", error.fix().unwrap_or_default()))?,
        _ => anyhow::bail!("which agent is it for? say agent = \"class\" and name = \"{{/json/pointer}}\""),
    };
    if let Some(task) = &section.task {
        webhook = webhook.task(task);
    }
    if let Some(size) = section.max_bytes {
        webhook = webhook.most_bytes(size.0);
    }
    if let Some(time) = section.tolerance {
        webhook = webhook.tolerance(time.0);
    }
    Ok(if section.trust_ids { webhook.trust_ids() } else { webhook })
}

fn scheme(section: &WebhookSection) -> anyhow::Result<Scheme> {
    let of_hmac = [&section.header, &section.prefix, &section.id_header].iter().any(|key| key.is_some())
        || section.algorithm.is_some()
        || section.encoding.is_some();
    if of_hmac && section.kind != WebhookKind::Hmac {
        anyhow::bail!("header, prefix, algorithm, encoding and id_header are for kind = \"hmac\" alone");
    }
    Ok(match section.kind {
        WebhookKind::GitHub => Scheme::GitHub,
        WebhookKind::Stripe => Scheme::Stripe,
        WebhookKind::Slack => Scheme::Slack,
        WebhookKind::Standard => Scheme::Standard,
        WebhookKind::Token | WebhookKind::Email => Scheme::Token,
        WebhookKind::Hmac => Scheme::Hmac(Hmac {
            header: section.header.clone().context("which header has the signature? say header = \"x-signature\"")?,
            prefix: section.prefix.clone().unwrap_or_default(),
            algorithm: match section.algorithm {
                None | Some(HmacAlgorithm::Sha256) => Algorithm::Sha256,
                Some(HmacAlgorithm::Sha1) => Algorithm::Sha1,
                Some(HmacAlgorithm::Sha384) => Algorithm::Sha384,
                Some(HmacAlgorithm::Sha512) => Algorithm::Sha512,
            },
            encoding: match section.encoding {
                None | Some(HmacEncoding::Hex) => Encoding::Hex,
                Some(HmacEncoding::Base64) => Encoding::Base64,
            },
            id_header: section.id_header.clone(),
        }),
    })
}
