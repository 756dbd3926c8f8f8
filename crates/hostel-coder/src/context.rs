//! Which project people are talking about, and changes to that.

use hostel::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// Which project people are talking about. Every field is optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ProjectContext {
    /// Owner of the repository, e.g. `OpenAgentsInc`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo_owner: Option<String>,
    /// Name of the repository, e.g. `openagents`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo_name: Option<String>,
    /// Branch in question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Path within the repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// A change to a [`ProjectContext`]: fields that are left out stay as they are, `null` clears one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ContextChange {
    /// New owner of the repository.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub repo_owner: Option<Option<String>>,
    /// New name of the repository.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub repo_name: Option<Option<String>>,
    /// New branch.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub branch: Option<Option<String>>,
    /// New path.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub path: Option<Option<String>>,
}

/// A field that is there, be it `null`.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl ProjectContext {
    /// Takes over what `change` gives.
    pub fn apply(&mut self, change: ContextChange) {
        let ContextChange { repo_owner, repo_name, branch, path } = change;
        for (field, given) in [
            (&mut self.repo_owner, repo_owner),
            (&mut self.repo_name, repo_name),
            (&mut self.branch, branch),
            (&mut self.path, path),
        ] {
            if let Some(given) = given {
                *field = given;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(json: &str) -> ContextChange {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_change_keeps_what_it_does_not_name() {
        let mut context = ProjectContext::default();
        context.apply(change(r#"{"repoOwner":"a","repoName":"b"}"#));
        context.apply(change(r#"{"branch":"main"}"#));
        assert_eq!(serde_json::to_string(&context).unwrap(), r#"{"repoOwner":"a","repoName":"b","branch":"main"}"#);
    }

    #[test]
    fn null_clears_a_field() {
        let mut context = ProjectContext { branch: Some("main".into()), ..Default::default() };
        context.apply(change(r#"{"branch":null}"#));
        assert_eq!(context, ProjectContext::default());
    }
}
