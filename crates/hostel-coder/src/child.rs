//! An agent under another: what it may do, and the one errand it is at.

pub(crate) mod steps;

use hostel::{Cx, JsonSchema, Result};
use hostel_chat::{Always, ApprovalPolicy, ChatSetup, Room, Rules, Ruling, Tool, ToolCall};
use serde::{Deserialize, Serialize};

use crate::{
    Budget, CoderAgent, Mode, Rule, policy, runs,
    tools::refused,
    work::{json, rows},
};

/// What it may do without a yes, for whoever said yes to the errand said yes to this: whatever else is there it is not offered.
const LOOKS: [&str; 12] = [
    "read_file",
    "list_files",
    "glob",
    "search",
    "git_status",
    "git_diff",
    "git_log",
    "update_plan",
    "getProjectContext",
    "getFileContents",
    "searchCode",
    "note",
];
const CHANGES: [&str; 6] = ["replace", "apply_patch", "write_file", "move_file", "delete_file", "git_commit"];
const COMMANDS: [&str; 1] = ["run_command"];

/// What it may do, as whoever said yes to it was shown, and what holds above.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Errand {
    /// Whether it may run commands.
    pub(crate) commands: bool,
    /// What it may take in all.
    pub(crate) budget: Budget,
    /// What holds here because it holds above.
    #[serde(default)]
    pub(crate) above: Above,
}

/// The policy of the agent above, which holds here as well.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Above {
    pub(crate) mode: Mode,
    pub(crate) rules: Vec<Rule>,
    /// When it was so, in microseconds since 1970: what is older and comes later changes nothing.
    pub(crate) at: i64,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ErrandResult {
    /// What it said last.
    pub(crate) summary: String,
    /// What it took.
    pub(crate) used: Budget,
}

const NAME: &str = "coder_child";
const TABLE: &str =
    "create table if not exists coder_child (one integer primary key check (one = 1), body text not null)";
const PUT: &str = "insert or replace into coder_child (one, body) values (1, ?)";

/// What the agent may do, if it is under another.
pub(crate) fn errand(cx: &Cx<CoderAgent>) -> Option<Errand> {
    cx.parent_id()?;
    let found = rows(cx, NAME, "select body from coder_child", ()).ok()?;
    Some(found.iter().next().and_then(|row| json(&row, "body").ok()).unwrap_or_default())
}

/// Its tools, and that those that are left ask nobody unless a rule says so.
pub(crate) fn limited(
    setup: ChatSetup<CoderAgent>,
    tools: Vec<Tool<CoderAgent>>,
    errand: &Errand,
    cx: &Cx<CoderAgent>,
) -> ChatSetup<CoderAgent> {
    let commands: &[&str] = if errand.commands { &COMMANDS } else { &[] };
    let may = |name: &str| LOOKS.contains(&name) || CHANGES.contains(&name) || commands.contains(&name);
    let policy = ApprovalPolicy::new().ruled_by(SaidYes(policy::Judge(cx.clone())));
    setup.tools(tools.into_iter().filter(|tool| may(tool.name()))).approvals(policy)
}

/// Whoever said yes to the errand said yes to what it is offered. What a rule asks about is asked, here and at the agent above.
struct SaidYes(policy::Judge);

impl Rules for SaidYes {
    fn rule(&self, call: &ToolCall<'_>) -> Result<Option<Ruling>> {
        Ok(match self.0.rule(call)? {
            None if call.asks => Some(Ruling::Run),
            ruling => ruling,
        })
    }

    fn always(&self, call: &ToolCall<'_>) -> Always {
        self.0.always(call)
    }
}

/// The branch of the agent with this name.
pub(crate) fn branch_of(name: &str) -> Result<String> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 40 || name.starts_with('-') || !name.chars().all(fine) {
        return Err(refused(format!("{name:?} is no name for it."), "use small letters, digits and -, 40 at most"));
    }
    Ok(format!("hostel/{name}"))
}

/// The agent above says what may be done, before it says what is to be done. After a crash it says so again: what it was told since
/// stays.
pub(crate) fn prepare(cx: &Cx<CoderAgent>, given: &Errand) -> Result<()> {
    is_above(cx)?;
    let known = errand(cx).unwrap_or_default();
    let above = if known.above.at > given.above.at { known.above } else { given.above.clone() };
    put(cx, &Errand { above, ..given.clone() })
}

fn put(cx: &Cx<CoderAgent>, errand: &Errand) -> Result<()> {
    cx.sql(TABLE, ())?;
    cx.sql(PUT, (serde_json::to_string(errand)?,)).map(drop)
}

/// The agent above says what holds there by now.
pub(crate) fn obey(cx: &Cx<CoderAgent>, above: Above) -> Result<()> {
    is_above(cx)?;
    match errand(cx) {
        Some(errand) if errand.above.at <= above.at => put(cx, &Errand { above, ..errand }),
        _ => Ok(()),
    }
}

/// What came of the errand with this turn.
pub(crate) fn result(cx: &Cx<CoderAgent>, turn: &str) -> Result<ErrandResult> {
    is_above(cx)?;
    let turn = Room::of(cx).turn(turn)?;
    let transcript = Room::of(cx).transcript()?;
    let message = turn.and_then(|turn| transcript.into_iter().rfind(|message| message.id == turn.message));
    let texts = message.iter().flat_map(|message| &message.parts).filter(|part| part["type"] == "text");
    let summary = texts.filter_map(|part| part["text"].as_str()).next_back().unwrap_or_default().to_owned();
    Ok(ErrandResult { summary, used: runs::meter::in_all(cx)? })
}

/// Has the agent above told how far it is.
pub(crate) fn order_news(cx: &Cx<CoderAgent>) -> Result<()> {
    if cx.parent_id().is_none() {
        return Ok(());
    }
    // Two with the same argument would be one, and the one that runs already may have looked too early.
    let mark = u64::from_le_bytes(cx.random());
    cx.tasks().tell_above(mark).key(NEWS).in_any_order().now().map(drop)
}

const NEWS: &str = "coder:errand-news";

/// Tells the agent above how far it is.
pub(crate) async fn tell_above(cx: &Cx<CoderAgent>) -> Result<()> {
    let news = steps::news(cx)?;
    cx.parent::<CoderAgent>()?.errand_news(&news).await
}

/// Refuses everybody but the agent above.
fn is_above(cx: &Cx<CoderAgent>) -> Result<()> {
    if cx.parent_id().is_none() || cx.caller_agent() != cx.parent_id().as_ref() {
        return Err(refused("Only the agent above gives errands.", "talk with this one in its chat"));
    }
    Ok(())
}
