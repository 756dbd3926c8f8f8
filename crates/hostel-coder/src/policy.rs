//! What the agent may do without asking, and what not at all: a mode, and rules over tools and what they are used on.

mod called;
mod files;
mod judge;
mod pins;
mod rows;
mod rule;
mod subject;
mod ways;

use hostel::{Cx, Identity, JsonSchema, Result, Timestamp};
use hostel_chat::{Answering, Approval, Room};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use self::rule::{Action, Mode, Rule};
use self::{called::Called, rows::Rows, subject::Subject};
pub(crate) use self::{judge::Judge, ways::Ways};
use crate::{
    CoderAgent,
    child::{self, Above},
    errands, hands, shell,
    told::{self, News},
    tools::project_mcp,
    workspaces::Workspaces,
};

/// What `getPolicy` and `setPolicy` answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyView {
    /// How the agent works.
    pub mode: Mode,
    /// This agent's own rules, in the order they came.
    pub rules: Vec<KeptRule>,
    /// The operator's rules, which hold for every coding agent of the server.
    pub operator_rules: Vec<Rule>,
    /// Why commands cannot be sandboxed here, if so: then every command asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_sandbox: Option<String>,
}

/// A rule of this agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeptRule {
    /// The rule.
    #[serde(flatten)]
    pub rule: Rule,
    /// Since when, in RFC 3339.
    pub since: String,
    /// Who gave it, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What `setPolicy` takes: what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PolicyChange {
    /// How the agent works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// All rules of this agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<Rule>>,
}

/// A call that a rule or the mode decided, without anybody being asked; or a change of the policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RulingEntry {
    /// When, in RFC 3339.
    pub at: String,
    /// The turn; empty for a change of the policy.
    pub turn_id: String,
    /// The call; empty for a change of the policy.
    pub tool_call_id: String,
    /// The tool; `setPolicy` for a change of the policy, however it was made.
    pub tool: String,
    /// What it was used on; how the agent worked before, if that was changed.
    pub on: String,
    /// `run` or `refuse`; of a change `set` (the mode), `added` or `removed` (a rule).
    pub ruling: String,
    /// The rule or the mode, in words.
    pub rule: String,
    /// Who gave the rule, or made the change, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What the operator sets for every coding agent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyDefaults {
    /// How agents work that nobody has set otherwise.
    pub mode: Mode,
    /// Rules for all of them. An agent's own rules stand beside these; the strictest that matches counts.
    pub rules: Vec<Rule>,
}

/// The policy as it stands.
pub(crate) fn view(cx: &Cx<CoderAgent>) -> Result<PolicyView> {
    let defaults = defaults(cx);
    Ok(PolicyView {
        mode: mode(cx)?,
        rules: Rows(cx).rules()?,
        operator_rules: defaults.rules,
        no_sandbox: cx.env::<Workspaces>().ok().and_then(|workspaces| workspaces.unsandboxed()),
    })
}

/// Changes the policy.
pub(crate) fn change(cx: &Cx<CoderAgent>, change: PolicyChange) -> Result<PolicyView> {
    let PolicyChange { mode, rules } = change;
    rules.iter().flatten().try_for_each(Rule::check)?;
    let who = cx.identity().map(|who| Identity::subject(who).to_owned());
    if let Some(mode) = mode {
        let before = Rows(cx).mode()?.unwrap_or_else(|| defaults(cx).mode);
        Rows(cx).set_mode(mode, before, who.as_deref())?;
    }
    if let Some(rules) = rules {
        Rows(cx).replace(&rules, who.as_deref())?;
    }
    errands::order_rules(cx)?;
    told::tell(cx, News::Policy);
    view(cx)
}

/// Says yes to a call that waits, and always to the same.
pub(crate) fn approve_always(cx: &Cx<CoderAgent>, call: &str) -> Result<PolicyView> {
    let room = Room::of(cx);
    let waiting = room
        .approvals()?
        .into_iter()
        .find(|approval| [&approval.tool_call_id, &approval.id].contains(&&call.to_owned()));
    let id = waiting.map_or_else(|| call.to_owned(), |approval| approval.id);
    let who = cx.identity().map(|who| Identity::subject(who).to_owned());
    room.decide(&id, &Answering { by: who, ..Answering::yes().always() })?;
    view(cx)
}

/// What rules and the mode decided, and how they were changed, newest first.
pub(crate) fn log(cx: &Cx<CoderAgent>) -> Result<Vec<RulingEntry>> {
    Rows(cx).log()
}

/// What of the policy makes another agent stricter than the operator's default does: rules that refuse or ask, and a mode that allows no
/// more. What was allowed here was allowed here alone.
pub(crate) fn stricter(cx: &Cx<CoderAgent>) -> Result<PolicyChange> {
    let rules = Rows(cx).rules()?.into_iter().map(|kept| kept.rule).filter(|rule| rule.action != Action::Allow);
    let width = |mode: &Mode| match mode {
        Mode::Plan => 0,
        Mode::Ask => 1,
        Mode::Auto => 2,
    };
    let mode = mode(cx)?;
    let mode = Some(mode).filter(|mode| width(mode) < width(&defaults(cx).mode));
    let rules: Vec<Rule> = rules.collect();
    Ok(PolicyChange { mode, rules: Some(rules).filter(|rules| !rules.is_empty()) })
}

/// Why somebody may not run this line here, if a rule or the mode says so. Whoever calls says yes to it, so that what a rule asks about
/// is not asked.
pub(crate) fn forbids_command(cx: &Cx<CoderAgent>, line: &str, directory: Option<&str>) -> Result<Option<String>> {
    if mode(cx)? == Mode::Plan {
        return Ok(Some("The agent is in plan mode: it may look, but change nothing.".to_owned()));
    }
    let input = json!({"command": line, "directory": directory});
    let rules = all_rules(cx)?;
    let call = Called::new("run_command", &input, &Ways::Straight);
    let rule = rule::counting(rules.iter(), &call).filter(|rule| rule.action == Action::Deny);
    Ok(rule.map(|rule| format!("A rule of this agent forbids it ({rule}).")))
}

/// The rules that keep files from being read: from the model also those that ask, for nobody was asked about these. A question about
/// everything was asked before.
pub(crate) fn keeping(cx: &Cx<CoderAgent>, from_model: bool) -> Result<Vec<Rule>> {
    let keeps = |rule: &Rule| if from_model { rule.keeps_some() } else { rule.action == Action::Deny };
    Ok(all_rules(cx)?.into_iter().filter(keeps).collect())
}

/// Whether one of these rules means this tool, used on this file by whatever name it has.
pub(crate) fn means(rules: &[Rule], tool: &str, path: &str, ways: &Ways) -> bool {
    !rules.is_empty() && rule::strictest(rules, tool, &Subject::opened(&[path.to_owned()], ways)).is_some()
}

/// Every rule that holds here: the agent's own, the operator's, and those of the agent above.
pub(crate) fn all_rules(cx: &Cx<CoderAgent>) -> Result<Vec<Rule>> {
    let own = Rows(cx).rules()?.into_iter().map(|kept| kept.rule);
    Ok(own.chain(defaults(cx).rules).chain(above(cx).rules).collect())
}

/// How the agent works. One that is under another changes nothing while that one is not to.
pub(crate) fn mode(cx: &Cx<CoderAgent>) -> Result<Mode> {
    if above(cx).mode == Mode::Plan {
        return Ok(Mode::Plan);
    }
    Ok(Rows(cx).mode()?.unwrap_or_else(|| defaults(cx).mode))
}

/// What holds here because it holds at the agent above.
fn above(cx: &Cx<CoderAgent>) -> Above {
    child::errand(cx).unwrap_or_default().above
}

/// How the agent works outside of plan mode if nobody says.
pub(crate) fn usual_mode(cx: &Cx<CoderAgent>) -> Mode {
    Some(defaults(cx).mode).filter(|mode| *mode != Mode::Plan).unwrap_or_default()
}

/// Somebody said "always": what is remembered is as narrow as the call was.
pub(crate) fn remember(cx: &Cx<CoderAgent>, approval: &Approval) -> Result<bool> {
    // What was not offered with the question is not remembered, though no rule may stand against it any more.
    let offered = approval.preview.as_ref().and_then(|preview| preview.always.clone());
    if let Some(rule) = always(cx, &approval.tool, &approval.input)?.filter(|_| offered.is_some()) {
        let is_new = Rows(cx).add(&rule, approval.answered_by.as_deref())?;
        approval.pin.as_deref().map_or(Ok(()), |pin| pins::keep(cx, &rule.to_string(), pin, is_new))?;
        errands::order_rules(cx)?;
        told::tell(cx, News::Policy);
    }
    Ok(true)
}

/// The rule that "always" would make of a call; nothing if such a rule would not count.
fn always(cx: &Cx<CoderAgent>, tool: &str, input: &Value) -> Result<Option<Rule>> {
    let (rules, call) = (all_rules(cx)?, Called::new(tool, input, &Ways::of(cx)));
    let Some(pattern) = call.on.exactly() else { return Ok(None) };
    let would = Rule { tool: tool.to_owned(), pattern: Some(pattern), action: Action::Allow };
    let all: Vec<Rule> = rules.into_iter().chain([would.clone()]).collect();
    let is_held = tool != project_mcp::USE && !asks_each_time(cx, tool, input, &call.on);
    Ok((is_held && rule::counting(all.iter(), &call).is_some_and(|rule| *rule == would)).then_some(would))
}

/// Where paths lead, as far as any rule asks: one without a pattern means whatever is there.
fn ways<'a>(cx: &Cx<CoderAgent>, mut rules: impl Iterator<Item = &'a Rule>) -> Ways {
    if rules.any(|rule| rule.pattern.is_some()) { Ways::of(cx) } else { Ways::Straight }
}

fn defaults(cx: &Cx<CoderAgent>) -> PolicyDefaults {
    cx.env::<Workspaces>().map(|workspaces| workspaces.policy_defaults().clone()).unwrap_or_default()
}

/// Whether every call is asked about, whatever the rules allow: commands that no sandbox of ours holds. On a machine that is lent, no
/// rule counts that was made for the sandbox.
fn asks_each_time(cx: &Cx<CoderAgent>, tool: &str, input: &Value, subject: &Subject) -> bool {
    let is_unsandboxed = || cx.env::<Workspaces>().is_ok_and(|workspaces| workspaces.unsandboxed().is_some());
    subject.is_command() && (is_unsandboxed() || goes_to_hands(cx, tool, input))
}

/// Whether it is done on a machine that is lent: commands where somebody has chosen so, and what is typed where its command runs.
fn goes_to_hands(cx: &Cx<CoderAgent>, tool: &str, input: &Value) -> bool {
    match tool {
        "run_command" | "runCommand" | "start_command" => hands::is_chosen(cx),
        "send_input" => shell::is_lent(cx, input["id"].as_i64()),
        _ => false,
    }
}

/// A moment as people and programs read it.
fn moment(milliseconds: i64) -> Result<String> {
    Ok(Timestamp::from_millisecond(milliseconds)?.to_string())
}
