//! The rows as an answer sees them: what the rules say of a call, and what was asked about it.

use std::sync::Arc;

use hostel::{Result, host::Host};

use super::{ANY, Rows, SETTLE};
use crate::{
    approval::{Always, Answering, Approval, ApprovalPolicy, Desk, Question, Ruling, Standing, ToolCall, unknown},
    engine::Call,
    tool::Bound,
};

fn as_ruled<'a>(turn: &'a str, tool: &'a Bound, call: &'a Call) -> ToolCall<'a> {
    let (asks, pin) = (tool.asks(&call.input), tool.pin.as_deref());
    ToolCall { turn_id: turn, id: &call.id, tool: &call.tool, input: &call.input, asks, pin }
}

/// The rows, with how this agent asks and who is behind the turn.
pub(crate) struct RowsDesk {
    pub(crate) host: Arc<dyn Host>,
    pub(crate) policy: ApprovalPolicy,
    pub(crate) who: Option<String>,
}

impl RowsDesk {
    fn rows(&self) -> Rows<'_> {
        Rows(&*self.host)
    }
}

impl Desk for RowsDesk {
    fn rule(&self, turn: &str, tool: &Bound, call: &Call) -> Result<Ruling> {
        let named = |list: &[String]| list.contains(&call.tool);
        let asks = tool.asks(&call.input);
        let ruled = match &self.policy.rules {
            Some(rules) => rules.0.rule(&as_ruled(turn, tool, call))?,
            None => None,
        };
        match ruled {
            Some(Ruling::Refuse(why)) => return Ok(Ruling::Refuse(why)),
            _ if named(&self.policy.always) => return Ok(Ruling::Ask),
            Some(ruling) => return Ok(ruling),
            None if named(&self.policy.allowed) || !asks => return Ok(Ruling::Run),
            None => {}
        }
        let rows = self.rows();
        let standing = rows.standing()?.into_iter().find(|standing| standing.tool == call.tool);
        Ok(match standing {
            Some(standing) if standing.pin.as_deref() == Some(ANY) => {
                // Given by name alone: it holds for the tool as it is now.
                rows.permit(&Standing { pin: tool.pin.clone(), ..standing })?;
                Ruling::Run
            }
            Some(standing) if standing.pin == tool.pin => Ruling::Run,
            _ => Ruling::Ask,
        })
    }

    fn always(&self, turn: &str, tool: &Bound, call: &Call) -> Always {
        let call = as_ruled(turn, tool, call);
        self.policy.rules.as_ref().map_or(Always::Tool, |rules| rules.0.always(&call))
    }

    fn ask(&self, question: Question<'_>) -> Result<Approval> {
        let mut asked = None;
        self.host.aside(&mut || {
            asked = Some(self.rows().ask(&question, self.who.as_deref(), self.policy.expires)?);
            Ok(())
        })?;
        asked.ok_or_else(|| unknown(&question.call.id))
    }

    fn open_in(&self, message: &str) -> Result<Vec<Approval>> {
        let rest = "WHERE message = ?1 AND settled_at IS NULL ORDER BY asked_at, rowid";
        self.rows().select(rest, &[message.into()])
    }

    fn adopt(&self, id: &str, approve: bool) -> Result<()> {
        let answer = Answering { approve, by: self.who.clone(), ..Answering::yes() };
        self.rows().answer(id, &answer).map(drop)
    }

    fn settle(&self, id: &str) -> Result<()> {
        let now = self.host.now().as_millisecond();
        self.rows().run(SETTLE, &[id.into(), now.into()]).map(drop)
    }
}
