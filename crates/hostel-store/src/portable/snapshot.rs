//! An agent's database as far as it is durable, read while the agent goes on.
//!
//! The file is copied as it is, perhaps torn; then the pages that the live journal holds are laid over it. That heals it, because a
//! page gets into the file only when it is durable in the journal, and nothing leaves the journal meanwhile.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;

use hostel_journal::{Kind, Past, read_live};

use super::sums;
use crate::history::{Image, Scratch};
use crate::keeper::Keeper;
use crate::layout::identify;
use crate::store::Inner;
use crate::{AgentKey, Error, ErrorKind};

/// The whole database after the last turn that is durable when this is called, or a later one.
pub(crate) fn of(inner: &Inner, key: &AgentKey) -> Result<Image, Error> {
    key.check(&inner.options)?;
    let Some(keeper) = &inner.keeper else {
        let message = format!("agent {key}: a store in memory has no files to copy; use a data directory");
        return Err(Error::new(ErrorKind::Failed, message));
    };
    keeper.check(key)?;
    let failed = |e| Error::io(&format!("agent {key}"), "copying its database", e);
    let (scratch, file) = Scratch::create(&inner.layout).map_err(failed)?;
    let (turn, time_ms) = {
        let _paused = keeper.pause_retirement();
        let found = copy_base(inner, key, &file).map_err(failed)?;
        let live = live_records(keeper, key).map_err(failed)?;
        if !lay(&file, &live, found).map_err(failed)? {
            return Err(absent(key));
        }
        match live.last() {
            Some(last) => (last.turn(), last.header.time_ms),
            None => last_turn(keeper, key).map_err(failed)?,
        }
    };
    let image = Image::new(scratch, turn, time_ms);
    match image.identity()? {
        Some(found) if found == *key => Ok(image),
        Some(found) => {
            let message =
                format!("agent {key}: its file holds the database of agent {found}; put each back in its place");
            Err(Error::new(ErrorKind::Corrupt, message))
        }
        None => Err(absent(key)),
    }
}

fn absent(key: &AgentKey) -> Error {
    Error::new(ErrorKind::NotFound, format!("agent {key}: there is no such agent; list the agents for their names"))
}

/// Copies the file as it is at the moment; `false` if there is none.
fn copy_base(inner: &Inner, key: &AgentKey, to: &File) -> io::Result<bool> {
    let mut base = match File::open(inner.layout.database(key)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        base => base?,
    };
    let mut to = to;
    sums::copy(&mut base, &mut to)?;
    Ok(true)
}

fn live_records(keeper: &Keeper, key: &AgentKey) -> io::Result<Vec<Past>> {
    let (disk, live) = {
        let log = keeper.journal.log();
        (log.disk().clone(), log.live())
    };
    read_live(&disk, &live, identify(key))
}

/// Lays the newest image of each page over the file. `false` if there is no database.
fn lay(file: &File, records: &[Past], found: bool) -> io::Result<bool> {
    let Some(last) = records.last() else { return Ok(found) };
    if last.header.kind == Kind::Destroy {
        return Ok(false);
    }
    let begin = records.iter().rposition(|past| past.header.kind != Kind::Commit).unwrap_or(0);
    let whole = records[begin].header.kind == Kind::Create;
    if !found && !whole {
        let message = "its database file is gone, and the journal does not hold the whole of it";
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let (page_size, db_pages) = (u64::from(last.header.page_size), last.header.db_pages);
    let mut seen = HashSet::new();
    for past in records[begin..].iter().rev() {
        for (number, image) in past.body()?.pages().rev() {
            if (1..=db_pages).contains(&number) && seen.insert(number) {
                file.write_all_at(image, u64::from(number - 1) * page_size)?;
            }
        }
    }
    file.set_len(u64::from(db_pages) * page_size)?;
    Ok(true)
}

/// The last turn that history knows of, whatever is damaged before it; all zeros if it knows of none.
fn last_turn(keeper: &Keeper, key: &AgentKey) -> io::Result<(i64, i64)> {
    let mut last = (0, 0);
    let trail = keeper.archive().trail(&[], key.namespace(), identify(key))?;
    trail.walk(i64::MIN, &mut |past| {
        last = (past.turn(), past.header.time_ms);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(last)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::{AgentKey, ExportOptions, HistoryQuery, Options, Store, make_durable};

    #[test]
    fn damage_in_an_old_turn_does_not_hide_which_was_the_last() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::default()).unwrap();
        let mut a = store.agent("counter", "a").unwrap();
        for n in 0..5 {
            a.set_state(&n.to_string()).unwrap();
            make_durable(&a.commit().unwrap().unwrap()).unwrap();
        }
        drop((a, store));
        let store = Store::open(dir.path(), Options::default()).unwrap();
        store.inner.keeper.as_ref().unwrap().archive().tend(0).unwrap();
        let key = AgentKey::new("counter", "a");
        let last = store.history(&key, &HistoryQuery::default()).unwrap().turns[0].turn;
        let file = fs::read_dir(dir.path().join("history/counter")).unwrap().next().unwrap().unwrap().path();
        let mut bytes = fs::read(&file).unwrap();
        // The header of the first turn, behind what the file says of itself.
        bytes[128 + 40] ^= 1;
        fs::write(&file, bytes).unwrap();
        let exported = store.export(&key, ExportOptions { history: false }, &mut Vec::new()).unwrap();
        assert_eq!(exported.turn, last);
        let error = store.export(&key, ExportOptions::default(), &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("is damaged"), "{error}");
    }
}
