//! One process per data directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::{Error, ErrorKind};

/// Holds the directory until it is dropped or the process ends; the kernel lets go even after a kill.
#[derive(Debug)]
pub(crate) struct DirLock {
    file: File,
}

impl DirLock {
    /// Takes the directory or says who has it.
    pub(crate) fn take(dir: &Path, path: &Path) -> Result<Self, Error> {
        let failed = |doing: &'static str| move |e| Error::directory(dir, doing, &e);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed("opening its lock file"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(dir, &mut file)),
            Err(TryLockError::Error(e)) => return Err(failed("locking it")(e)),
        }
        write_pid(&mut file).map_err(failed("writing its lock file"))?;
        Ok(Self { file })
    }

    /// Takes the directory without leaving a trace in it, or says who has it; `None` if nobody ever had.
    pub(crate) fn look(dir: &Path, path: &Path) -> Result<Option<Self>, Error> {
        let mut file = match File::open(path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(|e| Error::directory(dir, "opening its lock file", &e))?,
        };
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file })),
            Err(TryLockError::WouldBlock) => Err(in_use(dir, &mut file)),
            Err(TryLockError::Error(e)) => Err(Error::directory(dir, "locking it", &e)),
        }
    }
}

impl Drop for DirLock {
    /// Said to the kernel, because a process that is just being spawned may still share the open file.
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "unlocking a data directory");
        }
    }
}

fn write_pid(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn in_use(dir: &Path, file: &mut File) -> Error {
    let mut owner = String::new();
    let pid = match file.take(32).read_to_string(&mut owner) {
        Ok(_) if !owner.trim().is_empty() => owner.trim().to_owned(),
        _ => "unknown".to_owned(),
    };
    let message = format!(
        "data directory {} is in use by the process with pid {pid}; stop that process or choose another directory",
        dir.display()
    );
    Error::new(ErrorKind::Locked, message)
}
