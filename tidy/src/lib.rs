//! Reads what Cargo knows of the workspace. The checks themselves are in `tests/`.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// A package of the dependency graph.
#[derive(Debug, Clone)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its licence expression, or nothing.
    pub license: String,
    /// Where it comes from; `None` for members of the workspace.
    pub source: Option<String>,
    /// Names of its normal (not dev, not build) dependencies.
    pub dependencies: BTreeSet<String>,
}

/// The root of the workspace.
///
/// # Panics
/// When the crate is not two levels below it.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tidy is a folder of the workspace").to_owned()
}

/// All packages that a build of the workspace may use.
///
/// # Panics
/// When Cargo cannot be asked.
pub fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(root())
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let used = used(&metadata);
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages.filter(|package| package["id"].as_str().is_some_and(|id| used.contains(id))).map(package).collect()
}

/// The packages of the resolved graph; the list has those of other platforms too.
fn used(metadata: &Value) -> BTreeSet<String> {
    let nodes = metadata["resolve"]["nodes"].as_array().into_iter().flatten();
    nodes.filter_map(|node| node["id"].as_str()).map(str::to_owned).collect()
}

fn package(package: &Value) -> Package {
    let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
    let dependencies = package["dependencies"].as_array().into_iter().flatten();
    let normal = dependencies.filter(|dependency| dependency["kind"].is_null());
    Package {
        name: text("name"),
        license: text("license"),
        source: package["source"].as_str().map(str::to_owned),
        dependencies: normal.filter_map(|dependency| dependency["name"].as_str()).map(str::to_owned).collect(),
    }
}

/// Every Rust file that the project keeps, relative to the root.
///
/// # Panics
/// When a folder cannot be read.
pub fn rust_files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for top in ["crates", "examples", "conformance", "bench", "crash", "tidy", "fuzz"] {
        walk(&root().join(top), &mut found);
    }
    found.sort();
    found
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the project can be read") {
        let path = entry.expect("an entry can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir()
            && !["target", "node_modules", "ui", "expansion", "corpus", "artifacts"].contains(&name.as_str())
        {
            walk(&path, found);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}
