//! Requests to authorization servers: by our own client, which reaches only what the operator lets it.

use std::time::Duration;

use hostel_fetch::{Fetch, FetchError, Reach, Redirects, Settings, Url};
use rmcp::transport::auth::{
    OAuthHttpClient, OAuthHttpClientError, OAuthHttpClientFuture, OAuthHttpRedirectPolicy, OAuthHttpRequest,
};

/// The most of an answer that is read.
const MOST: usize = 1 << 20;

/// Sends what the SDK's OAuth asks for. Documents and tokens come from elsewhere than the MCP server: each address is checked.
pub(super) struct Messenger {
    follows: Fetch,
    hands_back: Fetch,
}

impl Messenger {
    pub(super) fn new(reach: &Reach) -> Result<Self, FetchError> {
        let with = |redirects| {
            let settings = Settings { redirects, total: Some(Duration::from_secs(30)), ..Settings::default() };
            Fetch::new(reach.clone(), &settings)
        };
        Ok(Self { follows: with(Redirects::Follow)?, hands_back: with(Redirects::HandBack)? })
    }

    async fn send(&self, asked: OAuthHttpRequest) -> Result<http::Response<Vec<u8>>, OAuthHttpClientError> {
        let fetch = match asked.redirect_policy {
            OAuthHttpRedirectPolicy::Follow => &self.follows,
            _ => &self.hands_back,
        };
        let (head, body) = asked.request.into_parts();
        let url: Url = head.uri.to_string().parse()?;
        let request = fetch.request(head.method, url).headers(head.headers).body(body).build()?;
        let answer = fetch.send(request).await?;
        let mut response = http::Response::builder().status(answer.status());
        if let Some(headers) = response.headers_mut() {
            headers.clone_from(answer.headers());
        }
        Ok(response.body(hostel_fetch::body(answer, MOST).await?.to_vec())?)
    }
}

impl OAuthHttpClient for Messenger {
    fn execute(&self, request: OAuthHttpRequest) -> OAuthHttpClientFuture<'_> {
        Box::pin(self.send(request))
    }
}
