//! The habits of the workspace, checked.

use std::collections::BTreeMap;

use tidy::{Package, packages, root, rust_files};

/// What each crate may use of ours: exactly the arrows of `ARCHITECTURE.md`.
const ARROWS: &[(&str, &[&str])] = &[
    ("hostel-protocol", &[]),
    ("hostel-core", &["hostel-protocol"]),
    ("hostel-fetch", &["hostel-protocol"]),
    (
        "hostel-mcp",
        &["hostel-fetch", "hostel-edge", "hostel-vault", "hostel-runtime", "hostel-core", "hostel-protocol"],
    ),
    ("hostel-fake-github", &[]),
    ("hostel-github", &["hostel-fetch", "hostel-protocol"]),
    ("hostel-macros", &[]),
    ("hostel-model", &["hostel-fetch"]),
    ("hostel-journal", &[]),
    ("hostel-vfs", &[]),
    ("hostel-page", &[]),
    ("hostel-workspace", &[]),
    ("hostel-sandbox", &[]),
    ("hostel-store", &["hostel-journal", "hostel-vfs", "hostel-core", "hostel-protocol"]),
    ("hostel-runtime", &["hostel-store", "hostel-core", "hostel-protocol"]),
    ("hostel-edge", &["hostel-runtime", "hostel-store", "hostel-core", "hostel-protocol"]),
    ("hostel-auth", &["hostel-edge", "hostel-core", "hostel-protocol"]),
    (
        "hostel",
        &[
            "hostel-auth",
            "hostel-inbound",
            "hostel-vault",
            "hostel-mcp",
            "hostel-edge",
            "hostel-runtime",
            "hostel-store",
            "hostel-core",
            "hostel-protocol",
            "hostel-macros",
        ],
    ),
    ("hostel-chat", &["hostel", "hostel-model"]),
    ("hostel-coder", &["hostel", "hostel-chat", "hostel-github", "hostel-sandbox", "hostel-workspace"]),
    ("hostel-vault", &["hostel-core", "hostel-protocol"]),
    ("hostel-inbound", &["hostel-edge", "hostel-runtime", "hostel-vault", "hostel-core", "hostel-protocol"]),
    ("hostel-client", &["hostel-protocol"]),
    ("hostel-testing", &["hostel", "hostel-client", "hostel-runtime", "hostel-store"]),
    (
        "hostel-server",
        &[
            "hostel-model",
            "hostel-vault",
            "hostel-coder",
            "hostel-chat",
            "hostel-fetch",
            "hostel-page",
            "hostel",
            "hostel-store",
            "hostel-protocol",
        ],
    ),
    ("hostel-cli", &["hostel-sandbox", "hostel-vault", "hostel-server", "hostel-client", "hostel-protocol"]),
    ("hostel-conformance", &["hostel", "hostel-chat", "hostel-model"]),
    ("hostel-bench", &["hostel", "hostel-chat"]),
    ("hostel-crash", &["hostel", "hostel-chat", "hostel-client", "hostel-journal"]),
    ("hostel-tasks", &["hostel", "hostel-chat", "hostel-client", "hostel-coder", "hostel-sandbox", "hostel-workspace"]),
    ("tidy", &[]),
];

fn ours(packages: &[Package]) -> BTreeMap<&str, &Package> {
    packages.iter().filter(|package| package.source.is_none()).map(|package| (&*package.name, package)).collect()
}

#[test]
fn crates_use_only_what_the_architecture_allows() {
    let packages = packages();
    let ours = ours(&packages);
    let allowed: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    for (name, package) in &ours {
        let may = allowed.get(name).unwrap_or_else(|| panic!("{name} has no row in the table of arrows"));
        for used in package.dependencies.iter().filter(|used| ours.contains_key(used.as_str())) {
            assert!(may.contains(&used.as_str()), "{name} uses {used}: the architecture has no such arrow");
        }
    }
}

#[test]
fn protocol_and_core_know_neither_tokio_nor_sqlite_nor_sockets() {
    let packages = packages();
    let by_name: BTreeMap<_, _> = packages.iter().map(|package| (&*package.name, package)).collect();
    let forbidden = ["tokio", "rusqlite", "hyper", "axum", "yawc", "getrandom", "mio"];
    for start in ["hostel-protocol", "hostel-core"] {
        for used in &by_name[start].dependencies {
            assert!(!forbidden.contains(&used.as_str()), "{start} uses {used}");
        }
    }
}

#[test]
fn only_the_store_and_its_file_system_name_sqlite_and_only_the_edge_and_the_client_name_the_websocket_library() {
    let packages = packages();
    for (name, package) in ours(&packages) {
        let names = |other: &str| package.dependencies.contains(other);
        assert!(!names("rusqlite") || ["hostel-store", "hostel-vfs"].contains(&name), "{name} names rusqlite");
        let sockets = ["hostel-edge", "hostel-client", "hostel-cli", "hostel-bench"];
        assert!(!names("yawc") || sockets.contains(&name), "{name} names yawc");
    }
}

#[test]
fn banned_crates_are_not_in_the_tree() {
    let banned = ["aws-lc-sys", "aws-lc-rs", "openssl-sys", "openssl", "native-tls", "bindgen", "cmake", "prost-build"];
    for package in packages() {
        assert!(!banned.contains(&package.name.as_str()), "{} is in the dependency tree", package.name);
    }
}

#[test]
fn there_is_one_version_of_the_libraries_that_must_agree() {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for package in packages() {
        *count.entry(package.name).or_default() += 1;
    }
    for name in ["rustls", "hyper", "http", "tokio", "serde", "yawc", "axum", "reqwest"] {
        assert!(count.get(name).copied().unwrap_or(0) <= 1, "{name} is there more than once");
    }
}

/// Threat 31: what we ship may be shipped, and comes from the registry.
#[test]
fn threat_31_every_dependency_has_a_permissive_licence_and_a_registry_source() {
    let fine = [
        "MIT",
        "MIT-0",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "Zlib",
        "0BSD",
        "Unlicense",
        "CC0-1.0",
        "Unicode-3.0",
        "BSL-1.0",
        "CDLA-Permissive-2.0",
        "Apache-2.0 WITH LLVM-exception",
    ];
    for package in packages().iter().filter(|package| package.source.is_some()) {
        let source = package.source.as_deref().unwrap_or_default();
        assert!(source.starts_with("registry+"), "{} comes from {source}", package.name);
        if package.name == "yawc" {
            assert_eq!(package.license, "MPL-2.0", "used unmodified, which its licence allows");
            continue;
        }
        let alternatives = package.license.replace('/', " OR ").replace(['(', ')'], "");
        let acceptable =
            alternatives.split(" OR ").any(|choice| choice.split(" AND ").all(|l| fine.contains(&l.trim())));
        assert!(acceptable, "{} is licensed {:?}", package.name, package.license);
    }
}

#[test]
fn every_file_says_in_its_first_line_what_it_is_for() {
    for file in rust_files() {
        let text = std::fs::read_to_string(&file).expect("a file of the project can be read");
        assert!(text.starts_with("//!") || text.starts_with("#!["), "{} has no //! line", file.display());
    }
}

#[test]
fn there_is_no_mod_rs() {
    for file in rust_files() {
        assert!(file.file_name().is_some_and(|name| name != "mod.rs"), "{}", file.display());
    }
}

#[test]
fn the_readme_names_the_two_commands_and_ci_runs_the_second() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).expect("the file is there");
    let readme = read("README.md");
    assert!(readme.contains("cargo run --release"), "the first command starts the server");
    assert!(readme.contains("./scripts/test"), "the second command passes the tests");
    assert!(read(".ci/run").contains("scripts/test"), "CI runs the second command");
}
