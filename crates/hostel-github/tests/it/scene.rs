//! A fake GitHub with one repository, and clients of it.

use std::time::Duration;

use hostel_fake_github::{FakeGithub, Scope};
use hostel_github::{Github, RepoName, Settings, Token};

pub(crate) struct Scene {
    pub(crate) fake: FakeGithub,
    pub(crate) nobody: Github,
    pub(crate) ada: Github,
    pub(crate) engine: RepoName,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let fake = FakeGithub::start().await.unwrap();
        let files = [("README.md", "An engine.\n"), ("src/main.rs", "fn main() {}\n"), ("src/a b+c.rs", "// odd\n")];
        fake.repository("ada/engine", &files).unwrap();
        let settings = Settings {
            api: fake.api_url().parse().unwrap(),
            patience: Duration::from_secs(5),
            file_bytes: 3 << 20,
            ..Settings::default()
        };
        let nobody = Github::new(&settings).unwrap();
        let ada = nobody.with_token(Token::new(fake.token("ada", Scope::Write)));
        Self { fake, nobody, ada, engine: "ada/engine".parse().unwrap() }
    }

    pub(crate) fn reader(&self) -> Github {
        self.nobody.with_token(Token::new(self.fake.token("eve", Scope::Read)))
    }
}
