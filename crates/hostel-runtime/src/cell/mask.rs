//! Secrets on their way out: masked in what is stored and sent, if the application has a mask, and reported.

use std::sync::Arc;

use hostel_core::{Error, Masked, Message, Reply, Result, Scrub, SqlValue, task::Order};
use hostel_protocol::{OneLine, refusal::Code};
use hostel_store::{Author, Cause};

use super::{Cell, turn::Awake};
use crate::gate::Delivery;

impl Cell {
    fn scrub(&self) -> Option<&dyn Scrub> {
        self.node.options.scrub.as_deref()
    }

    /// `text` without its secrets, if it has any. `place` is for whoever reads the log.
    pub(super) fn masked(&self, text: &str, place: &'static str) -> Option<String> {
        let Masked { text, found } = self.scrub()?.mask(text)?;
        self.report_secret(place, &found.join(", "));
        Some(text)
    }

    /// An order is kept as it is.
    pub(super) fn mask_order(&self, order: &mut Order) {
        if self.scrub().is_none() {
            return;
        }
        for text in [Some(&mut order.args), order.key.as_mut(), order.source.as_mut()].into_iter().flatten() {
            if let Some(masked) = self.masked(text, "an order") {
                *text = masked;
            }
        }
    }

    /// What a durable run keeps, without its secrets.
    pub(super) fn without_secrets(&self, text: String) -> String {
        self.masked(&text, "what a run keeps").unwrap_or(text)
    }

    fn report_secret(&self, place: &'static str, found: &str) {
        metrics::counter!("hostel_secrets_masked_total", "place" => place).increment(1);
        tracing::warn!(
            agent = %self.id, code = Code::SecretMasked.as_str(), place, found = %OneLine(found),
            "a secret was about to be stored or sent"
        );
    }

    /// The state without its secrets: the instance goes on from what is stored.
    pub(super) fn masked_state(&self, awake: &mut Awake, json: String) -> Result<String> {
        let Some(masked) = self.masked(&json, "state") else { return Ok(json) };
        let instance = self.guarded(|| self.class.load(&masked)).map_err(|error| {
            let message = format!("The state has a secret where its mask does not fit: {}", error.message());
            refused(message, "keep the secret in the vault, and its name in the state")
        })?;
        awake.instance = instance;
        // Whoever sent the state is told what became of it.
        self.scratch.lock().correct_sender = true;
        self.guarded(|| awake.instance.to_json())
    }

    /// What leaves through the gate. States are masked before they are stored.
    pub(super) fn mask_deliveries(&self, deliveries: &mut [Delivery]) {
        if self.scrub().is_none() {
            return;
        }
        for delivery in deliveries {
            match delivery {
                Delivery::Send(_, message) | Delivery::Answer(_, message) | Delivery::Fan { message, .. } => {
                    self.mask_message(message);
                }
                Delivery::Close(_, _, reason) => {
                    if let Some(masked) = self.masked(reason, "close reason") {
                        *reason = masked;
                    }
                }
                Delivery::State { .. } | Delivery::Resolve(_) => {}
            }
        }
    }

    /// Bytes are masked if they are text; a secret in others cannot be cut out, so they are not sent.
    fn mask_message(&self, message: &mut Message) {
        match message {
            Message::Text(text) => {
                if let Some(masked) = self.masked(text, "frame") {
                    *text = masked.into();
                }
            }
            Message::Binary(bytes) => {
                let Some(found) = self.scrub().and_then(|scrub| scrub.find(bytes)) else { return };
                self.report_secret("binary frame", &found);
                let text = std::str::from_utf8(bytes).ok();
                let masked = text.and_then(|text| self.scrub()?.mask(text));
                *bytes = masked.map_or_else(Default::default, |masked| masked.text.into());
            }
        }
    }

    /// The answer of a call that does not leave as a frame, or is kept.
    pub(super) fn masked_answer(&self, answer: Result<Reply>) -> Result<Reply> {
        if self.scrub().is_none() {
            return answer;
        }
        match answer {
            Ok(reply) => Ok(match reply.as_json().and_then(|json| self.masked(json, "answer")) {
                Some(masked) => Reply::from_json(masked),
                None => reply,
            }),
            Err(error) => Err(match self.masked(error.message(), "error") {
                Some(masked) => error.code().map_or_else(|| Error::msg(&masked), |code| Error::coded(code, &*masked)),
                None => error,
            }),
        }
    }

    /// Parameters of a statement, if one has to be masked. A statement with a secret in its text is refused, and so is
    /// one with a secret in bytes that are no text.
    pub(super) fn masked_params(&self, query: &str, params: &[SqlValue]) -> Result<Option<Vec<SqlValue>>> {
        let Some(scrub) = self.scrub() else { return Ok(None) };
        if let Some(masked) = scrub.mask(query) {
            let message = format!("The text of a SQL statement has a secret in it: {}", OneLine(&masked.text));
            return Err(refused(message, "keep the secret in the vault; hand values to `cx.sql` as parameters"));
        }
        let mut changed = None;
        for (at, param) in params.iter().enumerate() {
            let masked = match param {
                SqlValue::Text(text) => self.masked(text, "row").map(SqlValue::Text),
                SqlValue::Blob(bytes) => match scrub.find(bytes) {
                    Some(found) => {
                        let message = format!("A blob has a secret in it ({}).", OneLine(&found));
                        return Err(refused(message, "keep the secret in the vault, and its name in the row"));
                    }
                    None => None,
                },
                _ => None,
            };
            if let Some(masked) = masked {
                changed.get_or_insert_with(|| params.to_vec())[at] = masked;
            }
        }
        Ok(changed)
    }

    /// The cause of a turn as the history keeps it: a client chooses the id of its connection.
    pub(super) fn masked_author(&self, cause: Cause<'_>) -> Option<Arc<str>> {
        match cause.author {
            Author::Connection(id) => self.masked(id, "connection id").map(Into::into),
            _ => None,
        }
    }
}

fn refused(message: String, fix: &str) -> Error {
    Error::coded(Code::SecretRefused, message).with_fix(fix)
}
