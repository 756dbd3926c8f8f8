//! The second stage, process 1: builds the world, starts the command, watches, and ends everything by ending.

use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::read;
use rustix::process::{
    DumpableBehavior, Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, pidfd_open, set_dumpable_behavior,
    set_parent_process_death_signal, wait,
};
use rustix::stdio::stdin;
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
};

use super::control::{receive, say};
use super::watch::Watch;
use super::{failed, loopback, mounts, watch};
use crate::WORD;
use crate::order::{Order, TERM, VARIABLE, Why, Word};

pub(super) fn run() -> i32 {
    let begun = receive().and_then(|(order, fds)| {
        prepare(&order)?;
        Ok((start(&order, fds)?, order))
    });
    match begun {
        Ok((main, order)) => {
            say(&Word::Started);
            Life::new(main, &order).live()
        }
        Err(why) => {
            say(&Word::Failed(why));
            1
        }
    }
}

fn prepare(order: &Order) -> Result<(), String> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(failed("the first stage cannot be watched"))?;
    // When memory is short, this is what the kernel ends first.
    let _ = std::fs::write("/proc/self/oom_score_adj", "800");
    mounts::build(order)?;
    let _ = rustix::system::sethostname(b"sandbox");
    if order.policy.network.is_own() {
        loopback::up().map_err(failed("the loopback cannot be switched on"))?;
    }
    give_up_rights()?;
    // Nobody in the sandbox can look into this process or stop it.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(failed("this process cannot be closed"))
}

fn give_up_rights() -> Result<(), String> {
    for right in CapabilitySet::all().iter() {
        let _ = remove_capability_from_bounding_set(right);
    }
    clear_ambient_capability_set().map_err(failed("rights cannot be given up"))?;
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none).map_err(failed("rights cannot be given up"))
}

fn start(order: &Order, fds: [OwnedFd; 3]) -> Result<Pid, String> {
    let text = order.text().map_err(|error| error.to_string())?;
    let [input, output, errors] = fds.map(Stdio::from);
    let mut inner = Command::new("/proc/self/exe");
    inner.args([WORD, "inner"]).env_clear().env(VARIABLE, text).current_dir("/");
    let child =
        inner.stdin(input).stdout(output).stderr(errors).spawn().map_err(failed("the last stage does not start"))?;
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(|| "the last stage has no number".to_owned())
}

/// Between two looks at what the processes take.
const LOOK: Duration = Duration::from_millis(100);

struct Life {
    main: Pid,
    watch: Watch,
    deadline: Instant,
    grace: Duration,
    ending: Option<(Why, Instant)>,
}

impl Life {
    fn new(main: Pid, order: &Order) -> Self {
        let limits = &order.policy.limits;
        let deadline = Instant::now() + limits.time;
        Self { main, watch: Watch::new(limits), deadline, grace: limits.grace, ending: None }
    }

    fn live(&mut self) -> i32 {
        let pidfd = pidfd_open(self.main, PidfdFlags::empty()).ok();
        loop {
            if let Some(status) = self.reap() {
                return self.over(status.exit_status(), status.terminating_signal());
            }
            let heard = self.listen(pidfd.as_ref());
            if heard == Heard::Gone {
                return 0;
            }
            let now = Instant::now();
            if heard == Heard::Term {
                self.end(Why::Asked);
            } else if now >= self.deadline {
                self.end(Why::Time);
            }
            if let Some(why) = self.watch.look(now, LOOK) {
                self.ending = Some((why, now));
                return self.over(None, Some(Signal::KILL.as_raw()));
            }
            if self.ending.is_some_and(|(_, since)| now >= since + self.grace) {
                return self.over(None, Some(Signal::KILL.as_raw()));
            }
        }
    }

    /// Tells how it ended. What is left of the command's processes ends with this one.
    fn over(&self, code: Option<i32>, signal: Option<i32>) -> i32 {
        let why = self.ending.map_or(Why::Itself, |(why, _)| why);
        say(&Word::Over { code, signal, why });
        0
    }

    fn end(&mut self, why: Why) {
        if self.ending.is_none() {
            self.ending = Some((why, Instant::now()));
            watch::signal_all(Signal::TERM);
        }
    }

    /// Takes in whatever ended; answers how the command did.
    fn reap(&self) -> Option<WaitStatus> {
        let mut main = None;
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if pid == self.main {
                main = Some(status);
            }
        }
        main
    }

    fn listen(&self, pidfd: Option<&OwnedFd>) -> Heard {
        let control = stdin();
        let mut fds = vec![PollFd::new(&control, PollFlags::IN)];
        fds.extend(pidfd.map(|pidfd| PollFd::new(pidfd, PollFlags::IN)));
        let wait = Timespec { tv_sec: 0, tv_nsec: i64::from(LOOK.subsec_nanos()) };
        if poll(&mut fds, Some(&wait)).is_err() || fds[0].revents().is_empty() {
            return Heard::Nothing;
        }
        let mut byte = [0; 1];
        match read(stdin(), &mut byte) {
            Ok(0) => Heard::Gone,
            Ok(_) if byte[0] == TERM => Heard::Term,
            Ok(_) | Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Heard::Nothing,
            Err(_) => Heard::Gone,
        }
    }
}

#[derive(PartialEq, Eq)]
enum Heard {
    Nothing,
    Term,
    Gone,
}
