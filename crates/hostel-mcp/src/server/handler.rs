//! What an MCP client may ask of an agent.

use std::sync::Arc;

use hostel_core::{AgentId, Error, Identity, host::OutgoingCall, state::visible, stream::Tap};
use hostel_edge::Edge;
use hostel_protocol::{
    refusal::Code,
    server::{RpcOutcome, ServerFrame, parse_server},
};
use http::request::Parts;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, Implementation, ListResourcesResult, ListToolsResult,
        PaginatedRequestParams, ProgressNotificationParam, ReadResourceRequestParams, ReadResourceResponse,
        ReadResourceResult, Resource, ResourceContents, ServerCapabilities, ServerConfig,
    },
    service::RequestContext,
};
use serde_json::Value;
use tokio::sync::mpsc;

use super::{
    outcome,
    schema::Shape,
    surface::{Offered, Surface},
};

/// The URI of an agent's state.
pub(super) const STATE: &str = "agent://state";

/// The most that a streaming method may send in one call.
const MOST_CHUNKS: usize = 16 << 20;

/// Answers the requests of one session. Which agent they are for is a fact of each request.
#[derive(Clone)]
pub(super) struct Handler {
    pub(super) surface: Arc<Surface>,
    pub(super) edge: Edge,
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
        let (client, stopped) = (target.client, context.ct.clone());
        let work = async {
            match offered.shape {
                Shape::Chunks => self.stream(client, call, &context).await,
                shape => outcome::of(self.edge.node().call_as(client, call).await, shape),
            }
        };
        tokio::select! {
            result = work => result,
            () = stopped.cancelled() => outcome::failure(&Error::msg("The call was cancelled.")),
        }
    }

    /// Collects what a streaming method sends; a client that gave a progress token hears of each chunk at once.
    async fn stream(&self, client: Option<Identity>, mut call: OutgoingCall, context: &Context) -> CallToolResult {
        let (tell, mut hear) = mpsc::unbounded_channel();
        call.tap = Some(Tap::new(move |frame| {
            let _listener_may_have_left = tell.send(frame);
        }));
        let work = self.edge.node().call_as(client, call);
        tokio::pin!(work);
        let mut heard = Heard::default();
        let answer = loop {
            tokio::select! {
                biased;
                Some(frame) = hear.recv() => {
                    if let Err(error) = heard.take(frame.as_text().unwrap_or_default(), context).await {
                        return outcome::failure(&error);
                    }
                }
                answer = &mut work => break answer,
            }
        };
        while let Ok(frame) = hear.try_recv() {
            if let Err(error) = heard.take(frame.as_text().unwrap_or_default(), context).await {
                return outcome::failure(&error);
            }
        }
        match (answer, heard.failed) {
            (Err(error), _) | (_, Some(error)) => outcome::failure(&error),
            _ => outcome::of_chunks(heard.chunks, heard.last),
        }
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

/// What was heard of a stream so far.
#[derive(Default)]
struct Heard {
    chunks: Vec<Value>,
    bytes: usize,
    last: Option<Value>,
    failed: Option<Error>,
}

impl Heard {
    async fn take(&mut self, frame: &str, context: &Context) -> Result<(), Error> {
        let ServerFrame::Rpc(answer) = parse_server(frame) else { return Ok(()) };
        let value = |json: Box<serde_json::value::RawValue>| serde_json::from_str(json.get()).unwrap_or_default();
        match answer.outcome {
            RpcOutcome::Chunk(chunk) => {
                let chunk: Value = chunk.map(value).unwrap_or_default();
                self.bytes += frame.len();
                if self.bytes > MOST_CHUNKS {
                    return Err(Error::coded(Code::MessageTooBig, "The method sent more than 16 MiB in one call."));
                }
                self.progress(&chunk, context).await;
                self.chunks.push(chunk);
            }
            RpcOutcome::Done(last) => self.last = last.map(value),
            RpcOutcome::Failed { error, .. } => self.failed = Some(Error::msg(error)),
        }
        Ok(())
    }

    async fn progress(&self, chunk: &Value, context: &Context) {
        let Some(token) = context.meta.get_progress_token() else { return };
        let said = ProgressNotificationParam::new(token, (self.chunks.len() + 1) as f64);
        // A client that left hears of the end neither.
        let _sent = context.peer.notify_progress(said.with_message(outcome::text(chunk))).await;
    }
}

fn target(context: &Context) -> Result<Target, Error> {
    let parts = context.extensions.get::<Parts>();
    let target = parts.and_then(|parts| parts.extensions.get::<Target>()).cloned();
    target.ok_or_else(|| Error::coded(Code::Internal, "the request was for no agent"))
}

fn refused(error: &Error) -> ErrorData {
    let code = error.label().unwrap_or("internal");
    ErrorData::internal_error(error.message().to_owned(), Some(serde_json::json!({"code": code, "fix": error.fix()})))
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let info = self.surface.class.info();
        let capabilities = ServerCapabilities::builder().enable_tools().enable_resources().build();
        let config = ServerConfig::new(capabilities)
            .with_server_info(Implementation::new(&*info.namespace, env!("CARGO_PKG_VERSION")));
        if info.doc.is_empty() { config } else { config.with_instructions(info.doc) }
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
        Ok(ListResourcesResult::with_all_items(vec![state]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        if request.uri != STATE {
            return Err(ErrorData::resource_not_found(format!("There is {STATE} and nothing else."), None));
        }
        let state = self.state(&context).await.map_err(|error| refused(&error))?;
        let contents = ResourceContents::text(state, STATE).with_mime_type("application/json");
        Ok(ReadResourceResult::new(vec![contents]).into())
    }
}
