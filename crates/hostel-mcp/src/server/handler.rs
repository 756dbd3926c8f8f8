//! What an MCP client may ask of an agent.

#![expect(deprecated, reason = "log levels and subscriptions are for clients of the revisions that have them")]

use std::sync::Arc;

use hostel_core::{
    AgentId, Error, Identity, Reply,
    host::{OutgoingCall, WayBack},
    state::visible,
    stream::Tap,
};
use hostel_edge::Edge;
use hostel_protocol::refusal::Code;
use http::request::Parts;
use parking_lot::Mutex;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams, CompleteResult, CompletionInfo,
        GetPromptRequestParams, GetPromptResponse, GetPromptResult, Implementation, JsonObject, ListPromptsResult,
        ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams, PromptsCapability,
        ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, Reference, Resource, ResourceContents,
        ServerCapabilities, ServerConfig, SetLevelRequestParams, SubscribeRequestParams, UnsubscribeRequestParams,
    },
    service::RequestContext,
};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    heard::{Heard, as_ours},
    outcome,
    presence::Presence,
    prompt::messages,
    resource::ResourceOf,
    schema::Shape,
    subscriptions::Subscriptions,
    surface::{Offered, Surface},
};
use crate::caller::{Line, LogLevel, Said};

/// The URI of an agent's state.
pub(super) const STATE: &str = "agent://state";

/// Answers the requests of one session. Which agent they are for is a fact of each request.
#[derive(Clone)]
pub(super) struct Handler {
    pub(super) surface: Arc<Surface>,
    pub(super) edge: Edge,
    /// From which level on log messages are sent.
    pub(super) level: Arc<Mutex<LogLevel>>,
    subscriptions: Arc<Subscriptions>,
}

impl Handler {
    pub(super) fn new(surface: Arc<Surface>, edge: Edge) -> Self {
        Self { surface, edge, level: Arc::new(Mutex::new(LogLevel::Info)), subscriptions: Arc::default() }
    }
}

/// The agent of a request, in its extensions.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) agent: AgentId,
    pub(super) props: Option<Arc<Value>>,
    /// Who asks.
    pub(super) client: Option<Identity>,
}

type Context = RequestContext<RoleServer>;

impl Handler {
    async fn call(&self, offered: &Offered, request: CallToolRequestParams, context: Context) -> CallToolResult {
        let target = match target(&context) {
            Ok(target) => target,
            Err(error) => return outcome::failure(&error),
        };
        let args = match offered.positional(request.arguments) {
            Ok(args) => args,
            Err(error) => return outcome::failure(&error),
        };
        let mut call = OutgoingCall::new(target.agent, offered.method, args);
        call.idempotency_key = context.meta.get("hostel/idempotencyKey").and_then(Value::as_str).map(str::to_owned);
        call.cancel_on_drop = true;
        let answer = async { Ok(self.answer(target.client, call, offered.shape, &context).await) };
        until(&context.ct, answer).await.unwrap_or_else(|error| outcome::failure(&error))
    }

    /// Makes the call and hears what it says meanwhile.
    async fn answer(
        &self,
        client: Option<Identity>,
        mut call: OutgoingCall,
        shape: Shape,
        context: &Context,
    ) -> CallToolResult {
        let (tell, hear) = mpsc::unbounded_channel();
        call.back = Some(WayBack::new(Line(tell.clone())));
        if shape == Shape::Chunks {
            call.tap = Some(Tap::new(move |frame| {
                let _listener_may_have_left = tell.send(Said::Frame(frame));
            }));
        }
        let mut heard = Heard::new(context, self.level(context));
        let answer = heard.until(self.edge.node().call_as(client, call), hear).await;
        match (answer, heard.failed) {
            (Err(error), _) | (_, Some(error)) => outcome::failure(&error),
            (Ok(_), None) if shape == Shape::Chunks => outcome::of_chunks(heard.chunks, heard.last),
            (answer, None) => outcome::of(answer, shape),
        }
    }

    /// What the client wants to hear of: what it said for the session, or, where there are none, for this request.
    fn level(&self, context: &Context) -> Option<LogLevel> {
        let has_session =
            context.extensions.get::<Parts>().is_some_and(|parts| parts.headers.contains_key(super::SESSION));
        match context.meta.log_level() {
            Some(level) => as_ours(level).ok(),
            None => has_session.then(|| *self.level.lock()),
        }
    }

    /// Has a prompt or a resource answered by its method.
    async fn told(&self, method: &'static str, args: String, context: &Context) -> Result<Reply, ErrorData> {
        let target = target(context).map_err(|error| refused(&error))?;
        let mut call = OutgoingCall::new(target.agent, method, args);
        call.cancel_on_drop = true;
        until(&context.ct, self.edge.node().call_as(target.client, call)).await.map_err(|error| refused(&error))
    }

    async fn state(&self, context: &Context) -> Result<String, Error> {
        let target = target(context)?;
        // The state of an agent that never ran is the one it starts with.
        self.edge.node().wake(&target.agent, target.props).await?;
        let stored = self.edge.node().safe_state(&target.agent).await?.state;
        let stored = stored.as_ref().map_or("null", |state| state.get());
        Ok(visible(stored, self.surface.class.info().fields).into_owned())
    }
}

fn target(context: &Context) -> Result<Target, Error> {
    let parts = context.extensions.get::<Parts>();
    let target = parts.and_then(|parts| parts.extensions.get::<Target>()).cloned();
    target.ok_or_else(|| Error::coded(Code::Internal, "the request was for no agent"))
}

/// Who is at the other end of the session.
fn client(context: &Context) -> Result<Arc<Presence>, Error> {
    let parts = context.extensions.get::<Parts>();
    let client = parts.and_then(|parts| parts.extensions.get::<Arc<Presence>>()).cloned();
    client.ok_or_else(|| Error::coded(Code::Internal, "the request was of no client"))
}

/// Does the work unless it is cancelled.
async fn until<T>(stopped: &CancellationToken, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::select! {
        result = work => result,
        () = stopped.cancelled() => Err(Error::msg("The call was cancelled.")),
    }
}

fn refused(error: &Error) -> ErrorData {
    let code = error.label().unwrap_or("internal");
    ErrorData::internal_error(error.message().to_owned(), Some(serde_json::json!({"code": code, "fix": error.fix()})))
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let info = self.surface.class.info();
        let mut capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_logging()
            .build();
        if !self.surface.prompts.is_empty() {
            capabilities.prompts = Some(PromptsCapability::default());
        }
        if !(self.surface.prompts.is_empty() && self.surface.resources.is_empty()) {
            capabilities.completions = Some(JsonObject::new());
        }
        let config = ServerConfig::new(capabilities)
            .with_server_info(Implementation::new(&*info.namespace, env!("CARGO_PKG_VERSION")));
        if info.doc.is_empty() { config } else { config.with_instructions(info.doc.to_string()) }
    }

    async fn list_tools(&self, _: Option<PaginatedRequestParams>, _: Context) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.surface.tools.iter().map(|offered| offered.tool.clone()).collect()))
    }

    async fn call_tool(&self, request: CallToolRequestParams, context: Context) -> Result<CallToolResponse, ErrorData> {
        let Some(offered) = self.surface.tool(&request.name) else {
            let shown: String = request.name.chars().filter(|c| !c.is_control()).take(80).collect();
            return Err(ErrorData::invalid_params(format!("Unknown tool: {shown}"), None));
        };
        Ok(self.call(offered, request, context).await.into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListResourcesResult, ErrorData> {
        let state = Resource::new(STATE, "state")
            .with_description("The agent's state, as its clients see it.")
            .with_mime_type("application/json");
        let own = self.surface.resources.iter().filter_map(ResourceOf::single);
        Ok(ListResourcesResult::with_all_items(std::iter::once(state).chain(own).collect()))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let families = self.surface.resources.iter().filter_map(ResourceOf::family).collect();
        Ok(ListResourceTemplatesResult::with_all_items(families))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        if request.uri != STATE {
            let Some((offered, given)) = self.surface.resource(&request.uri) else {
                return Err(ErrorData::resource_not_found("There is no such resource; list them.", None));
            };
            let args = offered.given.positional(given).map_err(|error| refused(&error))?;
            let reply = self.told(offered.method, args, &context).await?;
            let contents = offered.contents(&request.uri, &reply).map_err(|error| refused(&error))?;
            return Ok(ReadResourceResult::new(contents).into());
        }
        let state = self.state(&context).await.map_err(|error| refused(&error))?;
        let contents = ResourceContents::text(state, STATE).with_mime_type("application/json");
        Ok(ReadResourceResult::new(vec![contents]).into())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListPromptsResult, ErrorData> {
        let prompts = self.surface.prompts.iter().map(|offered| offered.prompt.clone()).collect();
        Ok(ListPromptsResult::with_all_items(prompts))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        let Some(offered) = self.surface.prompt(&request.name) else {
            return Err(ErrorData::invalid_params("There is no such prompt; list them.", None));
        };
        let args = offered.given.positional(request.arguments.unwrap_or_default());
        let args = args.map_err(|error| ErrorData::invalid_params(error.to_string(), None))?;
        let reply = self.told(offered.method, args, &context).await?;
        let mut result = GetPromptResult::new(messages(&reply).map_err(|error| refused(&error))?);
        result.description.clone_from(&offered.prompt.description);
        Ok(result.into())
    }

    async fn complete(&self, request: CompleteRequestParams, _: Context) -> Result<CompleteResult, ErrorData> {
        let given = match &request.r#ref {
            Reference::Prompt(prompt) => self.surface.prompt(&prompt.name).map(|offered| &offered.given),
            Reference::Resource(family) => {
                self.surface.resources.iter().find(|offered| offered.uri == family.uri).map(|offered| &offered.given)
            }
            _ => None,
        };
        let Some(given) = given else {
            return Err(ErrorData::invalid_params("There is no such prompt or family of resources; list them.", None));
        };
        let mut fitting = given.completions(&request.argument.name, &request.argument.value);
        let all = u32::try_from(fitting.len()).unwrap_or(u32::MAX);
        fitting.truncate(CompletionInfo::MAX_VALUES);
        let has_more = fitting.len() < all as usize;
        let found = CompletionInfo::with_pagination(fitting, Some(all), has_more);
        found.map(CompleteResult::new).map_err(|error| ErrorData::internal_error(error, None))
    }

    async fn set_level(&self, request: SetLevelRequestParams, _: Context) -> Result<(), ErrorData> {
        let level = as_ours(request.level).map_err(|error| ErrorData::invalid_params(error.to_string(), None))?;
        *self.level.lock() = level;
        Ok(())
    }

    async fn subscribe(&self, request: SubscribeRequestParams, context: Context) -> Result<(), ErrorData> {
        if request.uri != STATE && self.surface.resource(&request.uri).is_none() {
            return Err(ErrorData::resource_not_found("There is no such resource; list them.", None));
        }
        let target = target(&context).map_err(|error| refused(&error))?;
        let watch = self.edge.node().watch_state(&target.agent);
        let client = client(&context).map_err(|error| refused(&error))?;
        if self.subscriptions.add(request.uri, watch, context.peer.clone(), client) {
            return Ok(());
        }
        Err(ErrorData::invalid_request("The session has too many subscriptions; end some.", None))
    }

    async fn unsubscribe(&self, request: UnsubscribeRequestParams, _: Context) -> Result<(), ErrorData> {
        self.subscriptions.remove(&request.uri);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn work_that_is_cancelled_is_dropped_and_answered() {
        let stopped = CancellationToken::new();
        stopped.cancel();
        let error = until(&stopped, pending::<Result<(), Error>>()).await.unwrap_err();
        assert_eq!(error.message(), "The call was cancelled.");
    }
}
