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

#[tokio::main]
async fn main() -> Result<()> {
    let mut auth = Auth::new().tickets();
    for person in ["ada", "bob"] {
        let token = new_token()?;
        #[expect(clippy::print_stdout, reason = "this is how the reader gets it")]
        {
            println!("{person}: {token}");
        }
        auth = auth.token(StaticToken::new(TokenHash::of(&token)?, Identity::new(person)));
    }
    let app = App::new().agent::<Notes>().data(".private-notes").auth(auth.build()?);
    Ok(app.serve("127.0.0.1:8787").await?)
}
