//! A command that knows a secret: a password manager, for instance.

use std::{
    io::Read as _,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use zeroize::Zeroizing;

use crate::{SecretName, VaultError, environment, vault::MOST_BYTES};

/// How often a command is looked at while it runs.
const LOOK: Duration = Duration::from_millis(10);

/// Runs it and takes what it prints, without the line end. It inherits no secret, and must end in time.
pub(crate) fn run(name: &SecretName, command: &[String], limit: Duration) -> Result<Zeroizing<String>, VaultError> {
    let failed = |reason: String| VaultError::Command { name: name.clone(), reason };
    let (program, arguments) = command.split_first().ok_or_else(|| failed("it is empty".to_owned()))?;
    let mut child = Command::new(program);
    child.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    environment::clean(&mut child);
    let mut child = child.spawn().map_err(|error| failed(format!("{program} cannot be started: {error}")))?;
    let read = child.stdout.take().map(|mut out| {
        std::thread::spawn(move || {
            let mut bytes = Zeroizing::new(Vec::new());
            out.by_ref().take(MOST_BYTES as u64 + 2).read_to_end(&mut bytes).map(|_| bytes)
        })
    });
    let ended = wait(&mut child, limit).map_err(|error| failed(error.to_string()))?;
    let Some(status) = ended else { return Err(VaultError::Timeout { name: name.clone(), limit }) };
    if !status.success() {
        return Err(failed(format!("{program} ended with {status}")));
    }
    let read = read.and_then(|read| read.join().ok()).and_then(Result::ok);
    let text = read.as_ref().and_then(|bytes| std::str::from_utf8(bytes).ok());
    let text = text.ok_or_else(|| failed("it printed something that is no text".to_owned()))?;
    Ok(Zeroizing::new(text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text)).to_owned()))
}

fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<std::process::ExitStatus>> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if started.elapsed() >= limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(LOOK);
    }
}
