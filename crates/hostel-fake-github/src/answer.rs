//! What is answered: a status, headers and JSON, in the shapes GitHub documents.

use axum::{
    body::Body,
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};

/// An answer before it is one of HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Box<Value>,
    /// Instead of the JSON: the bytes of a file.
    pub(crate) raw: Option<Vec<u8>>,
}

/// An answer, or one that says no; both are answers.
pub(crate) type Answered = Result<Answer, Answer>;

impl Answer {
    pub(crate) fn new(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Box::new(body), raw: None }
    }

    pub(crate) fn ok(body: Value) -> Self {
        Self::new(200, body)
    }

    pub(crate) fn created(body: Value) -> Self {
        Self::new(201, body)
    }

    pub(crate) fn bytes(bytes: Vec<u8>) -> Self {
        Self { raw: Some(bytes), ..Self::ok(Value::Null) }
    }

    #[allow(clippy::needless_pass_by_value, reason = "numbers and texts are handed over as they are")]
    pub(crate) fn with(mut self, name: &'static str, value: impl std::fmt::Display) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// An error with this message.
    pub(crate) fn error(status: u16, message: &str) -> Self {
        let docs = "https://docs.github.com/rest";
        Self::new(status, json!({"message": message, "documentation_url": docs, "status": status.to_string()}))
    }

    pub(crate) fn not_found() -> Self {
        Self::error(404, "Not Found")
    }

    /// 422, with one reason.
    pub(crate) fn invalid(resource: &str, field: &str, message: &str) -> Self {
        let mut answer = Self::error(422, "Validation Failed");
        answer.body["errors"] = json!([{"resource": resource, "field": field, "code": "custom", "message": message}]);
        answer
    }

    /// Git said no to what the API asked for.
    pub(crate) fn conflict(message: impl std::fmt::Display) -> Self {
        Self::error(409, &message.to_string())
    }

    pub(crate) fn into_http(self) -> Response {
        let text = self.raw.unwrap_or_else(|| match *self.body {
            Value::Null => Vec::new(),
            body => body.to_string().into_bytes(),
        });
        let kind = if self.status == 204 { None } else { Some(("content-type", "application/json; charset=utf-8")) };
        let headers = self.headers.into_iter().chain(kind.map(|(name, value)| (name, value.to_owned())));
        let mut builder = Response::builder().status(self.status);
        for (name, value) in headers {
            builder = builder.header(name, value);
        }
        builder
            .body(Body::from(text))
            .unwrap_or_else(|error| (http::StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response())
    }
}
