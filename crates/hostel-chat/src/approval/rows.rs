//! Approvals and standing permissions in the agent's own database: the tables come with the first of them.

mod desk;

use std::time::Duration;

use hostel::{Error, Order, Result, Row, SqlValue, Timestamp, When, host::Host};

pub(crate) use self::desk::RowsDesk;
use super::{Answering, Approval, ApprovalState, Decided, Question, Standing, digest, unknown};

const CREATE: &str = "/*hostel*/ CREATE TABLE IF NOT EXISTS hostel_chat_approvals (
    id TEXT PRIMARY KEY, turn TEXT NOT NULL, message TEXT NOT NULL, call TEXT NOT NULL, tool TEXT NOT NULL,
    input TEXT NOT NULL, input_sha256 TEXT NOT NULL, pin TEXT, asked_at INTEGER NOT NULL, asked_by TEXT,
    expires_at INTEGER, state TEXT NOT NULL, answered_at INTEGER, answered_by TEXT, reason TEXT, settled_at INTEGER,
    preview TEXT,    UNIQUE (message, call))";
const CREATE_STANDING: &str = "/*hostel*/ CREATE TABLE IF NOT EXISTS hostel_chat_permissions
    (tool TEXT PRIMARY KEY, since INTEGER NOT NULL, granted_by TEXT, pin TEXT) WITHOUT ROWID";
const EXISTS: &str = "/*hostel*/ SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
const SELECT: &str = "/*hostel*/ SELECT * FROM hostel_chat_approvals";

/// Tables of earlier versions know nothing of previews.
const HAS_PREVIEW: &str =
    "/*hostel*/ SELECT count(*) FROM pragma_table_info('hostel_chat_approvals') WHERE name = 'preview'";
const ADD_PREVIEW: &str = "/*hostel*/ ALTER TABLE hostel_chat_approvals ADD COLUMN preview TEXT";
const INSERT: &str = "/*hostel*/ INSERT INTO hostel_chat_approvals
    (id, turn, message, call, tool, input, input_sha256, pin, asked_at, asked_by, expires_at, preview, state)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 'waiting') ON CONFLICT (message, call) DO NOTHING";
const ANSWER: &str = "/*hostel*/ UPDATE hostel_chat_approvals
    SET state = ?2, answered_at = ?3, answered_by = ?4, reason = ?5 WHERE id = ?1 AND state = 'waiting'";
const SETTLE: &str = "/*hostel*/ UPDATE hostel_chat_approvals SET settled_at = ?2 WHERE id = ?1 AND settled_at IS NULL";

/// The task that looks at an approval when it expires.
pub(crate) const EXPIRE: &str = "chat:approval";
/// How many approvals that are over are kept, for those who look back.
const KEPT: i64 = 1000;
const TRIM: &str = "/*hostel*/ DELETE FROM hostel_chat_approvals WHERE settled_at IS NOT NULL AND id NOT IN
    (SELECT id FROM hostel_chat_approvals WHERE settled_at IS NOT NULL ORDER BY asked_at DESC LIMIT ?1)";

/// The pin of a permission that was given by name alone, until it is first used.
pub(super) const ANY: &str = "";

/// Approvals in the database of one agent. Within a turn, what is done belongs to the turn.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a>(&'a dyn Host);

impl<'a> Rows<'a> {
    pub(crate) fn of(host: &'a dyn Host) -> Self {
        Self(host)
    }

    fn run(&self, query: &str, params: &[SqlValue]) -> Result<hostel::Rows> {
        self.0.own_sql(query, params)
    }

    fn make_id(&self) -> String {
        let mut bytes = [0; 10];
        self.0.fill_random(&mut bytes);
        data_encoding::BASE32_NOPAD.encode(&bytes).to_lowercase()
    }

    fn has(&self, table: &str) -> Result<bool> {
        Ok(self.run(EXISTS, &[table.into()])?.value::<i64>()?.unwrap_or(0) > 0)
    }

    fn select(&self, rest: &str, params: &[SqlValue]) -> Result<Vec<Approval>> {
        if !self.has("hostel_chat_approvals")? {
            return Ok(Vec::new());
        }
        self.run(&format!("{SELECT} {rest}"), params)?.iter().map(approval).collect()
    }

    /// The newest first; `all` has those that are over as well.
    pub(crate) fn list(&self, all: bool) -> Result<Vec<Approval>> {
        match all {
            true => self.select("ORDER BY asked_at DESC, id", &[]),
            false => self.select("WHERE state = 'waiting' ORDER BY asked_at DESC, id", &[]),
        }
    }

    pub(crate) fn get(&self, id: &str) -> Result<Option<Approval>> {
        Ok(self.select("WHERE id = ?1", &[id.into()])?.pop())
    }

    /// By the id of its call, as frames have it; its own id is understood as well.
    pub(crate) fn by_call(&self, call: &str) -> Result<Option<Approval>> {
        Ok(self.select("WHERE call = ?1 OR id = ?1 ORDER BY rowid DESC LIMIT 1", &[call.into()])?.pop())
    }

    /// Answers it, if nobody has, and it has not expired meanwhile.
    pub(crate) fn answer(&self, id: &str, answer: &Answering) -> Result<Decided> {
        let now = self.0.now();
        let before = self.get(id)?.ok_or_else(|| unknown(id))?;
        let late = before.expires_at.is_some_and(|at| at <= now);
        let state = match (late, answer.approve) {
            (true, _) => ApprovalState::Expired,
            (false, true) => ApprovalState::Approved,
            (false, false) => ApprovalState::Denied,
        };
        let (by, why) = match late {
            true => (None, Some("Nobody answered in time.")),
            false => (answer.by.as_deref(), answer.reason.as_deref()),
        };
        let changed = self.close(id, state, now, by, why)?;
        let approval = self.get(id)?.ok_or_else(|| unknown(id))?;
        Ok(Decided { accepted: changed && !late, is_news: changed, approval })
    }

    fn close(
        &self,
        id: &str,
        state: ApprovalState,
        now: Timestamp,
        by: Option<&str>,
        why: Option<&str>,
    ) -> Result<bool> {
        let params = [id.into(), state.as_str().into(), now.as_millisecond().into(), by.into(), why.into()];
        Ok(self.run(ANSWER, &params)?.changes > 0)
    }

    /// Nobody is asked any more: the call has its answer from elsewhere, or is gone.
    pub(crate) fn withdraw(&self, id: &str, why: &str) -> Result<()> {
        let now = self.0.now();
        self.close(id, ApprovalState::Withdrawn, now, None, Some(why))?;
        self.run(SETTLE, &[id.into(), now.as_millisecond().into()]).map(drop)
    }

    /// [`Rows::withdraw`] of everything that waits.
    pub(crate) fn withdraw_all(&self, why: &str) -> Result<()> {
        self.list(false)?.iter().try_for_each(|approval| self.withdraw(&approval.id, why))
    }

    /// [`Rows::withdraw`] of what waits in this message.
    pub(crate) fn withdraw_in(&self, message: &str, why: &str) -> Result<()> {
        let waiting = self.select("WHERE message = ?1 AND state = 'waiting'", &[message.into()])?;
        waiting.iter().try_for_each(|approval| self.withdraw(&approval.id, why))
    }

    /// Counts as a no if it is due and nobody has answered.
    pub(crate) fn expire(&self, id: &str) -> Result<Option<Approval>> {
        let now = self.0.now();
        let due = |approval: &Approval| approval.is_waiting() && approval.expires_at.is_some_and(|at| at <= now);
        if !self.get(id)?.as_ref().is_some_and(due) {
            return Ok(None);
        }
        self.close(id, ApprovalState::Expired, now, None, Some("Nobody answered in time."))?;
        self.get(id)
    }

    fn make_table(&self) -> Result<()> {
        self.run(CREATE, &[])?;
        if self.run(HAS_PREVIEW, &[])?.value::<i64>()?.unwrap_or(0) == 0 {
            self.run(ADD_PREVIEW, &[])?;
        }
        Ok(())
    }

    /// Keeps a question. It is looked at again when it expires.
    fn ask(&self, question: &Question<'_>, who: Option<&str>, expires: Option<Duration>) -> Result<Approval> {
        let call = question.call;
        self.make_table()?;
        self.run(TRIM, &[KEPT.into()])?;
        let now = self.0.now();
        let expires = expires.and_then(|after| now.checked_add(after).ok());
        let id = self.make_id();
        let params = [
            id.as_str().into(),
            question.turn.into(),
            question.message.id.as_str().into(),
            call.id.as_str().into(),
            call.tool.as_str().into(),
            call.input.to_string().into(),
            digest(&call.input).into(),
            question.tool.pin.as_deref().into(),
            now.as_millisecond().into(),
            who.into(),
            expires.map(Timestamp::as_millisecond).into(),
            question.preview.map(serde_json::to_string).transpose()?.into(),
        ];
        let is_new = self.run(INSERT, &params)?.changes > 0;
        let message = question.message.id.as_str();
        let kept = self.select("WHERE message = ?1 AND call = ?2", &[message.into(), call.id.as_str().into()])?.pop();
        let approval = kept.ok_or_else(|| unknown(&id))?;
        if let Some(at) = expires.filter(|_| is_new) {
            let order =
                Order { when: Some(When::At(at)), key: Some(format!("{EXPIRE} {id}")), ..Order::new(EXPIRE, &(&id,))? };
            self.0.order(Order { ordered: false, ..order })?;
        }
        Ok(approval)
    }

    /// Standing permissions, by tool.
    pub(crate) fn standing(&self) -> Result<Vec<Standing>> {
        if !self.has("hostel_chat_permissions")? {
            return Ok(Vec::new());
        }
        let query = "/*hostel*/ SELECT tool, since, granted_by, pin FROM hostel_chat_permissions ORDER BY tool";
        let standing = |row: Row<'_>| {
            Ok(Standing {
                tool: row.get("tool")?,
                since: time(&row, "since")?,
                by: row.get("granted_by")?,
                pin: row.get("pin")?,
            })
        };
        self.run(query, &[])?.iter().map(standing).collect()
    }

    pub(crate) fn permit(&self, standing: &Standing) -> Result<()> {
        self.run(CREATE_STANDING, &[])?;
        let query = "/*hostel*/ INSERT OR REPLACE INTO hostel_chat_permissions (tool, since, granted_by, pin)
            VALUES (?1, ?2, ?3, ?4)";
        let by = standing.by.as_deref();
        let since = standing.since.as_millisecond();
        let params = [standing.tool.as_str().into(), since.into(), by.into(), standing.pin.as_deref().into()];
        self.run(query, &params).map(drop)
    }

    pub(crate) fn forbid(&self, tool: &str) -> Result<bool> {
        if !self.has("hostel_chat_permissions")? {
            return Ok(false);
        }
        let query = "/*hostel*/ DELETE FROM hostel_chat_permissions WHERE tool = ?1";
        Ok(self.run(query, &[tool.into()])?.changes > 0)
    }
}

fn approval(row: Row<'_>) -> Result<Approval> {
    let state: String = row.get("state")?;
    let input: String = row.get("input")?;
    let optional = |name| -> Result<Option<Timestamp>> {
        row.get::<Option<i64>>(name)?.map(|ms| Timestamp::from_millisecond(ms).map_err(Error::from)).transpose()
    };
    // Not there in a table of an earlier version that nobody has asked in since.
    let preview: Option<String> = row.get("preview").unwrap_or_default();
    Ok(Approval {
        id: row.get("id")?,
        turn_id: row.get("turn")?,
        message_id: row.get("message")?,
        tool_call_id: row.get("call")?,
        tool: row.get("tool")?,
        input: serde_json::from_str(&input)?,
        input_sha256: row.get("input_sha256")?,
        pin: row.get("pin")?,
        preview: preview.map(|text| serde_json::from_str(&text)).transpose()?,
        asked_at: time(&row, "asked_at")?,
        asked_by: row.get("asked_by")?,
        expires_at: optional("expires_at")?,
        state: state.parse()?,
        answered_at: optional("answered_at")?,
        answered_by: row.get("answered_by")?,
        reason: row.get("reason")?,
        settled_at: optional("settled_at")?,
    })
}

fn time(row: &Row<'_>, column: &str) -> Result<Timestamp> {
    Ok(Timestamp::from_millisecond(row.get(column)?)?)
}
