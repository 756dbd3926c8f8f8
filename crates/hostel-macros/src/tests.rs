//! One whole expansion, so that a reviewer sees what becomes of a block.

use std::{
    io::Write,
    process::{Command, Stdio},
};

/// Formats with the toolchain's rustfmt.
fn format(code: &str) -> String {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--config", "max_width=120"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("rustfmt belongs to the toolchain of this workspace");
    rustfmt.stdin.take().expect("it was asked for").write_all(code.as_bytes()).expect("rustfmt reads");
    let output = rustfmt.wait_with_output().expect("rustfmt ends");
    assert!(output.status.success(), "the expansion is no Rust:\n{code}");
    String::from_utf8(output.stdout).expect("Rust is UTF-8")
}

/// Run with `UPDATE_EXPANSION=1` to accept a new expansion, then read the difference.
#[test]
fn a_block_expands_to_a_table_of_handlers_and_a_stub() {
    let input = include_str!("../tests/expansion/counter.rs").parse().expect("the input is Rust");
    let expanded = format(&crate::agent::expand(Default::default(), &input).to_string());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/expansion/counter.expanded.rs");
    if std::env::var_os("UPDATE_EXPANSION").is_some() {
        std::fs::write(path, &expanded).expect("the snapshot can be written");
    }
    let accepted = std::fs::read_to_string(path).expect("there is a snapshot");
    assert_eq!(expanded, accepted, "the expansion changed:\n{expanded}");
}
