//! How the agent chats: what an answer is made of, and what goes before and after it.

use hostel::{Cx, Result};
use hostel_chat::{Approval, ApprovalPolicy, ChatAgent, ChatSetup, ChatTurn, McpTools, TurnInfo, engine};
use serde_json::Value;

use super::CoderAgent;
use crate::{
    calls, child, commands, conversations, errands, policy, project_mcp, prompt, rewind, runs, snapshots, tools,
    workspaces::Workspaces,
};

/// The table of the chat, under the name it has in the Agents SDK.
const MESSAGES: &str = "cf_ai_chat_agent_messages";

/// The first messages of the chat, or all.
pub(crate) fn stored_messages(cx: &Cx<CoderAgent>, most: Option<u32>) -> Result<Vec<Value>> {
    let there = cx.sql("select 1 from sqlite_master where type = 'table' and name = ?", (MESSAGES,))?;
    if there.is_empty() {
        return Ok(Vec::new());
    }
    let most = most.map_or(-1, i64::from);
    // Old tables keep whole seconds; the order of insertion decides between equals.
    let rows = cx.sql(&format!("select message from {MESSAGES} order by created_at, rowid limit ?"), (most,))?;
    let texts = rows.iter().map(|row| row.get::<String>("message"));
    texts.map(|text| Ok(serde_json::from_str(&text?)?)).collect()
}

/// How often the model is asked for one answer: work on code has many small steps.
const MAX_STEPS: usize = 100;

impl ChatAgent for CoderAgent {
    fn chat(&self, cx: &Cx<Self>) -> ChatSetup<Self> {
        let setup = ChatSetup::new()
            .through(commands::ByHand::before)
            .system(prompt::SYSTEM)
            .system_with(prompt::place)
            .approvals(ApprovalPolicy::new().ruled_by(policy::Judge(cx.clone())))
            .max_steps(MAX_STEPS)
            .meter(runs::meter::metered)
            .permit(child::steps::permitted);
        let tools = tools::offered(self, cx);
        match child::errand(cx) {
            Some(errand) => child::limited(setup, tools, &errand, cx),
            None if project_mcp::is_offered(cx) => setup.tools(tools).mcp(McpTools::asking().by_server()),
            None => setup.tools(tools),
        }
    }

    fn remember(cx: &Cx<Self>, approval: &Approval) -> Result<bool> {
        policy::remember(cx, approval)
    }

    async fn answer(cx: Cx<Self>, turn: ChatTurn<Self>) -> Result<()> {
        conversations::begun(&cx, turn.who())?;
        child::order_news(&cx)?;
        // Which tools there are depends on what the machine can do.
        if let Ok(workspaces) = cx.env::<Workspaces>() {
            workspaces.probe().await;
        }
        rewind::settled(&cx).await?;
        project_mcp::follow(&cx).await?;
        calls::turn_begins(&cx)?;
        let (id, is_again) = (turn.id().to_owned(), turn.interruptions() > 0);
        let outcome = runs::meter::in_time(&cx, engine::answer(cx.clone(), turn)).await;
        snapshots::after(&cx, &id, is_again).await;
        outcome
    }

    fn on_turn_over(cx: &Cx<Self>, turn: &TurnInfo) -> Result<()> {
        conversations::order(cx)?;
        errands::turn_over(cx, turn)?;
        child::steps::over(cx)?;
        child::order_news(cx)?;
        calls::order_turn_over(cx, turn)
    }
}
