//! `hostel call`: one call, its result as JSON.

use std::process::ExitCode;

use hostel_client::{Call, Client, Part};
use serde_json::Value;

use crate::cli::CallArgs;
use crate::output;

pub(super) async fn run(args: CallArgs) -> anyhow::Result<ExitCode> {
    let target = args.server.target(&args.target)?;
    let client = Client::connect(&target, &args.server.options()).await?;
    let mut call = Call::new(args.method, args.args).timeout(args.timeout);
    if let Some(key) = args.idempotency_key {
        call = call.idempotency_key(key);
    }
    let mut parts = client.call_streaming(call).await?;
    let mut streamed = false;
    loop {
        match parts.next().await? {
            Part::Chunk(value) => {
                output::line(&value.to_string())?;
                streamed = true;
            }
            // The end of a stream has a value only if the method gave one.
            Part::Done(None) if streamed => break,
            Part::Done(value) => {
                output::line(&value.unwrap_or(Value::Null).to_string())?;
                break;
            }
        }
    }
    client.close().await;
    Ok(ExitCode::SUCCESS)
}
