//! `hostel export`: an agent as one file.

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hostel_server::Form;
use http::Method;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::ExportArgs;
use crate::door::{Door, Sent};
use crate::failure::Usage;
use crate::output;
use crate::place::{Who, directory, refusable};
use crate::progress::{Progress, size};

pub(super) async fn run(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let who = Who::parse(&args.agent, &args.place.server)?;
    let mut out = Out::open(args, &who)?;
    match &args.place.data {
        Some(dir) => {
            let dir = directory(dir)?;
            refusable(dir.export(&who.class, &who.name, form(args), &mut out))?;
        }
        None => download(args, &who, &mut out).await?,
    }
    let (file, bytes) = out.finish()?;
    let Some(file) = file else { return Ok(ExitCode::SUCCESS) };
    let line = match args.json {
        true => json!({"file": file, "bytes": bytes}).to_string(),
        false => format!("{who} is in {} ({}).", file.display(), size(bytes)),
    };
    output::line(&line)?;
    Ok(ExitCode::SUCCESS)
}

fn form(args: &ExportArgs) -> Form {
    match args.durable_object {
        true => Form::DurableObject,
        false => Form::Export { history: !args.no_history, files: !args.no_files },
    }
}

async fn download(args: &ExportArgs, who: &Who, out: &mut Out) -> anyhow::Result<()> {
    let query = match form(args) {
        Form::DurableObject => "format=durable-object".to_owned(),
        Form::Export { history, files } => format!("history={history}&files={files}"),
    };
    let door = Door::to(&args.agent, &args.place.server)?;
    let mut answer = door.ask(Method::GET, &who.door(&format!("export?{query}")), Sent::Nothing).await?;
    while let Some(bytes) = answer.next().await? {
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// Where the bytes go: stdout, or a file that has its name only when it is whole.
struct Out {
    to: Box<dyn Write>,
    /// The unfinished file and its name.
    file: Option<(tempfile::TempPath, PathBuf)>,
    bytes: u64,
    progress: Progress,
}

impl Out {
    fn open(args: &ExportArgs, who: &Who) -> anyhow::Result<Self> {
        let progress = Progress::new();
        if args.output.as_deref() == Some(Path::new("-")) {
            if io::stdout().is_terminal() {
                return Err(Usage("an export is no text for a terminal; name a file with -o".to_owned()).into());
            }
            return Ok(Self { to: Box::new(io::stdout()), file: None, bytes: 0, progress });
        }
        let name = match &args.output {
            Some(name) => name.clone(),
            None => free(default_name(who, args.durable_object))?,
        };
        let dir = name.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let (file, path) = tempfile::Builder::new().prefix(".hostel-export-").tempfile_in(dir)?.into_parts();
        remove_if_broken_off(path.to_path_buf())?;
        Ok(Self { to: Box::new(file), file: Some((path, name)), bytes: 0, progress })
    }

    /// The name of the file, if it is one, and its size.
    fn finish(mut self) -> anyhow::Result<(Option<PathBuf>, u64)> {
        self.to.flush()?;
        let Some((path, name)) = self.file.take() else { return Ok((None, self.bytes)) };
        std::fs::File::open(&path)?.sync_all()?;
        path.persist(&name)?;
        Ok((Some(name), self.bytes))
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.bytes += written as u64;
        let so_far = format!("{} …", size(self.bytes));
        self.progress.show(&so_far);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Ctrl-C ends the command wherever it is, and leaves nothing behind: a thread of its own, for exports of a directory do not
/// wait for anything.
fn remove_if_broken_off(unfinished: PathBuf) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _inside = runtime.enter();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    drop(_inside);
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        // It has its name by now, or it goes.
        let _gone = std::fs::remove_file(&unfinished);
        std::process::exit(130);
    });
    Ok(())
}

fn default_name(who: &Who, durable_object: bool) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = who.name.chars().take(100).map(plain).collect();
    let end = if durable_object { "sqlite" } else { "hostel" };
    PathBuf::from(format!("{}-{name}.{end}", who.class))
}

/// A name that nobody chose must not overwrite anything.
fn free(name: PathBuf) -> Result<PathBuf, Usage> {
    match name.exists() {
        true => Err(Usage(format!("{0} exists; to overwrite it say -o {0}", name.display()))),
        false => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_after_its_agent_without_leaving_the_directory() {
        let name = |name: &str| {
            let who = Who { class: "counter".to_owned(), name: name.to_owned() };
            default_name(&who, false).display().to_string()
        };
        assert_eq!(name("a"), "counter-a.hostel");
        assert_eq!(name("../x y"), "counter-..-x-y.hostel");
    }
}
