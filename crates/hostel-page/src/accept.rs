//! What a client says it takes.

use http::{HeaderMap, HeaderName, header};

/// How an asset may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Plain,
    Gzip,
    Brotli,
}

/// The best coding among those that the client takes.
pub(crate) fn coding(headers: &HeaderMap) -> Coding {
    let takes = |name: &str| accepted(headers, header::ACCEPT_ENCODING).any(|one| one.eq_ignore_ascii_case(name));
    match () {
        () if takes("br") => Coding::Brotli,
        () if takes("gzip") => Coding::Gzip,
        () => Coding::Plain,
    }
}

/// Whether a client asks for a page: browsers name HTML, programs do not.
///
/// ```
/// let mut headers = http::HeaderMap::new();
/// assert!(!hostel_page::wants_page(&headers));
/// headers.insert("accept", http::HeaderValue::from_static("text/html,application/xhtml+xml,*/*;q=0.8"));
/// assert!(hostel_page::wants_page(&headers));
/// ```
pub fn wants_page(headers: &HeaderMap) -> bool {
    accepted(headers, header::ACCEPT).any(|one| one.eq_ignore_ascii_case("text/html"))
}

/// The items of a list that are not refused with `q=0`.
fn accepted(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).filter_map(|item| {
        let mut pieces = item.split(';').map(str::trim);
        let name = pieces.next()?;
        let is_refused = pieces.any(|piece| matches!(piece, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        (!is_refused).then_some(name)
    })
}
