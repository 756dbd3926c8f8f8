//! The policy in the agent's own database: tables that come with the first row.

use hostel::{Cx, Result, Row};

use super::{Action, KeptRule, Mode, Rule, RulingEntry, moment, pins};
use crate::CoderAgent;

const MODE: &str = "create table if not exists coder_policy (name text primary key, value text not null) without rowid";
const RULES: &str = "create table if not exists coder_rules (id integer primary key, tool text not null, pattern text,
    action text not null, since integer not null, given_by text)";
const LOG: &str = "create table if not exists coder_rulings (id integer primary key, at integer not null, turn text not null,
    call text not null unique, tool text not null, used_on text not null, ruling text not null, rule text not null, given_by text)";

/// A change of the policy is no call's: it has a name of its own in the column of calls.
const CHANGED: &str = "insert into coder_rulings (at, turn, call, tool, used_on, ruling, rule, given_by)
    select ?, '', 'policy-' || (coalesce(max(id), 0) + 1), 'setPolicy', ?, ?, ?, ? from coder_rulings";

/// How many rulings are kept, and how much of what each was used on.
const KEPT: i64 = 1000;
const SHOWN: usize = 2000;

/// The tables of one agent.
pub(super) struct Rows<'a>(pub(super) &'a Cx<CoderAgent>);

impl Rows<'_> {
    fn has(&self, table: &str) -> Result<bool> {
        Ok(!self.0.sql("select 1 from sqlite_master where type = 'table' and name = ?", (table,))?.is_empty())
    }

    pub(super) fn mode(&self) -> Result<Option<Mode>> {
        if !self.has("coder_policy")? {
            return Ok(None);
        }
        let value = self.0.sql("select value from coder_policy where name = 'mode'", ())?.value::<String>()?;
        Ok(value.map(|mode| serde_json::from_value(mode.into())).transpose()?)
    }

    /// Sets how the agent works, which was as `before` says.
    pub(super) fn set_mode(&self, mode: Mode, before: Mode, who: Option<&str>) -> Result<()> {
        self.0.sql(MODE, ())?;
        let value = serde_json::to_value(mode)?;
        let query = "insert or replace into coder_policy (name, value) values ('mode', ?)";
        self.0.sql(query, (value.as_str().unwrap_or_default(),))?;
        if mode == before { Ok(()) } else { self.changed(&before.to_string(), "set", &mode.to_string(), who) }
    }

    pub(super) fn rules(&self) -> Result<Vec<KeptRule>> {
        if !self.has("coder_rules")? {
            return Ok(Vec::new());
        }
        let query = "select tool, pattern, action, since, given_by from coder_rules order by id";
        self.0.sql(query, ())?.iter().map(rule).collect()
    }

    /// Rules that stay keep who gave them.
    pub(super) fn replace(&self, rules: &[Rule], who: Option<&str>) -> Result<()> {
        let kept = self.rules()?;
        for gone in kept.iter().filter(|kept| !rules.contains(&kept.rule)) {
            self.remove(&gone.rule, who)?;
        }
        rules.iter().try_for_each(|rule| self.add(rule, who).map(drop))
    }

    /// Adds a rule, unless there is an equal one; whether it did.
    pub(super) fn add(&self, rule: &Rule, who: Option<&str>) -> Result<bool> {
        if self.rules()?.iter().any(|kept| kept.rule == *rule) {
            return Ok(false);
        }
        self.0.sql(RULES, ())?;
        let action = serde_json::to_value(rule.action)?;
        let query = "insert into coder_rules (tool, pattern, action, since, given_by) values (?, ?, ?, ?, ?)";
        let pattern = rule.pattern.as_deref();
        let since = self.0.now().as_millisecond();
        self.0.sql(query, (rule.tool.as_str(), pattern, action.as_str().unwrap_or_default(), since, who))?;
        self.changed("", "added", &rule.to_string(), who)?;
        Ok(true)
    }

    fn remove(&self, rule: &Rule, who: Option<&str>) -> Result<()> {
        let action = serde_json::to_value(rule.action)?;
        let query = "delete from coder_rules where tool = ? and pattern is ? and action = ?";
        let pattern = rule.pattern.as_deref();
        self.0.sql(query, (rule.tool.as_str(), pattern, action.as_str().unwrap_or_default()))?;
        pins::forget(self.0, &rule.to_string())?;
        self.changed("", "removed", &rule.to_string(), who)
    }

    /// Keeps that the policy itself was changed: no call has led to that.
    fn changed(&self, before: &str, how: &str, what: &str, who: Option<&str>) -> Result<()> {
        self.0.sql(LOG, ())?;
        self.0.sql(CHANGED, (self.0.now().as_millisecond(), before, how, what, who))?;
        self.trim()
    }

    fn trim(&self) -> Result<()> {
        let trim = "delete from coder_rulings where id <= (select max(id) from coder_rulings) - ?";
        self.0.sql(trim, (KEPT,)).map(drop)
    }

    /// Keeps what was decided of a call, once: the last decision, for it is ruled again just before it runs.
    pub(super) fn note(&self, entry: &RulingEntry) -> Result<()> {
        self.0.sql(LOG, ())?;
        let used_on: String = entry.on.chars().take(SHOWN).collect();
        let at = self.0.now().as_millisecond();
        let query = "insert into coder_rulings (at, turn, call, tool, used_on, ruling, rule, given_by)
            values (?, ?, ?, ?, ?, ?, ?, ?) on conflict (call) do update set at = excluded.at, turn = excluded.turn,
            tool = excluded.tool, used_on = excluded.used_on, ruling = excluded.ruling, rule = excluded.rule,
            given_by = excluded.given_by where turn <> excluded.turn or ruling <> excluded.ruling";
        let (turn, call, tool) = (entry.turn_id.as_str(), entry.tool_call_id.as_str(), entry.tool.as_str());
        let values = (at, turn, call, tool, used_on, entry.ruling.as_str(), entry.rule.as_str(), entry.by.as_deref());
        self.0.sql(query, values)?;
        self.trim()
    }

    pub(super) fn log(&self) -> Result<Vec<RulingEntry>> {
        if !self.has("coder_rulings")? {
            return Ok(Vec::new());
        }
        self.0.sql("select * from coder_rulings order by id desc", ())?.iter().map(entry).collect()
    }
}

fn rule(row: Row<'_>) -> Result<KeptRule> {
    let action: Action = row.get("action")?;
    let rule = Rule { tool: row.get("tool")?, pattern: row.get("pattern")?, action };
    Ok(KeptRule { rule, since: moment(row.get("since")?)?, by: row.get("given_by")? })
}

fn entry(row: Row<'_>) -> Result<RulingEntry> {
    let (turn_id, call): (String, String) = (row.get("turn")?, row.get("call")?);
    Ok(RulingEntry {
        at: moment(row.get("at")?)?,
        tool_call_id: if turn_id.is_empty() { String::new() } else { call },
        turn_id,
        tool: row.get("tool")?,
        on: row.get("used_on")?,
        ruling: row.get("ruling")?,
        rule: row.get("rule")?,
        by: row.get("given_by")?,
    })
}
