//! One event is one line of the log, whatever a stranger writes into it.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use hostel::{App, Options};
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use super::{agents::CoderAgent, support::Server};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// What a stranger would like to see in our log, as a name and encoded for a query.
const FORGED: &str = "x\n2026-01-01T00:00:00Z  INFO forged: access granted \u{1b}[31mred\r\u{9b}32m\u{2028}end";
const ENCODED: &str =
    "x%0A2026-01-01T00:00:00Z%20%20INFO%20forged:%20access%20granted%20%1B%5B31mred%0D%C2%9B32m%E2%80%A8end";

async fn provoke(server: &Server) {
    for path in ["/agents/nope/a", "/agents/coder-agent/a", "/agents/coder-agent", "/elsewhere"] {
        server.get(&format!("{path}/{ENCODED}?_pk={ENCODED}")).await;
    }
    server.get(&format!("/agents/{ENCODED}/a")).await;
    let mut client = server.socket(&format!("/agents/coder-agent/{ENCODED}?_pk={ENCODED}")).await;
    client.greeted().await;
    client.call(FORGED, json!([])).await;
    client.call("setProjectContext", json!([{"branch": {"a": FORGED}}])).await;
    client.send(&json!({"type": FORGED}).to_string()).await;
    client.json().await;
    client.send(FORGED).await;
    client.json().await;
    client.send(&json!({"type": "cf_agent_state", "state": {"branch": {"b": FORGED}}}).to_string()).await;
    client.json().await;
}

#[tokio::test]
async fn threat_32_what_strangers_write_never_begins_a_line_of_the_log() {
    let lines = Lines::default();
    let log =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(lines.clone()).with_ansi(false);
    let _guard = tracing::subscriber::set_default(log.finish());
    let server = Server::start(App::new().agent::<CoderAgent>().in_memory()).await;
    provoke(&server).await;
    server.stop().await;
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(text.lines().count() > 10 && text.contains("forged"), "too little was logged to judge: {text}");
    for line in text.split('\n').filter(|line| !line.is_empty()) {
        let own = line.starts_with("20") && !line.starts_with("2026-01-01T");
        assert!(own, "a line that no event began: {line:?}");
        assert!(!line.contains(char::is_control), "control characters in {line:?}");
    }
}

#[tokio::test]
async fn warnings_about_a_busy_agents_state_come_once_in_a_while_and_name_it() {
    let lines = Lines::default();
    let log =
        tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(lines.clone()).with_ansi(false);
    let _guard = tracing::subscriber::set_default(log.finish());
    let options = Options { state_warn_bytes: 1000, ..Options::default() };
    let app = App::new().agent::<hostel_conformance::MannersAgent>().options(options).in_memory();
    let server = Server::start(app).await;
    for name in ["one", "two"] {
        let mut client = server.socket(&format!("/agents/manners-agent/{name}")).await;
        for size in 2000..2010 {
            assert_eq!(client.call("grow", json!([size])).await["result"], size);
            client.send(&json!({"type": "cf_agent_state", "state": {"guessCount": 9}}).to_string()).await;
        }
        assert_eq!(client.call("guess", json!(["x"])).await["result"], false);
    }
    server.stop().await;
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    for name in ["one", "two"] {
        let agent = format!("agent=manners-agent/{name} ");
        let count = |what: &str| text.lines().filter(|line| line.contains(&agent) && line.contains(what)).count();
        let counts = ["a state is large", "code=\"state_keys_dropped\"", "code=\"state_fields_kept\""].map(count);
        assert_eq!(counts, [1, 1, 1], "{text}");
    }
    assert!(text.contains("\"title\", \"notes\"") && text.contains("setState({ ...state"), "{text}");
}
