//! The helper of the sandbox alone, for tests of this crate.

fn main() {
    hostel_sandbox::run_if_helper();
}
