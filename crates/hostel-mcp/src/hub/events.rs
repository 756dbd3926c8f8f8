//! The transport of 2024-11-05, HTTP+SSE: the server says everything over one stream of events, the first of which names the
//! address that messages are posted to.
//!
//! Requests go through the SDK's own HTTP client, or one that does as it does: its reading of events and its tokens are those of the other
//! transport.

use std::{borrow::Cow, collections::HashMap, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream::BoxStream};
use hostel_fetch::Url;
use http::{HeaderName, HeaderValue};
use rmcp::{
    model::JsonRpcMessage,
    service::{RoleClient, RxJsonRpcMessage, TxJsonRpcMessage},
    transport::{
        Transport,
        streamable_http_client::{SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse},
    },
};
use sse_stream::Sse;
use tokio_util::sync::CancellationToken;

pub(super) type Headers = HashMap<HeaderName, HeaderValue>;
type Failed<C> = StreamableHttpError<<C as StreamableHttpClient>::Error>;

/// How long a server has to name its address once it is asked for events: it is the first thing it says.
const FIRST: Duration = Duration::from_secs(10);

/// A connection to a server of 2024. Its session is as old as its stream: who connects again has another.
pub(super) struct Events<C> {
    client: C,
    /// Where the stream comes from.
    source: Url,
    /// Where messages are posted to.
    endpoint: Arc<str>,
    headers: Headers,
    stream: BoxStream<'static, Result<Sse, SseError>>,
    /// The server does not know the session any more, although it keeps the stream open.
    gone: CancellationToken,
}

impl<C: StreamableHttpClient> Events<C> {
    /// Opens the stream, and waits for the address.
    ///
    /// # Errors
    /// Those of the request, or what is no server of 2024.
    pub(super) async fn open(client: C, url: &str, headers: Headers) -> Result<Self, Failed<C>> {
        let source: Url = url.parse().map_err(|_| unusable::<C>("its URL is none"))?;
        let opened = async {
            let mut stream = client.get_stream(url.into(), None, None, None, headers.clone()).await?;
            let first = first::<C>(&mut stream).await?;
            Ok::<_, Failed<C>>((stream, first))
        };
        let opened = tokio::time::timeout(FIRST, opened).await;
        let (stream, first) = opened.map_err(|_| unusable::<C>("it names no address for messages"))??;
        let said = first.data.filter(|_| first.event.as_deref() == Some("endpoint"));
        let said = said.ok_or_else(|| unusable::<C>("its events do not begin with the address for messages"))?;
        let endpoint = endpoint::<C>(&source, &said)?;
        Ok(Self { client, source, endpoint, headers, stream, gone: CancellationToken::new() })
    }

    /// What an event says to us; nothing if it is for nobody here.
    fn heard(&mut self, event: Sse) -> Result<Option<RxJsonRpcMessage<RoleClient>>, Failed<C>> {
        let Some(data) = event.data else { return Ok(None) };
        match event.event.as_deref() {
            None | Some("message" | "") => Ok(serde_json::from_str(&data)
                .inspect_err(|error| tracing::warn!(%error, "an event of an MCP server is no message"))
                .ok()),
            Some("endpoint") => {
                self.endpoint = endpoint::<C>(&self.source, &data)?;
                Ok(None)
            }
            Some(_) => Ok(None),
        }
    }
}

fn unusable<C: StreamableHttpClient>(why: &str) -> Failed<C> {
    StreamableHttpError::UnexpectedServerResponse(Cow::Owned(format!("no server of 2024: {why}")))
}

/// The first event that says something.
async fn first<C: StreamableHttpClient>(
    stream: &mut BoxStream<'static, Result<Sse, SseError>>,
) -> Result<Sse, Failed<C>> {
    loop {
        match stream.next().await {
            Some(Ok(event)) if event.data.is_some() => return Ok(event),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error.into()),
            None => return Err(StreamableHttpError::UnexpectedEndOfStream),
        }
    }
}

/// The address for messages. It has to be where the stream comes from, or what we say and our token would go wherever the
/// server likes.
fn endpoint<C: StreamableHttpClient>(source: &Url, said: &str) -> Result<Arc<str>, Failed<C>> {
    const NONE: &str = "its address for messages is none";
    let mut url = source.join(said.trim()).map_err(|_| unusable::<C>(NONE))?;
    if url.origin() != source.origin() {
        return Err(unusable::<C>("its address for messages is at another host"));
    }
    let same = url.set_username(source.username()).and_then(|()| url.set_password(source.password()));
    same.map_err(|()| unusable::<C>(NONE))?;
    url.set_fragment(None);
    Ok(url.as_str().into())
}

/// The HTTP status that a request failed with, where it is one that the SDK has no name for.
pub(super) fn status<E: std::error::Error + Send + Sync + 'static>(error: &StreamableHttpError<E>) -> Option<u16> {
    match error {
        StreamableHttpError::HttpStatus(error) => Some(error.status),
        StreamableHttpError::UnexpectedServerResponse(said) => said.strip_prefix("HTTP ")?.get(..3)?.parse().ok(),
        _ => None,
    }
}

/// Why a message was not taken, and whether the server does not know the session any more.
struct Refused<E> {
    error: E,
    is_gone: bool,
}

/// Posts one message. Nothing is awaited in the answer: what the server has to say comes as an event, so any success will do.
///
/// Of a session that it does not know a server says 404; or 400, as those do that were written after the SDK's example; or a success, but
/// with an error of JSON-RPC. What is wrong with a message of a session that it knows it says on the stream. Any other status is of a server
/// that cannot answer now, or does not want to: it has not forgotten the session by that.
async fn post<C: StreamableHttpClient + Sync>(
    client: C,
    endpoint: Arc<str>,
    message: TxJsonRpcMessage<RoleClient>,
    headers: Headers,
) -> Result<(), Refused<Failed<C>>> {
    let refused = match client.post_message(endpoint, message, None, None, headers).await {
        Ok(StreamableHttpPostResponse::Json(JsonRpcMessage::Error(said), _)) => {
            let error = StreamableHttpError::UnexpectedServerResponse(said.error.message);
            Refused { error, is_gone: true }
        }
        Ok(_) | Err(StreamableHttpError::UnexpectedContentType(_)) => return Ok(()),
        // A success as well, with JSON that is no message.
        Err(StreamableHttpError::UnexpectedServerResponse(said)) if said.starts_with("could not parse JSON") => {
            return Ok(());
        }
        Err(error) => Refused { is_gone: matches!(status(&error), Some(400 | 404)), error },
    };
    Err(refused)
}

impl<C: StreamableHttpClient + Sync> Transport<RoleClient> for Events<C> {
    type Error = Failed<C>;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let posted = post(self.client.clone(), Arc::clone(&self.endpoint), item, self.headers.clone());
        let gone = self.gone.clone();
        async move {
            posted.await.map_err(|Refused { error, is_gone }| {
                if is_gone {
                    gone.cancel();
                }
                error
            })
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        loop {
            let event = tokio::select! {
                biased;
                () = self.gone.cancelled() => return None,
                event = self.stream.next() => event?,
            };
            match event.map_err(StreamableHttpError::from).and_then(|event| self.heard(event)) {
                Ok(Some(message)) => return Some(message),
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(%error, "the events of an MCP server ended");
                    return None;
                }
            }
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.stream = futures_util::stream::empty().boxed();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(said: &str) -> Result<String, String> {
        let source: Url = "https://ada:pw@mcp.example:8443/v1/sse?tenant=a".parse().unwrap();
        let found = endpoint::<hostel_fetch::reqwest::Client>(&source, said);
        found.map(|url| url.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn messages_go_to_where_the_events_come_from_and_nowhere_else() {
        let there = "https://ada:pw@mcp.example:8443";
        assert_eq!(at("/messages?sessionId=1#x").unwrap(), format!("{there}/messages?sessionId=1"));
        assert_eq!(at(" messages/?a=b ").unwrap(), format!("{there}/v1/messages/?a=b"));
        assert_eq!(at("https://mcp.example:8443/m").unwrap(), format!("{there}/m"));
        assert_eq!(at("https://eve:pw@mcp.example:8443/m").unwrap(), format!("{there}/m"));
        for elsewhere in [
            "https://mcp.example/m",
            "http://mcp.example:8443/m",
            "//evil.example/m",
            "https://mcp.example:8443@evil.example/m",
            "https://mcp.example.evil.example:8443/m",
            "http://169.254.169.254/",
            "data:text/plain,x",
        ] {
            assert!(at(elsewhere).unwrap_err().contains("at another host"), "{elsewhere}");
        }
        assert!(at("https://[/").unwrap_err().contains("is none"));
    }

    #[test]
    fn the_status_is_read_from_what_the_sdk_says() {
        let said = |text: &str| StreamableHttpError::<std::io::Error>::UnexpectedServerResponse(text.to_owned().into());
        assert_eq!(status(&said("HTTP 404 Not Found: Cannot POST /sse")), Some(404));
        assert_eq!(status(&said("HTTP 40")), None);
        assert_eq!(status(&said("could not parse JSON response")), None);
    }
}
