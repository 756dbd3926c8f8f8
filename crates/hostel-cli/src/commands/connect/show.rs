//! Frames as a person reads them.

use hostel_client::Event;
use hostel_protocol::client::{ClientFrame, parse};
use hostel_protocol::server::{RpcOutcome, RpcResponse, ServerFrame};

use crate::output::{Paint, harmless};

/// Turns events into lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Show {
    paint: Paint,
    raw: bool,
}

impl Show {
    pub(super) fn new(raw: bool) -> Self {
        Self { paint: Paint::stdout(), raw }
    }

    pub(super) fn event(&self, event: &Event) -> String {
        let paint = self.paint;
        match event {
            Event::Sent(text) if self.raw => format!("{} {}", paint.cyan("→"), harmless(text)),
            Event::Sent(text) => format!("{} {}", paint.cyan("→"), sent(text)),
            Event::Text { text, .. } if self.raw => format!("{} {}", paint.green("←"), harmless(text)),
            Event::Text { text, frame } => self.received(text, frame),
            Event::Binary(bytes) => format!("{} binary, {} bytes", paint.green("←"), bytes.len()),
            Event::Closed(closed) => {
                let reason = harmless(&closed.reason);
                format!("{} closed {} {reason}", paint.red("×"), closed.code).trim_end().to_owned()
            }
        }
    }

    fn received(&self, text: &str, frame: &ServerFrame) -> String {
        let (good, what) = match frame {
            ServerFrame::Identity { agent, name, .. } => (true, format!("identity {agent}/{name}")),
            ServerFrame::State { state, .. } => (true, format!("state {}", state.get())),
            ServerFrame::McpServers { mcp } => (true, format!("mcp servers {}", mcp.get())),
            ServerFrame::StateError { error, code, fix, .. } => {
                (false, failed("state refused", error, code.as_deref(), fix.as_deref()))
            }
            ServerFrame::HostelError { code, error, fix } => {
                (false, failed("error", error, Some(code), fix.as_deref()))
            }
            ServerFrame::HostelWarning { code, warning, fix, .. } => {
                (false, failed("warning", warning, Some(code), fix.as_deref()))
            }
            ServerFrame::StateAccepted { version } => (true, format!("state accepted, version {version}")),
            ServerFrame::SessionError { error } => (false, failed("error", error, None, None)),
            ServerFrame::Rpc(RpcResponse { id, outcome }) => answer(id, outcome),
            _ => (true, format!("message {text}")),
        };
        let arrow = if good { self.paint.green("←") } else { self.paint.red("←") };
        format!("{arrow} {}", harmless(&what))
    }
}

fn answer(id: &str, outcome: &RpcOutcome) -> (bool, String) {
    let value = |value: &Option<Box<serde_json::value::RawValue>>| {
        value.as_ref().map_or_else(|| "undefined".to_owned(), |raw| raw.get().to_owned())
    };
    match outcome {
        RpcOutcome::Done(result) => (true, format!("result #{id} {}", value(result))),
        RpcOutcome::Chunk(result) => (true, format!("chunk #{id} {}", value(result))),
        RpcOutcome::Failed { error, code, fix } => {
            (false, failed(&format!("failed #{id}"), error, code.as_deref(), fix.as_deref()))
        }
    }
}

fn failed(what: &str, error: &str, code: Option<&str>, fix: Option<&str>) -> String {
    let code = code.map_or_else(String::new, |code| format!(" {code}:"));
    let fix = fix.map_or_else(String::new, |fix| format!("\n  fix: {fix}"));
    format!("{what}{code} {error}{fix}")
}

fn sent(text: &str) -> String {
    harmless(&match parse(text) {
        ClientFrame::Rpc(call) => {
            let args = call.args.get();
            format!("call #{} {}({})", call.id, call.method, &args[1..args.len() - 1])
        }
        ClientFrame::State(update) => format!("state {}", update.state.get()),
        _ => format!("message {text}"),
    })
}

#[cfg(test)]
mod tests {
    use hostel_protocol::server::parse_server;

    use super::*;

    #[test]
    fn frames_are_shown_decoded() {
        let show = Show { paint: Paint::stdout(), raw: false };
        for (text, expect) in [
            (r#"{"type":"cf_agent_identity","name":"a","agent":"counter"}"#, "identity counter/a"),
            (r#"{"type":"cf_agent_state","state":{"count":1}}"#, "state {\"count\":1}"),
            (r#"{"type":"rpc","id":"7","success":true,"done":true}"#, "result #7 undefined"),
            (r#"{"type":"rpc","id":"7","success":true,"done":false,"result":1}"#, "chunk #7 1"),
            (r#"{"type":"hostel_error","code":"c","error":"No.","fix":"Yes."}"#, "error c: No.\n  fix: Yes."),
            (
                r#"{"type":"hostel_warning","code":"c","warning":"Hm.","fields":["a"],"fix":"Yes."}"#,
                "warning c: Hm.\n  fix: Yes.",
            ),
            ("plain\u{1b}[2J", "message plain\\u{1b}[2J"),
        ] {
            let shown = show.received(text, &parse_server(text));
            assert!(shown.ends_with(expect), "{shown}");
        }
    }

    #[test]
    fn our_own_frames_are_shown_as_what_they_do() {
        assert_eq!(sent(r#"{"args":[1,2],"id":"3","method":"add","type":"rpc"}"#), "call #3 add(1,2)");
        assert_eq!(sent("hello"), "message hello");
    }
}
