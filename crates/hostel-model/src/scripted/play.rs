//! Plays the rule that fits a request.

use std::time::Duration;

use serde_json::Value;

use super::script::{Line, Rule, Script};
use crate::{Content, Data, Event, Fault, FaultKind, FinishReason, Message, Piece, Request, Usage};

/// Greatest number of repetitions.
const MOST_REPEATS: usize = 100_000;
/// How many characters of a tool's input one delta has.
const INPUT_DELTA: usize = 8;

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    Emit(Event),
    Wait(Duration),
    Hang,
    Fail(Fault),
}

/// All steps of the answer.
pub(super) fn play(script: &Script, request: &Request) -> Vec<Step> {
    let scene = Scene::new(request);
    let mut player = Player::new(request);
    let found = script.rules.iter().find_map(|rule| Some((rule, captures(rule, &scene.text)?)));
    let Some((rule, captures)) = found else {
        player.say("The script has no rule for that; `on *` would be one.");
        return player.finish();
    };
    let ended = match rule.round(&scene.answers) {
        Some(round) => round.lines.iter().any(|line| player.line(line, &scene, &captures)),
        None => player.line(&Line::Say("$result".to_owned()), &scene, &captures),
    };
    if ended { player.steps } else { player.finish() }
}

/// About as many tokens as the request has, at four characters each.
pub(super) fn tokens_of(request: &Request) -> u64 {
    let messages = serde_json::to_string(&request.messages).map_or(0, |text| text.len());
    ((messages + request.system.as_ref().map_or(0, String::len)) / 4) as u64
}

fn captures<'a>(rule: &Rule, text: &'a str) -> Option<Vec<&'a str>> {
    rule.patterns.iter().find_map(|pattern| pattern.captures(text))
}

/// What the request says of the moment.
struct Scene<'a> {
    request: &'a Request,
    /// What the user said last.
    text: String,
    /// What tools have answered since, each time they were called.
    answers: Vec<String>,
}

impl<'a> Scene<'a> {
    fn new(request: &'a Request) -> Self {
        let messages = &request.messages;
        let last = messages.iter().rposition(|message| matches!(message, Message::User(_)));
        let text = last.map(|at| text_of(&messages[at])).unwrap_or_default();
        let since = &messages[last.map_or(0, |at| at + 1)..];
        Self { request, text, answers: answers(since) }
    }

    fn result(&self) -> String {
        self.answers.last().cloned().unwrap_or_default()
    }

    /// Puts in what `$...` stands for.
    fn fill(&self, template: &str, captures: &[&str]) -> String {
        let mut filled = String::with_capacity(template.len());
        let mut rest = template;
        while let Some(at) = rest.find(['$', '\\']) {
            filled.push_str(&rest[..at]);
            rest = &rest[at..];
            let (value, length) = self.placeholder(rest, captures);
            filled.push_str(&value);
            rest = &rest[length..];
        }
        filled + rest
    }

    fn placeholder(&self, rest: &str, captures: &[&str]) -> (String, usize) {
        if rest.starts_with("\\n") {
            return ("\n".to_owned(), 2);
        }
        let digit = rest.strip_prefix('$').and_then(|rest| rest.chars().next()?.to_digit(10));
        if let Some(number) = digit.filter(|number| *number > 0) {
            return (captures.get(number as usize - 1).copied().unwrap_or_default().to_owned(), 2);
        }
        let offered = || self.request.tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>().join(", ");
        if rest.starts_with("$text") {
            (self.text.clone(), 5)
        } else if rest.starts_with("$result") {
            (self.result(), 7)
        } else if rest.starts_with("$tools") {
            (if self.request.tools.is_empty() { "no tools".to_owned() } else { offered() }, 6)
        } else if rest.starts_with("$system") {
            (self.request.system.clone().unwrap_or_default(), 7)
        } else {
            (rest[..1].to_owned(), 1)
        }
    }

    /// The input of a call. Inside a JSON text, what is put in cannot break it.
    fn input(&self, template: &str, captures: &[&str]) -> Result<Value, String> {
        if template.trim().is_empty() {
            return Ok(Value::Object(serde_json::Map::new()));
        }
        if let Ok(mut value) = serde_json::from_str::<Value>(template) {
            self.fill_value(&mut value, captures);
            return Ok(value);
        }
        let text = self.fill(template, captures);
        match text.trim() {
            "" => Ok(Value::Object(serde_json::Map::new())),
            text => serde_json::from_str(text).map_err(|_| text.to_owned()),
        }
    }

    fn fill_value(&self, value: &mut Value, captures: &[&str]) {
        match value {
            Value::String(text) => *text = self.fill(text, captures),
            Value::Array(items) => items.iter_mut().for_each(|item| self.fill_value(item, captures)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.fill_value(field, captures)),
            _ => {}
        }
    }
}

fn text_of(message: &Message) -> String {
    let Message::User(contents) = message else { return String::new() };
    let texts = contents.iter().filter_map(|content| match content {
        Content::Text(text) => Some(text.trim()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// What the tools answered, for each message that called some.
fn answers(since: &[Message]) -> Vec<String> {
    let mut all: Vec<Vec<String>> = Vec::new();
    for message in since {
        if calls_tools(message) {
            all.push(Vec::new());
        } else if let (Some(answers), Some(answer)) = (all.last_mut(), results(message)) {
            answers.push(answer);
        }
    }
    all.into_iter().map(|answers| answers.join("\n")).collect()
}

fn calls_tools(message: &Message) -> bool {
    matches!(message, Message::Assistant(pieces) if pieces.iter().any(|piece| matches!(piece, Piece::ToolCall { .. })))
}

fn results(message: &Message) -> Option<String> {
    let Message::Tool(outputs) = message else { return None };
    Some(outputs.iter().map(|output| output.output.as_str()).collect::<Vec<_>>().join("\n"))
}

/// Which kind of block is open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Text,
    Reasoning,
}

struct Player {
    steps: Vec<Step>,
    pace: Option<Duration>,
    open: Option<Block>,
    blocks: usize,
    /// Makes ids of calls that are unique in a conversation, and the same when asked again.
    seed: u32,
    calls: usize,
    usage: Option<(u64, u64)>,
    input_tokens: u64,
    said: usize,
    reason: Option<FinishReason>,
}

impl Player {
    fn new(request: &Request) -> Self {
        let seed = serde_json::to_vec(&request.messages).map_or(0, |bytes| fnv(&bytes));
        let input_tokens = tokens_of(request);
        Self {
            steps: Vec::new(),
            pace: None,
            open: None,
            blocks: 0,
            seed,
            calls: 0,
            usage: None,
            input_tokens,
            said: 0,
            reason: None,
        }
    }

    /// Does one line; `true` when nothing comes after it.
    fn line(&mut self, line: &Line, scene: &Scene<'_>, captures: &[&str]) -> bool {
        let fill = |text: &str| scene.fill(text, captures);
        match line {
            Line::Say(text) => self.say(&fill(text)),
            Line::Think(text) => self.words(Block::Reasoning, &fill(text)),
            Line::Call { tool, input, even_if_not_offered } => {
                let input = scene.input(input, captures);
                self.call(scene, &fill(tool), input, *even_if_not_offered);
            }
            Line::Use(text) => self.use_each(scene, &fill(text)),
            Line::Count(number) => self.count(&fill(number)),
            Line::Repeat { times, text } => self.repeat(&fill(times), &fill(text)),
            Line::Source { url, title } => self.source(fill(url), fill(title)),
            Line::File { media_type, data } => {
                self.close();
                self.emit(Event::File { media_type: fill(media_type), data: Data::Base64(fill(data)) });
            }
            Line::Delay(time) => self.steps.push(Step::Wait(*time)),
            Line::Pace(time) => self.pace = Some(*time),
            Line::Finish(reason) => self.reason = Some(reason_of(&fill(reason))),
            Line::Usage { input, output } => self.usage = Some((*input, *output)),
            Line::Hang => {
                self.steps.push(Step::Hang);
                return true;
            }
            Line::Fault { kind, text } => {
                self.steps.push(Step::Fail(fault(&fill(kind), &fill(text))));
                return true;
            }
        }
        false
    }

    fn say(&mut self, text: &str) {
        self.words(Block::Text, text);
    }

    /// Streams a text by words; further lines go into the same block.
    fn words(&mut self, block: Block, text: &str) {
        if self.open == Some(block) {
            self.delta("\n");
        } else {
            self.open(block);
        }
        text.split_inclusive(' ').for_each(|word| self.delta(word));
    }

    fn open(&mut self, block: Block) {
        self.close();
        self.open = Some(block);
        self.blocks += 1;
        let id = self.blocks.to_string();
        self.emit(match block {
            Block::Text => Event::TextStart { id },
            Block::Reasoning => Event::ReasoningStart { id },
        });
    }

    fn close(&mut self) {
        let id = self.blocks.to_string();
        match self.open.take() {
            Some(Block::Text) => self.emit(Event::TextEnd { id }),
            Some(Block::Reasoning) => self.emit(Event::ReasoningEnd { id, signature: None }),
            None => {}
        }
    }

    fn delta(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.wait_as_paced();
        self.said += text.len();
        let (id, delta) = (self.blocks.to_string(), text.to_owned());
        self.emit(match self.open {
            Some(Block::Reasoning) => Event::ReasoningDelta { id, delta },
            _ => Event::TextDelta { id, delta },
        });
    }

    fn wait_as_paced(&mut self) {
        self.steps.extend(self.pace.map(Step::Wait));
    }

    fn use_each(&mut self, scene: &Scene<'_>, text: &str) {
        for line in text.lines().filter_map(|line| line.trim().get(3..).filter(|_| is_use(line))) {
            let line = line.trim();
            let (tool, input) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let input = match input.trim() {
                "" => Ok(Value::Object(serde_json::Map::new())),
                input => serde_json::from_str(input).map_err(|_| input.to_owned()),
            };
            self.call(scene, tool, input, false);
        }
    }

    fn call(&mut self, scene: &Scene<'_>, tool: &str, input: Result<Value, String>, even_if_not_offered: bool) {
        let offered = scene.request.tools.iter().any(|spec| spec.name == tool);
        if !offered && !even_if_not_offered {
            return self.say(&scene.fill(&format!("There is no tool {tool} here. I am offered: $tools."), &[]));
        }
        self.close();
        self.calls += 1;
        let (id, name) = (format!("call_{:08x}_{}", self.seed, self.calls), tool.to_owned());
        self.emit(Event::ToolInputStart { id: id.clone(), name: name.clone() });
        let text = input.as_ref().map_or_else(Clone::clone, ToString::to_string);
        let letters: Vec<char> = text.chars().collect();
        for part in letters.chunks(INPUT_DELTA) {
            self.wait_as_paced();
            self.emit(Event::ToolInputDelta { id: id.clone(), delta: part.iter().collect() });
        }
        self.said += text.len();
        self.emit(Event::ToolCall { id, name, input, signature: None });
    }

    fn count(&mut self, number: &str) {
        self.open(Block::Text);
        for number in 1..=repeats(number) {
            self.delta(&format!("{number} "));
        }
    }

    fn repeat(&mut self, times: &str, text: &str) {
        self.open(Block::Text);
        for _ in 0..repeats(times) {
            self.delta(text);
        }
    }

    fn source(&mut self, url: String, title: String) {
        self.close();
        self.emit(Event::Source { url, title: Some(title).filter(|title| !title.is_empty()) });
    }

    fn emit(&mut self, event: Event) {
        self.steps.push(Step::Emit(event));
    }

    fn finish(mut self) -> Vec<Step> {
        self.close();
        let whole = if self.calls > 0 { FinishReason::ToolCalls } else { FinishReason::Stop };
        let reason = self.reason.take().unwrap_or(whole);
        let (input, output) = self.usage.unwrap_or((self.input_tokens, (self.said / 4) as u64));
        let usage = Usage { input_tokens: Some(input), output_tokens: Some(output), ..Usage::default() };
        self.emit(Event::Finish { reason, usage });
        self.steps
    }
}

fn is_use(line: &str) -> bool {
    line.trim().get(..4).is_some_and(|start| start.eq_ignore_ascii_case("use "))
}

fn repeats(number: &str) -> usize {
    number.trim().parse().unwrap_or(1).min(MOST_REPEATS)
}

fn reason_of(word: &str) -> FinishReason {
    match word {
        "stop" => FinishReason::Stop,
        "length" => FinishReason::Length,
        "tool-calls" => FinishReason::ToolCalls,
        "content-filter" => FinishReason::ContentFilter,
        other => FinishReason::Other(other.to_owned()),
    }
}

fn fault(kind: &str, text: &str) -> Fault {
    let kind = FaultKind::parse(kind.trim()).unwrap_or(FaultKind::Provider);
    match text {
        "" => Fault::new(kind, format!("The script ends here with {}.", kind.as_str())),
        text => Fault::new(kind, text),
    }
}

/// The FNV-1a hash: small, and the same everywhere.
fn fnv(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
