//! The recorded conversations: what the chunks add up to is what the server of that time stored.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::chat::{ChatIn, Chunk, DataStream, Dialect, Fold, ResponseFrame, UiMessage};
use crate::client::{ClientFrame, parse};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/replay/transcripts")
}

/// The lines of every chat transcript, by name.
fn transcripts() -> Vec<(String, Vec<Value>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.contains("chat") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((name, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()));
        }
    }
    found.sort_by(|a: &(String, Vec<Value>), b| a.0.cmp(&b.0));
    assert!(found.len() >= 20, "the transcripts are not where they should be");
    found
}

fn is_v4(name: &str) -> bool {
    name.starts_with("0.0.")
}

fn raw(line: &Value, direction: &str) -> Option<String> {
    (line["dir"] == direction).then(|| line["raw"].as_str().map(str::to_owned))?
}

/// What was said about the calls of a message by others than the model. Servers before 0.3 know no approvals.
fn answers(message: &UiMessage) -> Vec<Value> {
    message.parts.iter().map(|part| serde_json::json!([part["output"], part["approval"]])).collect()
}

/// The parts without the names of tools, which servers add only since 0.3.
fn unnamed(message: &UiMessage) -> Vec<Value> {
    let mut parts = message.parts.clone();
    for part in parts.iter_mut().filter_map(Value::as_object_mut) {
        part.remove("toolName");
    }
    parts
}

/// What was stored, by id, and the folds of everything that was streamed.
#[derive(Default)]
struct Watch {
    stored: HashMap<String, UiMessage>,
    last_assistant: Option<UiMessage>,
    folds: HashMap<(String, String), Fold>,
    compared: usize,
}

impl Watch {
    fn see(&mut self, line: &Value) {
        if let Some(body) = line.get("body").and_then(Value::as_str).filter(|body| body.starts_with("[{")) {
            self.transcript(&serde_json::from_str(body).unwrap());
        }
        let Some(text) = raw(line, "recv") else { return };
        let Ok(frame) = serde_json::from_str::<Value>(&text) else { return };
        match frame["type"].as_str() {
            Some("cf_agent_chat_messages") => self.transcript(&frame["messages"]),
            Some("cf_agent_message_updated") => self.keep(UiMessage::from_value(frame["message"].clone()).unwrap()),
            Some("cf_agent_use_chat_response") => self.response(line["conn"].as_str().unwrap(), &frame),
            _ => {}
        }
    }

    fn keep(&mut self, message: UiMessage) {
        if message.role == crate::chat::Role::Assistant {
            self.last_assistant = Some(message.clone());
        }
        self.stored.insert(message.id.clone(), message);
    }

    fn transcript(&mut self, messages: &Value) {
        for message in messages.as_array().unwrap() {
            self.keep(UiMessage::from_value(message.clone()).unwrap());
        }
        for fold in self.folds.values().filter(|fold| fold.is_over()) {
            let Some(stored) = self.stored.get(&fold.message().id) else { continue };
            // What is stored may be ahead of the chunks: results from clients, and the chunks of a continuation.
            if answers(stored) == answers(fold.message()) {
                assert_eq!(unnamed(stored), unnamed(fold.message()));
                self.compared += 1;
            }
        }
    }

    fn response(&mut self, connection: &str, frame: &Value) {
        let id = frame["id"].as_str().unwrap().to_owned();
        let body = frame["body"].as_str().unwrap();
        if frame["error"] == true || frame["done"] == true || body.is_empty() {
            return;
        }
        let chunk = Chunk::parse(body).unwrap();
        let key = (connection.to_owned(), id.clone());
        let is_first = frame["seq"] == 0 || chunk.kind() == "start";
        // Without numbers, a replay replaces what was there.
        let is_again = frame["replay"] == true && frame["seq"].is_null();
        if is_first && (is_again || !self.folds.contains_key(&key)) {
            let fold = match (&self.last_assistant, frame["continuation"] == true) {
                (Some(last), true) => Fold::continuing(last.clone()),
                _ => Fold::new(format!("unnamed-{id}")),
            };
            self.folds.insert(key.clone(), fold);
        }
        let Some(fold) = self.folds.get_mut(&key) else { return };
        match frame["seq"].as_u64() {
            Some(seq) => fold.apply_at(seq, &chunk),
            None => fold.apply(&chunk),
        };
    }
}

#[test]
fn recorded_chunks_add_up_to_the_recorded_messages() {
    let mut compared = 0;
    for (name, lines) in transcripts().into_iter().filter(|(name, _)| !is_v4(name)) {
        let mut watch = Watch::default();
        for line in &lines {
            watch.see(line);
        }
        let must = ["basic", "resume", "tools"].iter().any(|scenario| name.contains(scenario));
        assert!(watch.compared > 0 || !must, "nothing to compare in {name}");
        compared += watch.compared;
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn recorded_response_frames_are_written_as_they_were_recorded() {
    let mut written = 0;
    for (name, lines) in transcripts().into_iter().filter(|(name, _)| name.starts_with("0.32")) {
        for text in lines.iter().filter_map(|line| raw(line, "recv")) {
            let Ok(frame) = serde_json::from_str::<Value>(&text) else { continue };
            if frame["type"] != "cf_agent_use_chat_response" {
                continue;
            }
            let ids: Vec<String> = serde_json::from_value(frame["messageIds"].clone()).unwrap_or_default();
            assert_eq!(response_of(&frame, &ids).to_json(), text, "{name}");
            written += 1;
        }
    }
    assert!(written > 100, "{written}");
}

fn response_of<'a>(frame: &'a Value, message_ids: &'a [String]) -> ResponseFrame<'a> {
    use crate::chat::Outcome;
    let outcomes = [Outcome::Completed, Outcome::Aborted, Outcome::Error, Outcome::Skipped, Outcome::Recovering];
    ResponseFrame {
        id: frame["id"].as_str().unwrap(),
        body: frame["body"].as_str().unwrap(),
        done: frame["done"] == true,
        seq: frame["seq"].as_u64(),
        continuation: frame["continuation"] == true,
        replay: frame["replay"] == true,
        replay_complete: frame["replayComplete"] == true,
        error: frame["error"] == true,
        message_ids,
        outcome: outcomes.into_iter().find(|outcome| frame["outcome"] == outcome.as_str()),
    }
}

#[test]
fn every_recorded_frame_of_a_client_is_understood() {
    let mut seen = HashMap::new();
    for (name, lines) in transcripts() {
        for text in lines.iter().filter_map(|line| raw(line, "send")) {
            let ClientFrame::Chat(chat) = parse(&text) else { continue };
            match ChatIn::parse(chat.kind, &text) {
                Ok(ChatIn::Request(request)) => assert_eq!(request.dialect == Dialect::V4, is_v4(&name), "{name}"),
                Ok(_) => {}
                // The broken requests of the recording have ids of their own.
                Err(fault) => assert!(fault.id.is_some_and(|id| id.starts_with('x')), "{name}: {text}"),
            }
            *seen.entry(chat.kind).or_insert(0) += 1;
        }
    }
    assert_eq!(seen.len(), crate::client::ChatKind::ALL.len(), "{seen:?}");
}

#[test]
fn the_old_data_stream_is_written_as_it_was_recorded() {
    let today = [
        Chunk::start("MSG"),
        Chunk::start_step(),
        Chunk::text_start("t1"),
        Chunk::text_delta("t1", "You "),
        Chunk::text_delta("t1", "said: "),
        Chunk::text_delta("t1", "hi "),
        Chunk::text_delta("t1", "there "),
        Chunk::text_end("t1"),
        Chunk::finish_step(),
        Chunk::finish("stop")
            .with("messageMetadata", serde_json::json!({"usage": {"inputTokens": 1, "outputTokens": 2}})),
    ];
    let mut stream = DataStream::default();
    let ours: String = today.iter().filter_map(|chunk| stream.encode(chunk)).collect();
    for (name, lines) in transcripts().into_iter().filter(|(name, _)| is_v4(name)) {
        let frames = lines.iter().filter(|line| line["conn"] == "a").filter_map(|line| raw(line, "recv"));
        let frames = frames.filter_map(|text| serde_json::from_str::<Value>(&text).ok());
        let bodies = frames.filter(|frame| frame["id"] == "r1").map(|frame| frame["body"].as_str().unwrap().to_owned());
        let recorded: String = bodies.collect();
        let id = recorded.split('"').nth(3).unwrap().to_owned();
        assert_eq!(recorded.replace(&id, "MSG"), ours, "{name}");
    }
}

#[test]
fn a_message_of_old_survives_the_way_to_today_and_back() {
    for (name, lines) in transcripts().into_iter().filter(|(name, _)| is_v4(name)) {
        let bodies = lines.iter().filter_map(|line| line["body"].as_str()).filter(|body| body.starts_with("[{"));
        let messages = bodies.flat_map(|body| serde_json::from_str::<Vec<Value>>(body).unwrap());
        let messages: Vec<Value> = messages.collect();
        assert!(!messages.is_empty());
        for old in messages {
            let today = UiMessage::from_value(old.clone()).unwrap();
            assert!(today.rest.get("content").is_none());
            assert_eq!(crate::chat::to_v4(&today), old, "{name}");
        }
    }
}
