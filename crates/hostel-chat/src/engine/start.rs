//! From a turn of an agent to the loop: what the agent says of itself is looked up, and its type is left behind.

use std::{sync::Arc, time::Duration};

use hostel::{
    BoxFuture, Cx, Identity, Result,
    protocol::chat::{Chunk, ClientTool, UiMessage},
};
use hostel_model::{Models, ToolSpec};
use serde_json::{Value, json};

use super::{Engine, Meter, Permit, Ready, Turn, title};
use crate::{
    agent::ChatAgent,
    approval::RowsDesk,
    settings::Settings,
    setup::{ChatSetup, ModelChoice},
    tool::{Bound, is_name},
    turn::ChatTurn,
};

/// Answers a turn with the agent's model and tools, as [`ChatAgent::chat`] says. Begun anew after a crash, it goes on where
/// it was: tools that have ended are not run again.
///
/// # Errors
/// What [`ChatAgent::chat`] is wrong about, `turn_cancelled`, or a storage code. What the model or a tool does wrong is
/// said in the answer.
///
/// # Cancel safety
/// Dropping the future breaks off the model and the tools; what was said before is kept.
pub async fn answer<A: ChatAgent>(cx: Cx<A>, turn: ChatTurn<A>) -> Result<()> {
    let setup = cx.update(|me| me.chat(&cx))?;
    let policy = setup.approvals.clone();
    let settings = Settings::of(&**cx.host())?;
    let ready = ready(&cx, &turn, setup, &settings).await?;
    let who = turn.who().map(|who| Identity::subject(who).to_owned());
    let desk = RowsDesk { host: Arc::clone(cx.host()), policy, who };
    let is_first = settings.title.is_none() && !turn.is_continuation();
    let turn: Arc<dyn Turn> = Arc::new(Seam { cx: cx.clone(), turn });
    if let Some(small) = ready.small.clone().filter(|_| is_first && ready.context.titles == Some(true)) {
        title::find(&cx, Arc::clone(&turn), small);
    }
    Engine { turn, desk: Arc::new(desk), ready }.run().await
}

async fn ready<A: ChatAgent>(
    cx: &Cx<A>,
    turn: &ChatTurn<A>,
    setup: ChatSetup<A>,
    settings: &Settings,
) -> Result<Ready> {
    let models = cx.env::<Models>().map(|models| (*models).clone()).unwrap_or_default();
    let has_small = matches!(&setup.small, ModelChoice::Own(_)) || models.names().iter().any(|name| name == "small");
    let model = settings.model.clone().map_or(setup.model.clone(), ModelChoice::Named);
    let mut context = setup.context.clone();
    context.titles = Some(context.titles.unwrap_or(has_small));
    let model = chosen(&models, &model);
    Ok(Ready {
        model: setup.through.as_ref().map_or_else(|| Arc::clone(&model), |wrap| wrap(Arc::clone(&model))),
        small: Some(chosen(&models, &setup.small)),
        system: system(cx, &setup, settings).await?,
        tools: tools(cx, turn, &setup).await?,
        max_steps: setup.max_steps,
        context,
        temperature: settings.temperature.or(setup.temperature),
        max_output_tokens: setup.max_output_tokens,
        reasoning: setup.reasoning,
        extra: setup.extra,
        meter: setup.meter.map(|meter| -> Meter {
            let cx = cx.clone();
            Arc::new(move |metered| meter(&cx, metered))
        }),
        permit: setup.permit.map(|permit| -> Permit {
            let cx = cx.clone();
            Arc::new(move |metered| permit(cx.clone(), metered))
        }),
    })
}

fn chosen(models: &Models, choice: &ModelChoice) -> Arc<dyn hostel_model::Model> {
    match choice {
        ModelChoice::Named(name) => models.get(name),
        ModelChoice::Own(model) => Arc::clone(model),
    }
}

async fn system<A: ChatAgent>(cx: &Cx<A>, setup: &ChatSetup<A>, settings: &Settings) -> Result<String> {
    let mut parts: Vec<String> = settings.system.iter().chain(&setup.system).take(1).cloned().collect();
    if let Some(hook) = &setup.system_hook {
        parts.push(hook(cx.clone()).await?);
    }
    parts.retain(|part| !part.trim().is_empty());
    Ok(parts.join("\n\n"))
}

/// What can be run: the agent's own tools, and those of the page that asked.
async fn tools<A: ChatAgent>(cx: &Cx<A>, turn: &ChatTurn<A>, setup: &ChatSetup<A>) -> Result<Vec<Bound>> {
    let mut tools = setup.tools.iter().map(|tool| tool.clone().bind(cx)).collect::<Result<Vec<_>>>()?;
    #[cfg(feature = "mcp")]
    if let Some(choice) = &setup.mcp {
        crate::tool::mcp::add(cx, choice, &mut tools).await?;
    }
    for tool in turn.client_tools() {
        // What the agent does itself a page cannot take over.
        if is_name(&tool.name) && tools.iter().all(|known| known.spec.name != tool.name) {
            tools.push(Bound::of_client(spec(tool)));
        }
    }
    Ok(tools)
}

fn spec(tool: &ClientTool) -> ToolSpec {
    let schema = tool.parameters.clone().filter(Value::is_object);
    let schema = schema.unwrap_or_else(|| json!({"type": "object", "properties": {}}));
    ToolSpec::new(&tool.name, tool.description.clone().unwrap_or_default(), schema)
}

/// A turn of an agent, as the loop sees it.
struct Seam<A> {
    cx: Cx<A>,
    turn: ChatTurn<A>,
}

impl<A: ChatAgent> Turn for Seam<A> {
    fn id(&self) -> &str {
        self.turn.id()
    }

    fn before(&self) -> Result<Vec<UiMessage>> {
        let (mut messages, current) = (self.turn.messages()?, self.turn.message()?.id);
        messages.retain(|message| message.id != current);
        Ok(messages)
    }

    fn message(&self) -> Result<UiMessage> {
        self.turn.message()
    }

    fn logged(&self) -> Result<Vec<Chunk>> {
        self.turn.logged()
    }

    fn emit(&self, chunks: Vec<Chunk>) -> Result<()> {
        self.turn.emit_all(chunks)
    }

    fn note(&self, kind: &str, value: Value) -> Result<()> {
        self.turn.note(kind, &value)
    }

    fn note_and_emit(&self, kind: &str, value: Value, chunks: Vec<Chunk>) -> Result<()> {
        self.turn.note_and_emit(kind, &value, chunks)
    }

    fn notes(&self) -> Result<Vec<(String, Value)>> {
        self.turn.notes()
    }

    fn durable(&self) -> BoxFuture<Result<()>> {
        let cx = self.cx.clone();
        Box::pin(async move { cx.durable().await })
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        let cx = self.cx.clone();
        Box::pin(async move { cx.sleep(duration).await })
    }

    fn cancelled(&self) -> BoxFuture<()> {
        let turn = self.turn.clone();
        Box::pin(async move { turn.cancelled().await })
    }

    fn suspend(&self) -> Result<()> {
        self.turn.suspend();
        Ok(())
    }
}
