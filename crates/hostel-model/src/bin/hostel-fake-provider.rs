//! A provider for tests as a process of its own: `hostel-fake-provider [ADDR:PORT [SCRIPT]]`.
//!
//! It prints `listening on http://...` when it is ready.

use std::io::{self, Write as _};

use hostel_model::{Scripted, fake::FakeProvider};

#[tokio::main]
async fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let script = match arguments.next() {
        Some(path) => Scripted::new(&std::fs::read_to_string(path)?).map_err(io::Error::other)?,
        None => Scripted::built_in(),
    };
    let provider = FakeProvider::listen(script, address.parse().map_err(io::Error::other)?).await?;
    writeln!(io::stdout(), "listening on {}", provider.url())?;
    provider.run().await;
    Ok(())
}
