//! Pages of lists.

use http::HeaderMap;
use serde::Serialize;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// The number of the next page, if there is one.
    #[serde(rename = "nextPage", skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
}

impl<T> Page<T> {
    /// The same page of something else.
    pub fn map<U>(self, each: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(each).collect(), next: self.next }
    }
}

/// The number of the next page, by the `Link` header.
pub(crate) fn next(headers: &HeaderMap) -> Option<u32> {
    let link = headers.get("link")?.to_str().ok()?;
    let next = link.split(',').find(|part| part.contains("rel=\"next\""))?;
    let address = next.split_once('<')?.1.split_once('>')?.0;
    let url = url::Url::parse(address).ok()?;
    url.query_pairs().find(|(name, _)| name == "page")?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_in_the_link_header() {
        let of = |link: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("link", link.parse().unwrap());
            next(&headers)
        };
        let both = "<https://h/x?per_page=2&page=1>; rel=\"prev\", <https://h/x?per_page=2&page=3>; rel=\"next\"";
        assert_eq!(of(both), Some(3));
        assert_eq!(of("<https://h/x?page=1>; rel=\"prev\""), None);
        assert_eq!(of("nonsense; rel=\"next\""), None);
    }
}
