//! Tests of the harness: a sound server passes, and whatever is broken in it on purpose is found.
//! `cargo test -p hostel-crash --features failpoints`

#[cfg(test)]
mod it {
    mod due;
    mod sabotage;
}
