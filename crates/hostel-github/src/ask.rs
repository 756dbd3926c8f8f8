//! One question: the request, the limits, and what an answer means.

use std::time::Duration;

use hostel_fetch::body;
use http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use reqwest::Response;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use url::Url;

use crate::{Github, GithubError, Page, RepoName, Result, limits, page};

/// The version of the API.
const VERSION: &str = "2022-11-28";
/// Greatest answer but for files.
const ANSWER: usize = 16 << 20;
/// How often a question is put again.
const AGAIN: usize = 3;

/// A question that is being put together.
pub(crate) struct Ask<'a> {
    github: &'a Github,
    method: Method,
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    json: Option<Value>,
    accept: &'static str,
    what: String,
    limit: usize,
}

/// An answer that is no refusal.
pub(crate) struct Answer {
    headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
    what: String,
}

impl Github {
    /// About this repository: the parts of the path that follow its name. `what` is said in errors.
    pub(crate) fn about(&self, method: Method, name: &RepoName, rest: &[&str], what: impl Into<String>) -> Ask<'_> {
        let front = ["repos", name.owner(), name.name()];
        let path: Vec<&str> = front.into_iter().chain(rest.iter().copied()).collect();
        self.ask(method, &path, format!("{} in {name}", what.into()))
    }

    pub(crate) fn ask(&self, method: Method, path: &[&str], what: impl Into<String>) -> Ask<'_> {
        Ask {
            github: self,
            method,
            path: path.iter().map(|part| (*part).to_owned()).collect(),
            query: Vec::new(),
            json: None,
            accept: "application/vnd.github+json",
            what: what.into(),
            limit: ANSWER,
        }
    }
}

impl Ask<'_> {
    /// Adds a parameter, if there is one.
    pub(crate) fn query(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.query.extend(value.map(|value| (name, value.to_string())));
        self
    }

    pub(crate) fn page(self, page: Option<u32>, per_page: Option<u32>) -> Self {
        self.query("page", page).query("per_page", per_page.map(|count| count.clamp(1, 100)))
    }

    pub(crate) fn json(self, json: Value) -> Self {
        Self { json: Some(json), ..self }
    }

    pub(crate) fn accept(self, accept: &'static str) -> Self {
        Self { accept, ..self }
    }

    pub(crate) fn limit(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// The answer as a `T`.
    pub(crate) async fn get<T: DeserializeOwned>(self) -> Result<T> {
        self.send().await?.read()
    }

    /// The answer as one page of a list.
    pub(crate) async fn list<T: DeserializeOwned>(self) -> Result<Page<T>> {
        let answer = self.send().await?;
        Ok(Page { next: page::next(&answer.headers), items: answer.read()? })
    }

    /// Asks, waits for limits that end soon, and asks again where that can do no harm.
    pub(crate) async fn send(self) -> Result<Answer> {
        let mut again = 0;
        loop {
            let error = match self.once().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            again += 1;
            let pause = self.pause(&error, again).filter(|_| again <= AGAIN);
            tokio::time::sleep(pause.ok_or(error)?).await;
        }
    }

    /// How long to wait before it is asked again; not at all if that would not help, or might do something twice.
    fn pause(&self, error: &GithubError, again: usize) -> Option<Duration> {
        match error {
            // What is refused for a limit was not done.
            GithubError::RateLimited { until, secondary, .. } => {
                let limited = limits::Limited { until: *until, secondary: *secondary };
                let wait = limited.wait(Timestamp::now());
                (wait <= self.github.shared.patience).then_some(wait)
            }
            error if error.may_be_done() && self.method == Method::GET => {
                Some(Duration::from_millis(200 << again.min(4)))
            }
            _ => None,
        }
    }

    async fn once(&self) -> Result<Answer> {
        let shared = &self.github.shared;
        let mut request = shared.fetch.request(self.method.clone(), self.url()?).header("accept", self.accept);
        request = request.header("x-github-api-version", VERSION);
        if let Some(token) = &self.github.token {
            request = request.header("authorization", secret(&token.bearer())?);
        }
        if let Some(json) = &self.json {
            request = request.json(json);
        }
        let request = request.build().map_err(hostel_fetch::FetchError::from)?;
        self.heard(shared.fetch.send(request).await?).await
    }

    fn url(&self) -> Result<Url> {
        let mut url = self.github.shared.api.clone();
        if self.path.iter().any(|part| part.is_empty() || part == "." || part == "..") {
            return Err(GithubError::Name(self.path.join("/")));
        }
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().extend(&self.path);
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Ok(url)
    }

    async fn heard(&self, response: Response) -> Result<Answer> {
        let (status, headers) = (response.status(), response.headers().clone());
        if status.is_success() {
            let bytes = body(response, self.limit).await?.to_vec();
            return Ok(Answer { headers, bytes, what: self.what.clone() });
        }
        let bytes = body(response, 1 << 20).await.unwrap_or_default();
        Err(self.refused(status, &headers, &Said::of(&bytes)))
    }

    fn refused(&self, status: StatusCode, headers: &HeaderMap, said: &Said) -> GithubError {
        let (what, message, has_token) = (self.what.clone(), said.text(), self.github.has_token());
        if let Some(hit) = limits::hit(status, headers, &said.message, Timestamp::now()) {
            return GithubError::RateLimited { until: hit.until, secondary: hit.secondary, has_token };
        }
        match status.as_u16() {
            401 if has_token => GithubError::BadToken,
            401 => GithubError::NoToken { what },
            403 if !has_token => GithubError::NoToken { what },
            403 => GithubError::Forbidden { what, message, fix: allowed_by(headers) },
            404 | 410 | 451 => GithubError::NotFound { what, has_token },
            408 | 500.. => GithubError::Failed { what, message: format!("{status} {message}") },
            _ => GithubError::Refused { what, message },
        }
    }
}

/// A header that no log shows.
fn secret(text: &str) -> Result<http::HeaderValue> {
    let mut value = http::HeaderValue::from_str(text).map_err(|_| GithubError::BadToken)?;
    value.set_sensitive(true);
    Ok(value)
}

/// What GitHub says would allow it.
fn allowed_by(headers: &HeaderMap) -> Option<String> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(url) = header("x-github-sso").and_then(|sso| sso.split_once("url=")).map(|(_, url)| url) {
        let url: String = url.chars().filter(|c| c.is_ascii_graphic()).take(300).collect();
        return Some(format!("authorise the token for the organisation's single sign-on: {url}"));
    }
    let needs = header("x-accepted-github-permissions").filter(|needs| !needs.is_empty())?;
    let needs: String = needs.chars().filter(|c| !c.is_control()).take(200).collect();
    Some(format!("give the token one of these permissions in GitHub's settings: {needs}"))
}

impl Answer {
    fn read<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.bytes).map_err(|error| GithubError::Failed {
            what: self.what.clone(),
            message: format!("its answer is not what it documents: {error}"),
        })
    }
}

/// What GitHub says when it refuses.
#[derive(Default, Deserialize)]
struct Said {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<Value>,
}

impl Said {
    fn of(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }

    /// All of it in one line, as far as it is short.
    fn text(&self) -> String {
        let one = |error: &Value| match (error.as_str(), error["message"].as_str()) {
            (Some(text), _) | (_, Some(text)) => text.to_owned(),
            _ => {
                let of = |name: &str| error[name].as_str().unwrap_or_default();
                format!("{} {}", of("field"), of("code"))
            }
        };
        let all = std::iter::once(self.message.clone()).chain(self.errors.iter().map(one));
        let all: Vec<String> = all.filter(|text| !text.trim().is_empty()).collect();
        let text = all.join(": ").replace(['\n', '\r'], " ");
        if text.is_empty() { "it gave no reason".to_owned() } else { text.chars().take(500).collect() }
    }
}
