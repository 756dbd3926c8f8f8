//! The chat server to measure: Hostel with one chat agent that a model answers for, and nothing else.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use clap::Parser;
use hostel::{Admission, App, Limits, Options, prelude::*};
use hostel_bench::{runtime, say};
use hostel_chat::{
    Chat, ChatAgent, ChatSetup,
    model::{ModelSettings, Models, Secrets},
};
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Serves a chat agent, for benchmarks.
#[derive(Debug, Parser)]
struct Flags {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// Where the provider of the load will be.
    #[arg(long, default_value = "127.0.0.1:8789")]
    provider: SocketAddr,
    /// Where data is kept.
    #[arg(long, default_value = ".hostel")]
    data: PathBuf,
    /// Milliseconds after which an idle agent sleeps.
    #[arg(long, default_value_t = 10_000)]
    idle_after_ms: u64,
}

/// Answers with its model.
#[derive(Default, Serialize, Deserialize)]
struct Talker;

#[agent(extend = Chat)]
impl Talker {}

impl ChatAgent for Talker {
    fn chat(&self, _: &Cx<Self>) -> ChatSetup<Self> {
        ChatSetup::new()
    }
}

fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    runtime(1)?.block_on(serve(flags))
}

async fn serve(flags: Flags) -> anyhow::Result<()> {
    let app = App::new()
        .agent::<Talker>()
        .env(models(flags.provider)?)
        .data(&flags.data)
        // All load comes from one address.
        .limits(Limits { connections: 1_000_000, connections_per_ip: 1_000_000, ..Limits::default() })
        .options(Options { idle_after: Duration::from_millis(flags.idle_after_ms), ..Options::default() })
        .admission(Admission::any());
    say(&format!("listening on http://{}", flags.listen))?;
    app.serve(flags.listen).await?;
    Ok(())
}

/// One model, at the provider.
fn models(provider: SocketAddr) -> anyhow::Result<Models> {
    let settings = serde_json::json!({
        "provider": "openai-compatible", "base_url": format!("http://{provider}/v1"), "model": "stamps", "retries": 0
    });
    let settings: ModelSettings = serde_json::from_value(settings)?;
    let secrets: Arc<dyn Secrets> = Arc::new(BTreeMap::<String, String>::new());
    Models::from_settings([("main".to_owned(), settings)], &secrets)
        .map_err(|(name, why)| anyhow::anyhow!("model {name}: {why}"))
}
