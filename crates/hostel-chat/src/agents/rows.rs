//! The runs of agents below, in the database of the agent above: what was begun, what was shown, how it ended.

mod run;

use hostel::{AgentId, Error, Result, Row, SqlValue, Timestamp, host::Host};
use serde_json::Value;

pub use self::run::{AgentRun, AgentRunState};
use crate::store;

const RUNS: &str = "hostel_chat_agent_runs";
const CREATE: [&str; 2] = [
    "/*hostel*/ CREATE TABLE IF NOT EXISTS hostel_chat_agent_runs
        (n INTEGER PRIMARY KEY, run TEXT NOT NULL UNIQUE, call TEXT NOT NULL, turn TEXT NOT NULL, class TEXT NOT NULL,
         preview TEXT NOT NULL, display TEXT, place INTEGER NOT NULL, state TEXT NOT NULL, summary TEXT, error TEXT,
         base INTEGER, next INTEGER NOT NULL DEFAULT 0, sequence INTEGER NOT NULL DEFAULT 1, started INTEGER NOT NULL,
         ended INTEGER, bytes INTEGER NOT NULL DEFAULT 0)",
    "/*hostel*/ CREATE TABLE IF NOT EXISTS hostel_chat_agent_chunks
        (n INTEGER NOT NULL, sequence INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (n, sequence)) WITHOUT ROWID",
];
const SELECT: &str = "/*hostel*/ SELECT * FROM hostel_chat_agent_runs";
const INSERT: &str = "/*hostel*/ INSERT INTO hostel_chat_agent_runs
    (run, call, turn, class, preview, display, place, state, started)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'running', ?8)";
const SHOWN: &str = "/*hostel*/ UPDATE hostel_chat_agent_runs
    SET base = coalesce(base, ?2), next = ?3, sequence = ?4, bytes = bytes + ?5 WHERE n = ?1";
const KEEP: &str = "/*hostel*/ INSERT INTO hostel_chat_agent_chunks (n, sequence, body) VALUES (?1, ?2, ?3)";
const CHUNKS: &str = "/*hostel*/ SELECT sequence, body FROM hostel_chat_agent_chunks WHERE n = ?1 ORDER BY sequence";
const END: &str = "/*hostel*/ UPDATE hostel_chat_agent_runs
    SET state = ?2, summary = ?3, error = ?4, ended = ?5 WHERE n = ?1 AND state = 'running'";
const FORGET_CHUNKS: &str = "/*hostel*/ DELETE FROM hostel_chat_agent_chunks WHERE n = ?1";
const NO_BYTES: &str = "/*hostel*/ UPDATE hostel_chat_agent_runs SET bytes = 0 WHERE n = ?1";
const FORGET: &str = "/*hostel*/ DELETE FROM hostel_chat_agent_runs WHERE n = ?1";

/// How many runs are remembered, and their agents kept.
const KEPT_RUNS: usize = 100;
/// How many bytes of what they said are kept for those who come later.
pub(super) const KEPT_BYTES: i64 = 4 << 20;

/// A run, with how far it was shown.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) n: i64,
    pub(super) run: AgentRun,
    pub(super) turn: String,
    pub(super) preview: String,
    pub(super) display: Option<Value>,
    pub(super) order: u32,
    /// The number in the log below of the first chunk.
    pub(super) base: Option<u64>,
    /// The number in the log below from which on nothing was shown.
    pub(super) next: u64,
    /// The place of the next event.
    pub(super) sequence: u64,
    pub(super) bytes: i64,
}

impl Kept {
    /// The agent of the run.
    pub(super) fn agent(&self, host: &dyn Host) -> Result<AgentId> {
        host.id().sub_agent(&self.run.agent_type, &self.run.run_id)
    }
}

/// The tables.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a>(&'a dyn Host);

impl<'a> Rows<'a> {
    /// The tables, if there are any.
    pub(super) fn of(host: &'a dyn Host) -> Result<Option<Self>> {
        Ok(store::exists(host, RUNS)?.then_some(Self(host)))
    }

    /// The tables, which are made if need be.
    pub(super) fn make(host: &'a dyn Host) -> Result<Self> {
        CREATE.iter().try_for_each(|table| host.own_sql(table, &[]).map(drop))?;
        Ok(Self(host))
    }

    fn run(&self, query: &str, params: &[SqlValue]) -> Result<hostel::Rows> {
        self.0.own_sql(query, params)
    }

    fn select(&self, rest: &str, params: &[SqlValue]) -> Result<Vec<Kept>> {
        self.run(&format!("{SELECT} {rest}"), params)?.iter().map(kept).collect()
    }

    /// All of them, oldest first.
    pub(super) fn all(&self) -> Result<Vec<Kept>> {
        self.select("ORDER BY n", &[])
    }

    pub(super) fn get(&self, run: &str) -> Result<Option<Kept>> {
        Ok(self.select("WHERE run = ?1", &[run.into()])?.pop())
    }

    /// Those that are not over.
    pub(super) fn open(&self) -> Result<Vec<Kept>> {
        self.select("WHERE state = 'running' ORDER BY n", &[])
    }

    /// Begins one.
    pub(super) fn begin(&self, begun: &Kept) -> Result<()> {
        let run = &begun.run;
        let params = [
            run.run_id.as_str().into(),
            run.tool_call_id.as_str().into(),
            begun.turn.as_str().into(),
            run.agent_type.as_str().into(),
            begun.preview.as_str().into(),
            begun.display.as_ref().map(Value::to_string).into(),
            i64::from(begun.order).into(),
            run.started_at.as_millisecond().into(),
        ];
        self.run(INSERT, &params).map(drop)
    }

    /// Keeps what was shown: chunks with their places. `next` is where the log below goes on.
    pub(super) fn keep(&self, kept: &mut Kept, next: u64, chunks: &[(u64, &str)]) -> Result<()> {
        let mut bytes = 0;
        for row in chunks.chunk_by(|one, two| one.0 + 1 == two.0) {
            let Some((sequence, _)) = row.first() else { continue };
            let lines: Vec<&str> = row.iter().map(|(_, body)| *body).collect();
            let body = lines.join("\n");
            bytes += i64::try_from(body.len()).unwrap_or(i64::MAX);
            // Beyond that only those who are there see it.
            if kept.bytes + bytes <= KEPT_BYTES {
                self.run(KEEP, &[kept.n.into(), number(*sequence), body.into()])?;
            }
        }
        kept.next = next;
        kept.sequence = chunks.last().map_or(kept.sequence, |(sequence, _)| sequence + 1);
        kept.bytes += bytes;
        let base = kept.base.map_or(SqlValue::Null, number);
        self.run(SHOWN, &[kept.n.into(), base, number(next), number(kept.sequence), bytes.into()]).map(drop)
    }

    /// What is kept of what was shown: chunks with their places.
    pub(super) fn chunks(&self, n: i64) -> Result<Vec<(u64, String)>> {
        let mut chunks = Vec::new();
        for row in self.run(CHUNKS, &[n.into()])?.iter() {
            let (first, body): (i64, String) = (row.get("sequence")?, row.get("body")?);
            let place = |at: usize| first.unsigned_abs() + at as u64;
            chunks.extend(body.lines().enumerate().map(|(at, line)| (place(at), line.to_owned())));
        }
        Ok(chunks)
    }

    /// Ends one. `false` if it was over.
    pub(super) fn end(&self, kept: &mut Kept, state: AgentRunState, said: Option<String>) -> Result<bool> {
        let (summary, error) = match state {
            AgentRunState::Completed => (said, None),
            _ => (None, said),
        };
        let now = self.0.now();
        let params = [
            kept.n.into(),
            state.as_str().into(),
            summary.clone().into(),
            error.clone().into(),
            now.as_millisecond().into(),
        ];
        let is_news = self.run(END, &params)?.changes > 0;
        if is_news {
            kept.run = AgentRun { state, summary, error, ended_at: Some(now), ..kept.run.clone() };
        }
        Ok(is_news)
    }

    /// Forgets what is kept for long enough: chunks first, then whole runs with their agents.
    pub(super) fn tidy(&self) -> Result<()> {
        let mut bytes = 0;
        for (at, kept) in self.all()?.iter().rev().enumerate() {
            bytes += kept.bytes;
            if kept.run.state == AgentRunState::Running {
                continue;
            }
            if at + 1 >= KEPT_RUNS {
                self.forget(kept)?;
            } else if bytes > KEPT_BYTES && kept.bytes > 0 {
                self.run(FORGET_CHUNKS, &[kept.n.into()])?;
                self.run(NO_BYTES, &[kept.n.into()])?;
            }
        }
        Ok(())
    }

    /// Forgets a run, and its agent.
    pub(super) fn forget(&self, kept: &Kept) -> Result<()> {
        self.run(FORGET_CHUNKS, &[kept.n.into()])?;
        self.run(FORGET, &[kept.n.into()])?;
        self.0.delete_sub_agent(&kept.agent(self.0)?).map(drop)
    }
}

fn number(n: u64) -> SqlValue {
    SqlValue::Integer(i64::try_from(n).unwrap_or(i64::MAX))
}

fn kept(row: Row<'_>) -> Result<Kept> {
    let state: String = row.get("state")?;
    let state = AgentRunState::ALL.into_iter().find(|known| known.as_str() == state);
    let time = |ms: i64| Timestamp::from_millisecond(ms).map_err(Error::from);
    let count = |name: &str| -> Result<u64> { Ok(row.get::<i64>(name)?.unsigned_abs()) };
    let display: Option<String> = row.get("display")?;
    Ok(Kept {
        n: row.get("n")?,
        run: AgentRun {
            run_id: row.get("run")?,
            agent_type: row.get("class")?,
            tool_call_id: row.get("call")?,
            state: state.unwrap_or(AgentRunState::Error),
            summary: row.get("summary")?,
            error: row.get("error")?,
            started_at: time(row.get("started")?)?,
            ended_at: row.get::<Option<i64>>("ended")?.map(time).transpose()?,
        },
        turn: row.get("turn")?,
        preview: row.get("preview")?,
        display: display.map(|display| serde_json::from_str(&display)).transpose()?,
        order: u32::try_from(row.get::<i64>("place")?).unwrap_or_default(),
        base: row.get::<Option<i64>>("base")?.map(i64::unsigned_abs),
        next: count("next")?,
        sequence: count("sequence")?,
        bytes: row.get("bytes")?,
    })
}
