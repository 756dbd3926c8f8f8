//! One event is one line of the log, whatever a stranger writes into it.

use std::{
    io::Write,
    sync::{Arc, Mutex, Once},
};

use hostel::{App, Options, Refusal, http::request::Parts, prelude::*};
use serde_json::json;
use tracing_subscriber::{Registry, fmt::MakeWriter};

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

/// Lets what this thread does write to `lines`.
///
/// A place in the code that is first come to by the thread of another test, which has no log, would be off for good. So every
/// thread has one that takes nothing, and places that were found to be off are asked about again.
fn log_to(lines: &Lines, level: tracing::Level) -> tracing::subscriber::DefaultGuard {
    static NOBODYS: Once = Once::new();
    NOBODYS.call_once(|| tracing::subscriber::set_global_default(Registry::default()).unwrap());
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(lines.clone()).with_ansi(false);
    let guard = tracing::subscriber::set_default(log.finish());
    tracing::callsite::rebuild_interest_cache();
    guard
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
    let _guard = log_to(&lines, tracing::Level::TRACE);
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
    let _guard = log_to(&lines, tracing::Level::WARN);
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

/// Everybody's own.
#[derive(Default, Serialize, Deserialize)]
struct Diary {
    pages: u32,
}

#[agent(allow = "owner")]
impl Diary {
    #[callable]
    fn write(&mut self) -> u32 {
        self.pages += 1;
        self.pages
    }
}

fn by_name(head: &mut Parts) -> Result<Option<Identity>, Refusal> {
    Ok(head.headers.remove("x-name").map(|name| Identity::new(name.to_str().unwrap())))
}

/// What was done about a request to the diary of `name`, as the log has it, without what differs from one request to the next.
async fn steps(server: &Server, lines: &Lines, name: &str, headers: &[(&str, &str)], is_socket: bool) -> Vec<String> {
    lines.0.lock().unwrap().clear();
    let path = format!("/agents/diary/{name}");
    let code = match is_socket {
        true => server.socket_with(&path, headers).await.refusal().await.0,
        false => server.get_with(&path, headers).await.code(),
    };
    let text = String::from_utf8(std::mem::take(&mut *lines.0.lock().unwrap())).unwrap();
    // The id of the request, and the port it came from.
    let is_its_own = |word: &&str| word.contains("id=") || word.starts_with("127.0.0.1:");
    let step = |line: &str| {
        let said = line.split_once("Z ").map_or(line, |(_, said)| said);
        let words: Vec<&str> = said.split_whitespace().filter(|word| !is_its_own(word)).collect();
        words.join(" ").replace(&path, "/agents/diary/NAME")
    };
    let ours = text.lines().filter(|line| line.contains("hostel_")).map(step);
    ours.chain([code]).collect()
}

#[tokio::test]
async fn threat_8_whoever_is_refused_takes_the_same_steps_for_every_name_and_none_of_them_looks_for_the_agent() {
    let lines = Lines::default();
    let _guard = log_to(&lines, tracing::Level::TRACE);
    let data = tempfile::tempdir().unwrap();
    let app = || App::new().agent::<Diary>().data(data.path()).authenticator(by_name);
    let server = Server::start(app()).await;
    for name in ["awake", "asleep"] {
        let mut client = server.socket_with(&format!("/agents/diary/{name}"), &[("X-Name", name)]).await;
        client.greeted().await;
        assert_eq!(client.call("write", json!([])).await["result"], 1);
    }
    server.stop().await;
    // One whose database is open, one that is only on the disk, and one that is not.
    let server = Server::start(app()).await;
    let mut client = server.socket_with("/agents/diary/awake", &[("X-Name", "awake")]).await;
    client.greeted().await;
    for (headers, code) in [(&[][..], "unauthorized"), (&[("X-Name", "mallory")], "forbidden")] {
        for is_socket in [false, true] {
            let of_nobody = steps(&server, &lines, "absent", headers, is_socket).await;
            for name in ["awake", "asleep"] {
                assert_eq!(steps(&server, &lines, name, headers, is_socket).await, of_nobody, "{name}");
            }
            assert_eq!(of_nobody.last().unwrap(), code);
            let said = of_nobody.join("\n");
            assert!(said.contains("step=\"accept\"") && said.contains("step=\"refuse\""), "{said}");
            assert!(!said.contains("step=\"route\"") && !said.contains("step=\"wake\""), "{said}");
        }
    }
    // Who may come in does go further.
    lines.0.lock().unwrap().clear();
    server.socket_with("/agents/diary/asleep", &[("X-Name", "asleep")]).await.greeted().await;
    let said = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(said.contains("step=\"route\"") && said.contains("step=\"wake\""), "{said}");
}
