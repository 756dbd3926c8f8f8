//! The set is solved by its solutions, and by nothing less; what is wrong around it is told apart.

#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

#[cfg(target_os = "linux")]
mod it {
    mod set;
    mod swe;
}
