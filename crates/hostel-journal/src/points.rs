//! Places on the way of a turn where a test of the real process may make something go wrong. With the feature `failpoints`
//! the variable `FAILPOINTS` says what happens at which: `sync=3*off->return(abort)` ends the process when it comes to `sync`
//! for the fourth time. Without the feature there is nothing here: every call is empty and is compiled away.
//!
//! Actions, besides those of the crate `fail` (`sleep(20)`, `off`, counts and chances):
//!
//! | action | what happens |
//! | --- | --- |
//! | `return(abort)` | the process is killed, as by `kill -9` |
//! | `return(stop)` | the process is stopped, as by `kill -STOP`, for whoever wants to cut the power at this very place |
//! | `return(EIO)`, `return(ENOSPC)`, `return(EROFS)` | the operation fails with this error |
//! | `return` at a name that begins with `sabotage-` | the code does something wrong on purpose, see [`armed`] |

#[cfg(feature = "failpoints")]
pub use live::{arm, armed, pass};

/// Comes to the point `name`.
///
/// # Errors
/// Never, without the feature `failpoints`.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn pass(_name: &str) -> std::io::Result<()> {
    Ok(())
}

/// Whether the sabotage `name` is to be done. Never, without the feature `failpoints`.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn armed(_name: &str) -> bool {
    false
}

#[cfg(feature = "failpoints")]
mod live {
    use std::fmt;
    use std::io;

    use fail::{FailScenario, fail_point};
    use rustix::io::Errno;
    use rustix::process::{Signal, getpid, kill_process};

    /// Comes to the point `name`.
    ///
    /// # Errors
    /// What the point was told to fail with.
    pub fn pass(name: &str) -> io::Result<()> {
        fail_point!(name, |action| act(name, action.as_deref().unwrap_or_default()));
        Ok(())
    }

    /// Whether the sabotage `name` is to be done.
    pub fn armed(name: &str) -> bool {
        fail_point!(name, |_| true);
        false
    }

    fn act(name: &str, action: &str) -> io::Result<()> {
        match action {
            "abort" => Ok(kill_process(getpid(), Signal::KILL)?),
            "stop" => Ok(kill_process(getpid(), Signal::STOP)?),
            "EIO" => Err(Errno::IO.into()),
            "ENOSPC" => Err(Errno::NOSPC.into()),
            "EROFS" => Err(Errno::ROFS.into()),
            other => Err(io::Error::other(format!("the fail point {name} knows no action `{other}`"))),
        }
    }

    /// The points as the environment variable `FAILPOINTS` says, until this is dropped.
    pub struct Armed(FailScenario<'static>);

    impl fmt::Debug for Armed {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let _scenario = &self.0;
            f.debug_struct("Armed").finish_non_exhaustive()
        }
    }

    /// Arms the points that `FAILPOINTS` names.
    ///
    /// # Panics
    /// If the variable cannot be understood.
    pub fn arm() -> Armed {
        Armed(FailScenario::setup())
    }
}
