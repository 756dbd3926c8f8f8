//! How a failed command says why, and with which exit code.

use std::process::ExitCode;

use hostel_client::{BadTarget, Closed, Error};

use crate::output;

/// A command line or configuration that cannot be used: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// A failure that was told already: exit code 1 and not a word more.
#[derive(Debug, thiserror::Error)]
#[error("failed")]
pub(crate) struct Told;

/// A server that answered a plain request with a refusal.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refused {
    pub(crate) code: Option<String>,
    pub(crate) message: String,
    pub(crate) fix: Option<String>,
}

impl From<hostel_server::Refused> for Refused {
    fn from(refused: hostel_server::Refused) -> Self {
        Self { code: Some(refused.code), message: refused.message, fix: refused.fix }
    }
}

impl Refused {
    /// A sentence without a code.
    pub(crate) fn plain(message: &str) -> Self {
        Self { code: None, message: message.to_owned(), fix: None }
    }

    pub(crate) fn answer(answer: &hostel_client::http::Answer) -> Self {
        let problem = answer.problem().unwrap_or_default();
        Self { code: problem.code, message: answer.summary(), fix: problem.fix }
    }
}

/// Prints code, sentence and fix to stderr.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if is_closed_pipe(error) {
        return ExitCode::SUCCESS;
    }
    if error.is::<Told>() {
        return ExitCode::FAILURE;
    }
    let (code, fix) = details(error);
    let fix = code.as_deref().and_then(token_fix).or(fix);
    let code = code.map_or_else(String::new, |code| format!("{code}: "));
    // There is nobody left to tell when stderr is closed too.
    let _ = output::note(&format!("{code}{}", sentence(error)));
    if let Some(fix) = fix {
        let _ = output::note(&format!("fix: {fix}"));
    }
    match error.is::<Usage>() || matches!(error.downcast_ref(), Some(Error::Target(_))) || error.is::<BadTarget>() {
        true => ExitCode::from(2),
        false => ExitCode::FAILURE,
    }
}

/// How this program is given a token.
fn token_fix(code: &str) -> Option<String> {
    let fix = match code {
        "unauthorized" => "give a token with --token, or in the variable HOSTEL_TOKEN",
        "token_invalid" | "token_expired" => "give another token with --token, or in the variable HOSTEL_TOKEN",
        "forbidden" => "use the token of somebody who may: --token, or the variable HOSTEL_TOKEN",
        _ => return None,
    };
    Some(fix.to_owned())
}

/// The reader of our output went away, as `head` does: no failure of ours.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn details(error: &anyhow::Error) -> (Option<String>, Option<String>) {
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return (refused.code.clone(), refused.fix.clone());
    }
    match error.downcast_ref::<Error>() {
        Some(error) => (error.code(), error.fix().or_else(|| own_fix(error))),
        None => (None, None),
    }
}

fn own_fix(error: &Error) -> Option<String> {
    let fix = match error {
        Error::Connect { .. } => "Start the server with `hostel serve`, or give its address with --url or HOSTEL_URL.",
        Error::Resolve { .. } => "Check the spelling of the host in the URL.",
        Error::Tls { .. } | Error::Http(_) | Error::Refused(_) | Error::FalseUpgrade { .. } => {
            "`hostel doctor` with the same address finds out why."
        }
        _ => return None,
    };
    Some(fix.to_owned())
}

fn sentence(error: &anyhow::Error) -> String {
    match error.downcast_ref::<Error>() {
        Some(Error::Closed(Closed { said: Some(said), .. })) => said.message.clone(),
        // Its text has that of its source in it already.
        Some(error) => error.to_string(),
        None => chain(error),
    }
}

/// Every cause once: many texts have that of their source in them already.
fn chain(error: &anyhow::Error) -> String {
    error
        .chain()
        .skip(1)
        .map(ToString::to_string)
        .fold(error.to_string(), |text, cause| if text.contains(&cause) { text } else { format!("{text}: {cause}") })
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the key cannot be read: {source}; look for it")]
    struct Unreadable {
        source: std::io::Error,
    }

    #[test]
    fn a_cause_that_was_told_already_is_not_told_again() {
        let source = std::io::Error::other("no such file");
        let error = Err::<(), _>(Unreadable { source }).context("cannot start").unwrap_err();
        assert_eq!(sentence(&error), "cannot start: the key cannot be read: no such file; look for it");
    }
}
