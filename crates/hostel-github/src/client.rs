//! The client: which server, in whose name, and how patient.

use std::{fmt, sync::Arc, time::Duration};

use hostel_fetch::{Fetch, FetchError, Reach, Redirects};
use url::Url;

use crate::{GithubError, RepoName, Result, Token};

/// GitHub's own API.
const API: &str = "https://api.github.com/";
/// GitHub's own pages, and git.
const WEB: &str = "https://github.com/";

/// Which GitHub, and how to ask it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where its API is: `https://api.github.com`, or `https://HOST/api/v3` of GitHub Enterprise.
    pub api: Url,
    /// Where its pages and repositories are; the API's host without, which is right for GitHub Enterprise.
    pub web: Option<Url>,
    /// How long a limit is waited for; a longer one is an error that says until when.
    pub patience: Duration,
    /// Greatest file that is read.
    pub file_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            api: Url::parse(API).expect("it is a URL"),
            web: None,
            patience: Duration::from_secs(30),
            file_bytes: 4 << 20,
        }
    }
}

/// GitHub, in somebody's name or nobody's. Cheap to clone.
#[derive(Clone)]
pub struct Github {
    pub(crate) shared: Arc<Shared>,
    pub(crate) token: Option<Token>,
}

pub(crate) struct Shared {
    pub(crate) fetch: Fetch,
    pub(crate) api: Url,
    pub(crate) web: Url,
    pub(crate) patience: Duration,
    pub(crate) file_bytes: usize,
}

impl Github {
    /// A client that shows no token. It reaches the given host even if that is in our own network: the operator names it.
    ///
    /// # Errors
    /// When the address has no host, or TLS cannot be set up.
    pub fn new(settings: &Settings) -> Result<Self> {
        let failed = |error: &dyn fmt::Display| GithubError::Fetch(FetchError::Failed(error.to_string()));
        let mut api = settings.api.clone();
        if !api.path().ends_with('/') {
            api.set_path(&format!("{}/", api.path()));
        }
        let host = api.host_str().ok_or_else(|| failed(&"the address of the API has no host"))?;
        let host = api.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let reach = Reach::public().allow(&host).map_err(|error| failed(&error))?;
        // A token is a header that must not reach another server; the API itself redirects when a repository is renamed.
        let how = hostel_fetch::Settings {
            redirects: Redirects::SameOrigin,
            total: Some(Duration::from_secs(120)),
            ..hostel_fetch::Settings::default()
        };
        let web = settings.web.clone().unwrap_or_else(|| web_of(&api));
        let (patience, file_bytes) = (settings.patience, settings.file_bytes);
        let shared = Shared { fetch: Fetch::new(reach, &how)?, api, web, patience, file_bytes };
        Ok(Self { shared: Arc::new(shared), token: None })
    }

    /// The same in the name of whoever `token` belongs to.
    #[must_use]
    pub fn with_token(&self, token: Token) -> Self {
        Self { token: Some(token), shared: Arc::clone(&self.shared) }
    }

    /// Whether a token is shown.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Where its pages and repositories are.
    pub fn web(&self) -> &Url {
        &self.shared.web
    }

    /// Where git finds a repository.
    pub fn clone_url(&self, name: &RepoName) -> String {
        format!("{}/{name}.git", self.shared.web.as_str().trim_end_matches('/'))
    }
}

/// Where the pages are of the server whose API this is.
fn web_of(api: &Url) -> Url {
    let web = Url::parse(WEB).expect("it is a URL");
    if api.as_str() == API {
        return web;
    }
    let mut own = api.clone();
    own.set_path("/");
    own
}

impl fmt::Debug for Github {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Github")
            .field("api", &self.shared.api.as_str())
            .field("token", &self.has_token())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_where_the_api_is_except_on_githubs_own() {
        let name: RepoName = "a/b".parse().unwrap();
        let url = |api: &str| {
            let settings = Settings { api: api.parse().unwrap(), ..Settings::default() };
            Github::new(&settings).unwrap().clone_url(&name)
        };
        assert_eq!(url("https://api.github.com"), "https://github.com/a/b.git");
        assert_eq!(url("https://git.corp.example:8443/api/v3"), "https://git.corp.example:8443/a/b.git");
    }
}
