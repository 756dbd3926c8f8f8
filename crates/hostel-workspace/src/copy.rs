//! A copy of a whole workspace, git's files included.

use std::fs::{self, File, Permissions};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::readlinkat;

use crate::walk::{self, Item, WalkOptions};
use crate::{Error, Kind, Place, Result, Workspace};

impl Workspace {
    /// Copies everything in it to the empty directory `to`, which nobody else writes to. Nothing is shared afterwards, but on file
    /// systems that can do so the bytes until one side changes them. Devices, pipes and sockets are left out.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if there is more than is looked at, or what the operating system says. What was copied stays.
    pub fn copy_to(&self, to: &Path) -> Result<()> {
        let mut outcome = Ok(());
        let options = WalkOptions { ignored: true, git: true, ..WalkOptions::default() };
        let whole = walk::walk(self, &Place::root(), &options, &mut |item| match self.copy(&item, to) {
            // What is gone meanwhile is not copied.
            Ok(()) | Err(Error::NotFound { .. }) => ControlFlow::Continue(()),
            Err(error) => {
                outcome = Err(error);
                ControlFlow::Break(())
            }
        })?;
        outcome?;
        let limit = self.limits().visited as u64;
        if whole {
            Ok(())
        } else {
            Err(Error::TooLarge { what: "the workspace, counted in files,".into(), bytes: limit + 1, limit })
        }
    }

    fn copy(&self, item: &Item, to: &Path) -> Result<()> {
        let path = to.join(item.place.as_str());
        let failed = |error: io::Error| Error::of(item.place.as_str(), error);
        match item.kind {
            Kind::Directory => fs::create_dir(&path).map_err(failed),
            Kind::File => {
                let (mut from, _, mode) = self.file(&item.place)?;
                let mut file = File::options().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
                io::copy(&mut from, &mut file).map_err(failed)?;
                file.set_permissions(Permissions::from_mode(mode)).map_err(failed)
            }
            Kind::Link => {
                let (dir, name) = self.around(&item.place, false)?;
                let target = readlinkat(&dir, name.as_str(), Vec::new()).map_err(|error| failed(error.into()))?;
                symlink(std::ffi::OsStr::new(&*target.to_string_lossy()), path).map_err(failed)
            }
            Kind::Other => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    #[test]
    fn a_copy_has_everything_and_shares_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let one = Workspace::create(dir.path().join("one"), Limits::default()).unwrap();
        let of = |name: &str| dir.path().join("one").join(name);
        fs::create_dir_all(of(".git/objects")).unwrap();
        fs::write(of(".git/objects/x"), "object").unwrap();
        fs::write(of("run.sh"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(of("run.sh"), Permissions::from_mode(0o755)).unwrap();
        fs::hard_link(of("run.sh"), of("again.sh")).unwrap();
        symlink("/etc/passwd", of("link")).unwrap();
        let two = dir.path().join("two");
        fs::create_dir(&two).unwrap();
        one.copy_to(&two).unwrap();
        fs::write(of("run.sh"), "changed").unwrap();
        assert_eq!(fs::read_to_string(two.join(".git/objects/x")).unwrap(), "object");
        for name in ["run.sh", "again.sh"] {
            assert_eq!(fs::read_to_string(two.join(name)).unwrap(), "#!/bin/sh\n");
            assert_eq!(fs::metadata(two.join(name)).unwrap().permissions().mode() & 0o777, 0o755);
        }
        assert_eq!(fs::read_link(two.join("link")).unwrap(), Path::new("/etc/passwd"));
    }
}
