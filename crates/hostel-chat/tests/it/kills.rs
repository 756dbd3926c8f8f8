//! `kill -9` in the middle of an answer, in a real process.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use hostel::App;
use hostel_client::{Client, Event, Events, Options, Target};
use serde_json::{Value, json};

use super::support::{Gate, Talker, ack, ask, texts, user};

/// Where the data of the child is; the test that finds it set is the child.
const DIRECTORY: &str = "HOSTEL_TEST_CHAT_DIRECTORY";
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

struct Process {
    child: Child,
    words: ChildStdin,
    url: String,
}

impl Process {
    fn start(directory: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "it::kills::the_child_that_answers", "--nocapture"]);
        let mut child = command.env(DIRECTORY, directory).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.map_while(Result::ok).find_map(|line| Some(line.strip_prefix("at ")?.to_owned()));
        let words = child.stdin.take().unwrap();
        Self { child, words, url: url.expect("the child says where it is") }
    }

    /// Lets it say so many words more.
    fn allow(&mut self, words: usize) {
        writeln!(self.words, "{words}").unwrap();
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    async fn connect(&self) -> (Client, Events) {
        let target = Target::parse("talker/x", &self.url).unwrap();
        Client::connect_with_events(&target, &Options::default()).await.unwrap()
    }

    async fn transcript(&self) -> Vec<Value> {
        let target = Target::parse("talker/x", &self.url).unwrap();
        let target = target.with_path(&format!("{}/get-messages", target.path()));
        let answer = hostel_client::http::get(&target, &Options::default()).await.unwrap();
        serde_json::from_slice(&answer.body).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _waited = self.child.wait();
    }
}

/// The next frame of the chat.
async fn next(events: &mut Events) -> Value {
    loop {
        let event = tokio::time::timeout(PATIENCE, events.next()).await.expect("a frame comes in time");
        let Some(Event::Text { text, .. }) = event else { continue };
        let frame: Value = serde_json::from_str(&text).unwrap_or_default();
        if frame["type"].as_str().is_some_and(|kind| kind.contains("chat") || kind.contains("stream")) {
            return frame;
        }
    }
}

/// Serves until it is killed; each line of its input is so many permits of the gate. In the ordinary run of the tests it does nothing.
#[tokio::test]
async fn the_child_that_answers() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let gate = Gate::closed();
    let opener = gate.clone();
    // Some words ahead of whoever asks for more, so that the process is always in the middle.
    opener.open(5);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            opener.open(line.parse().unwrap());
        }
    });
    let app = App::new().agent::<Talker>().env(gate).data(directory);
    let home = app.start().await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    writeln!(std::io::stdout(), "at http://{}", listener.local_addr().unwrap()).unwrap();
    home.serve(listener, tokio_util::sync::CancellationToken::new()).await.unwrap();
}

#[tokio::test]
async fn an_answer_survives_kill_nine_again_and_again_and_is_one_message() {
    let directory = tempfile::tempdir().unwrap();
    let words: Vec<String> = (0..200).map(|n| format!("word{n}")).collect();
    let text = format!("hold {}", words.join(" "));
    let mut process = Process::start(directory.path());
    let (client, mut events) = process.connect().await;
    client.send_text(ask("r1", &[user("u1", &text)])).await.unwrap();
    for _ in 0..3 {
        // In the middle: some words more have come. One for each frame that was read: never all of them.
        let mut words = 0;
        while words < 10 {
            let frame = next(&mut events).await;
            words += usize::from(frame["seq"].is_u64() && frame["replay"].is_null());
            process.allow(1);
        }
        process.kill();
        process = Process::start(directory.path());
        let (client, fresh) = process.connect().await;
        events = fresh;
        while next(&mut events).await["type"] != "cf_agent_stream_resuming" {}
        client.send_text(ack("r1")).await.unwrap();
        std::mem::forget(client);
    }
    process.allow(words.len());
    while next(&mut events).await["done"] != json!(true) {}
    let kept = process.transcript().await;
    assert_eq!(kept.len(), 2);
    assert_eq!(texts(&kept)[1].1, text);
}
