//! The counter: the recorded application's main agent, and the classes that inherit everything from it.
//!
//! Rust has no inheritance. The methods are written once, in a macro that makes a class of them; what they do is below it,
//! in functions that know nothing of the class.

mod http;
mod values;

use std::time::Duration;

use hostel::{Agent, MethodKind, prelude::*};
use serde_json::{Value, json};

use crate::log;

/// A class that counts. Its state is any JSON, because the recorded clients also set `null` and strange objects.
macro_rules! counter_class {
    ($(#[$doc:meta])* $class:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $class(Value);

        impl Default for $class {
            fn default() -> Self {
                Self(json!({"count": 0}))
            }
        }

        // Doc comments of callables are compared as their descriptions, so all but one have none.
        #[agent]
        impl $class {
            fn on_start(&self, cx: &Cx<Self>) -> Result<()> {
                log::begin(cx, &self.0)
            }

            fn validate_state_change(&self) -> Result<()> {
                if self.0["count"] == 666 { Err(Error::msg("no evil counts")) } else { Ok(()) }
            }

            fn on_state_changed(&self, cx: &Cx<Self>, source: &Source) -> Result<()> {
                log::note(cx, &self.0, source)
            }

            fn on_message(&self, connection: &Connection, message: &Message) {
                match message {
                    Message::Text(text) => connection.send(format!("echo:{text}")),
                    Message::Binary(bytes) => connection.send(bytes.clone()),
                }
            }

            async fn on_request(cx: &Cx<Self>, request: Request) -> Result<Response> {
                http::answer(cx, request).await
            }

            #[callable]
            fn add(&self, a: Value, b: Value) -> Value {
                values::sum(&a, &b)
            }

            /// increments
            #[callable]
            fn inc(&mut self, n: Option<Value>) -> Value {
                let count = values::sum(&values::number_or(self.0.get("count"), 0), &values::number_or(n.as_ref(), 1));
                self.0 = json!({"count": count});
                count
            }

            #[callable]
            fn ret(&self, kind: String) -> Result<hostel::Reply> {
                values::of_kind(&kind)
            }

            #[callable]
            fn fail(&self, kind: Option<String>) -> Result<()> {
                values::failure(kind.as_deref())
            }

            #[callable(streaming)]
            async fn count(cx: &Cx<Self>, stream: Stream<Value>, n: u32, mode: Option<String>) -> Result<()> {
                count(cx, &stream, n, mode.as_deref()).await
            }

            #[callable]
            fn methods(&self) -> Vec<(&'static str, Value)> {
                callables::<Self>()
            }

            #[callable]
            fn get_log(&self, cx: &Cx<Self>) -> Result<Vec<Value>> {
                log::read(cx)
            }

            #[callable]
            async fn later(cx: &Cx<Self>, ms: u64) -> &'static str {
                cx.sleep(Duration::from_millis(ms)).await;
                "late"
            }

            #[callable]
            fn bc(&self, cx: &Cx<Self>, text: String) -> &'static str {
                cx.broadcast(text);
                "ok"
            }

            #[callable]
            fn sched(&self) -> Result<()> {
                Err(Error::msg("schedules and queues are not available yet"))
            }

            #[callable]
            fn tables(&self, cx: &Cx<Self>) -> Result<Vec<Value>> {
                let query = "select name, sql from sqlite_master where type in ('table', 'index') order by name";
                Ok(cx.sql(query, ())?.iter().map(|row| row.to_json()).collect())
            }

            #[expect(dead_code, reason = "it is there to be called by clients in vain")]
            fn not_callable(&self) -> &'static str {
                "secret"
            }
        }
    };
}

counter_class! {
    /// Counts, and shows every kind of answer.
    CounterAgent
}
counter_class! {
    /// A counter under the name of the coding agent; the binding `SECOND_AGENT` reaches it, too.
    CoderAgent
}
counter_class! {
    /// A counter whose name is hard to spell.
    MyMCPAgent2
}

/// Sends `n` chunks, then ends in the way that `mode` names.
async fn count<A>(cx: &Cx<A>, stream: &Stream<Value>, n: u32, mode: Option<&str>) -> Result<()> {
    for i in 0..n {
        stream.send(&json!({"i": i}))?;
        cx.sleep(Duration::from_millis(5)).await;
    }
    match mode {
        Some("throw") => return Err(Error::msg("stream boom")),
        Some("error") => stream.error("explicit stream error"),
        Some("noend") => {}
        Some("endvalue") => {
            stream.end_with(&json!({"final": true}))?;
            let late = stream.send(&json!("late"));
            tracing::debug!(?late, "a chunk after the end goes nowhere");
        }
        _ => stream.end(),
    }
    Ok(())
}

/// What `getCallableMethods` lists.
fn callables<A: Agent>() -> Vec<(&'static str, Value)> {
    let open = A::METHODS.iter().filter(|method| !matches!(method.kind, MethodKind::Closed));
    let entry = |method: &hostel::Method<A>| {
        let mut about = json!({});
        if !method.doc.is_empty() {
            about["description"] = method.doc.into();
        }
        if matches!(method.kind, MethodKind::Streaming(_)) {
            about["streaming"] = true.into();
        }
        (method.name, about)
    };
    open.map(entry).collect()
}
