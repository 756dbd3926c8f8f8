//! Changing the flags of mounts that are there, with all that is mounted below.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, mount_remount};

use super::failed;

/// Whether what is mounted may be changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// Sets the flags of the mount at `path` and of all below it: no devices, no other user's rights, and perhaps no writing. Flags that
/// were set outside cannot be taken away in a namespace, so they are given again.
pub(super) fn remount(path: &Path, access: Access) -> Result<(), String> {
    for (place, had) in mounts()? {
        if !place.starts_with(path) {
            continue;
        }
        let mut flags = had | MountFlags::BIND | MountFlags::NOSUID | MountFlags::NODEV;
        flags.set(MountFlags::RDONLY, access == Access::Read || had.contains(MountFlags::RDONLY));
        let done = mount_remount(&place, flags, "");
        match done {
            Ok(()) => {}
            // What is mounted over cannot be reached, and need not be.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) if place != path => {}
            Err(error) => return Err(failed(format!("{} cannot be restricted", shown(&place)))(error)),
        }
    }
    Ok(())
}

fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.strip_prefix("/newroot").unwrap_or(&text).to_owned()
}

/// Where something is mounted, and how.
fn mounts() -> Result<Vec<(PathBuf, MountFlags)>, String> {
    let text =
        fs::read_to_string("/oldroot/proc/self/mountinfo").map_err(failed("the list of mounts cannot be read"))?;
    Ok(text.lines().filter_map(mount).collect())
}

fn mount(line: &str) -> Option<(PathBuf, MountFlags)> {
    let mut fields = line.split(' ').skip(4);
    let place = PathBuf::from(unescaped(fields.next()?));
    let flag = |name| match name {
        "ro" => MountFlags::RDONLY,
        "nosuid" => MountFlags::NOSUID,
        "nodev" => MountFlags::NODEV,
        "noexec" => MountFlags::NOEXEC,
        "noatime" => MountFlags::NOATIME,
        "nodiratime" => MountFlags::NODIRATIME,
        "relatime" => MountFlags::RELATIME,
        _ => MountFlags::empty(),
    };
    Some((place, fields.next()?.split(',').map(flag).collect()))
}

/// A path with `\040` for a space and the like.
fn unescaped(path: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let octal: String = bytes.by_ref().take(3).map(char::from).collect();
        out.push(u8::from_str_radix(&octal, 8).unwrap_or(b'?'));
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_list_is_read_with_its_escapes() {
        let line = r"36 35 98:0 /mnt1 /mnt\040two rw,noatime,nodev master:1 - ext3 /dev/root rw,errors=continue";
        let (place, flags) = mount(line).unwrap();
        assert_eq!(place, Path::new("/mnt two"));
        assert_eq!(flags, MountFlags::NOATIME | MountFlags::NODEV);
    }
}
