//! What was started, in the agent's own database: a table that comes with the first.

use hostel::{Cx, Result};

use crate::{
    CoderAgent,
    hands::{Choice, Ordered},
};

const CREATE: &str =
    "create table if not exists coder_commands (id integer primary key autoincrement, title text not null,
    call text, terminal integer not null, era text not null, started integer not null)";
const THERE: &str = "select 1 from sqlite_master where type = 'table' and name = 'coder_commands'";

/// Where those run that do not run here; it comes with the first.
const FAR: &str =
    "create table if not exists coder_far_commands (id integer primary key, ordered text not null, name text not null,
    lender text, instance text not null)";
const FAR_THERE: &str = "select 1 from sqlite_master where type = 'table' and name = 'coder_far_commands'";

/// The era of those that do not end with a process of the server.
const NO_ERA: &str = "";

/// How many are remembered.
const KEPT: i64 = 50;

/// What was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) title: String,
    pub(super) call: Option<String>,
    pub(super) terminal: bool,
}

pub(super) struct Rows<'a>(pub(super) &'a Cx<CoderAgent>);

impl Rows<'_> {
    fn is_there(&self) -> Result<bool> {
        Ok(!self.0.sql(THERE, ())?.is_empty())
    }

    /// Keeps it, as started by this process, and answers its number.
    pub(super) fn add(&self, row: &Row, era: &str) -> Result<i64> {
        self.0.try_update(|_| self.insert(row, era))
    }

    /// Keeps it, as running elsewhere, and answers its number.
    pub(super) fn add_far(&self, row: &Row, ordered: &Ordered) -> Result<i64> {
        let cx = self.0;
        cx.try_update(|_| {
            let id = self.insert(row, NO_ERA)?;
            cx.sql(FAR, ())?;
            let Ordered { id: order, choice, instance } = ordered;
            let values = (id, order.as_str(), choice.name.as_str(), choice.lender.as_deref(), instance.as_str());
            let query = "insert into coder_far_commands (id, ordered, name, lender, instance) values (?, ?, ?, ?, ?)";
            cx.sql(query, values)?;
            cx.sql("delete from coder_far_commands where id <= ?", (id - KEPT,))?;
            Ok(id)
        })
    }

    fn insert(&self, row: &Row, era: &str) -> Result<i64> {
        let cx = self.0;
        cx.sql(CREATE, ())?;
        let started = cx.now().as_millisecond();
        let values = (row.title.as_str(), row.call.as_deref(), i64::from(row.terminal), era, started);
        cx.sql("insert into coder_commands (title, call, terminal, era, started) values (?, ?, ?, ?, ?)", values)?;
        let id: i64 = cx.sql("select max(id) from coder_commands", ())?.value()?.unwrap_or(0);
        cx.sql("delete from coder_commands where id <= ?", (id - KEPT,))?;
        Ok(id)
    }

    /// Those that run elsewhere, by their numbers.
    pub(super) fn ordered(&self) -> Result<Vec<(i64, Ordered)>> {
        if self.0.sql(FAR_THERE, ())?.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.0.sql("select id, ordered, name, lender, instance from coder_far_commands order by id", ())?;
        rows.iter()
            .map(|row| {
                let choice = Choice { name: row.get("name")?, lender: row.get("lender")? };
                Ok((row.get("id")?, Ordered { id: row.get("ordered")?, choice, instance: row.get("instance")? }))
            })
            .collect()
    }

    /// Where it runs, if that is elsewhere.
    pub(super) fn far(&self, id: i64) -> Result<Option<Ordered>> {
        Ok(self.ordered()?.into_iter().find_map(|(number, ordered)| (number == id).then_some(ordered)))
    }

    pub(super) fn remove(&self, id: i64) -> Result<()> {
        if !self.0.sql(FAR_THERE, ())?.is_empty() {
            self.0.sql("delete from coder_far_commands where id = ?", (id,))?;
        }
        self.0.sql("delete from coder_commands where id = ?", (id,)).map(drop)
    }

    /// Forgets it, if it is there.
    pub(super) fn forget(&self, id: i64) -> Result<()> {
        if self.is_there()? { self.remove(id) } else { Ok(()) }
    }

    pub(super) fn has(&self, id: i64) -> Result<bool> {
        Ok(self.is_there()? && !self.0.sql("select 1 from coder_commands where id = ?", (id,))?.is_empty())
    }

    /// The number of what this call has started.
    pub(super) fn of_call(&self, call: &str) -> Result<Option<i64>> {
        if !self.is_there()? {
            return Ok(None);
        }
        self.0.sql("select id from coder_commands where call = ?", (call,))?.value()
    }

    pub(super) fn all(&self) -> Result<Vec<(i64, Row)>> {
        if !self.is_there()? {
            return Ok(Vec::new());
        }
        let rows = self.0.sql("select id, title, call, terminal from coder_commands order by id", ())?;
        rows.iter()
            .map(|row| {
                let terminal = row.get::<i64>("terminal")? != 0;
                Ok((row.get("id")?, Row { title: row.get("title")?, call: row.get("call")?, terminal }))
            })
            .collect()
    }

    /// Those of the model's that another process had started. They are told once.
    pub(super) fn lost(&self, era: &str) -> Result<Vec<(i64, String)>> {
        if !self.is_there()? {
            return Ok(Vec::new());
        }
        let query =
            "select id, title from coder_commands where era <> ? and era <> '' and call is not null order by id";
        let rows = self.0.sql(query, (era,))?;
        let lost = rows.iter().map(|row| Ok((row.get("id")?, row.get("title")?))).collect::<Result<Vec<_>>>()?;
        if !lost.is_empty() {
            self.0.sql("update coder_commands set era = '' where era <> ?", (era,))?;
        }
        Ok(lost)
    }
}
