//! Whether the data directory can still be written.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use hostel::{Code, Refusal};
use tokio::sync::Mutex;

/// How long an answer counts: `/readyz` is open to everybody, and each question costs a sync.
const FRESH: Duration = Duration::from_secs(1);

/// Asks the disk by writing to it.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    dir: Arc<Path>,
    last: Arc<Mutex<Option<Answer>>>,
}

#[derive(Debug)]
struct Answer {
    at: Instant,
    trouble: Option<Refusal>,
}

impl Disk {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir: dir.into(), last: Arc::default() }
    }

    /// Why no agent could store anything now; `None` if it could.
    pub(crate) async fn trouble(&self) -> Option<Refusal> {
        let mut last = self.last.lock().await;
        if let Some(answer) = &*last
            && answer.at.elapsed() < FRESH
        {
            return answer.trouble.clone();
        }
        let dir = self.dir.clone();
        let tried = tokio::task::spawn_blocking(move || try_writing(&dir)).await;
        let trouble = tried.unwrap_or_else(|error| Err(io::Error::other(error))).err().map(|error| refusal(&error));
        *last = Some(Answer { at: Instant::now(), trouble: trouble.clone() });
        trouble
    }
}

/// As much as a small turn writes, and gone again.
fn try_writing(dir: &Path) -> io::Result<()> {
    let path = dir.join("ready.tmp");
    let tried = fs::File::create(&path).and_then(|mut file| {
        file.write_all(&[0; 8192])?;
        file.sync_data()
    });
    // What is left of a failed try must not fill the disk further.
    let removed = fs::remove_file(&path);
    tried.and(removed)
}

fn refusal(error: &io::Error) -> Refusal {
    let (code, fix) = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (Code::StorageFull, "free space on the disk of the data directory; nothing was lost")
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            (Code::StorageReadOnly, "make the data directory writable for the user that runs the server")
        }
        _ => (Code::StorageFailed, "check the disk of the data directory"),
    };
    Refusal::new(code, format!("The data directory cannot be written: {error}.")).with_fix(fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(kind: io::ErrorKind) -> Code {
        refusal(&kind.into()).code
    }

    #[test]
    fn each_trouble_of_a_disk_has_its_code() {
        assert_eq!(code(io::ErrorKind::StorageFull), Code::StorageFull);
        assert_eq!(code(io::ErrorKind::ReadOnlyFilesystem), Code::StorageReadOnly);
        assert_eq!(code(io::ErrorKind::Other), Code::StorageFailed);
    }

    #[tokio::test]
    async fn a_directory_that_can_be_written_is_no_trouble_and_stays_empty() {
        let dir = std::env::temp_dir().join(format!("hostel-disk-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let found = Disk::new(dir.clone()).trouble().await;
        let left = fs::read_dir(&dir).unwrap().count();
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!((found, left), (None, 0));
        let gone = Disk::new(dir).trouble().await.expect("the directory is gone");
        assert_eq!(gone.code, Code::StorageFailed);
    }
}
