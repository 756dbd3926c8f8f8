//! The report: lines as they come, or one JSON object at the end.

use std::io;

use serde_json::{Value, json};

use super::Break;
use crate::output::{self, Paint, harmless};

#[derive(Debug)]
pub(super) struct Report {
    address: String,
    json: bool,
    paint: Paint,
    steps: Vec<Value>,
}

impl Report {
    pub(super) fn new(address: &str, json: bool) -> io::Result<Self> {
        let report = Self { address: address.to_owned(), json, paint: Paint::stdout(), steps: Vec::new() };
        report.line(&format!("Examining {}", report.paint.bold(&harmless(address))))?;
        Ok(report)
    }

    pub(super) fn passed(&mut self, step: &str, text: &str) -> io::Result<()> {
        self.step("passed", &self.paint.green("✓"), step, text)
    }

    pub(super) fn skipped(&mut self, step: &str, text: &str) -> io::Result<()> {
        self.step("skipped", &self.paint.dim("–"), step, text)
    }

    fn step(&mut self, status: &str, mark: &str, step: &str, text: &str) -> io::Result<()> {
        self.steps.push(json!({"step": step, "status": status, "text": text}));
        self.line(&format!("  {mark} {step:9} {}", harmless(text)))
    }

    pub(super) fn end(mut self, broken: Option<&Break>) -> io::Result<()> {
        if let Some(Break { step, code, sentence, fix }) = broken {
            self.step("failed", &self.paint.red("✗"), step, code)?;
            self.line("")?;
            self.line(&harmless(sentence))?;
            self.line(&format!("{} {}", self.paint.bold("Change:"), harmless(fix)))?;
        } else {
            self.line("")?;
            self.line("Everything works.")?;
        }
        if !self.json {
            return Ok(());
        }
        let problem = broken
            .map(|found| json!({"step": found.step, "code": found.code, "sentence": found.sentence, "fix": found.fix}));
        let object = json!({"ok": broken.is_none(), "address": self.address, "steps": self.steps, "problem": problem});
        output::line(&object.to_string())
    }

    fn line(&self, text: &str) -> io::Result<()> {
        match self.json {
            true => Ok(()),
            false => output::line(text),
        }
    }
}
