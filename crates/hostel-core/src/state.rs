//! Fields of the state that clients may not see or may not write, and what that makes of a state as JSON.
//!
//! Everything here works on the top level of the JSON text: values are moved as they are, never read.

use std::{borrow::Cow, collections::HashSet};

use hostel_protocol::json;
use serde_json::{Value, value::RawValue};
use sha2::{Digest as _, Sha256};

/// What clients may do with a field of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing: it is stored, and never sent to them.
    Private,
    /// They see it; only the server writes it.
    Server,
}

/// A field that clients may not see or may not write. Fields that are not declared are theirs to see and to write.
///
/// `#[derive(State)]` writes these for fields marked `#[state(private)]` and `#[state(server)]`; an agent written by hand
/// lists them in [`crate::Agent::FIELDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateField {
    name: &'static str,
    aliases: &'static [&'static str],
    access: Access,
}

impl StateField {
    /// A field that clients never see. `name` is the one in JSON.
    pub const fn private(name: &'static str) -> Self {
        Self { name, aliases: &[], access: Access::Private }
    }

    /// A field that clients see and do not write. `name` is the one in JSON.
    pub const fn server(name: &'static str) -> Self {
        Self { name, aliases: &[], access: Access::Server }
    }

    /// Further names under which the field is read: clients do not write it under those either.
    #[must_use]
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// Its name in JSON.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What clients may do with it.
    pub const fn access(&self) -> Access {
        self.access
    }

    fn is_named(&self, key: &str) -> bool {
        self.name == key || self.aliases.contains(&key)
    }
}

/// Whether clients see less than what is stored.
pub fn has_private(fields: &[StateField]) -> bool {
    fields.iter().any(|field| field.access == Access::Private)
}

/// The state as clients see it. Borrowed when there is nothing to leave out.
pub fn visible<'a>(state: &'a str, fields: &[StateField]) -> Cow<'a, str> {
    if !has_private(fields) {
        return Cow::Borrowed(state);
    }
    let hidden = |key: &str| fields.iter().any(|field| field.access == Access::Private && field.is_named(key));
    match json::members(state) {
        Some(members) => Cow::Owned(object(members.iter().filter(|(key, _)| !hidden(key)))),
        // What is no object has no fields.
        None => Cow::Borrowed(state),
    }
}

/// A short hash of the state as clients see it: the same text, the same version.
pub fn version(visible: &str) -> String {
    let hash = Sha256::digest(visible.as_bytes());
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// A client's state, with the server's values of the declared fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// What to store.
    pub json: String,
    /// Declared fields for which the client had other values, as it named them.
    pub kept: Vec<String>,
    /// Whether the client's own copy is not what clients are to see: it lacks a field, or has another value.
    pub differs: bool,
}

/// Puts the server's values of the declared fields into a client's state; `None` when that is no object.
pub fn merge(incoming: &str, committed: &str, fields: &[StateField]) -> Option<Merged> {
    let incoming = json::members(incoming)?;
    let committed = json::members(committed).unwrap_or_default();
    let declared = |key: &str| fields.iter().find(|field| field.is_named(key));
    let ours: Vec<_> = committed.iter().filter(|(key, _)| declared(key).is_some()).collect();
    let value = |field: &StateField| ours.iter().find(|(key, _)| key == field.name).map(|(_, value)| value.get());
    let mut kept: Vec<String> = Vec::new();
    for (key, theirs) in &incoming {
        let Some(field) = declared(key) else { continue };
        // That a guess of a private value is right is not told either.
        let same = field.access == Access::Server && value(field).is_some_and(|ours| same(ours, theirs.get()));
        if !same && !kept.iter().any(|known| known == key) {
            kept.push(key.clone().into_owned());
        }
    }
    let lacks = |field: &StateField| value(field).is_some() && !incoming.iter().any(|(key, _)| key == field.name);
    let differs = !kept.is_empty() || fields.iter().any(|field| field.access == Access::Server && lacks(field));
    let theirs = incoming.iter().filter(|(key, _)| declared(key).is_none());
    let json = object(theirs.chain(ours.iter().copied()));
    Some(Merged { json, kept, differs })
}

/// The keys of `before` that `after` lacks, as far as clients see and write them. Only the top level counts: further down
/// an object is as often a map whose entries are meant to go.
pub fn dropped(before: &str, after: &str, fields: &[StateField]) -> Vec<String> {
    let (Some(before), Some(after)) = (json::members(before), json::members(after)) else { return Vec::new() };
    let kept: HashSet<&str> = after.iter().map(|(key, _)| &**key).collect();
    let declared = |key: &str| fields.iter().any(|field| field.is_named(key));
    let gone = before.iter().filter(|(key, _)| !kept.contains(&**key) && !declared(key));
    gone.map(|(key, _)| key.clone().into_owned()).collect()
}

/// `state` with the members named in `keys` added from `from`, as far as it has them.
pub fn filled(state: &str, from: &str, keys: &[String]) -> Option<String> {
    let (state, from) = (json::members(state)?, json::members(from)?);
    let wanted = from.iter().filter(|(key, _)| keys.iter().any(|wanted| wanted == key));
    Some(object(state.iter().chain(wanted)))
}

/// Whether the object `state` has any of these keys.
pub fn has_any(state: &str, keys: &[String]) -> bool {
    json::members(state).is_some_and(|members| members.iter().any(|(key, _)| keys.iter().any(|wanted| wanted == key)))
}

fn object<'a>(members: impl Iterator<Item = &'a (Cow<'a, str>, &'a RawValue)>) -> String {
    let mut out = String::from("{");
    for (key, value) in members {
        if out.len() > 1 {
            out.push(',');
        }
        out += &Value::from(&**key).to_string();
        out.push(':');
        out += value.get();
    }
    out.push('}');
    out
}

/// Whether two JSON texts say the same. JavaScript writes `1` where Rust writes `1.0`.
fn same(ours: &str, theirs: &str) -> bool {
    let read = |text| serde_json::from_str::<Value>(text).ok();
    ours == theirs || read(ours).zip(read(theirs)).is_some_and(|(ours, theirs)| alike(&ours, &theirs))
}

fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || x.as_f64() == y.as_f64(),
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| alike(x, y)),
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(key, x)| y.get(key).is_some_and(|y| alike(x, y)))
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests;
