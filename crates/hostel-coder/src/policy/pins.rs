//! How a tool was described when somebody said "always" to it. Servers describe their tools themselves, and may do so anew: such a yes
//! holds for as long as they say the same.

use hostel::{Cx, Result};

use crate::CoderAgent;

const EXISTS: &str = "select 1 from sqlite_master where type = 'table' and name = 'coder_rule_pins'";
const TABLE: &str =
    "create table if not exists coder_rule_pins (rule text primary key, pin text not null) without rowid";

/// Keeps how the tool of a rule is described that an "always" has made, or makes again. A rule that is not new and has no pin was given by
/// hand: it stays as it is.
pub(super) fn keep(cx: &Cx<CoderAgent>, rule: &str, pin: &str, is_new: bool) -> Result<()> {
    cx.sql(TABLE, ())?;
    if is_new {
        return cx.sql("insert or replace into coder_rule_pins (rule, pin) values (?, ?)", (rule, pin)).map(drop);
    }
    cx.sql("update coder_rule_pins set pin = ? where rule = ?", (pin, rule)).map(drop)
}

/// Whether a rule holds for a tool that is described so. One that was not made by an "always" holds however it is.
pub(super) fn hold(cx: &Cx<CoderAgent>, rule: &str, pin: &str) -> Result<bool> {
    if cx.sql(EXISTS, ())?.is_empty() {
        return Ok(true);
    }
    let kept = cx.sql("select pin from coder_rule_pins where rule = ?", (rule,))?.value::<String>()?;
    Ok(kept.is_none_or(|kept| kept == pin))
}

/// The rule is gone; who gives it again by hand means the tool as it is.
pub(super) fn forget(cx: &Cx<CoderAgent>, rule: &str) -> Result<()> {
    if cx.sql(EXISTS, ())?.is_empty() {
        return Ok(());
    }
    cx.sql("delete from coder_rule_pins where rule = ?", (rule,)).map(drop)
}
