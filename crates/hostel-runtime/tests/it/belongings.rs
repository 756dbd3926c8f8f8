//! What an application keeps of agents elsewhere is put right and put back before anything runs, where that may take its time.

use std::{
    fs,
    io::{Read, Write},
    sync::{Arc, Mutex},
    thread::{self, ThreadId},
};

use hostel::{AgentId, Error, Result};
use hostel_runtime::{Agents, Belongings, Held, Options, Unpacked};

use super::support::on_disk;

/// Notes what it is asked for, and on which thread.
#[derive(Debug, Default)]
struct Kept(Mutex<Vec<(String, ThreadId)>>);

impl Kept {
    fn note(&self, what: &str) {
        self.0.lock().unwrap().push((what.to_owned(), thread::current().id()));
    }
}

impl Belongings for Kept {
    fn name(&self) -> &'static str {
        "thing"
    }

    fn pack(&self, _: &AgentId, _: &mut dyn Write) -> Result<bool> {
        Ok(false)
    }

    fn unpack(&self, _: &AgentId, _: &mut dyn Read) -> Result<Box<dyn Unpacked>> {
        Err(Error::msg("nothing arrives here"))
    }

    fn ending(&self, _: &AgentId) -> Result<()> {
        Ok(())
    }

    fn ended(&self, _: &AgentId) {}

    fn settle(&self, _: &dyn Agents) {
        self.note("settled");
    }

    fn held(&self) -> Result<Vec<Held>> {
        Ok(Vec::new())
    }

    fn pack_held(&self, _: &str, _: &mut dyn Write) -> Result<bool> {
        Ok(false)
    }

    fn put_back(&self, name: &str, from: &mut dyn Read, _: &dyn Agents) -> Result<()> {
        let mut content = String::new();
        from.read_to_string(&mut content)?;
        self.note(&format!("{name}: {content}"));
        Ok(())
    }
}

#[tokio::test]
async fn a_start_puts_back_what_a_backup_has_brought_and_does_not_block_whoever_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let brought = dir.path().join("belongings/thing");
    fs::create_dir_all(&brought).unwrap();
    for name in ["a", "b"] {
        fs::write(brought.join(name).with_extension("tar"), name.to_uppercase()).unwrap();
    }
    let kept = Arc::new(Kept::default());
    let options = Options { belongings: vec![kept.clone()], ..Options::default() };
    let _node = on_disk(&dir).options(options).start().await.unwrap();
    let mut done = kept.0.lock().unwrap().clone();
    assert!(done.iter().all(|(_, on)| *on != thread::current().id()), "{done:?}");
    done[1..].sort_by(|(one, _), (other, _)| one.cmp(other));
    let done: Vec<_> = done.iter().map(|(what, _)| &**what).collect();
    assert_eq!(done, ["settled", "a: A", "b: B"]);
    assert_eq!(fs::read_dir(&brought).unwrap().count(), 0);
}
