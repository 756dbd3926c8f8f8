//! What a server asks an agent that uses it: a form for a person, a question to a model. Callables of the agent answer.
#![expect(deprecated, reason = "sampling is for servers of the revisions that have it")]

use hostel_core::{AgentId, Error, Result, host::OutgoingCall};
use hostel_runtime::{Node, WeakNode};
use rmcp::{
    ErrorData,
    model::{
        ClientCapabilities, CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams, ElicitResult,
        ElicitationAction, SamplingMessage,
    },
};
use serde_json::{Value, json};

use super::{McpHub, sanitised};
use crate::client::Answering;

/// What a server is told that can be asked here.
pub(super) fn capabilities(answering: &Answering) -> ClientCapabilities {
    let mut capabilities = ClientCapabilities::default();
    if answering.forms.is_some() {
        capabilities.elicitation = serde_json::from_value(json!({"form": {}})).ok();
    }
    if answering.model.is_some() {
        capabilities.sampling = serde_json::from_value(json!({})).ok();
    }
    capabilities
}

/// Has a form filled in. Who wants more than a form, or where nobody is, hears a no.
pub(super) async fn form(
    hub: &McpHub,
    agent: &AgentId,
    answering: &Answering,
    asked: ElicitRequestParams,
) -> std::result::Result<ElicitResult, ErrorData> {
    let no = || ElicitResult::new(ElicitationAction::Decline);
    let (Some(method), ElicitRequestParams::FormElicitationParams { message, requested_schema, .. }) =
        (&answering.forms, asked)
    else {
        return Ok(no());
    };
    let form = serde_json::to_value(requested_schema).unwrap_or_default();
    let answer = ask(hub, agent, method, json!([message, form])).await.map_err(|error| failed(&error))?;
    Ok(match answer {
        Value::Null => no(),
        content => ElicitResult::new(ElicitationAction::Accept).with_content(with_defaults(content, &form)),
    })
}

/// Has the agent's model answer.
pub(super) async fn model(
    hub: &McpHub,
    agent: &AgentId,
    answering: &Answering,
    asked: CreateMessageRequestParams,
) -> std::result::Result<CreateMessageResult, ErrorData> {
    let Some(method) = &answering.model else {
        return Err(ErrorData::invalid_request("No model is lent here.", None));
    };
    let answer = ask(hub, agent, method, json!([asked])).await.map_err(|error| failed(&error))?;
    let text = answer.as_str().map_or_else(|| answer.to_string(), str::to_owned);
    let mut result = CreateMessageResult::new(SamplingMessage::assistant_text(text), agent.namespace().to_owned());
    result.stop_reason = Some("endTurn".to_owned());
    Ok(result)
}

async fn ask(hub: &McpHub, agent: &AgentId, method: &str, args: Value) -> Result<Value> {
    let node: Node = hub.0.node.get().and_then(WeakNode::upgrade).ok_or_else(|| Error::msg("the server stops"))?;
    node.call(OutgoingCall::new(agent.clone(), method, args.to_string())).await?.parse()
}

/// A server is told that it failed, not what the agent's error says: that may be meant for others.
fn failed(error: &Error) -> ErrorData {
    tracing::warn!(error = ?error, "a question of an MCP server was not answered");
    let code = error.label().unwrap_or("internal");
    ErrorData::internal_error(format!("The question could not be answered ({}).", sanitised(code)), None)
}

/// What the answer leaves out and the form has a default for.
fn with_defaults(mut content: Value, form: &Value) -> Value {
    let (Some(given), Some(fields)) = (content.as_object_mut(), form["properties"].as_object()) else { return content };
    for (name, field) in fields {
        if let (false, Some(default)) = (given.contains_key(name), field.get("default")) {
            given.insert(name.clone(), default.clone());
        }
    }
    content
}
