//! Directories that are carried as one stream: what arrives, and what is refused.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use hostel_workspace::bundle::{Part, pack, stamp, unpack};
use hostel_workspace::{Error, Limits};
use tar::{EntryType, Header};

fn packed(dir: &Path) -> Vec<u8> {
    let mut stream = Vec::new();
    assert!(pack(&[Part::files("files", dir)], &Limits::default(), &mut stream).unwrap());
    stream
}

fn taken(stream: &[u8], to: &Path) -> Result<(), Error> {
    unpack(&mut &*stream, &[Part::files("files", to)], &Limits::default())
}

#[test]
fn what_is_carried_arrives_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (here, there) = (dir.path().join("here"), dir.path().join("there"));
    // Longer than a header of the archive has room for.
    let long = "d".repeat(90);
    let deep = here.join(&long).join(&long);
    fs::create_dir_all(&deep).unwrap();
    fs::create_dir_all(here.join("empty")).unwrap();
    fs::write(deep.join("x"), "deep").unwrap();
    fs::write(here.join("run.sh"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(here.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(here.join("nothing"), "").unwrap();
    let far = format!("../{}", "e".repeat(150));
    symlink(&far, here.join("far")).unwrap();
    symlink("/etc/passwd", here.join("out")).unwrap();
    let _socket = UnixListener::bind(here.join("socket")).unwrap();
    taken(&packed(&here), &there).unwrap();
    assert_eq!(fs::read_to_string(there.join(&long).join(&long).join("x")).unwrap(), "deep");
    assert_eq!(fs::read(there.join("nothing")).unwrap(), b"");
    assert!(there.join("empty").is_dir());
    assert_eq!(fs::read_link(there.join("far")).unwrap(), Path::new(&far));
    assert_eq!(fs::read_link(there.join("out")).unwrap(), Path::new("/etc/passwd"));
    assert!(there.join("socket").symlink_metadata().is_err());
    let mode = |name: &str| there.join(name).metadata().unwrap().permissions().mode() & 0o100;
    assert_eq!((mode("run.sh"), mode("nothing")), (0o100, 0));
    let changed = |dir: &Path| dir.join("run.sh").metadata().unwrap().modified().unwrap();
    let age = changed(&here).duration_since(changed(&there)).unwrap();
    assert!(age.as_secs() == 0, "{age:?}");
}

#[test]
fn what_has_git_look_elsewhere_stays_here_and_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path().join("here");
    let kept = [".git/HEAD", ".git/objects/info/packs", "src/commondir", "src/.git/worktrees/x"];
    let left = [".git/worktrees/a/gitdir", ".git/commondir", ".git/objects/info/alternates"];
    for name in kept.iter().chain(&left) {
        fs::create_dir_all(here.join(name).parent().unwrap()).unwrap();
        fs::write(here.join(name), name).unwrap();
    }
    let there = dir.path().join("there");
    taken(&packed(&here), &there).unwrap();
    assert!(kept.iter().all(|name| there.join(name).is_file()));
    assert!(!left.iter().any(|name| there.join(name).exists()) && !there.join(".git/worktrees").exists());

    // Of a tree whose repository is elsewhere, the files alone.
    let tree = dir.path().join("tree");
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join(".git"), "gitdir: /somewhere").unwrap();
    fs::write(tree.join("a"), "a").unwrap();
    let there = dir.path().join("there-2");
    taken(&packed(&tree), &there).unwrap();
    assert!(there.join("a").is_file() && !there.join(".git").exists());
}

/// One thing in a hostile stream: its kind, its path, what it links to or has in it.
type Thing<'a> = (EntryType, &'a str, &'a str);

fn made(things: &[Thing<'_>]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (kind, path, content) in things {
        let mut header = Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o755);
        let data = if kind.is_file() || kind.is_pax_local_extensions() { content.as_bytes() } else { &[] };
        if matches!(kind, EntryType::Symlink | EntryType::Link) {
            header.as_gnu_mut().unwrap().linkname[..content.len()].copy_from_slice(content.as_bytes());
        }
        header.set_size(data.len() as u64);
        header.set_cksum();
        tar.append(&header, data).unwrap();
    }
    tar.into_inner().unwrap()
}

#[test]
fn a_hostile_stream_writes_nothing_outside() {
    use EntryType as E;
    let root = (E::Directory, "files/", "");
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().to_str().unwrap();
    let absolute = format!("{target}/x");
    let hostile: &[&[Thing<'_>]] = &[
        &[root, (E::Regular, "files/../x", "bad")],
        &[root, (E::Regular, "files/a/../../x", "bad")],
        &[root, (E::Regular, &absolute, "bad")],
        &[root, (E::Regular, "../x", "bad")],
        &[root, (E::Regular, "x", "bad")],
        &[root, (E::Regular, "files//x", "bad")],
        &[root, (E::Regular, "files/./x", "bad")],
        // A link, and then something through it, or in its place.
        &[root, (E::Symlink, "files/l", target), (E::Regular, "files/l/x", "bad")],
        &[root, (E::Symlink, "files/l", target), (E::Directory, "files/l/d", "")],
        &[root, (E::Symlink, "files/l", &absolute), (E::Regular, "files/l", "bad")],
        &[root, (E::Symlink, "files/l", target), (E::Symlink, "files/l/m", "/")],
        &[(E::Symlink, "files", target), (E::Regular, "files/x", "bad")],
        &[root, (E::Directory, "files/d", ""), (E::Symlink, "files/d", target)],
        &[root, (E::Regular, "files/a", "one"), (E::Regular, "files/a", "two")],
        &[root, (E::Regular, "files/missing/x", "bad")],
        &[(E::Regular, "files/x", "bad")],
        &[root, root],
        &[root, (E::Symlink, "files/l", "")],
        // What is neither a file, nor a directory, nor a symbolic link.
        &[root, (E::Link, "files/h", "/etc/passwd")],
        &[root, (E::Char, "files/c", "")],
        &[root, (E::Block, "files/b", "")],
        &[root, (E::Fifo, "files/f", "")],
        &[root, (E::GNUSparse, "files/s", "")],
        &[root, (E::XHeader, "files/x", "16 path=../../x\n"), (E::Regular, "files/y", "bad")],
        &[root, (E::XGlobalHeader, "files/x", "")],
        &[(E::Directory, "other/", "")],
        // What has git look elsewhere.
        &[root, (E::Regular, "files/.git", "gitdir: /x")],
        &[root, (E::Symlink, "files/.git", target)],
        &[root, (E::Directory, "files/.git", ""), (E::Regular, "files/.git/commondir", "/x")],
        &[root, (E::Directory, "files/.git", ""), (E::Directory, "files/.git/worktrees", "")],
        // What git would write through.
        &[root, (E::Directory, "files/.git", ""), (E::Symlink, "files/.git/config", &absolute)],
        &[root, (E::Directory, "files/.git", ""), (E::Symlink, "files/.git/refs", target)],
    ];
    for (number, things) in hostile.iter().enumerate() {
        let to = tempfile::tempdir().unwrap();
        let refused = taken(&made(things), &to.path().join("f"));
        assert!(refused.is_err(), "{number}: {things:?}");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0, "{number}: {things:?}");
        let around: Vec<_> = fs::read_dir(to.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(around.iter().all(|name| name == "f"), "{number}: {around:?}");
    }
}

#[test]
fn what_is_too_much_is_refused_before_it_is_written() {
    let limits = Limits { workspace_bytes: 10, ..Limits::default() };
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path().join("here");
    fs::create_dir(&here).unwrap();
    // Nothing on the disk, and more than any disk.
    fs::File::create(here.join("hole")).unwrap().set_len(1 << 40).unwrap();
    let refused = pack(&[Part::files("files", &here)], &Limits::default(), &mut Vec::new()).unwrap_err();
    assert!(matches!(refused, Error::TooLarge { .. }), "{refused}");
    // A length that is only claimed.
    let mut claim = made(&[(EntryType::Directory, "files/", "")]);
    claim.truncate(512);
    let mut header = Header::new_gnu();
    header.set_path("files/x").unwrap();
    header.set_size(11);
    header.set_cksum();
    claim.extend_from_slice(header.as_bytes());
    let to = dir.path().join("to");
    let refused = unpack(&mut &*claim, &[Part::files("files", &to)], &limits).unwrap_err();
    assert!(matches!(refused, Error::TooLarge { .. }), "{refused}");
    // And one within the bound, with nothing behind it.
    let refused = taken(&claim, &dir.path().join("to-2")).unwrap_err();
    assert!(matches!(refused, Error::Carried { .. }), "{refused}");
    // A name without an end.
    let mut endless = Header::new_gnu();
    endless.set_entry_type(EntryType::GNULongName);
    endless.set_size(1 << 40);
    endless.set_cksum();
    let mut stream = endless.as_bytes().to_vec();
    stream.resize(1 << 20, b'a');
    assert!(taken(&stream, &dir.path().join("to-3")).is_err());
    assert!(pack(&[Part::files("files", &dir.path().join("nobody"))], &limits, &mut Vec::new()).is_ok_and(|any| !any));
}

#[test]
fn a_path_that_no_single_call_takes_arrives_too() {
    use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
    let dir = tempfile::tempdir().unwrap();
    let (here, there) = (dir.path().join("here"), dir.path().join("there"));
    fs::create_dir(&here).unwrap();
    let name = "d".repeat(250);
    let open = |around: &std::os::fd::OwnedFd| openat(around, &*name, OFlags::DIRECTORY, Mode::empty()).unwrap();
    let mut at = openat(CWD, &here, OFlags::DIRECTORY, Mode::empty()).unwrap();
    for _ in 0..20 {
        mkdirat(&at, &*name, Mode::RWXU).unwrap();
        at = open(&at);
    }
    taken(&packed(&here), &there).unwrap();
    let mut at = openat(CWD, &there, OFlags::DIRECTORY, Mode::empty()).unwrap();
    for _ in 0..20 {
        at = open(&at);
    }
}

#[test]
fn what_names_objects_is_carried_before_them() {
    let dir = tempfile::tempdir().unwrap();
    for name in [".git/objects/ab", ".git/refs/heads", ".git/packed-refs", "objects", "refs"] {
        fs::create_dir_all(dir.path().join(name)).unwrap();
    }
    let stream = packed(dir.path());
    let mut archive = tar::Archive::new(&*stream);
    let names: Vec<_> =
        archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect();
    let expected = [
        "files",
        "files/.git",
        "files/.git/packed-refs",
        "files/.git/refs",
        "files/.git/refs/heads",
        "files/.git/objects",
        "files/.git/objects/ab",
        "files/objects",
        "files/refs",
    ];
    assert_eq!(names.iter().map(|name| name.trim_end_matches('/')).collect::<Vec<_>>(), expected);
}

#[test]
fn a_stamp_is_the_same_as_long_as_nothing_changes_and_is_given_only_at_rest() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    fs::write(dir.path().join("sub/a"), "one").unwrap();
    let parts = [Part::files("files", dir.path())];
    assert_eq!(stamp(&parts).unwrap(), None, "it was changed a moment ago");
    let at_rest = || {
        let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
        loop {
            if let Some(stamp) = stamp(&parts).unwrap() {
                return stamp;
            }
            assert!(std::time::Instant::now() < until, "it comes to rest");
            std::thread::yield_now();
        }
    };
    let first = at_rest();
    assert_eq!(stamp(&parts).unwrap(), Some(first));
    // Of the same length, and as old as before to whoever asks for the usual time.
    let file = fs::File::options().write(true).open(dir.path().join("sub/a")).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    fs::write(dir.path().join("sub/a"), "two").unwrap();
    file.set_modified(modified).unwrap();
    assert_eq!(stamp(&parts).unwrap(), None);
    assert_ne!(at_rest(), first);
    assert!(stamp(&[Part::files("files", &dir.path().join("nobody"))]).unwrap().is_some());
}
