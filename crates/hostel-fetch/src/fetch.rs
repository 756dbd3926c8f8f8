//! The client.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt;
use reqwest::{Client, Request, Response, redirect};
use url::Url;

use crate::{
    error::FetchError,
    reach::Reach,
    resolve::{CheckedResolver, Lookup, SystemLookup},
    tls,
};

/// The most redirects that are followed.
const REDIRECTS: usize = 5;

/// Which redirects are followed. Each is checked like the first URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redirects {
    /// Five at most, never from https to http. `Authorization` and cookies stay behind when the host changes; other headers
    /// do not.
    Follow,
    /// The same, and only to the same scheme, host and port: for requests whose headers are secrets.
    SameOrigin,
    /// None: the answer that redirects is handed back.
    HandBack,
}

/// How a [`Fetch`] behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which redirects are followed.
    pub redirects: Redirects,
    /// How long connecting may take. Default 10 s.
    pub connect_timeout: Duration,
    /// How long the other side may be silent. Default 60 s; `None` for streams that may rest.
    pub silence: Option<Duration>,
    /// How long all of it may take. Default none.
    pub total: Option<Duration>,
    /// What it calls itself.
    pub user_agent: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            redirects: Redirects::Follow,
            connect_timeout: Duration::from_secs(10),
            silence: Some(Duration::from_secs(60)),
            total: None,
            user_agent: concat!("hostel/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// An HTTP client that reaches only what it may. Cheap to clone. It uses no proxy: what a proxy resolves cannot be checked.
///
/// ```no_run
/// # async fn demo() -> Result<(), Box<dyn std::error::Error>> {
/// use hostel_fetch::{Fetch, Reach, Settings};
///
/// let fetch = Fetch::new(Reach::public(), &Settings::default())?;
/// let page = fetch.get("https://example.com/jwks.json".parse()?, 64 << 10).await?;
/// # let _ = page; Ok(()) }
/// ```
#[derive(Clone)]
pub struct Fetch {
    client: Client,
    reach: Arc<Reach>,
}

impl Fetch {
    /// A client that asks the system's resolver.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(reach: Reach, settings: &Settings) -> Result<Self, FetchError> {
        Self::with_lookup(reach, settings, Arc::new(SystemLookup))
    }

    /// A client that asks `lookup` for addresses.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn with_lookup(reach: Reach, settings: &Settings, lookup: Arc<dyn Lookup>) -> Result<Self, FetchError> {
        let reach = Arc::new(reach);
        let resolver = CheckedResolver { reach: Arc::clone(&reach), lookup };
        let mut builder = Client::builder()
            .tls_backend_preconfigured(tls::config())
            .no_proxy()
            .referer(false)
            .user_agent(&settings.user_agent)
            .connect_timeout(settings.connect_timeout)
            .redirect(policy(settings.redirects, Arc::clone(&reach)))
            .dns_resolver(Arc::new(resolver));
        builder = settings.silence.into_iter().fold(builder, reqwest::ClientBuilder::read_timeout);
        builder = settings.total.into_iter().fold(builder, reqwest::ClientBuilder::timeout);
        Ok(Self { client: builder.build()?, reach })
    }

    /// What it may reach.
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Sends a request, if its URL may be reached.
    ///
    /// # Errors
    /// `Refused`, or that the other side could not be reached.
    ///
    /// # Cancel safety
    /// Dropping the future ends the request; the other side may have acted on it.
    pub async fn send(&self, request: Request) -> Result<Response, FetchError> {
        self.reach.check(request.url())?;
        Ok(self.client.execute(request).await?)
    }

    /// Begins a request; give it to [`Fetch::send`].
    pub fn request(&self, method: http::Method, url: Url) -> reqwest::RequestBuilder {
        self.client.request(method, url)
    }

    /// Fetches one URL with `GET`, at most `limit` bytes.
    ///
    /// # Errors
    /// Those of [`Fetch::send`], a status that is no success, or more than `limit` bytes.
    pub async fn get(&self, url: Url, limit: usize) -> Result<Bytes, FetchError> {
        self.reach.check(&url)?;
        let request = self.request(http::Method::GET, url).build()?;
        let response = self.send(request).await?;
        match response.status() {
            status if status.is_success() => body(response, limit).await,
            status => Err(FetchError::Failed(format!("the server answered {status}"))),
        }
    }

    /// The client underneath, for libraries that want one.
    ///
    /// Names, redirects and addresses are checked; a URL with a bare address is checked only by [`Reach::check`]: whoever
    /// takes the client calls that first.
    pub fn unchecked_client(&self) -> &Client {
        &self.client
    }
}

/// Reads the body of a response, at most `limit` bytes.
///
/// # Errors
/// A longer body, or a connection that breaks.
pub async fn body(response: Response, limit: usize) -> Result<Bytes, FetchError> {
    let mut whole = Vec::new();
    let mut parts = response.bytes_stream();
    while let Some(part) = parts.next().await {
        let part = part?;
        if whole.len() + part.len() > limit {
            return Err(FetchError::TooLarge { limit });
        }
        whole.extend_from_slice(&part);
    }
    Ok(whole.into())
}

fn policy(redirects: Redirects, reach: Arc<Reach>) -> redirect::Policy {
    if redirects == Redirects::HandBack {
        return redirect::Policy::none();
    }
    redirect::Policy::custom(move |attempt| {
        let (from, to) = (attempt.previous().last(), attempt.url());
        match may_follow(redirects, &reach, attempt.previous().len(), from, to) {
            Ok(()) => attempt.follow(),
            Err(refused) => attempt.error(refused),
        }
    })
}

fn may_follow(
    redirects: Redirects,
    reach: &Reach,
    count: usize,
    from: Option<&Url>,
    to: &Url,
) -> Result<(), FetchError> {
    let refused = |message: &str| Err(FetchError::Refused { message: message.to_owned(), host: None });
    if count > REDIRECTS {
        return refused("The server redirects too often.");
    }
    if from.is_some_and(|from| from.scheme() == "https" && to.scheme() != "https") {
        return refused("The server redirects from https to http.");
    }
    if redirects == Redirects::SameOrigin && from.is_some_and(|from| from.origin() != to.origin()) {
        return refused("The server redirects to another host.");
    }
    reach.check(to)
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetch").field("reach", &self.reach).finish_non_exhaustive()
    }
}
