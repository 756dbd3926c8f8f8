//! Measures the coding agent: small repository tasks, and files of tasks in the form of SWE-bench.
//!
//! An agent is given a repository and a task, in a workspace of its own, with the tools and approvals it has in the server; every
//! question is answered with yes. Then tests that it has not seen decide. What comes out is one of three: solved, failed, or an
//! infrastructure error, when the attempt says nothing about the agent: a program is missing, the sandbox, the provider, or the
//! task itself is at fault.

mod bench;
mod hall;
mod model;
mod report;
mod run;
mod swe;
mod talk;
mod task;
mod trial;

pub use bench::Bench;
pub use model::{Choice, chosen};
pub use report::{Outcome, Report, Verdict};
pub use run::{Options, run};
pub use swe::{Instance, SweOptions, swe};
pub use task::Task;
