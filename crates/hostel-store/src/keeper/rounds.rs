//! Syncs of the agents' files: one round after the other, whoever asks.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use hostel_journal::points;
use hostel_journal::seams::SnapshotStore;
use parking_lot::Mutex;

use super::Dirt;

/// Who may sync the agents' files, and whether that is of use any more.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    /// Held from asking what is due to noting what is synced: the end of one round would else pass for that of another,
    /// which covers later turns, and their records would leave the journal before their pages are synced: rule 7.
    turn: Mutex<()>,
    /// A sync failed: what the disk holds of the files is unknown, so the journal is needed whole until the next start has
    /// laid every page anew.
    doubtful: AtomicBool,
}

impl Rounds {
    /// Syncs what is due. A failed sync is final: the kernel may forget the pages and call the file clean.
    pub(super) fn sync(&self, dirt: &Mutex<Dirt>, bases: &impl SnapshotStore) -> io::Result<()> {
        let _alone = self.turn.lock();
        if self.doubtful.load(Ordering::Acquire) {
            return Err(io::Error::other(
                "an earlier sync of the agents' files failed; restart to have them written anew",
            ));
        }
        let (agents, due) = dirt.lock().due();
        if let Err(error) = points::pass("checkpoint").and_then(|()| bases.make_durable(&due)) {
            self.doubt();
            return Err(error);
        }
        dirt.lock().synced(&agents);
        Ok(())
    }

    /// Nothing is synced any more.
    pub(super) fn doubt(&self) {
        self.doubtful.store(true, Ordering::Release);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::AgentKey;
    use crate::layout::identify;

    /// Calls back while files are synced.
    pub(in crate::keeper) struct During<F>(pub(in crate::keeper) F);

    impl<F: Fn() -> io::Result<()>> SnapshotStore for During<F> {
        fn lay(&self, _: &str, _: u32, _: u32, _: bool, _: &[(u32, Vec<u8>)]) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn discard(&self, _: &str) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn make_durable(&self, _: &[String]) -> io::Result<()> {
            (self.0)()
        }
    }

    fn copied(dirt: &Mutex<Dirt>, lsn: u64) {
        let key = AgentKey::new("counter", "a");
        dirt.lock().appended(identify(&key), &key, lsn);
        dirt.lock().copied(identify(&key));
    }

    fn floor(dirt: &Mutex<Dirt>) -> Option<u64> {
        dirt.lock().ledger.floor()
    }

    #[test]
    fn while_files_are_synced_no_other_sync_of_them_is_begun_or_ended() {
        let (rounds, dirt, during) = (Rounds::default(), Mutex::default(), Cell::new(0));
        copied(&dirt, 5);
        let bases = During(|| {
            during.set(during.get() + 1);
            assert!(rounds.turn.try_lock().is_none(), "another round could begin");
            if during.get() == 1 {
                copied(&dirt, 9);
            }
            Ok(())
        });
        rounds.sync(&dirt, &bases).unwrap();
        assert_eq!(floor(&dirt), Some(9), "what was copied meanwhile waits for the next round");
        rounds.sync(&dirt, &bases).unwrap();
        assert_eq!((floor(&dirt), during.get()), (None, 2));
    }

    #[test]
    fn after_a_failed_sync_no_later_one_says_that_the_files_are_durable() {
        let (rounds, dirt) = (Rounds::default(), Mutex::default());
        copied(&dirt, 5);
        rounds.sync(&dirt, &During(|| Err(io::ErrorKind::Other.into()))).unwrap_err();
        rounds.sync(&dirt, &During(|| Ok(()))).unwrap_err();
        assert_eq!(floor(&dirt), Some(5));
    }
}
