//! Where commands run, in the agent's own database: a table that comes with the first choice of a machine.

use hostel::{Cx, Result, Timestamp};

use crate::CoderAgent;

const TABLE: &str =
    "create table if not exists coder_hands (one integer primary key check (one = 1), name text not null,
    lender text, since integer not null, chosen_by text)";
const THERE: &str = "select 1 from sqlite_master where type = 'table' and name = 'coder_hands'";

/// The machine that was chosen. A machine of the same name that somebody else lends is another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) name: String,
    pub(crate) lender: Option<String>,
}

/// The machine that commands run on; nothing if they run in the sandbox.
pub(crate) fn chosen(cx: &Cx<CoderAgent>) -> Result<Option<Choice>> {
    Ok(kept(cx)?.map(|(choice, ..)| choice))
}

/// Whether commands run on a machine that is lent. What cannot be read counts as chosen, so that nothing is run elsewhere.
pub(crate) fn is_chosen(cx: &Cx<CoderAgent>) -> bool {
    chosen(cx).map_or(true, |choice| choice.is_some())
}

/// The choice, since when, and whose it was.
pub(super) fn kept(cx: &Cx<CoderAgent>) -> Result<Option<(Choice, String, Option<String>)>> {
    if cx.sql(THERE, ())?.is_empty() {
        return Ok(None);
    }
    let rows = cx.sql("select name, lender, since, chosen_by from coder_hands", ())?;
    let kept = |row: hostel::Row<'_>| {
        let since = Timestamp::from_millisecond(row.get("since")?)?.to_string();
        Ok((Choice { name: row.get("name")?, lender: row.get("lender")? }, since, row.get("chosen_by")?))
    };
    rows.iter().next().map(kept).transpose()
}

pub(super) fn keep(cx: &Cx<CoderAgent>, choice: &Choice, who: Option<String>) -> Result<()> {
    cx.sql(TABLE, ())?;
    let since = cx.now().as_millisecond();
    let values = (choice.name.as_str(), choice.lender.as_deref(), since, who);
    let query = "insert or replace into coder_hands (one, name, lender, since, chosen_by) values (1, ?, ?, ?, ?)";
    cx.sql(query, values).map(drop)
}

pub(super) fn forget(cx: &Cx<CoderAgent>) -> Result<()> {
    if cx.sql(THERE, ())?.is_empty() {
        return Ok(());
    }
    cx.sql("delete from coder_hands", ()).map(drop)
}
