//! The helper alone, for tests; and `try`, which runs one command of a JSON order and tells what became of it.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use hostel_sandbox::{Command, Policy, Sandbox, Source, Terminal};
use serde::Deserialize;

/// What `try` reads from standard input.
#[derive(Debug, Deserialize)]
struct Order {
    policy: Policy,
    argv: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    terminal: bool,
}

fn main() -> std::io::Result<()> {
    hostel_sandbox::run_if_helper();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let told = runtime.block_on(attempt());
    writeln!(std::io::stdout(), "{told}")
}

async fn attempt() -> serde_json::Value {
    match run().await {
        Ok(told) => told,
        Err(error) => serde_json::json!({ "error": error.to_string() }),
    }
}

async fn run() -> Result<serde_json::Value, Box<dyn std::error::Error>> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let order: Order = serde_json::from_str(&text)?;
    let mut command = Command::new(order.argv);
    command.env = order.env;
    command.terminal = order.terminal.then(Terminal::default);
    let mut job = Sandbox::new().start(&order.policy, &command).await?;
    job.close_input().await?;
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    while let Some(piece) = job.next().await {
        let to = if piece.source == Source::Errors { &mut errors } else { &mut output };
        to.extend(piece.bytes);
    }
    let exit = job.wait().await?;
    Ok(serde_json::json!({
        "output": String::from_utf8_lossy(&output),
        "errors": String::from_utf8_lossy(&errors),
        "code": exit.code,
        "ended": format!("{:?}", exit.ended),
    }))
}
