//! What an open conversation occupies: its socket and its agent, before and after a turn.

use std::time::Duration;

use anyhow::Context;
use futures_util::future::try_join_all;

use super::{Client, provider::Wish};
use crate::{
    flags::{Flags, Memory},
    process::Process,
    report::Report,
};

/// Conversations had before memory is looked at for the first time: so few that what it leaves is not taken for the server
/// itself. What is made once is so counted among what each occupies, which is at most what is told.
const FIRST: usize = 1;
/// Opened, or asked, at a time.
const AT_ONCE: usize = 64;

/// Opens conversations, has a turn in each, and compares the server's memory.
pub(crate) async fn run(flags: &Flags, memory: &Memory) -> anyhow::Result<Report> {
    let process = Process::new(flags.pid.context("memory needs --pid")?);
    let rest = || tokio::time::sleep(Duration::from_secs_f64(memory.settle));
    let wish = Wish::new(memory.chunks, Duration::from_millis(1));
    let (mut first, mut clients) = (Vec::new(), Vec::new());
    open(flags, "before", FIRST, &mut first).await?;
    talk(&mut first, wish).await?;
    rest().await;
    let (before, _) = process.memory()?;
    open(flags, "memory", memory.conversations, &mut clients).await?;
    rest().await;
    let (opened, _) = process.memory()?;
    talk(&mut clients, wish).await?;
    rest().await;
    let (talked, _) = process.memory()?;
    let each = |after: f64| (after - before) / memory.conversations as f64;
    Ok(Report::new(&flags.label, format!("{} open conversations", memory.conversations))
        .with("bytes each, connected", each(opened))
        .with("bytes each, after a turn", each(talked))
        .with("MB resident in all", talked / 1e6))
}

/// Opens that many conversations.
pub(super) async fn open(flags: &Flags, name: &str, count: usize, to: &mut Vec<Client>) -> anyhow::Result<()> {
    let names: Vec<_> = (0..count).map(|index| format!("{name}-{index}")).collect();
    for names in names.chunks(AT_ONCE) {
        to.extend(try_join_all(names.iter().map(|name| Client::open(flags, name))).await?);
    }
    Ok(())
}

async fn talk(clients: &mut [Client], wish: Wish) -> anyhow::Result<()> {
    for clients in clients.chunks_mut(AT_ONCE) {
        try_join_all(clients.iter_mut().map(|client| client.talk(wish, drop))).await?;
    }
    Ok(())
}
