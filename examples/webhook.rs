//! Counts the pushes to each repository, as GitHub tells of them.
//!
//! ```console
//! $ HOSTEL_SECRET_GITHUB_WEBHOOK=.. cargo run --example webhook
//! ```

use hostel::{
    Delivery, SecretValue, Target, Vault, Webhook,
    prelude::*,
    vault::{Options, environment},
};

/// One agent for each repository.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
struct Repository {
    pushes: u64,
    last_branch: String,
}

#[agent]
impl Repository {
    /// Runs in the agent's queue, once for each webhook, and again if it fails.
    #[task]
    fn on_webhook(&mut self, delivery: &Delivery) {
        if delivery.event.as_deref() == Some("push") {
            self.pushes += 1;
            self.last_branch = delivery.pointer("/ref").unwrap_or_default();
        }
    }
}

fn main() -> Result<()> {
    // Takes the secrets out of the environment; first of all, because it may start the program anew.
    let secrets = environment::isolate()?;
    let vault = Vault::open(None, &secrets, Options::default())?;
    let secret: SecretValue = "secret:GITHUB_WEBHOOK".parse()?;
    let github = Webhook::github(secret).to::<Repository>(|delivery| match delivery.pointer("/repository/full_name") {
        Some(name) => Target::agent(name),
        None => Target::ignore("it is about no repository"),
    });
    let app = App::new().vault(vault).agent::<Repository>().webhook("github", github);
    tokio::runtime::Runtime::new()?.block_on(app.serve("127.0.0.1:8787"))?;
    Ok(())
}
