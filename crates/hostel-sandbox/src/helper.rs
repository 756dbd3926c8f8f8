//! The helper: three stages of one small program, each of which restricts itself and starts the next.
//!
//! 1. `outer` makes the namespaces. Its first child is process 1 of the new one.
//! 2. `init`, process 1, builds the file system, starts the last stage, and watches: limits, the server's word, the end. When it ends,
//!    the kernel ends every process of the namespace.
//! 3. `inner` gives itself limits, Landlock and the filter of system calls, and becomes the command.
//!
//! Where there is no sandbox, `bare` and `bare-inner` run a command without one, for whoever was asked and said yes.
//!
//! A failure before the command runs is told over the control socket, which is standard input of the first two stages.

mod bare;
mod control;
mod filter;
mod git;
mod init;
mod inner;
mod landlock;
mod loopback;
mod mounts;
mod outer;
mod remount;
mod signals;
mod watch;

/// Does the work of a stage, and ends the process.
pub(crate) fn run(stage: &str) -> ! {
    let code = match stage {
        "outer" => outer::run(),
        "init" => init::run(),
        "inner" => inner::run(),
        "bare" => bare::run(),
        "bare-inner" => bare::become_it(),
        _ => 125,
    };
    std::process::exit(code)
}

/// A closure for `map_err` that says what failed.
fn failed<E: std::fmt::Display>(what: impl std::fmt::Display) -> impl FnOnce(E) -> String {
    move |error| format!("{what}: {error}")
}
