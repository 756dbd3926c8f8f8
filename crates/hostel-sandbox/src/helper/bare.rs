//! Without a sandbox: the command in a session of its own, watched only for its time and the server's word.
//!
//! What it starts that leaves its session goes on after it: nothing here can hold that.

use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::read;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, ioctl_tiocsctty, kill_process, kill_process_group, pidfd_open,
    setsid, waitpid,
};
use rustix::stdio::{stderr, stdin};

use super::control::{receive, say};
use super::{failed, signals};
use crate::WORD;
use crate::order::{HOME, Order, TERM, VARIABLE, Why, Word};

pub(super) fn run() -> i32 {
    match receive().and_then(|(order, fds)| Ok((start(&order, fds)?, order))) {
        Ok((main, order)) => {
            say(&Word::Started);
            Life { main, order, begun: Instant::now(), ending: None }.live()
        }
        Err(why) => {
            say(&Word::Failed(why));
            1
        }
    }
}

fn start(order: &Order, fds: [OwnedFd; 3]) -> Result<Pid, String> {
    let text = order.text().map_err(|error| error.to_string())?;
    let [input, output, errors] = fds.map(Stdio::from);
    let mut inner = Command::new("/proc/self/exe");
    inner.args([WORD, "bare-inner"]).env_clear().env(VARIABLE, text).current_dir("/");
    let child = inner.stdin(input).stdout(output).stderr(errors).spawn().map_err(failed("it does not start"))?;
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(|| "it has no number".to_owned())
}

/// Becomes the command.
pub(super) fn become_it() -> i32 {
    let order = std::env::var(VARIABLE).ok().and_then(|text| serde_json::from_str::<Order>(&text).ok());
    let Some((order, (program, arguments))) = order.as_ref().and_then(|order| Some((order, order.argv.split_first()?)))
    else {
        return 125;
    };
    if setsid().is_err() || (order.terminal && ioctl_tiocsctty(stdin()).is_err()) || signals::as_usual().is_err() {
        return 125;
    }
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(&order.env).current_dir(&order.dir);
    // The home of sandboxes is not there.
    if order.env.get("HOME").is_none_or(|home| home == HOME) {
        command.env("HOME", &order.policy.workspace);
    }
    let error = command.exec();
    let _ = rustix::io::write(stderr(), format!("{program} does not start: {error}\n").as_bytes());
    if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 }
}

/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

struct Life {
    main: Pid,
    order: Order,
    begun: Instant,
    ending: Option<(Why, Instant)>,
}

impl Life {
    fn live(&mut self) -> i32 {
        let pidfd = pidfd_open(self.main, PidfdFlags::empty()).ok();
        loop {
            if let Ok(Some((_, status))) = waitpid(Some(self.main), WaitOptions::NOHANG) {
                return self.over(Some(status));
            }
            match self.listen(pidfd.as_ref()) {
                None => {
                    self.signal(Signal::KILL);
                    // It may not have a session of its own yet.
                    let _ = kill_process(self.main, Signal::KILL);
                    return 0;
                }
                Some(true) => self.end(Why::Asked),
                Some(false) => {}
            }
            let limits = &self.order.policy.limits;
            if self.begun.elapsed() >= limits.time {
                self.end(Why::Time);
            }
            if self.ending.is_some_and(|(_, since)| since.elapsed() >= self.order.policy.limits.grace) {
                return self.over(None);
            }
        }
    }

    /// Ends what is left of its session's first group, and tells how it ended.
    fn over(&self, status: Option<WaitStatus>) -> i32 {
        self.signal(Signal::KILL);
        let why = self.ending.map_or(Why::Itself, |(why, _)| why);
        let code = status.and_then(WaitStatus::exit_status);
        let signal = status.map_or(Some(Signal::KILL.as_raw()), WaitStatus::terminating_signal);
        say(&Word::Over { code, signal, why });
        0
    }

    fn end(&mut self, why: Why) {
        if self.ending.is_none() {
            self.ending = Some((why, Instant::now()));
            self.signal(Signal::TERM);
        }
    }

    fn signal(&self, signal: Signal) {
        let _ = kill_process_group(self.main, signal);
    }

    /// Whether the server wants it to end; nothing if the server is gone.
    fn listen(&self, pidfd: Option<&OwnedFd>) -> Option<bool> {
        let control = stdin();
        let mut fds = vec![PollFd::new(&control, PollFlags::IN)];
        fds.extend(pidfd.map(|pidfd| PollFd::new(pidfd, PollFlags::IN)));
        let wait = Timespec { tv_sec: 0, tv_nsec: i64::from(LOOK.subsec_nanos()) };
        if poll(&mut fds, Some(&wait)).is_err() || fds[0].revents().is_empty() {
            return Some(false);
        }
        let mut byte = [0; 1];
        match read(stdin(), &mut byte) {
            Ok(0) => None,
            Ok(_) => Some(byte[0] == TERM),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Some(false),
            Err(_) => None,
        }
    }
}
