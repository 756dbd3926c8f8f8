//! The SDK's HTTP client, but that it says with which status a server of 2024 has refused a message.

use std::{collections::HashMap, sync::Arc};

use futures_util::stream::BoxStream;
use hostel_fetch::reqwest::{self, Response};
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, WWW_AUTHENTICATE},
};
use rmcp::{
    model::{ClientJsonRpcMessage, JsonRpcMessage, ServerJsonRpcMessage},
    transport::streamable_http_client::{
        AuthRequiredError, InsufficientScopeError, SseError, StreamableHttpClient, StreamableHttpError,
        StreamableHttpPostResponse, StreamableHttpResponseLimits,
    },
};
use sse_stream::Sse;

type Headers = HashMap<HeaderName, HeaderValue>;
type Failed = StreamableHttpError<reqwest::Error>;

const JSON: &str = "application/json";
/// How much of an answer is read: nothing is awaited in it but what went wrong.
const ANSWER: usize = 16 << 10;

/// Does as the SDK's client does, except for what [`Events`](super::events::Events) posts, by `post_message`: the transport of today has
/// another method for that. Of an error of JSON-RPC the SDK's client hides the status, which alone says whether a session is unknown.
#[derive(Debug, Clone)]
pub(super) struct Telling(pub(super) reqwest::Client);

impl StreamableHttpClient for Telling {
    type Error = reqwest::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        _session: Option<Arc<str>>,
        token: Option<String>,
        headers: Headers,
    ) -> Result<StreamableHttpPostResponse, Failed> {
        let mut request = self.0.post(&*uri).header(ACCEPT, "text/event-stream, application/json");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let response = request.json(&message).send().await?;
        if let Some(challenged) = challenged(&response) {
            return Err(challenged);
        }
        let status = response.status();
        if status.is_success() && !is_json(&response) {
            // It may be a stream that never ends.
            return Ok(StreamableHttpPostResponse::Accepted);
        }
        let said = beginning(response).await;
        match serde_json::from_slice(&said) {
            _ if !status.is_success() => Err(refused(status, &said)),
            Ok(error @ JsonRpcMessage::Error(_)) => Ok(StreamableHttpPostResponse::Json(error, None)),
            _ => Ok(StreamableHttpPostResponse::Accepted),
        }
    }

    async fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        token: Option<String>,
        headers: Headers,
        limits: StreamableHttpResponseLimits,
    ) -> Result<StreamableHttpPostResponse, Failed> {
        self.0.post_message_with_response_limits(uri, message, session, token, headers, limits).await
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        token: Option<String>,
        headers: Headers,
    ) -> Result<(), Failed> {
        self.0.delete_session(uri, session, token, headers).await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        token: Option<String>,
        headers: Headers,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Failed> {
        self.0.get_stream(uri, session, last_event, token, headers).await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        token: Option<String>,
        headers: Headers,
        most: usize,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Failed> {
        self.0.get_stream_with_max_sse_event_size(uri, session, last_event, token, headers, most).await
    }
}

/// What is to be done about a token, as the SDK's client says it.
fn challenged(response: &Response) -> Option<Failed> {
    let challenge = response.headers().get(WWW_AUTHENTICATE)?.to_str().ok()?.to_owned();
    match response.status() {
        StatusCode::UNAUTHORIZED => Some(StreamableHttpError::AuthRequired(AuthRequiredError::new(challenge))),
        StatusCode::FORBIDDEN => {
            let scope = challenge.split_once("scope=\"").and_then(|(_, scope)| scope.split('"').next());
            let scope = scope.map(str::to_owned);
            Some(StreamableHttpError::InsufficientScope(InsufficientScopeError::new(challenge, scope)))
        }
        _ => None,
    }
}

fn is_json(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let begins = kind.get(..JSON.len()).unwrap_or_default();
    begins.eq_ignore_ascii_case(JSON.as_bytes())
}

/// Of what cannot be read, nothing.
async fn beginning(mut response: Response) -> Vec<u8> {
    let mut said = Vec::new();
    while said.len() < ANSWER
        && let Ok(Some(piece)) = response.chunk().await
    {
        said.extend_from_slice(&piece);
    }
    said.truncate(ANSWER);
    said
}

/// In the SDK's words, out of which [`status`](super::events::status) reads.
fn refused(status: StatusCode, said: &[u8]) -> Failed {
    let said = match serde_json::from_slice::<ServerJsonRpcMessage>(said) {
        Ok(JsonRpcMessage::Error(said)) => said.error.message.into_owned(),
        _ => String::from_utf8_lossy(said).into_owned(),
    };
    StreamableHttpError::UnexpectedServerResponse(format!("HTTP {status}: {said}").into())
}
