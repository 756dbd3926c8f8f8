//! Tools: what a model may do besides talking.

mod bound;
mod cx;
#[cfg(feature = "mcp")]
pub(crate) mod mcp;
mod preview;
mod schema;

use std::{fmt, sync::Arc, time::Duration};

use hostel::{BoxFuture, Cx, Error, Result};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

pub(crate) use self::{
    bound::{Bound, Does},
    cx::CallInfo,
};
pub use self::{cx::ToolCx, preview::Preview};

/// How long a tool may take if it says nothing else.
const TIMEOUT: Duration = Duration::from_secs(10 * 60);

type Run<A> = Arc<dyn Fn(ToolCx<A>, Value) -> BoxFuture<Result<Value>> + Send + Sync>;
type Check = Arc<dyn Fn(&Value) -> Result<()> + Send + Sync>;
type Shows<A> = Arc<dyn Fn(ToolCx<A>, Value) -> BoxFuture<Result<Preview>> + Send + Sync>;
type Asks = Arc<dyn Fn(&Value) -> bool + Send + Sync>;

/// Something a model may do besides talking: an ordinary async function with a typed input.
///
/// The input's JSON schema is what the model sees; what does not fit it goes back to the model as an error, and the function
/// is not run. What the function returns is shown to people in full, and to the model as far as the
/// [context](crate::Context) allows.
///
/// ```
/// use hostel::prelude::*;
/// use hostel_chat::{Tool, ToolCx};
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Place {
///     /// A town.
///     town: String,
/// }
///
/// # fn demo<A: Agent>() -> Tool<A> {
/// Tool::new("weather", "Tells the weather of a town.", |_cx: ToolCx<A>, place: Place| async move {
///     Ok(format!("It is sunny in {}.", place.town))
/// })
/// .repeatable()
/// # }
/// # use hostel::Agent;
/// ```
pub struct Tool<A> {
    name: String,
    description: String,
    schema: Value,
    run: Option<Run<A>>,
    check: Option<Check>,
    asks: Option<Asks>,
    shows: Option<Shows<A>>,
    repeatable: bool,
    resumable: bool,
    timeout: Duration,
    pin: Option<String>,
    listed: bool,
}

impl<A: Send + Sync + 'static> Tool<A> {
    /// A tool. The name has letters, digits, `_` and `-`, at most 64 of them.
    pub fn new<T, O, F, Fut>(name: impl Into<String>, description: impl Into<String>, run: F) -> Self
    where
        T: DeserializeOwned + JsonSchema + Send + 'static,
        O: Serialize,
        F: Fn(ToolCx<A>, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O>> + Send + 'static,
    {
        let schema = schema::of::<T>();
        let nothing = schema.is_none();
        let run = Arc::new(run);
        let typed = move |cx: ToolCx<A>, input: Value| -> BoxFuture<Result<Value>> {
            let run = Arc::clone(&run);
            Box::pin(async move {
                let output = run(cx, schema::parse(input, nothing)?).await?;
                Ok(serde_json::to_value(output)?)
            })
        };
        let tool = Self::untyped(name, description, schema.unwrap_or_else(schema::empty), typed);
        let check = move |input: &Value| schema::parse::<T>(input.clone(), nothing).map(drop);
        Self { check: Some(Arc::new(check)), ..tool }
    }

    /// A tool whose schema is known only at run time. Its input is any JSON object: the function checks it.
    pub fn untyped<F, Fut>(name: impl Into<String>, description: impl Into<String>, schema: Value, run: F) -> Self
    where
        F: Fn(ToolCx<A>, Value) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Value>> + Send + 'static,
    {
        let run: Run<A> = Arc::new(move |cx, input| Box::pin(run(cx, input)));
        Self { run: Some(run), ..Self::client(name, description, schema) }
    }

    /// A tool that the page runs: the answer waits, without memory, until a client sends the result.
    pub fn client(name: impl Into<String>, description: impl Into<String>, schema: Value) -> Self {
        Self {
            name: name.into(),
            description: description.into(),
            schema,
            run: None,
            check: None,
            asks: None,
            shows: None,
            repeatable: false,
            resumable: false,
            timeout: TIMEOUT,
            pin: None,
            listed: true,
        }
    }

    /// Somebody has to say yes before it runs, each time, with exactly this input.
    #[must_use]
    pub fn ask(self) -> Self {
        Self { asks: Some(Arc::new(|_| true)), ..self }
    }

    /// Somebody has to say yes where `asks` says so of the input.
    ///
    /// ```
    /// # use hostel::prelude::*;
    /// # use hostel_chat::Tool;
    /// # #[derive(Deserialize)]
    /// # struct Refund { cents: u64 }
    /// # fn demo<A: Send + Sync + 'static>(tool: Tool<A>) -> Tool<A> {
    /// tool.ask_if(|refund: &Refund| refund.cents > 10_000)
    /// # }
    /// ```
    #[must_use]
    pub fn ask_if<T: DeserializeOwned>(self, asks: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        // What cannot be read is asked about: nobody has said that it needs no yes.
        let asks = move |input: &Value| T::deserialize(input).map_or(true, |input| asks(&input));
        Self { asks: Some(Arc::new(asks)), ..self }
    }

    /// Finds out what a call would do, for whoever is asked: its diff, its command, or words. It only looks. What it answers is
    /// shown with the question (as a `data-preview` part) and kept with the approval; if it fails, the reason is shown, and the
    /// question is asked all the same.
    ///
    /// The tool does what was shown: with [`Preview::with_fingerprint`] here, and
    /// [`ToolCx::check_preview`] before it does anything.
    ///
    /// ```
    /// # use hostel::{Agent, prelude::*};
    /// # use hostel_chat::{Preview, Tool, ToolCx};
    /// # #[derive(Deserialize, JsonSchema)]
    /// # struct Refund { order: u64 }
    /// # fn demo<A: Agent>(tool: Tool<A>) -> Tool<A> {
    /// tool.ask().preview(|_cx: ToolCx<A>, refund: Refund| async move {
    ///     Ok(Preview::text(format!("Pays back all of order {}.", refund.order)))
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn preview<T, F, Fut>(self, preview: F) -> Self
    where
        T: DeserializeOwned + Send + 'static,
        F: Fn(ToolCx<A>, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Preview>> + Send + 'static,
    {
        let preview = Arc::new(preview);
        let typed = move |cx: ToolCx<A>, input: Value| -> BoxFuture<Result<Preview>> {
            let preview = Arc::clone(&preview);
            Box::pin(async move { preview(cx, schema::parse(input, false)?).await })
        };
        Self { shows: Some(Arc::new(typed)), ..self }
    }

    /// It may run twice, and beside others: after a crash it is simply run again.
    #[must_use]
    pub fn repeatable(self) -> Self {
        Self { repeatable: true, ..self }
    }

    /// After a crash it is called again, and finds out itself what has happened: [`ToolCx::is_again`] tells it. Unlike one that
    /// is [`repeatable`](Self::repeatable) it never runs beside others, but in its turn.
    #[must_use]
    pub fn resumable(self) -> Self {
        Self { resumable: true, ..self }
    }

    /// How long it may take; ten minutes without.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// It works, and the model is not told of it: for older names of other tools.
    #[must_use]
    pub fn unlisted(self) -> Self {
        Self { listed: false, ..self }
    }

    /// The model is told of it, as of every tool that is not [`unlisted`](Tool::unlisted).
    #[must_use]
    pub fn listed(self) -> Self {
        Self { listed: true, ..self }
    }

    /// A yes holds only as long as this stays the same: for tools that others describe.
    #[must_use]
    pub fn pinned(self, fingerprint: impl Into<String>) -> Self {
        Self { pin: Some(fingerprint.into()), ..self }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it asks, at least with some inputs.
    pub fn may_ask(&self) -> bool {
        self.asks.is_some()
    }

    /// What it takes, as a JSON schema.
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// Whether a page runs it.
    pub(crate) fn is_client(&self) -> bool {
        self.run.is_none()
    }

    /// For one turn of the agent behind `cx`.
    pub(crate) fn bind(self, cx: &Cx<A>) -> Result<Bound> {
        if !is_name(&self.name) {
            return Err(Error::msg(format!("No tool can be called {:?}.", self.name))
                .with_fix("use letters, digits, _ and -, at most 64 of them"));
        }
        let does = match self.run {
            None => Does::Client,
            Some(run) => {
                let cx = cx.clone();
                Does::Run(Arc::new(move |call, input| run(ToolCx::new(cx.clone(), call), input)))
            }
        };
        let shows = self.shows.map(|shows| -> bound::ShowsBound {
            let cx = cx.clone();
            Arc::new(move |call, input| shows(ToolCx::new(cx.clone(), call), input))
        });
        Ok(Bound {
            spec: hostel_model::ToolSpec::new(self.name, self.description, self.schema),
            does,
            check: self.check,
            asks: self.asks,
            shows,
            repeatable: self.repeatable,
            resumable: self.resumable,
            timeout: self.timeout,
            pin: self.pin,
            listed: self.listed,
        })
    }
}

/// What every provider takes as the name of a tool.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

impl<A> Clone for Tool<A> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            description: self.description.clone(),
            schema: self.schema.clone(),
            run: self.run.clone(),
            check: self.check.clone(),
            asks: self.asks.clone(),
            shows: self.shows.clone(),
            repeatable: self.repeatable,
            resumable: self.resumable,
            timeout: self.timeout,
            pin: self.pin.clone(),
            listed: self.listed,
        }
    }
}

impl<A> fmt::Debug for Tool<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool").field("name", &self.name).field("asks", &self.asks.is_some()).finish_non_exhaustive()
    }
}
