//! Secrets in the environment, `HOSTEL_SECRET_NAME` and the usual keys of model providers, and how children are kept from
//! inheriting them.
//!
//! A process cannot safely remove a variable from its own environment, and `/proc/PID/environ` would keep it anyway. So
//! the program starts itself anew, once, without them, and hands itself the values through a pipe: [`isolate`].

use std::{
    ffi::{OsStr, OsString},
    io::{self, Read as _, Write as _},
    process::Command,
};

use zeroize::Zeroizing;

use crate::{SecretName, mask::Known};

/// What the variables begin with that are secrets.
pub const PREFIX: &str = "HOSTEL_SECRET_";
/// The passphrase of the sealed file.
pub const PASSPHRASE: &str = "HOSTEL_VAULT_PASSPHRASE";
/// Keys of model providers, under the names their own tools use: secrets too, with these names.
pub const PROVIDER_KEYS: [&str; 4] = ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY"];
/// Tells the new start that its standard input holds the values.
const ON_STDIN: &str = "HOSTEL_SECRETS_ON_STDIN";
/// What a pipe holds without anybody reading at the other end.
const MOST_BYTES: usize = 60 << 10;

/// The secrets of the environment.
#[derive(Default)]
#[expect(missing_debug_implementations, reason = "so that it cannot be printed by mistake")]
pub struct Environment {
    /// By the names of their variables.
    variables: Vec<(String, Zeroizing<String>)>,
}

impl Environment {
    /// Reads them from the environment, where children still find them; [`clean`] a child before it is started.
    pub fn read() -> Self {
        let variables = std::env::vars_os().filter(|(name, _)| is_secret(name));
        let texts = variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self { variables: texts.map(|(name, value)| (name, Zeroizing::new(value))).collect() }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.variables.is_empty()
    }

    /// The passphrase of the sealed file, if it is there.
    pub fn passphrase(&self) -> Option<Zeroizing<String>> {
        self.variables.iter().find(|(name, _)| name == PASSPHRASE).map(|(_, value)| value.clone())
    }

    pub(crate) fn values(&self) -> Known {
        let is_usual = |name: &str| PROVIDER_KEYS.contains(&name);
        // Those with the prefix come last, and win.
        let usual = self.variables.iter().filter(|(name, _)| is_usual(name));
        let ours = self.variables.iter().filter(|(name, _)| !is_usual(name));
        let secrets = usual.chain(ours).filter_map(|(name, value)| {
            let name = if is_usual(name) { name } else { name.strip_prefix(PREFIX)? };
            (!value.is_empty()).then(|| Some((SecretName::node(name).ok()?, value.clone())))?
        });
        secrets.collect()
    }
}

/// Takes the secrets out of the environment. If there are any, this starts the program anew without them, with the same
/// process id and arguments, and does not return; the new start returns them from here. Call it first in `main`.
///
/// # Errors
/// When the program cannot be started anew, or the secrets are more than 60 KiB.
#[cfg(unix)]
pub fn isolate() -> io::Result<Environment> {
    use std::os::unix::process::CommandExt as _;
    if std::env::var_os(ON_STDIN).is_some() {
        return from_stdin();
    }
    let found = Environment::read();
    if found.is_empty() {
        return Ok(found);
    }
    let (reader, mut writer) = io::pipe()?;
    let text = Zeroizing::new(serde_json::to_vec(&found.variables)?);
    if text.len() > MOST_BYTES {
        return Err(io::Error::other(
            "the secrets in the environment are more than 60 KiB; keep them in a sealed file",
        ));
    }
    writer.write_all(&text)?;
    drop(writer);
    let mut arguments = std::env::args_os();
    let mut again = Command::new(std::env::current_exe()?);
    again.arg0(arguments.next().unwrap_or_default()).args(arguments);
    clean(&mut again);
    Err(again.env(ON_STDIN, "1").stdin(reader).exec())
}

/// Takes the secrets out of the environment, where that is possible: not on this system, so [`clean`] children.
///
/// # Errors
/// None on this system.
#[cfg(not(unix))]
pub fn isolate() -> io::Result<Environment> {
    Ok(Environment::read())
}

/// Takes the secrets out of what a child will inherit.
pub fn clean(child: &mut Command) {
    for name in names() {
        child.env_remove(name);
    }
}

/// The variables that [`clean`] removes.
pub fn names() -> impl Iterator<Item = OsString> {
    std::env::vars_os().map(|(name, _)| name).filter(|name| is_secret(name) || name == ON_STDIN)
}

fn is_secret(name: &OsStr) -> bool {
    let secret = |name: &str| name.starts_with(PREFIX) || PROVIDER_KEYS.contains(&name);
    name == PASSPHRASE || name.to_str().is_some_and(secret)
}

#[cfg(unix)]
fn from_stdin() -> io::Result<Environment> {
    let mut text = Zeroizing::new(Vec::new());
    io::stdin().lock().take(MOST_BYTES as u64 + 1).read_to_end(&mut text)?;
    Ok(Environment { variables: serde_json::from_slice(&text)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_keys_of_model_providers_are_secrets_and_ours_win() {
        let variables =
            [("HOSTEL_SECRET_OPENAI_API_KEY", "ours"), ("OPENAI_API_KEY", "usual"), ("GEMINI_API_KEY", "g")];
        let variables = variables.map(|(name, value)| (name.to_owned(), Zeroizing::new(value.to_owned())));
        let known = Environment { variables: variables.to_vec() }.values();
        let value = |name: &str| known.get(&SecretName::node(name).unwrap()).map(|value| value.to_string());
        assert_eq!(value("OPENAI_API_KEY").as_deref(), Some("ours"));
        assert_eq!(value("GEMINI_API_KEY").as_deref(), Some("g"));
        assert!(is_secret(OsStr::new("ANTHROPIC_API_KEY")) && !is_secret(OsStr::new("OTHER_API_KEY")));
    }
}
