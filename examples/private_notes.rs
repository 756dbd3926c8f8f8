//! Notes that only their owner sees: `cargo run -p hostel --example private_notes`.
//!
//! It prints a token for each of two people. With one of them:
//!
//! ```text
//! hostel call notes/me add '"buy milk"' --token <ada's>
//! hostel state get notes/me --token <ada's>       her notes
//! hostel state get notes/ada --token <bob's>      refused: forbidden
//! hostel state get notes/ada                      refused: unauthorized
//! ```

use hostel::{
    auth::{Auth, StaticToken, TokenHash, new_token},
    prelude::*,
};

/// One person's notes; the agent's name is the person's.
#[derive(Default, Serialize, Deserialize)]
struct Notes {
    lines: Vec<String>,
}

#[agent(allow = "owner")]
impl Notes {
    /// Adds a line, and says whose notes these are.
    #[callable]
    fn add(&mut self, cx: &Cx<Self>, line: String) -> String {
        self.lines.push(line);
        cx.identity().map_or_else(String::new, |identity| format!("{} of {}", self.lines.len(), identity.subject()))
    }
}

/// The application, with these people and their tokens.
fn app(people: &[(&str, &str)]) -> Result<App> {
    let mut auth = Auth::new().tickets();
    for (person, token) in people {
        auth = auth.token(StaticToken::new(TokenHash::of(token)?, Identity::new(*person)));
    }
    Ok(App::new().agent::<Notes>().auth(auth.build()?))
}

#[tokio::main]
async fn main() -> Result<()> {
    let (ada, bob) = (new_token()?, new_token()?);
    #[expect(clippy::print_stdout, reason = "this is how the reader gets them")]
    {
        println!("ada: {ada}\nbob: {bob}");
    }
    Ok(app(&[("ada", &ada), ("bob", &bob)])?.data(".private-notes").serve("127.0.0.1:8787").await?)
}

#[cfg(test)]
mod tests {
    use hostel::http::header::AUTHORIZATION;
    use hostel_client::Options;
    use hostel_testing::TestHome;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn notes_are_their_owners_and_nobody_elses() {
        let (ada, bob) = (new_token().unwrap(), new_token().unwrap());
        let with = |token: &str| {
            let header = (AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
            Options { headers: vec![header], ..Options::default() }
        };
        let people = (ada.clone(), bob.clone());
        let home = TestHome::start(move || app(&[("ada", &people.0), ("bob", &people.1)]).unwrap()).await;
        let mut hers = home.try_connect("notes/me", &with(&ada)).await.unwrap();
        assert_eq!(hers.call("add", json!(["buy milk"])).await, "1 of ada");
        for (options, why) in [(with(&bob), "4403"), (Options::default(), "4401")] {
            let refused = home.try_connect("notes/ada", &options).await.unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
        }
    }
}
