//! What a call would do, for whoever is to say yes to it.

use hostel::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How much of each part is shown and kept.
const SHOWN: usize = 128 << 10;

/// What a call would do, for whoever is to say yes to it: found out by [`Tool::preview`](crate::Tool::preview), shown with
/// the question, and kept with the approval.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Preview {
    /// The change of files it would make, as a unified diff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
    /// The command it would run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// What else there is to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What "always" would allow, if that is less than the whole tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub always: Option<String>,
    /// Whether nothing is remembered if "always" is said: it is asked about each time.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub each_time: bool,
    /// Of the full preview, what tells it from others: see [`ToolCx::check_preview`](crate::ToolCx::check_preview).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Whether it could not be found out; then `text` says why.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
}

impl Preview {
    /// A change of files.
    pub fn diff(diff: impl Into<String>) -> Self {
        Self { diff: Some(diff.into()), ..Self::default() }
    }

    /// A command.
    pub fn command(line: impl Into<String>) -> Self {
        Self { command: Some(line.into()), ..Self::default() }
    }

    /// In words.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }

    /// It cannot be found out, for this reason.
    pub fn failure(why: impl std::fmt::Display) -> Self {
        Self { failed: true, ..Self::text(format!("What it would do cannot be shown: {why}")) }
    }

    /// Says something beside the diff or the command.
    #[must_use]
    pub fn with_text(self, text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..self }
    }

    /// Says what "always" would allow.
    #[must_use]
    pub fn with_always(self, what: impl Into<String>) -> Self {
        Self { always: Some(what.into()), ..self }
    }

    /// Says that "always" would be forgotten.
    #[must_use]
    pub fn asked_each_time(self) -> Self {
        Self { each_time: true, ..self }
    }

    /// Says what tells it from others. The tool compares it before it does anything.
    #[must_use]
    pub fn with_fingerprint(self, fingerprint: impl Into<String>) -> Self {
        Self { fingerprint: Some(fingerprint.into()), ..self }
    }

    /// Whether somebody who saw this has seen what `fingerprint` stands for.
    pub(crate) fn check(&self, fingerprint: &str) -> Result<()> {
        let fix = "look at it again, and call the tool again";
        if self.failed {
            return Err(Error::msg("What it would do could not be shown when somebody said yes. Nothing was done.")
                .with_fix(fix));
        }
        if self.fingerprint.as_deref().is_some_and(|shown| shown != fingerprint) {
            let why =
                "What it works on has changed since this was shown: it would do something else. Nothing was done.";
            return Err(Error::msg(why).with_fix(fix));
        }
        Ok(())
    }

    /// What is far too long is cut; the fingerprint is of all.
    pub(crate) fn bounded(mut self) -> Self {
        for part in [&mut self.diff, &mut self.command, &mut self.text, &mut self.always] {
            if let Some(text) = part.as_mut().filter(|text| text.len() > SHOWN) {
                let left_out = text.len() - SHOWN;
                text.truncate(text.floor_char_boundary(SHOWN));
                text.push_str(&format!("\n({left_out} bytes more are not shown)\n"));
            }
        }
        self
    }

    /// As the stream has it.
    pub(crate) fn data(&self, call: &str) -> Value {
        let mut data = serde_json::to_value(self).unwrap_or_else(|_| json!({}));
        data["toolCallId"] = call.into();
        data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yes_holds_for_what_was_shown_and_for_nothing_else() {
        let shown = Preview::diff("+a").with_fingerprint("1");
        assert!(shown.check("1").is_ok());
        assert!(shown.check("2").unwrap_err().message().contains("Nothing was done"));
        assert!(Preview::text("words").check("2").is_ok());
        assert!(Preview::failure("no reason").check("1").is_err());
    }

    #[test]
    fn a_long_diff_is_cut_between_two_characters() {
        let cut = Preview::diff("ä".repeat(SHOWN)).bounded();
        let diff = cut.diff.unwrap();
        assert!(diff.len() < SHOWN + 100 && diff.ends_with("bytes more are not shown)\n"), "{}", diff.len());
    }
}
