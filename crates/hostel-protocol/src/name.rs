//! Names: how a class becomes a slug, how a path becomes an instance, and
//! what a misspelt name was probably meant to be.

mod nearest;
mod route;
mod segment;
mod sub;

pub use nearest::nearest;
pub use route::{AgentPath, NoMatch, Route, route};
pub use segment::{decode_segment, encode_segment};
pub use sub::{SubPath, sub_path};

use crate::refusal::{Code, Refusal};

/// The longest instance name, in bytes of its raw path segment.
pub const MAX_NAME_BYTES: usize = 1024;

/// The slug of a class or binding name, as every client computes it:
/// `CoderAgent` → `coder-agent`, `CODER_AGENT` → `coder-agent`,
/// `ROAgent` → `r-o-agent`.
///
/// ```
/// assert_eq!(hostel_protocol::name::kebab("MyMCPAgent2"), "my-m-c-p-agent2");
/// ```
#[must_use]
pub fn kebab(s: &str) -> String {
    if is_all_upper(s) {
        return s.to_lowercase().replace('_', "-");
    }
    let mut slug = String::with_capacity(s.len() + 4);
    for c in s.chars() {
        match c {
            'A'..='Z' => slug.extend(['-', c.to_ascii_lowercase()]),
            '_' => slug.push('-'),
            _ => slug.push(c),
        }
    }
    // Only hyphens that upper-case letters made are dropped at the front: the
    // rule removes one before it turns underscores into hyphens.
    let from = usize::from(!s.starts_with('_') && slug.starts_with('-'));
    let to = slug.len() - usize::from(slug.len() > from && slug.ends_with('-'));
    slug[from..to].to_owned()
}

/// Upper-cased equals itself, lower-cased does not: JavaScript's test.
fn is_all_upper(s: &str) -> bool {
    s == s.to_uppercase() && s != s.to_lowercase()
}

/// One key for every unambiguous spelling of a name: lower case without `-`
/// and `_`. `CoderAgent`, `coder-agent` and `CODER_AGENT` share `coderagent`.
#[must_use]
pub fn loose_key(s: &str) -> String {
    s.chars().filter(|c| !matches!(c, '-' | '_')).map(|c| c.to_ascii_lowercase()).collect()
}

/// The wire name of a Rust method: `increment_by` → `incrementBy`.
///
/// Leading underscores stay, as JavaScript writes private names that way.
#[must_use]
pub fn camel(snake: &str) -> String {
    let body = snake.trim_start_matches('_');
    let mut out = String::with_capacity(snake.len());
    out.push_str(&snake[..snake.len() - body.len()]);
    let mut raise = false;
    for c in body.chars() {
        match c {
            '_' => raise = true,
            _ if raise => {
                out.extend(c.to_uppercase());
                raise = false;
            }
            _ => out.push(c),
        }
    }
    out
}

/// Refuses an instance name longer than [`MAX_NAME_BYTES`].
///
/// # Errors
///
/// A [`Refusal`] with [`Code::NameTooLong`].
pub fn check_name(name: &str) -> Result<(), Refusal> {
    if name.len() <= MAX_NAME_BYTES {
        return Ok(());
    }
    let text = format!("The instance name is {} bytes long; at most {MAX_NAME_BYTES} are possible.", name.len());
    Err(Refusal::new(Code::NameTooLong, text).with_fix("Use a shorter name, for example a hash of the long one."))
}

#[cfg(test)]
mod tests;
