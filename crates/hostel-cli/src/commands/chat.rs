//! `hostel chat`: a conversation with an agent, for people and for scripts.

mod once;
mod session;

use std::io::{IsTerminal as _, Read as _};
use std::process::ExitCode;

use crate::chat::Link;
use crate::cli::ChatArgs;
use crate::failure::Usage;

pub(super) async fn run(args: &ChatArgs) -> anyhow::Result<ExitCode> {
    let said = match &args.message {
        Some(text) => Some(text.clone()),
        None if std::io::stdin().is_terminal() => None,
        None => Some(from_stdin()?),
    };
    if said.as_ref().is_some_and(|text| text.trim().is_empty()) {
        return Err(Usage("there is nothing to say: give --message, or text on stdin".to_owned()).into());
    }
    let target = args.server.target(&args.target)?;
    let link = Link::open(target, args.server.options()).await?;
    match said {
        Some(text) => once::run(link, args, &text).await,
        None => session::run(link, args).await,
    }
}

fn from_stdin() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|_| Usage("stdin is no text".to_owned()))?;
    Ok(text.trim_end().to_owned())
}
