//! A coding agent leaves with its workspace, and is exactly where it was when it arrives: files, repository, snapshots.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{
    run::{Ran, run},
    server::Server,
};

const CONFIG: &str = r#"
[models.main]
provider = "scripted"
script = """
on one
  call write_file {"path": "a.txt", "content": "one"}
then
  say First.
on two
  call git_commit {"message": "Begin"}
then
  call write_file {"path": "b.txt", "content": "two"}
then
  call git_commit {"message": "Second"}
then
  say Second.
on three
  call write_file {"path": "a.txt", "content": "three"}
then
  say Third.
"""
"#;

pub(crate) struct Scene {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) server: Server,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        fs::write(dir.path().join("hostel.toml"), CONFIG).unwrap();
        let server = serve(dir.path()).await;
        Self { dir, server }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) async fn say(&self, agent: &str, text: &str) {
        ok(&self.server.run(&["chat", agent, "--approve", "--message", text]).await);
    }

    /// The directory of one agent.
    fn workspace(&self, name: &str) -> PathBuf {
        let mut all = fs::read_dir(self.data().join("workspaces")).unwrap().map(|entry| entry.unwrap().path());
        let is_its = |path: &PathBuf| {
            let found = path.file_name().unwrap().to_str().unwrap();
            found.starts_with(&format!("{name}-")) && !found.contains('.')
        };
        all.find(is_its).unwrap_or_else(|| panic!("{name} has no workspace"))
    }

    /// Goes back to before a message, and says what the first file has in it then.
    async fn back_to(&self, agent: &str, text: &str) -> String {
        let name = agent.split_once('/').unwrap().1;
        let messages = self.server.run(&["call", agent, "getMessages"]).await;
        let messages: Value = serde_json::from_str(ok(&messages)).unwrap();
        let is_it = |message: &&Value| message["role"] == "user" && message["parts"][0]["text"] == text;
        let message = messages.as_array().unwrap().iter().find(is_it).unwrap();
        let which = json!({"messageId": message["id"]}).to_string();
        let done = self.server.run(&["call", agent, "rewind", &which]).await;
        assert!(ok(&done).contains("\"files\":true"), "{done:?}");
        fs::read_to_string(self.workspace(name).join("a.txt")).unwrap()
    }
}

pub(crate) async fn serve(dir: &Path) -> Server {
    let config = dir.join("hostel.toml");
    Server::start_with(&dir.join("data"), &["--config", config.to_str().unwrap()]).await
}

pub(crate) fn ok(ran: &Ran) -> &str {
    assert_eq!(ran.code, 0, "{ran:?}");
    &ran.stdout
}

pub(crate) fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn a_coding_agent_takes_its_workspace_along_and_goes_back_in_time_there() {
    let scene = Scene::new().await;
    for text in ["one", "two", "three"] {
        scene.say("coder-agent/a", text).await;
    }
    let own = scene.workspace("a");
    symlink("/etc/passwd", own.join("link")).unwrap();
    fs::write(own.join("run.sh"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(own.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    let (file, data) = (scene.file("a.hostel"), scene.data());
    ok(&scene.server.run(&["export", "coder-agent/a", "-o", &file]).await);
    let said = scene.server.run(&["import", &file, "--as", "coder-agent/b"]).await;
    assert!(ok(&said).starts_with("coder-agent/b is here"), "{said:?}");
    let its = scene.workspace("b");
    assert_ne!(its, own);
    assert_eq!(fs::read_link(its.join("link")).unwrap(), Path::new("/etc/passwd"));
    assert_eq!(its.join("run.sh").metadata().unwrap().permissions().mode() & 0o100, 0o100);
    assert_eq!(fs::read_to_string(its.join("b.txt")).unwrap(), "two");
    let log = std::process::Command::new("git").args(["log", "--format=%s"]).current_dir(&its).output().unwrap();
    assert_eq!(String::from_utf8(log.stdout).unwrap(), "Second\nBegin\n");
    assert_eq!(scene.back_to("coder-agent/b", "three").await, "one");
    assert!(its.join("b.txt").exists());
    // Also to the time before there was a repository.
    assert_eq!(scene.back_to("coder-agent/b", "two").await, "one");
    assert!(!its.join("b.txt").exists());
    assert_eq!(fs::read_to_string(own.join("a.txt")).unwrap(), "three");

    // In the place of another the files are put aside, and said where.
    let refused = scene.server.run(&["import", &file, "--as", "coder-agent/b"]).await;
    assert!(refused.code == 1 && refused.stderr.starts_with("agent_exists: "), "{refused:?}");
    assert!(!its.join("b.txt").exists() && its.join("a.txt").exists());
    let said = scene.server.run(&["import", &file, "--as", "coder-agent/b", "--replace", "--json"]).await;
    let said: Value = serde_json::from_str(ok(&said)).unwrap();
    let aside = PathBuf::from(said["replaced"][0].as_str().unwrap());
    assert!(aside.starts_with(data.join("workspaces")) && aside.join("files/a.txt").exists(), "{said}");
    assert_eq!(fs::read_to_string(its.join("a.txt")).unwrap(), "three");

    // The same without a server.
    let Scene { dir, server } = scene;
    assert_eq!(server.terminate().await, Some(0));
    let (second, data) = (dir.path().join("second.hostel"), data.to_str().unwrap());
    let second = second.to_str().unwrap();
    ok(&run(&["export", "coder-agent/a", "-o", second, "--data", data]).await);
    ok(&run(&["import", second, "--as", "coder-agent/c", "--data", data]).await);
    for left in [".arriving", ".ending"] {
        assert_eq!(names(&Path::new(data).join("workspaces").join(left)), [""; 0]);
    }
    let scene = Scene { server: serve(dir.path()).await, dir };
    assert_eq!(scene.back_to("coder-agent/c", "three").await, "one");
}

/// The database of an agent, with a directory in its place until it is put back.
struct InTheWay {
    database: PathBuf,
    aside: PathBuf,
}

impl InTheWay {
    fn of(dir: &Path, name: &str) -> Self {
        let classes = dir.join("data/agents/coder-agent");
        let files = names(&classes).into_iter().flat_map(|part| {
            let part = classes.join(part);
            names(&part).into_iter().map(move |file| part.join(file))
        });
        let is_its = |path: &PathBuf| {
            let file = path.file_name().unwrap().to_str().unwrap();
            file.starts_with(&format!("{name}-")) && file.ends_with(".db")
        };
        let database = files.into_iter().find(is_its).unwrap();
        let aside = dir.join(format!("{name}.aside"));
        fs::rename(&database, &aside).unwrap();
        fs::create_dir(&database).unwrap();
        Self { database, aside }
    }

    fn goes(self) {
        fs::remove_dir(&self.database).unwrap();
        fs::rename(self.aside, self.database).unwrap();
    }
}

#[tokio::test]
async fn an_agent_that_an_import_could_not_put_in_place_has_its_own_files_when_the_next_start_does() {
    let scene = Scene::new().await;
    for text in ["one", "three"] {
        scene.say("coder-agent/a", text).await;
    }
    scene.say("coder-agent/b", "one").await;
    let file = scene.file("a.hostel");
    ok(&scene.server.run(&["export", "coder-agent/a", "-o", &file]).await);
    let Scene { dir, server } = scene;
    assert_eq!(server.terminate().await, Some(0));
    let in_the_way = InTheWay::of(dir.path(), "b");
    let server = serve(dir.path()).await;
    let failed = server.run(&["import", &file, "--as", "coder-agent/b", "--replace"]).await;
    assert!(failed.code == 1 && failed.stderr.contains("restart the server"), "{failed:?}");
    // Nothing is known before that, and nothing is mixed.
    let again = server.run(&["import", &file, "--as", "coder-agent/b", "--replace"]).await;
    assert!(again.code == 1 && again.stderr.contains("restart the server"), "{again:?}");
    assert_eq!(server.terminate().await, Some(0));
    in_the_way.goes();

    let scene = Scene { server: serve(dir.path()).await, dir };
    let messages = scene.server.run(&["call", "coder-agent/b", "getMessages"]).await;
    assert!(ok(&messages).contains("Third."), "{messages:?}");
    assert_eq!(fs::read_to_string(scene.workspace("b").join("a.txt")).unwrap(), "three");
    let workspaces = scene.data().join("workspaces");
    assert_eq!(names(&workspaces.join(".landing")), [""; 0]);
    let [aside] = &names(&workspaces.join(".replaced"))[..] else { panic!("one is put aside") };
    let old = workspaces.join(".replaced").join(aside).join("files/a.txt");
    assert_eq!(fs::read_to_string(old).unwrap(), "one");
}

#[tokio::test]
async fn a_backup_of_a_running_server_has_the_workspaces_and_whoever_serves_it_is_where_they_were() {
    let scene = Scene::new().await;
    for text in ["one", "two", "three"] {
        scene.say("coder-agent/a", text).await;
    }
    let backup = scene.file("backup");
    let done: Value = serde_json::from_str(ok(&scene.server.run(&["backup", &backup, "--json"]).await)).unwrap();
    assert_eq!(done["left_out"], json!([]));
    let tars = names(&Path::new(&backup).join("belongings/workspace"));
    assert!(tars.len() == 1 && tars[0].starts_with("a-"), "{tars:?}");
    // What is at rest is not written again; until then it may be.
    let tar = Path::new(&backup).join("belongings/workspace").join(&tars[0]);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let before = tar.metadata().unwrap().ino();
        let said = scene.server.run(&["backup", &backup]).await;
        if tar.metadata().unwrap().ino() == before {
            assert!(!ok(&said).contains("worked in"), "{said:?}");
            break;
        }
        assert!(std::time::Instant::now() < until, "a workspace that is at rest is not written again");
    }
    // One that cannot be taken is said, and stays as it was.
    let own = scene.workspace("a");
    let deep = (0..210).fold(own.clone(), |dir, _| dir.join("d"));
    fs::create_dir_all(&deep).unwrap();
    let said = scene.server.run(&["backup", &backup]).await;
    assert!(said.code == 1 && said.stdout.contains("could not be taken"), "{said:?}");
    fs::remove_dir_all(own.join("d")).unwrap();
    let verified = run(&["verify", &backup]).await;
    assert!(ok(&verified).contains("it has the workspace of 1 agent"), "{verified:?}");

    // A directory that is served has everything in its place.
    let Scene { dir, server } = scene;
    assert_eq!(server.terminate().await, Some(0));
    fs::rename(dir.path().join("data"), dir.path().join("old")).unwrap();
    fs::rename(&backup, dir.path().join("data")).unwrap();
    let scene = Scene { server: serve(dir.path()).await, dir };
    let its = scene.workspace("a");
    assert_eq!(fs::read_to_string(its.join("a.txt")).unwrap(), "three");
    assert_eq!(scene.back_to("coder-agent/a", "three").await, "one");
    assert_eq!(names(&scene.data().join("belongings/workspace")), [""; 0]);
    assert!(its.join("b.txt").exists());
}

#[tokio::test]
async fn files_stay_where_they_are_if_that_is_said_and_a_file_that_is_not_sound_leaves_none() {
    let scene = Scene::new().await;
    scene.say("coder-agent/a", "one").await;
    let (with, without) = (scene.file("with.hostel"), scene.file("without.hostel"));
    ok(&scene.server.run(&["export", "coder-agent/a", "-o", &without, "--no-files"]).await);
    ok(&scene.server.run(&["import", &without, "--as", "coder-agent/b"]).await);
    let workspaces = scene.data().join("workspaces");
    assert!(!names(&workspaces).iter().any(|name| name.starts_with("b-")));

    // A workspace that names a place outside, in an archive whose sums are right.
    ok(&scene.server.run(&["export", "coder-agent/a", "-o", &with]).await);
    fs::write(&with, with_workspace(&fs::read(&with).unwrap(), &hostile())).unwrap();
    let refused = scene.server.run(&["import", &with, "--as", "coder-agent/c"]).await;
    assert!(refused.code == 1 && refused.stderr.starts_with("export_invalid: "), "{refused:?}");
    assert!(refused.stderr.contains("plain names"), "{refused:?}");
    assert!(!names(&workspaces).iter().any(|name| name.starts_with("c-") || name == "out"));
    assert_eq!(names(&workspaces.join(".arriving")), [""; 0]);
    let gone = scene.server.run(&["history", "coder-agent/c"]).await;
    assert!(gone.stderr.starts_with("agent_not_found: "), "{gone:?}");
}

/// A workspace with a file that is to be made elsewhere.
fn hostile() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (kind, path) in [(tar::EntryType::Directory, "files/"), (tar::EntryType::Regular, "files/../../../out")] {
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_cksum();
        tar.append(&header, &[][..]).unwrap();
    }
    tar.into_inner().unwrap()
}

/// An export with another workspace in it.
fn with_workspace(export: &[u8], workspace: &[u8]) -> Vec<u8> {
    let mut archive = tar::Archive::new(export);
    let mut forged = tar::Builder::new(Vec::new());
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        std::io::copy(&mut entry, &mut bytes).unwrap();
        if path == "manifest.json" {
            let mut manifest: Value = serde_json::from_slice(&bytes).unwrap();
            let sum = data_encoding::HEXLOWER.encode(&<sha2::Sha256 as sha2::Digest>::digest(workspace));
            manifest["attachments"][0]["bytes"] = workspace.len().into();
            manifest["attachments"][0]["sha256"] = sum.into();
            bytes = manifest.to_string().into_bytes();
        } else if path.starts_with("attachments/") {
            bytes = workspace.to_vec();
        }
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        forged.append_data(&mut header, &path, &*bytes).unwrap();
    }
    forged.into_inner().unwrap()
}
