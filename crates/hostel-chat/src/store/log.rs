//! The log: everything that was said and decided, in order, each with a number. It is written before anybody sees it.
//!
//! What arrived together is one row: the number of a row is that of its first item. The items of a row of chunks stand in lines.

use hostel::{Result, SqlValue, host::Host, protocol::chat::Chunk};

use super::{integer, text};

const HEAD: &str = "/*hostel*/ SELECT seq + items FROM hostel_chat_log ORDER BY seq DESC LIMIT 1";
const ADD: &str = "/*hostel*/ INSERT INTO hostel_chat_log (seq, turn, kind, items, body) VALUES (?1, ?2, ?3, ?4, ?5)";
const OF_TURN: &str = "/*hostel*/ SELECT body FROM hostel_chat_log WHERE turn = ?1 AND kind = 'chunks' ORDER BY seq";
const ROWS_OF_TURN: &str =
    "/*hostel*/ SELECT seq, body FROM hostel_chat_log WHERE turn = ?1 AND kind = 'chunks' ORDER BY seq";
const REWRITE: &str = "/*hostel*/ UPDATE hostel_chat_log SET body = ?2 WHERE seq = ?1";
const FIRST_OF_TURN: &str = "/*hostel*/ SELECT min(seq) FROM hostel_chat_log WHERE turn = ?1";
const FROM: &str = "/*hostel*/ SELECT l.seq, l.kind, l.body, t.id FROM hostel_chat_log l
    LEFT JOIN hostel_chat_turns t ON t.n = l.turn WHERE l.seq + l.items > ?1 ORDER BY l.seq LIMIT 64";
const CLEAR: &str = "/*hostel*/ DELETE FROM hostel_chat_log";
const SIZE: &str = "/*hostel*/ SELECT coalesce(sum(octet_length(body) + 32), 0) FROM hostel_chat_log WHERE turn = ?1";
const FORGET: &str = "/*hostel*/ DELETE FROM hostel_chat_log
    WHERE turn <= ?1 AND seq < (SELECT max(seq) FROM hostel_chat_log)";

/// What a row of the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Chunks of an answer.
    Chunks,
    /// Somebody asked.
    Ask,
    /// Somebody gave the result of a tool, or an approval.
    Settled,
    /// A turn is over.
    End,
    /// Everything was forgotten.
    Clear,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Chunks, Self::Ask, Self::Settled, Self::End, Self::Clear];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Chunks => "chunks",
            Self::Ask => "ask",
            Self::Settled => "settled",
            Self::End => "end",
            Self::Clear => "clear",
        }
    }

    fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A row of the log.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) seq: u64,
    pub(crate) kind: Kind,
    pub(crate) body: String,
    /// The id of the turn's request, if it is still known.
    pub(crate) id: Option<String>,
}

/// The number of the next item.
pub(crate) fn head(host: &dyn Host) -> Result<u64> {
    let rows = host.own_sql(HEAD, &[])?.rows;
    rows.first().and_then(|row| row.first()).map_or(Ok(0), |head| Ok(integer(head)?.unsigned_abs()))
}

/// Adds a row with this many items; returns the number behind it.
pub(crate) fn add(host: &dyn Host, turn: i64, kind: Kind, items: usize, body: String) -> Result<u64> {
    let seq = head(host)?;
    let number = |n: u64| SqlValue::Integer(i64::try_from(n).unwrap_or(i64::MAX));
    host.own_sql(ADD, &[number(seq), turn.into(), kind.as_str().into(), number(items as u64), body.into()])?;
    Ok(seq + items as u64)
}

/// The chunks of a turn, as JSON.
pub(crate) fn chunks(host: &dyn Host, turn: i64) -> Result<Vec<String>> {
    let mut bodies = Vec::new();
    for mut row in host.own_sql(OF_TURN, &[turn.into()])?.rows {
        let body = row.first_mut().map_or_else(|| Ok(String::new()), text)?;
        bodies.extend(body.lines().map(str::to_owned));
    }
    Ok(bodies)
}

/// The same, read.
pub(crate) fn read_chunks(host: &dyn Host, turn: i64) -> Result<Vec<Chunk>> {
    Ok(chunks(host, turn)?.iter().filter_map(|chunk| Chunk::parse(chunk).ok()).collect())
}

/// Takes back what a turn has said from the chunk with this index on: each keeps its number, and says `nothing`.
pub(crate) fn take_back(host: &dyn Host, turn: i64, from: usize, nothing: &str) -> Result<()> {
    let mut index = 0;
    for mut row in host.own_sql(ROWS_OF_TURN, &[turn.into()])?.rows {
        let [seq, body] = row.as_mut_slice() else { continue };
        let (seq, body) = (integer(seq)?, text(body)?);
        let count = body.lines().count();
        if index + count > from {
            let keep = |(at, line)| if index + at < from { line } else { nothing };
            let lines: Vec<&str> = body.lines().enumerate().map(keep).collect();
            host.own_sql(REWRITE, &[seq.into(), lines.join("\n").into()])?;
        }
        index += count;
    }
    Ok(())
}

/// Where a turn begins in the log.
pub(crate) fn beginning(host: &dyn Host, turn: i64) -> Result<Option<u64>> {
    let rows = host.own_sql(FIRST_OF_TURN, &[turn.into()])?.rows;
    Ok(rows.first().and_then(|row| row.first()).and_then(|seq| integer(seq).ok()).map(i64::unsigned_abs))
}

/// The next rows, beginning with the one that has this number in it.
pub(crate) fn from(host: &dyn Host, seq: u64) -> Result<Vec<Row>> {
    let rows = host.own_sql(FROM, &[i64::try_from(seq).unwrap_or(i64::MAX).into()])?.rows;
    rows.into_iter().filter_map(|row| read(row).transpose()).collect()
}

fn read(mut row: Vec<SqlValue>) -> Result<Option<Row>> {
    let [seq, kind, body, id] = row.as_mut_slice() else { return Ok(None) };
    let Some(kind) = Kind::read(&text(kind)?) else { return Ok(None) };
    Ok(Some(Row { seq: integer(seq)?.unsigned_abs(), kind, body: text(body)?, id: text(id).ok() }))
}

/// Forgets everything; the count goes on.
pub(crate) fn clear(host: &dyn Host) -> Result<u64> {
    let seq = head(host)?;
    host.own_sql(CLEAR, &[])?;
    let seq_value = SqlValue::Integer(i64::try_from(seq).unwrap_or(i64::MAX));
    host.own_sql(ADD, &[seq_value, 0.into(), Kind::Clear.as_str().into(), 1.into(), "{}".into()])?;
    Ok(seq + 1)
}

/// How many bytes the rows of a turn have.
pub(crate) fn size(host: &dyn Host, turn: i64) -> Result<i64> {
    let rows = host.own_sql(SIZE, &[turn.into()])?.rows;
    rows.first().and_then(|row| row.first()).map_or(Ok(0), integer)
}

/// Forgets what turns up to this one said. The last row stays, and with it the count.
pub(crate) fn forget(host: &dyn Host, up_to: i64) -> Result<()> {
    host.own_sql(FORGET, &[up_to.into()]).map(drop)
}
