//! The rules of classes that the operator sets, in place of what the classes declare.

use std::collections::HashMap;

use hostel_core::{
    Identity,
    allow::{Rule, permits},
};
use hostel_protocol::name::kebab;

/// Who may reach the agents of which class, where the operator says so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions {
    default: Option<Vec<Rule>>,
    classes: HashMap<String, Vec<Rule>>,
}

impl Permissions {
    /// Sets the rules of classes that declare none. Default: `user` with an authenticator, `public` without.
    #[must_use]
    pub fn default_allow(mut self, rules: Vec<Rule>) -> Self {
        self.default = Some(rules);
        self
    }

    /// Sets the rules of one class, in place of those it declares. The name is spelled in any way a URL may.
    #[must_use]
    pub fn allow(mut self, class: &str, rules: Vec<Rule>) -> Self {
        self.classes.insert(kebab(class), rules);
        self
    }

    /// Whether what the operator has set lets this client in to the agent of this name; what classes declare themselves is not known
    /// here, so that a class about which nothing is set lets everybody in.
    ///
    /// ```
    /// use hostel_core::{Identity, allow::parse};
    /// use hostel_edge::Permissions;
    ///
    /// let permissions = Permissions::default().allow("notes", parse("owner")?);
    /// let ada = Identity::new("ada");
    /// assert!(permissions.lets_in("Notes", Some(&ada), "ada") && !permissions.lets_in("Notes", Some(&ada), "bob"));
    /// # Ok::<(), hostel_core::allow::BadRule>(())
    /// ```
    pub fn lets_in(&self, class: &str, who: Option<&Identity>, agent: &str) -> bool {
        let rules = self.of(&kebab(class)).or(self.default_rules());
        rules.is_none_or(|rules| permits(rules, who, agent))
    }

    pub(super) fn of(&self, namespace: &str) -> Option<&[Rule]> {
        self.classes.get(namespace).map(Vec::as_slice)
    }

    pub(super) fn default_rules(&self) -> Option<&[Rule]> {
        self.default.as_deref()
    }
}
