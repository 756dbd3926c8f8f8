//! Landlock: a second fence around files, that holds where a mount should be wrong; and the only one around ports.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, NetPort, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetStatus, Scope, path_beneath_rules,
};

use super::failed;
use crate::{Network, Policy};

/// What of it is used: with what Linux 6.12 has.
const VERSION: ABI = ABI::V6;

/// Restricts this process for good; answers how far the kernel goes along.
pub(super) fn restrict(policy: &Policy) -> Result<String, String> {
    let no = |what: &str| format!("Landlock: {what}");
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(VERSION))
        .map_err(failed(no("files")))?;
    if let Network::Ports(_) = policy.network {
        // Without it, the network of the machine would be open.
        ruleset = ruleset
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessNet::from_all(VERSION))
            .and_then(|ruleset| ruleset.scope(Scope::AbstractUnixSocket))
            .map_err(failed(no("this kernel cannot bound the network to some ports (Linux 6.12 can)")))?
            .set_compatibility(CompatLevel::BestEffort);
    }
    let ruleset = ruleset.scope(Scope::from_all(VERSION)).map_err(failed(no("scope")))?;
    let writable = ["/tmp", "/var/tmp", "/dev"].map(Path::new).into_iter();
    let given = std::iter::once(&policy.workspace).chain(&policy.write).chain(&policy.home).map(|path| path.as_path());
    let mut ruleset = ruleset
        .create()
        .and_then(|ruleset| ruleset.add_rules(path_beneath_rules(["/"], AccessFs::from_read(VERSION))))
        .and_then(|ruleset| ruleset.add_rules(path_beneath_rules(writable.chain(given), AccessFs::from_all(VERSION))))
        .map_err(failed(no("rules")))?;
    if let Network::Ports(ports) = &policy.network {
        for port in ports {
            ruleset = ruleset.add_rule(NetPort::new(*port, AccessNet::ConnectTcp)).map_err(failed(no("ports")))?;
        }
    }
    let status = ruleset.restrict_self().map_err(failed(no("not enforced")))?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => "full",
        RulesetStatus::PartiallyEnforced => "partial",
        RulesetStatus::NotEnforced => "none",
    }
    .to_owned())
}
