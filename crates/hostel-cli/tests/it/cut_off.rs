//! A server that dies by `kill -9` before any step by which an import reaches the disk: the agent that was there is whole then, or the one
//! that came, each with the files of its own age.

use std::{
    collections::BTreeMap,
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use super::{
    carried::{Scene, names, ok, serve},
    run::hostel,
    server::Server,
};

/// What ends a server at a chosen step.
const DIE_AT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/die_at.c");

/// How long a server may take to be gone that has died, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// An agent with a workspace: what was said, and every file of it and of its snapshots.
#[derive(Debug, PartialEq)]
struct Whole {
    said: String,
    files: BTreeMap<PathBuf, u64>,
}

impl Whole {
    /// As a server finds it that starts there.
    async fn at(dir: &Path) -> Self {
        let server = serve(dir).await;
        let said = ok(&server.run(&["call", "coder-agent/b", "getMessages"]).await).to_owned();
        server.kill().await;
        let workspaces = dir.join("data/workspaces");
        assert_eq!(names(&workspaces.join(".landing")), [""; 0], "nothing is under way any more");
        let mut files = BTreeMap::new();
        names(&workspaces).iter().filter(|name| name.starts_with("b-")).for_each(|name| {
            gather(&workspaces, Path::new(name), &mut files);
        });
        Self { said, files }
    }
}

fn gather(root: &Path, below: &Path, files: &mut BTreeMap<PathBuf, u64>) {
    for name in names(&root.join(below)) {
        let below = below.join(name);
        match fs::read(root.join(&below)) {
            Ok(bytes) => {
                let mut hash = DefaultHasher::new();
                bytes.hash(&mut hash);
                files.insert(below, hash.finish());
            }
            Err(_) => gather(root, &below, files),
        }
    }
}

/// Builds what is loaded into a server that is to die. There is a compiler: SQLite is built by it.
fn built(dir: &Path) -> PathBuf {
    let library = dir.join("die_at.so");
    let cc = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let done = Command::new(cc).args(["-shared", "-fPIC", "-o"]).arg(&library).args([DIE_AT, "-ldl"]).status().unwrap();
    assert!(done.success());
    library
}

/// The same data, elsewhere.
fn copied(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    let files = ["hostel.toml", "data"].map(|name| from.join(name));
    let done = Command::new("cp").args(["-a", "--sparse=always"]).args(files).arg(to).status().unwrap();
    assert!(done.success());
}

/// Imports at a server that dies before a step; whether it came to the end before that.
async fn imported(dir: &Path, library: &Path, at: usize, file: &str) -> bool {
    let (data, config) = (dir.join("data"), dir.join("hostel.toml"));
    let (data, config) = (data.to_str().unwrap(), config.to_str().unwrap());
    let mut command = hostel(&["serve", "--listen", "127.0.0.1:0", "--data", data, "--config", config]);
    command.env("LD_PRELOAD", library).env("DIE_AT", at.to_string()).stderr(Stdio::null());
    let server = Server::of(command).await;
    let done = server.run(&["import", file, "--as", "coder-agent/b", "--replace"]).await;
    if done.code == 0 {
        server.kill().await;
        return true;
    }
    let ended = tokio::time::timeout(PATIENCE, server.ended()).await;
    assert_eq!(ended.ok().and_then(|status| status.signal()), Some(9), "{done:?}");
    false
}

#[tokio::test]
async fn an_import_that_is_killed_before_any_of_its_steps_leaves_the_old_agent_or_the_new_one_whole() {
    let scene = Scene::new().await;
    for (agent, text) in [("coder-agent/a", "one"), ("coder-agent/a", "three"), ("coder-agent/b", "one")] {
        scene.say(agent, text).await;
    }
    let file = scene.file("a.hostel");
    ok(&scene.server.run(&["export", "coder-agent/a", "-o", &file, "--no-history"]).await);
    let Scene { dir, server } = scene;
    server.kill().await;
    let (dir, library) = (dir.path(), built(dir.path()));
    let after = async |at: usize| {
        let copy = dir.join(at.to_string());
        copied(dir, &copy);
        let is_done = imported(&copy, &library, at, &file).await;
        let whole = Whole::at(&copy).await;
        fs::remove_dir_all(copy).unwrap();
        (whole, is_done)
    };
    let mut all = Vec::new();
    while all.last().is_none_or(|(_, is_done)| !is_done) {
        all.push(after(all.len()).await);
    }
    let (new, _) = all.pop().unwrap();
    let old = Whole::at(dir).await;
    assert!(new.said.contains("Third.") && !old.said.contains("Third."), "{old:?} {new:?}");
    assert!(all.iter().any(|(whole, _)| *whole == old) && all.iter().any(|(whole, _)| *whole == new));
    for (at, (whole, _)) in all.iter().enumerate() {
        assert!(*whole == old || *whole == new, "before step {at}: {whole:?}, not {old:?} or {new:?}");
    }
}
