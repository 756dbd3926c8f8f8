//! What went wrong between us and a provider, told apart by what can be done about it.

use std::time::Duration;

use serde_json::Value;

use crate::FaultKind;

/// Longest text of a provider that is shown.
const MOST_SHOWN: usize = 300;

/// What went wrong, before it is a sentence.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failure {
    pub(crate) kind: FaultKind,
    /// What the provider or a library says of it.
    pub(crate) detail: String,
    pub(crate) status: Option<u16>,
    pub(crate) retry_after: Option<Duration>,
}

impl Failure {
    pub(crate) fn new(kind: FaultKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), status: None, retry_after: None }
    }

    /// An event that makes no sense.
    pub(crate) fn malformed(error: &serde_json::Error, data: &str) -> Self {
        Self::new(FaultKind::Malformed, format!("{error}, in {:?}", shortened(data, 80)))
    }

    /// The stream ended before the answer did.
    pub(crate) fn cut() -> Self {
        Self::new(FaultKind::Cut, "")
    }

    /// The model or its provider will not answer.
    pub(crate) fn refused(detail: impl Into<String>) -> Self {
        Self::new(FaultKind::Refused, detail)
    }

    /// The body of an answer with a status that is no success.
    pub(crate) fn answered(status: u16, body: &str, retry_after: Option<Duration>) -> Self {
        let parsed: Value = serde_json::from_str(body).unwrap_or(Value::Null);
        let (words, message) = words_of(&parsed);
        let detail = if message.is_empty() && parsed.is_null() { plain(body) } else { message };
        let kind = classify(Some(status), &words, &detail);
        Self { kind, detail, status: Some(status), retry_after: retry_after.or_else(|| retry_delay(&parsed)) }
    }

    /// An error in the midst of a stream.
    pub(crate) fn in_stream(error: &Value) -> Self {
        let (words, message) = words_of(error);
        let status = ["code", "status"].iter().find_map(|key| error.get(key)?.as_u64()?.try_into().ok());
        let kind = classify(status, &words, &message);
        Self { kind, detail: message, status, retry_after: retry_delay(error) }
    }

    /// What the provider says, fit to be shown: one line, short, without the key.
    pub(crate) fn shown(&self, key: Option<&str>) -> String {
        let line: String = self.detail.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = match key.filter(|key| key.len() >= 6) {
            Some(key) => line.replace(key, "(key)"),
            None => line,
        };
        shortened(&line, MOST_SHOWN)
    }
}

/// What kind of failure the provider means.
fn classify(status: Option<u16>, words: &str, message: &str) -> FaultKind {
    let message = message.to_lowercase();
    let says = |texts: &[&str]| texts.iter().any(|text| words.contains(text) || message.contains(text));
    let is = |wanted: &[u16]| status.is_some_and(|status| wanted.contains(&status));
    if is(&[413]) || says(TOO_LONG) {
        FaultKind::ContextTooLong
    } else if is(&[402]) || says(&["insufficient_quota", "billing_error", "credit balance", "insufficient credits"]) {
        FaultKind::Quota
    } else if says(&["content_filter", "content_policy", "flagged", "moderation"]) {
        FaultKind::Refused
    } else if is(&[401, 403, 407]) || says(NO_KEY) {
        FaultKind::Auth
    } else if is(&[429]) || says(&["rate_limit", "resource_exhausted", "too many requests"]) {
        FaultKind::RateLimited
    } else if is(&[408, 503, 529]) || says(&["overloaded", "unavailable"]) {
        FaultKind::Overloaded
    } else if is(&[404]) || says(&["model_not_found", "not_found_error"]) {
        FaultKind::UnknownModel
    } else if is_bad_request(status) || says(&["invalid_request_error", "invalid_argument"]) {
        FaultKind::BadRequest
    } else {
        FaultKind::Provider
    }
}

/// How providers say that a conversation is too long.
const TOO_LONG: &[&str] = &[
    "context_length_exceeded",
    "exceed_context_size",
    "available context size",
    "maximum context length",
    "context window",
    "prompt is too long",
    "input is too long",
    "request_too_large",
    "input token count",
    "too many input tokens",
];

/// How they say that the key is none.
const NO_KEY: &[&str] = &[
    "authentication_error",
    "permission_error",
    "invalid_api_key",
    "api_key_invalid",
    "api key not valid",
    "unauthenticated",
    "permission_denied",
];

fn is_bad_request(status: Option<u16>) -> bool {
    status.is_some_and(|status| (300..500).contains(&status))
}

/// Everything an error has of codes, in small letters, and its message. Google wraps its errors in a list.
fn words_of(value: &Value) -> (String, String) {
    let value = value.as_array().and_then(|list| list.first()).unwrap_or(value);
    let error = value.get("error").unwrap_or(value);
    let word = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default();
    let reasons = error.get("details").and_then(Value::as_array).into_iter().flatten();
    let reasons: String = reasons.filter_map(|detail| detail.get("reason")?.as_str()).collect::<Vec<_>>().join(" ");
    let words = format!("{} {} {} {reasons}", word("type"), word("code"), word("status")).to_lowercase();
    let inner = error.pointer("/metadata/raw").and_then(Value::as_str);
    let message = error.as_str().unwrap_or_else(|| word("message"));
    let message = inner.map_or_else(|| message.to_owned(), |raw| format!("{message}: {raw}"));
    (words, message)
}

/// Google says in the body when to come again.
fn retry_delay(value: &Value) -> Option<Duration> {
    let value = value.as_array().and_then(|list| list.first()).unwrap_or(value);
    let error = value.get("error").unwrap_or(value);
    let mut details = error.get("details")?.as_array()?.iter();
    let text = details.find_map(|detail| detail.get("retryDelay")?.as_str())?;
    Duration::try_from_secs_f64(text.strip_suffix('s')?.parse().ok()?).ok()
}

/// A body that is no JSON: a gateway's page, of which the beginning says enough.
fn plain(body: &str) -> String {
    let body = body.trim();
    if body.starts_with('<') { "a page instead of an answer".to_owned() } else { body.to_owned() }
}

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16, body: &str) -> FaultKind {
        Failure::answered(status, body, None).kind
    }

    #[test]
    fn answers_of_providers_are_told_apart() {
        use FaultKind::*;
        let table = [
            (
                401,
                r#"{"error":{"message":"Incorrect API key","type":"invalid_request_error","code":"invalid_api_key"}}"#,
                Auth,
            ),
            (400, r#"[{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT"}}]"#, Auth),
            (429, r#"{"error":{"type":"insufficient_quota","message":"You exceeded your current quota"}}"#, Quota),
            (402, r#"{"error":{"message":"Insufficient credits","code":402}}"#, Quota),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}"#,
                Quota,
            ),
            (429, r#"{"error":{"type":"rate_limit_error"}}"#, RateLimited),
            (529, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, Overloaded),
            (503, "busy", Overloaded),
            (500, r#"{"error":{"message":"internal"}}"#, Provider),
            (502, "<html>bad gateway</html>", Provider),
            (404, r#"{"error":"model \"x\" not found, try pulling it first"}"#, UnknownModel),
            (400, r#"{"error":{"code":"context_length_exceeded","message":"too long"}}"#, ContextTooLong),
            (400, r#"{"error":{"message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#, ContextTooLong),
            (
                400,
                r#"{"error":{"message":"the request exceeds the available context size","type":"exceed_context_size_error"}}"#,
                ContextTooLong,
            ),
            (400, r#"{"error":{"message":"tools.0: bad schema","type":"invalid_request_error"}}"#, BadRequest),
            (403, r#"{"error":{"message":"Your input was flagged","code":403}}"#, Refused),
            (301, "", BadRequest),
        ];
        for (status, body, expected) in table {
            assert_eq!(kind(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn errors_inside_a_stream_are_told_apart() {
        let overloaded = serde_json::json!({"type": "overloaded_error", "message": "Overloaded"});
        assert_eq!(Failure::in_stream(&overloaded).kind, FaultKind::Overloaded);
        let upstream = serde_json::json!({"code": 502, "message": "Upstream", "metadata": {"raw": "it died"}});
        let failure = Failure::in_stream(&upstream);
        assert_eq!((failure.kind, failure.status), (FaultKind::Provider, Some(502)));
        assert_eq!(failure.shown(None), "Upstream: it died");
    }

    #[test]
    fn google_says_in_the_body_when_to_come_again() {
        let body = r#"[{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"34.5s"}]}}]"#;
        let failure = Failure::answered(429, body, None);
        assert_eq!((failure.kind, failure.retry_after), (FaultKind::RateLimited, Some(Duration::from_millis(34_500))));
    }

    #[test]
    fn what_is_shown_is_short_and_has_no_key() {
        let failure = Failure::new(FaultKind::BadRequest, format!("key sk-secret is\n wrong {}", "x".repeat(500)));
        let shown = failure.shown(Some("sk-secret"));
        assert!(shown.starts_with("key (key) is wrong x") && shown.chars().count() == MOST_SHOWN + 1, "{shown}");
    }
}
