//! What the turn under way says: written down, folded, and sent to whoever is to hear it.

use hostel::{
    Result,
    host::Host,
    protocol::chat::{Chunk, recovering, stamp, stream_resuming},
};

use super::cancelled;
use crate::{
    memory::{Inner, Live, Talk},
    out::{self, Audience},
    store::log::{self, Kind},
};

/// Says chunks of the turn under way.
pub(crate) fn push(host: &dyn Host, talk: &Talk, inner: &mut Inner, chunks: Vec<Chunk>) -> Result<()> {
    let Some(live) = inner.live.as_mut() else { return Err(cancelled()) };
    let said = prepare(live, chunks);
    if said.is_empty() {
        return Ok(());
    }
    let lines: Vec<&str> = said.iter().map(|(_, body)| body.as_str()).collect();
    talk.grew(log::add(host, live.n, Kind::Chunks, said.len(), lines.join("\n"))?);
    if !live.streaming && said.iter().any(|(chunk, _)| chunk.kind() != "error") {
        begin_stream(host, inner);
    }
    let Some(live) = inner.live.as_mut() else { return Ok(()) };
    recovered(host, live);
    let audience = Audience::without(host, &live.excluded);
    for (chunk, body) in &said {
        let seq = live.next_seq;
        live.next_seq += 1;
        live.fold.apply_at(seq, chunk);
        if chunk.kind() != "error" {
            audience.send_chunk(host, live, chunk, body, seq);
        }
    }
    Ok(())
}

/// The chunks as clients get them, with their JSON. One that would take a client a step back is left out.
fn prepare(live: &mut Live, chunks: Vec<Chunk>) -> Vec<(Chunk, String)> {
    let mut said = Vec::with_capacity(chunks.len());
    for mut chunk in chunks {
        match chunk.kind() {
            "error" => live.error = Some(chunk.text("errorText").unwrap_or("The answer failed.").to_owned()),
            _ if live.fold.is_stale(&chunk) => continue,
            _ if live.continuation => stamp(&mut chunk, None),
            _ => stamp(&mut chunk, Some(&live.fold.message().id)),
        }
        let body = chunk.to_json();
        said.push((chunk, body));
    }
    said
}

/// The first chunk: whoever waits for it is told to ask for it, and gets it by replay.
fn begin_stream(host: &dyn Host, inner: &mut Inner) {
    let Some(live) = inner.live.as_mut() else { return };
    live.streaming = true;
    let frame = stream_resuming(&live.id, None);
    for record in host.connections() {
        let owns = live.owner == Some(record.key) && out::asks(&record);
        if owns || inner.pending.contains(&record.key) {
            live.excluded.insert(record.key);
            Audience::one(&record).send(host, &frame);
        }
    }
    inner.pending.clear();
}

/// A turn that was interrupted says something new.
pub(super) fn recovered(host: &dyn Host, live: &mut Live) {
    if std::mem::take(&mut live.recovering) && live.attempt > 1 {
        Audience::others(host, None).send(host, &recovering(false, Some(&live.id)));
    }
}
