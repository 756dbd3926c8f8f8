//! A model that follows a script: the same each time, without a provider, and able to call tools, think, dawdle and fail.

mod pattern;
mod play;
mod script;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};

pub use script::ScriptError;

pub(crate) use self::play::Step;
use self::{play::play, script::Script};
use crate::{Event, Fault, FaultKind, Model, ModelInfo, Request};

/// What it does when nobody gives it a script.
const BUILT_IN: &str = include_str!("scripted/built-in.txt");

/// The scripted model.
///
/// It keeps nothing from one request to the next: which rule answers is decided by what the user said last, and how far the
/// rule got by how often tools were called since. So an answer asked for again, after a crash or from another process, is
/// the same answer with the same call ids.
///
/// A script is a list of rules, tried from the top:
///
/// ```text
/// # A line with # is a note.
/// on weather in *               what the user says; * is any text, letters may be large or small
///   think They want the weather.
///   call getWeather {"city": "$1"}
/// then                          once the tools have answered
///   say It is $result in $1.
/// on *
///   say You said: $text
/// ```
///
/// | line | what it does |
/// | --- | --- |
/// | `on TEXT` | begins a rule; several in a row begin the same one |
/// | `then` | what follows answers the results of the tools called before |
/// | `then if TEXT` | the same, if those results fit the text, in which `*` stands for any; else it is passed over |
/// | `say TEXT` | streams it word by word; several in a row are lines of one text |
/// | `think TEXT` | the same, as a thought |
/// | `call TOOL JSON` | calls a tool that is offered, and says so in words if it is not |
/// | `call! TOOL JSON` | calls it in any case; what is no JSON arrives as broken input |
/// | `use TEXT` | does what each line `use TOOL JSON` of the text asks |
/// | `count N` | streams the numbers from 1 to N, at most 100000, one by one |
/// | `repeat N TEXT` | streams it N times |
/// | `source URL TITLE`, `file TYPE BASE64` | names a source, makes a file |
/// | `delay TIME`, `pace TIME` | waits once, or before every delta from here on, such as `20ms` |
/// | `fault KIND TEXT` | ends with this fault; the kinds are those of [`FaultKind::parse`] |
/// | `hang` | says nothing more and does not end |
/// | `finish REASON` | ends with `length`, `content-filter` or another reason |
/// | `usage INPUT OUTPUT` | tells these numbers of tokens instead of an estimate |
///
/// In a text, `$text` is what the user said, `$1` to `$9` what the stars stood for, `$result` what the tools answered,
/// `$tools` the names of those offered, `$system` what stands above the conversation, `\n` a new line.
#[derive(Clone)]
pub struct Scripted {
    script: Arc<Script>,
    info: ModelInfo,
    asked: Option<Arc<Mutex<Vec<Request>>>>,
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripted").field("info", &self.info).finish_non_exhaustive()
    }
}

impl Scripted {
    /// A model that follows this script.
    ///
    /// # Errors
    /// The first line that cannot be understood.
    pub fn new(script: &str) -> Result<Self, ScriptError> {
        let script = Arc::new(Script::parse(script)?);
        Ok(Self { script, info: ModelInfo::new("scripted", "scripted", "script"), asked: None })
    }

    /// A model that can be talked to: it repeats what it hears, and does `use TOOL {json}`, `think`, `count`, `slow`, `fail`;
    /// `help` lists all of it.
    ///
    /// # Panics
    /// Never: a test reads its script.
    pub fn built_in() -> Self {
        Self::new(BUILT_IN).expect("the built-in script can be read")
    }

    /// Under another name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.info.name = name.into();
        self
    }

    /// That takes no more tokens than this, estimated at four characters each; a longer conversation gets
    /// [`FaultKind::ContextTooLong`].
    #[must_use]
    pub fn with_context_tokens(mut self, most: u64) -> Self {
        self.info.context_tokens = Some(most);
        self
    }

    /// That keeps what it is asked, for [`Scripted::asked`].
    #[must_use]
    pub fn recording(mut self) -> Self {
        self.asked = Some(Arc::default());
        self
    }

    /// What it was asked since it is [`Scripted::recording`], by all its clones, oldest first.
    pub fn asked(&self) -> Vec<Request> {
        let asked = self.asked.iter().map(|asked| asked.lock().unwrap_or_else(PoisonError::into_inner).clone());
        asked.flatten().collect()
    }
}

impl Scripted {
    /// Everything the answer consists of.
    pub(crate) fn steps(&self, request: &Request) -> Vec<Step> {
        match self.too_long(request) {
            Some(fault) => vec![Step::Fail(fault)],
            None => play(&self.script, request),
        }
    }
}

impl Model for Scripted {
    fn stream(&self, request: Request) -> BoxStream<'static, Result<Event, Fault>> {
        let steps = self.steps(&request);
        if let Some(asked) = &self.asked {
            asked.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        }
        stream::unfold(steps.into_iter(), |mut steps| async move {
            loop {
                match steps.next()? {
                    Step::Emit(event) => return Some((Ok(event), steps)),
                    Step::Wait(time) => tokio::time::sleep(time).await,
                    Step::Hang => std::future::pending().await,
                    Step::Fail(fault) => return Some((Err(fault), Vec::new().into_iter())),
                }
            }
        })
        .boxed()
    }

    fn describe(&self) -> ModelInfo {
        self.info.clone()
    }
}

impl Scripted {
    fn too_long(&self, request: &Request) -> Option<Fault> {
        let (most, tokens) = (self.info.context_tokens?, play::tokens_of(request));
        (tokens > most).then(|| {
            let text = format!(
                "The conversation has about {tokens} tokens, model {} takes {most}. Shorten it, or begin a new one.",
                self.info.name
            );
            Fault::new(FaultKind::ContextTooLong, text)
        })
    }
}
