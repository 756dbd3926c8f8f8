//! Failures as sentences that a person can act upon.

use super::Inner;
use crate::{Fault, FaultKind, failure::Failure, time};

/// What happened, in one sentence, without advice: for a note that the request is repeated.
pub(super) fn why(inner: &Inner, failure: &Failure) -> String {
    let who = who(inner);
    match failure.kind {
        FaultKind::RateLimited => format!("{who} takes no more requests at the moment."),
        FaultKind::Overloaded => format!("{who} has too much to do."),
        FaultKind::Unreachable => format!("{who} cannot be reached."),
        _ => format!("{who} failed."),
    }
}

/// The fault a user sees.
pub(super) async fn fault(inner: &Inner, failure: &Failure, repeats: u32) -> Fault {
    let key = inner.key().await.ok().flatten();
    let said = failure.shown(key.as_deref());
    let mut message = sentence(inner, failure, &said);
    if repeats > 0 {
        message.push_str(&format!(" It was asked {} times.", repeats + 1));
    }
    let fault = Fault::new(failure.kind, message).with_retry_after(failure.retry_after);
    match failure.status {
        Some(status) => fault.with_status(status),
        None => fault,
    }
}

fn sentence(inner: &Inner, failure: &Failure, said: &str) -> String {
    let (who, name, settings) = (who(inner), &inner.name, &inner.settings);
    let says = if said.is_empty() { String::new() } else { format!(" It says: {said}") };
    match failure.kind {
        FaultKind::NotConfigured => format!("{who} cannot be asked: {said}. {}", set_key(inner)),
        // What is said of a key may show parts of it.
        FaultKind::Auth => format!("{who} does not take the key. {}", set_key(inner)),
        FaultKind::Quota => format!("{who} wants credit before it answers. Add some to the account there.{says}"),
        FaultKind::RateLimited => format!("{who} takes no more requests at the moment. {}{says}", again(failure)),
        FaultKind::Overloaded => format!("{who} has too much to do. {}{says}", again(failure)),
        FaultKind::Provider => format!("{who} failed{}. {}{says}", status(failure), again(failure)),
        FaultKind::UnknownModel => {
            format!(
                "{who} does not know the model, or its address is wrong. See model and base_url in [models.{name}].{says}"
            )
        }
        FaultKind::BadRequest => format!("{who} does not take the request{}.{says}", status(failure)),
        FaultKind::ContextTooLong => {
            format!("The conversation is longer than {who} takes. Shorten it, or begin a new one.{says}")
        }
        FaultKind::Unreachable => {
            format!("{who} cannot be reached at {}. Is it running, and the network up?{says}", place(inner))
        }
        FaultKind::TimedOut => format!(
            "{who} did not begin to answer within {}. Try again; or set a longer timeout in [models.{name}].",
            time::show(settings.timeout)
        ),
        FaultKind::Stalled => format!(
            "{who} stopped in the middle of the answer and said nothing for {}. Try again.",
            time::show(settings.stall)
        ),
        FaultKind::Cut => format!("The connection to {who} ended in the middle of the answer. Try again."),
        FaultKind::Malformed => format!("{who} answered something that cannot be read. Try again.{says}"),
        FaultKind::TooLarge => format!("The answer of {who} is too large: {said}. Ask for less."),
        FaultKind::Refused => format!("{who} will not answer this. Say it differently.{says}"),
    }
}

fn who(inner: &Inner) -> String {
    format!("{} (model {})", inner.settings.provider.as_str(), inner.settings.model())
}

/// Where the provider is, without what an address may hide.
fn place(inner: &Inner) -> String {
    let url = &inner.settings.base_url;
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn set_key(inner: &Inner) -> String {
    match inner.settings.key.as_ref().and_then(|key| key.name()) {
        Some(secret) => format!("Set a valid one: `hostel secret set {secret}`."),
        None => format!("Set key = \"secret:NAME\" in [models.{}] of hostel.toml.", inner.name),
    }
}

fn again(failure: &Failure) -> String {
    match failure.retry_after {
        Some(after) => format!("Try again in {}.", time::show(after)),
        None => "Try again in a moment.".to_owned(),
    }
}

fn status(failure: &Failure) -> String {
    failure.status.map_or_else(String::new, |status| format!(" (status {status})"))
}
