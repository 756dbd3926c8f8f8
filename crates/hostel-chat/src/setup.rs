//! What answers a conversation: the model, what stands above it, its tools and limits.

mod choice;

use std::{fmt, sync::Arc};

use hostel::{BoxFuture, Cx, Result, protocol::chat::ClientTool};
use hostel_model::{Model, Reasoning};
use serde_json::{Map, Value};

pub use self::choice::ModelChoice;
use crate::{approval::ApprovalPolicy, context::Context, engine::Metered, policy::Policy, tool::Tool};

/// How many steps an answer may take if nobody says.
const MAX_STEPS: usize = 20;
type Meter<A> = Arc<dyn Fn(&Cx<A>, &Metered) -> Result<Option<String>> + Send + Sync>;
type Permit<A> = Arc<dyn Fn(Cx<A>, Metered) -> BoxFuture<Result<Option<String>>> + Send + Sync>;
type Through = Arc<dyn Fn(Arc<dyn Model>) -> Arc<dyn Model> + Send + Sync>;
type SystemHook<A> = Arc<dyn Fn(Cx<A>) -> BoxFuture<Result<String>> + Send + Sync>;

/// What answers a conversation. Asked for at the beginning of each turn, so that it may depend on the agent's state.
///
/// ```
/// use hostel::prelude::*;
/// use hostel_chat::{ChatSetup, Tool, ToolCx};
///
/// # fn demo<A: hostel::Agent>() -> ChatSetup<A> {
/// ChatSetup::new()
///     .model("main")
///     .system("You look after a small shop. Be brief.")
///     .tool(Tool::new("stock", "Tells what is in stock.", |_: ToolCx<A>, (): ()| async { Ok(vec!["tea"]) }).repeatable())
///     .max_steps(8)
/// # }
/// ```
pub struct ChatSetup<A> {
    pub(crate) model: ModelChoice,
    pub(crate) small: ModelChoice,
    pub(crate) through: Option<Through>,
    pub(crate) system: Option<String>,
    pub(crate) system_hook: Option<SystemHook<A>>,
    pub(crate) tools: Vec<Tool<A>>,
    #[cfg(feature = "mcp")]
    pub(crate) mcp: Option<crate::McpTools>,
    pub(crate) max_steps: usize,
    pub(crate) concurrency: Policy,
    pub(crate) approvals: ApprovalPolicy,
    pub(crate) context: Context,
    pub(crate) temperature: Option<f64>,
    pub(crate) max_output_tokens: Option<u64>,
    pub(crate) reasoning: Option<Reasoning>,
    pub(crate) extra: Map<String, Value>,
    pub(crate) open_settings: bool,
    pub(crate) meter: Option<Meter<A>>,
    pub(crate) permit: Option<Permit<A>>,
}

impl<A: Send + Sync + 'static> ChatSetup<A> {
    /// The models `main` and `small`, nothing above the conversation, no tools, 20 steps.
    pub fn new() -> Self {
        Self {
            model: ModelChoice::from(hostel_model::MAIN),
            small: ModelChoice::from(hostel_model::SMALL),
            through: None,
            system: None,
            system_hook: None,
            tools: Vec::new(),
            #[cfg(feature = "mcp")]
            mcp: None,
            max_steps: MAX_STEPS,
            concurrency: Policy::Queue,
            approvals: ApprovalPolicy::new(),
            context: Context::new(),
            temperature: None,
            max_output_tokens: None,
            reasoning: None,
            extra: Map::new(),
            open_settings: false,
            meter: None,
            permit: None,
        }
    }

    /// Is told of every step, before the model is asked and after it has answered. A reason it returns before a step ends the
    /// answer, in these words: that is how budgets hold, whatever a model or a prompt thinks of them. An error does the same.
    ///
    /// After a crash a step may be told of again, with the same number.
    #[must_use]
    pub fn meter(mut self, meter: impl Fn(&Cx<A>, &Metered) -> Result<Option<String>> + Send + Sync + 'static) -> Self {
        self.meter = Some(Arc::new(meter));
        self
    }

    /// Is asked before each step, after [`ChatSetup::meter`], when the request is made, and may wait: for those who share a budget and
    /// have to take turns. A reason it answers ends the answer, in these words. With an error the answer fails; with one of the host's, such
    /// as `agent_unavailable`, it is begun again where it stands, as with any error of [`ChatAgent::answer`](crate::ChatAgent::answer). It may be asked twice for one step, where the model did not take the first request. Dropped while it waits, nothing was asked of the model.
    #[must_use]
    pub fn permit<F, Fut>(mut self, permit: F) -> Self
    where
        F: Fn(Cx<A>, Metered) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<String>>> + Send + 'static,
    {
        self.permit = Some(Arc::new(move |cx, metered| Box::pin(permit(cx, metered))));
        self
    }

    /// The model: by its name in the configuration, or one of your own.
    #[must_use]
    pub fn model(mut self, model: impl Into<ModelChoice>) -> Self {
        self.model = model.into();
        self
    }

    /// The model for titles and summaries.
    #[must_use]
    pub fn small(mut self, model: impl Into<ModelChoice>) -> Self {
        self.small = model.into();
        self
    }

    /// Puts a model of your own in front of the one that answers, whichever was chosen: it may answer some messages by itself, and
    /// hand the others on.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use hostel_chat::{ChatSetup, model::{Model, ModelInfo, Request, BoxStream, Event, Fault}};
    /// struct Logged(Arc<dyn Model>);
    ///
    /// impl Model for Logged {
    ///     fn stream(&self, request: Request) -> BoxStream<'static, Result<Event, Fault>> {
    ///         println!("{} messages", request.messages.len());
    ///         self.0.stream(request)
    ///     }
    ///     fn describe(&self) -> ModelInfo {
    ///         self.0.describe()
    ///     }
    /// }
    ///
    /// # fn demo<A: Send + Sync + 'static>() -> ChatSetup<A> {
    /// ChatSetup::new().through(|model| Arc::new(Logged(model)))
    /// # }
    /// ```
    #[must_use]
    pub fn through(mut self, wrap: impl Fn(Arc<dyn Model>) -> Arc<dyn Model> + Send + Sync + 'static) -> Self {
        self.through = Some(Arc::new(wrap));
        self
    }

    /// What stands above the conversation.
    #[must_use]
    pub fn system(mut self, text: impl Into<String>) -> Self {
        self.system = Some(text.into());
        self
    }

    /// What stands above the conversation, found out when the answer begins; below what [`ChatSetup::system`] says. If it
    /// fails, the answer is its error.
    #[must_use]
    pub fn system_with<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Cx<A>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String>> + Send + 'static,
    {
        self.system_hook = Some(Arc::new(move |cx| Box::pin(hook(cx))));
        self
    }

    /// Adds a tool. Of two with the same name the later counts.
    #[must_use]
    pub fn tool(mut self, tool: Tool<A>) -> Self {
        self.tools.retain(|before| before.name() != tool.name());
        self.tools.push(tool);
        self
    }

    /// Adds tools.
    #[must_use]
    pub fn tools(self, tools: impl IntoIterator<Item = Tool<A>>) -> Self {
        tools.into_iter().fold(self, Self::tool)
    }

    /// Offers the tools of the agent's MCP servers.
    #[cfg(feature = "mcp")]
    #[must_use]
    pub fn mcp(mut self, choice: crate::McpTools) -> Self {
        self.mcp = Some(choice);
        self
    }

    /// How often the model is asked for one answer, at most.
    #[must_use]
    pub fn max_steps(mut self, steps: usize) -> Self {
        self.max_steps = steps.max(1);
        self
    }

    /// What becomes of a message that comes while another is being answered.
    #[must_use]
    pub fn concurrency(mut self, policy: Policy) -> Self {
        self.concurrency = policy;
        self
    }

    pub(crate) fn policy(&self) -> Policy {
        self.concurrency
    }

    /// Whether the server runs this tool of an answer, and not the page, which offered `clients`.
    pub(crate) fn runs(&self, name: &str, clients: &[ClientTool]) -> bool {
        match self.tools.iter().find(|tool| tool.name() == name) {
            Some(tool) => !tool.is_client(),
            None => self.offers_mcp() && clients.iter().all(|client| client.name != name),
        }
    }

    #[cfg(feature = "mcp")]
    fn offers_mcp(&self) -> bool {
        self.mcp.is_some()
    }

    #[cfg(not(feature = "mcp"))]
    #[allow(clippy::unused_self, reason = "with the feature it looks")]
    fn offers_mcp(&self) -> bool {
        false
    }

    /// Whoever may reach an agent may choose model, system prompt and temperature of its conversation over HTTP. Without
    /// this, only the title is theirs.
    #[must_use]
    pub fn open_settings(mut self) -> Self {
        self.open_settings = true;
        self
    }

    pub(crate) fn has_open_settings(&self) -> bool {
        self.open_settings
    }

    /// How people are asked.
    #[must_use]
    pub fn approvals(mut self, policy: ApprovalPolicy) -> Self {
        self.approvals = policy;
        self
    }

    /// How much of the conversation the model sees.
    #[must_use]
    pub fn context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    /// How much chance there is in the answers.
    #[must_use]
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// How long one step may be.
    #[must_use]
    pub fn max_output_tokens(mut self, tokens: u64) -> Self {
        self.max_output_tokens = Some(tokens);
        self
    }

    /// How hard the model thinks.
    #[must_use]
    pub fn reasoning(mut self, reasoning: Reasoning) -> Self {
        self.reasoning = Some(reasoning);
        self
    }

    /// A further field of the provider's request, which wins over ours.
    #[must_use]
    pub fn extra(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.insert(key.into(), value.into());
        self
    }
}

impl<A: Send + Sync + 'static> Default for ChatSetup<A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A> fmt::Debug for ChatSetup<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatSetup").field("model", &self.model).field("tools", &self.tools).finish_non_exhaustive()
    }
}
