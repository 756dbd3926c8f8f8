//! From an address to an agent, and signatures by which an answer finds its way back (agents-protocol, 7.3).

use std::time::Duration;

use data_encoding::BASE64;
use hostel_core::AgentId;
use hostel_protocol::{
    name::check_name,
    refusal::{Code, Refusal},
};
use hostel_runtime::Node;
use jiff::Timestamp;
use ring::hmac;

use super::Options;

/// How long a signature is good.
const GOOD_FOR: Duration = Duration::from_secs(30 * 86_400);
/// How far its time may be ahead.
const SKEW: Duration = Duration::from_secs(300);

pub(super) fn resolve(options: &Options, node: &Node, from: &str, to: &str) -> Result<AgentId, Refusal> {
    if let Some(agent) = options.resolver.as_ref().and_then(|choose| choose(from, to)) {
        return checked(options, node, agent.namespace(), agent.name());
    }
    let (local, domain) = to.rsplit_once('@').ok_or_else(|| nobody("it is no address"))?;
    if !options.domains.iter().any(|own| own.eq_ignore_ascii_case(domain)) {
        return Err(nobody("mail for that domain is not taken here"));
    }
    match (local.split_once('+'), &options.default_agent) {
        (Some((class, name)), _) => checked(options, node, class, name),
        (None, Some(class)) => checked(options, node, class, local),
        (None, None) => Err(nobody("an address here is class+name@domain")),
    }
}

/// The agent, if its class is served and takes mail.
pub(super) fn checked(options: &Options, node: &Node, class: &str, name: &str) -> Result<AgentId, Refusal> {
    let found = node.directory().resolve(class, false).map_err(|_| nobody("there is no agent of that name"))?;
    let info = found.class.info();
    if info.task(&options.task).is_none() {
        return Err(nobody("that agent takes no mail"));
    }
    check_name(name).map_err(|refusal| nobody(&refusal.message))?;
    Ok(AgentId::new(&info.namespace, name))
}

fn nobody(why: &str) -> Refusal {
    Refusal::new(Code::MailUnroutable, format!("No such recipient: {why}."))
}

/// The value of `X-Agent-Sig`.
pub(super) fn sign(key: &str, name: &str, id: &str, at: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    BASE64.encode(hmac::sign(&key, format!("{name}:{id}:{at}").as_bytes()).as_ref())
}

/// Whether that is the signature of name and id, made not too long ago.
pub(super) fn is_signed(key: &str, [name, id, signature, at]: [&str; 4], now: Timestamp) -> bool {
    let Some(seconds) = at.parse::<i64>().ok() else { return false };
    let Ok(time) = Timestamp::from_second(seconds) else { return false };
    let age = now.duration_since(time);
    let in_time = if age.is_negative() { age.unsigned_abs() <= SKEW } else { age.unsigned_abs() <= GOOD_FOR };
    let Ok(tag) = BASE64.decode(signature.as_bytes()) else { return false };
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let good = hmac::verify(&key, format!("{name}:{id}:{at}").as_bytes(), &tag).is_ok();
    // With a colon, `a:b` of `c` and `a` of `b:c` would have one signature.
    good && in_time && !name.contains(':') && !id.contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_good_for_thirty_days_and_for_its_agent_alone() {
        let (at, day) = (1_760_000_000, 86_400);
        let tag = sign("key", "coder-agent", "alice", at);
        // Computed apart.
        assert_eq!(tag, "GanJKlKjyG7KZwbzzChzKD4XpcIVtoBkGNr6BN+//8g=");
        let at_text = at.to_string();
        let ask = |key, name, id, now| is_signed(key, [name, id, &tag, &at_text], Timestamp::from_second(now).unwrap());
        assert!(ask("key", "coder-agent", "alice", at) && ask("key", "coder-agent", "alice", at + 30 * day));
        assert!(ask("key", "coder-agent", "alice", at - 300) && !ask("key", "coder-agent", "alice", at - 301));
        assert!(!ask("key", "coder-agent", "alice", at + 30 * day + 1));
        assert!(!ask("other", "coder-agent", "alice", at) && !ask("key", "coder-agent", "bob", at));
        let two = sign("key", "a", "b:c", at);
        assert!(!is_signed("key", ["a", "b:c", &two, &at_text], Timestamp::from_second(at).unwrap()));
    }
}
