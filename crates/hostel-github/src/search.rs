//! Searching code.

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Github, Page, Result};

/// Where something was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Match {
    /// `owner/name`.
    pub repository: String,
    /// The file.
    pub path: String,
    /// What stands there.
    pub fragments: Vec<String>,
    /// Where people look at it.
    pub html_url: String,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// How much there is in all.
    pub total: u64,
    /// Whether GitHub did not look at everything.
    pub incomplete: bool,
    /// One page of it.
    #[serde(flatten)]
    pub page: Page<Match>,
}

#[derive(Deserialize)]
struct Told {
    total_count: u64,
    #[serde(default)]
    incomplete_results: bool,
    items: Vec<Value>,
}

fn read(item: &Value) -> Match {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let fragments = item["text_matches"].as_array().into_iter().flatten();
    Match {
        repository: text(&item["repository"]["full_name"]),
        path: text(&item["path"]),
        fragments: fragments.map(|part| text(&part["fragment"])).collect(),
        html_url: text(&item["html_url"]),
    }
}

impl Github {
    /// Searches code by GitHub's query, such as `engine repo:ada/machines path:src`. GitHub wants a token for it.
    ///
    /// # Errors
    /// `NoToken`; `Refused` for a query without words.
    pub async fn search_code(&self, query: &str, page: Option<u32>, per_page: Option<u32>) -> Result<Found> {
        let ask = self.ask(Method::GET, &["search", "code"], "a search of code").query("q", Some(query));
        let ask = ask.accept("application/vnd.github.text-match+json").page(page, per_page);
        let per_page = u64::from(per_page.unwrap_or(30).clamp(1, 100));
        let told: Told = ask.get().await?;
        let at = u64::from(page.unwrap_or(1).max(1));
        // GitHub shows a thousand at most.
        let next = (at * per_page < told.total_count.min(1000)).then(|| page.unwrap_or(1).max(1) + 1);
        let page = Page { items: told.items.iter().map(read).collect(), next };
        Ok(Found { total: told.total_count, incomplete: told.incomplete_results, page })
    }
}
