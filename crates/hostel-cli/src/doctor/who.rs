//! Who the server takes us for, and how it wants to be shown a token.

use hostel_client::http;
use serde_json::Value;

use super::{Doctor, Stop, explain};

impl Doctor<'_> {
    /// Asks the server. One that asks nobody who they are has nothing to say.
    pub(super) async fn who(&mut self) -> Result<(), Stop> {
        if !self.hostel {
            return Ok(());
        }
        let Ok(answer) = http::get(&self.target.with_path("/_hostel/who"), &self.options).await else { return Ok(()) };
        if matches!(answer.status, 401 | 403 | 429)
            && let Some(broken) = explain::answer("auth", &answer)
        {
            return Err(broken.into());
        }
        match serde_json::from_str(&answer.text()) {
            Ok(said) if answer.status == 200 => Ok(self.report.passed("auth", &in_words(&said))?),
            _ => Ok(()),
        }
    }
}

fn in_words(said: &Value) -> String {
    let list = |value: &Value| -> String {
        let words = value.as_array().into_iter().flatten().filter_map(Value::as_str);
        words.collect::<Vec<_>>().join(", ")
    };
    let ways = format!("tokens ({}) are taken by {}", list(&said["tokens"]), list(&said["ways"]));
    let you = &said["you"];
    let Some(subject) = you["subject"].as_str() else {
        return format!("no token was shown (--token, HOSTEL_TOKEN), so you are nobody; {ways}");
    };
    let mut facts = Vec::new();
    facts.extend(you["issuer"].as_str().map(|issuer| format!("by {issuer}")));
    facts.extend(Some(list(&you["roles"])).filter(|roles| !roles.is_empty()).map(|roles| format!("roles {roles}")));
    facts.extend(you["operator"].as_bool().filter(|is| *is).map(|_| "operator".to_owned()));
    facts.extend(you["expires"].as_str().map(|at| format!("until {at}")));
    let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join("; ")) };
    format!("the token is good, you are {subject}{facts}; {ways}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_who_one_is_and_how_to_show_a_token() {
        let said = serde_json::json!({
            "you": {"subject": "ada", "issuer": null, "roles": ["editor"], "operator": true, "expires": null},
            "ways": ["header", "ticket"],
            "tokens": ["given out by hand"],
        });
        let ways = "tokens (given out by hand) are taken by header, ticket";
        assert_eq!(in_words(&said), format!("the token is good, you are ada (roles editor; operator); {ways}"));
        let nobody = serde_json::json!({"you": null, "ways": ["header", "ticket"], "tokens": ["given out by hand"]});
        assert!(in_words(&nobody).ends_with(&format!("so you are nobody; {ways}")));
    }
}
