//! The binary at a terminal: what is typed, and what stands on the screen.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use hostel_sandbox::{Command, Job, Policy, Sandbox, Terminal};

/// How long anything may take on a machine that has much to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// The binary at a terminal.
pub(crate) struct Pty {
    job: Job,
    screen: vt100::Parser,
    /// Everything that was written, as it was.
    raw: Vec<u8>,
    is_over: bool,
}

impl Pty {
    /// Starts it, at home in `home`.
    pub(crate) async fn start(home: &Path, args: &[&str]) -> Self {
        Self::start_as("xterm-256color", home, args).await
    }

    /// The same at a terminal of this kind.
    pub(crate) async fn start_as(kind: &str, home: &Path, args: &[&str]) -> Self {
        let binary = env!("CARGO_BIN_EXE_hostel");
        let argv = std::iter::once(binary).chain(args.iter().copied());
        let size = Terminal { rows: 50, columns: 100 };
        let command = Command::new(argv).terminal(size).env("TERM", kind).env("LANG", "C.UTF-8");
        let mut policy = Policy::new(home);
        policy.limits.time = Duration::from_secs(300);
        let job = Sandbox::with_helper(binary).start_unprotected(&policy, &command).await.expect("it starts");
        let screen = vt100::Parser::new(size.rows.try_into().unwrap(), size.columns.try_into().unwrap(), 0);
        Self { job, screen, raw: Vec::new(), is_over: false }
    }

    /// Types.
    pub(crate) async fn keys(&mut self, keys: &str) {
        self.job.write(keys.as_bytes()).await.expect("it reads");
    }

    /// Types a line.
    pub(crate) async fn line(&mut self, line: &str) {
        self.keys(&format!("{line}\r")).await;
    }

    /// What stands on the screen.
    pub(crate) fn screen(&self) -> String {
        self.screen.screen().contents()
    }

    /// What was written, with its colours.
    pub(crate) fn raw(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }

    /// Reads until the screen is like this.
    pub(crate) async fn until(&mut self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            assert!(!self.is_over, "it ended, and nothing like {what:?} stands there:\n{screen}");
            let left = deadline.saturating_duration_since(Instant::now());
            match tokio::time::timeout(left, self.job.next()).await {
                Ok(Some(piece)) => self.take(&piece.bytes),
                Ok(None) => self.is_over = true,
                Err(_) => panic!("nothing like {what:?} came:\n{screen}"),
            }
        }
    }

    /// Reads until this stands on the screen.
    pub(crate) async fn sees(&mut self, text: &str) -> String {
        self.until(text, |screen| screen.contains(text)).await
    }

    /// Reads until the last line is this: the prompt, with what is typed.
    pub(crate) async fn prompts(&mut self, line: &str) -> String {
        self.until(line, |screen| screen.lines().next_back().is_some_and(|last| last.trim_end() == line)).await
    }

    /// Reads what comes next. Cancel safe.
    pub(crate) async fn more(&mut self) {
        match tokio::time::timeout(PATIENCE, self.job.next()).await {
            Ok(Some(piece)) => self.take(&piece.bytes),
            Ok(None) => panic!("it ended:\n{}", self.screen()),
            Err(_) => panic!("nothing more came:\n{}", self.screen()),
        }
    }

    /// Its exit code, once it has left.
    pub(crate) async fn left(mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + PATIENCE;
        while let Ok(Some(piece)) =
            tokio::time::timeout(deadline.saturating_duration_since(Instant::now()), self.job.next()).await
        {
            self.take(&piece.bytes);
        }
        let mut end = self.screen();
        let exit = self.job.wait().await.expect("it ends by itself");
        let _ = write!(end, "\n{exit}");
        (exit.code, end)
    }

    fn take(&mut self, bytes: &[u8]) {
        self.screen.process(bytes);
        self.raw.extend_from_slice(bytes);
    }
}
