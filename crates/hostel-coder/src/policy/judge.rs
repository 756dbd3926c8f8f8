//! Decides over the calls of one turn.

use hostel::{Cx, Result};
use hostel_chat::{Always, Rules, Ruling, ToolCall};
use serde_json::Value;

use super::{
    Action, KeptRule, Mode, Rule, RulingEntry, above, always, asks_each_time, called::Called, defaults, mode, pins,
    rows::Rows, rule::counting, ways,
};
use crate::{CoderAgent, tools::project_mcp};

/// Decides over the calls of one turn, by the rules as they are at that moment.
pub(crate) struct Judge(pub(crate) Cx<CoderAgent>);

const PLAN: &str = "The agent is in plan mode: it may look, but change nothing. Say what you would do; somebody can change the \
mode.";

impl Rules for Judge {
    fn rule(&self, call: &ToolCall<'_>) -> Result<Option<Ruling>> {
        let Some(mut decided) = self.decided(call.tool, call.input, call.asks)? else { return Ok(None) };
        let is_same = call.pin.map_or(Ok(true), |pin| pins::hold(&self.0, &decided.rule, pin))?;
        if decided.ruling == Ruling::Run && !is_same {
            decided.ruling = Ruling::Ask;
        }
        self.note(call, &decided)?;
        Ok(Some(decided.ruling))
    }

    fn always(&self, call: &ToolCall<'_>) -> Always {
        match always(&self.0, call.tool, call.input) {
            Ok(Some(rule)) => Always::This(format!("{} {}", rule.tool, rule.pattern.unwrap_or_default())),
            Ok(None) | Err(_) => Always::Never,
        }
    }
}

impl Judge {
    /// What becomes of such a call now, without a note of it.
    pub(crate) fn ruling(&self, tool: &str, input: &Value, asks: bool) -> Result<Option<Ruling>> {
        Ok(self.decided(tool, input, asks)?.map(|decided| decided.ruling))
    }

    fn decided(&self, tool: &str, input: &Value, asks: bool) -> Result<Option<Decided>> {
        let (own, operators, mode) = (Rows(&self.0).rules()?, defaults(&self.0).rules, mode(&self.0)?);
        let above = above(&self.0).rules;
        let all = own.iter().map(|kept| &kept.rule).chain(&operators).chain(&above);
        let call = Called::new(tool, input, &ways(&self.0, all.clone()));
        let rule = counting(all, &call);
        let ruling = match rule.map(|rule| rule.action) {
            Some(Action::Deny) => refusal(rule),
            _ if mode == Mode::Plan && asks => Ruling::Refuse(PLAN.to_owned()),
            // Each entry of a project's file has a yes of its own.
            _ if tool == project_mcp::USE => Ruling::Ask,
            // What is not held by anything is asked about each time.
            _ if asks_each_time(&self.0, tool, input, &call.on) => Ruling::Ask,
            Some(Action::Ask) => Ruling::Ask,
            Some(Action::Allow) => Ruling::Run,
            None if mode == Mode::Auto && call.is_held() => Ruling::Run,
            None => return Ok(None),
        };
        let by = rule.filter(|rule| decides(rule.action, &ruling)).map(|rule| said(rule, &own, &operators));
        let (rule, by) = by.unwrap_or_else(|| (mode.to_string(), None));
        Ok(Some(Decided { ruling, on: call.on.shown(), rule, by }))
    }
}

/// What becomes of a call.
struct Decided {
    ruling: Ruling,
    /// What it is used on.
    on: String,
    /// The rule or the mode that says so, in words.
    rule: String,
    /// Who gave it, if known.
    by: Option<String>,
}

/// Whether it is the rule that says so, and not the mode, or that nothing holds the call.
fn decides(action: Action, ruling: &Ruling) -> bool {
    matches!(
        (action, ruling),
        (Action::Deny, Ruling::Refuse(_)) | (Action::Ask, Ruling::Ask) | (Action::Allow, Ruling::Run)
    )
}

fn refusal(rule: Option<&Rule>) -> Ruling {
    let rule = rule.map(ToString::to_string).unwrap_or_default();
    Ruling::Refuse(format!(
        "A rule of this agent forbids it ({rule}). Do not try the same by another way; ask what is wanted."
    ))
}

/// A rule in words, and who gave it.
fn said(rule: &Rule, own: &[KeptRule], operators: &[Rule]) -> (String, Option<String>) {
    let by = own.iter().find(|kept| kept.rule == *rule).map(|kept| kept.by.clone());
    let other = if operators.contains(rule) { "operator" } else { "the agent above" };
    (rule.to_string(), by.unwrap_or_else(|| Some(other.to_owned())))
}

impl Judge {
    /// Keeps who decided what nobody was asked about. What only looks and always may is not worth a row.
    fn note(&self, call: &ToolCall<'_>, decided: &Decided) -> Result<()> {
        let word = match decided.ruling {
            Ruling::Ask => return Ok(()),
            Ruling::Run if !call.asks => return Ok(()),
            Ruling::Run => "run",
            Ruling::Refuse(_) => "refuse",
        };
        Rows(&self.0).note(&RulingEntry {
            at: String::new(),
            turn_id: call.turn_id.to_owned(),
            tool_call_id: call.id.to_owned(),
            tool: call.tool.to_owned(),
            on: decided.on.clone(),
            ruling: word.to_owned(),
            rule: decided.rule.clone(),
            by: decided.by.clone(),
        })
    }
}
