//! How the page is served.

use super::*;

fn page() -> Page {
    Page::new(&Settings { prefix: "a\"<b>".into(), version: "9.9".into(), model: false })
}

fn taking(codings: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(codings))])
}

#[test]
fn the_document_is_checked_for_news_each_time_and_lets_nothing_in_from_elsewhere() {
    let response = page().document(&Method::GET);
    let headers = response.headers();
    assert_eq!(headers["cache-control"], "no-cache");
    assert_eq!(headers["x-frame-options"], "DENY");
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("unsafe") && !policy.contains('*'),
        "{policy}"
    );
}

#[test]
fn what_the_document_tells_of_the_server_cannot_become_markup() {
    let body = page().document(&Method::GET).into_body();
    let text = std::str::from_utf8(&body).unwrap();
    assert!(!text.contains("<b>"), "{text}");
    assert!(!text.contains("{{"), "{text}");
}

#[test]
fn a_head_has_the_length_and_no_body() {
    let (got, asked) = (page().document(&Method::GET), page().document(&Method::HEAD));
    assert_eq!(asked.headers()["content-length"], got.body().len().to_string().as_str());
    assert!(asked.body().is_empty());
}

#[test]
fn assets_stay_for_ever_and_come_in_the_smallest_form_that_is_taken() {
    for asset in ASSETS {
        let get = |codings| Page::asset(&Method::GET, asset.name, &taking(codings));
        let plain = get("identity");
        assert_eq!(plain.body(), asset.plain);
        assert!(plain.headers()["cache-control"].to_str().unwrap().contains("immutable"));
        assert_ne!(plain.headers()["content-type"], "application/octet-stream", "{}", asset.name);
        let Some(brotli) = asset.brotli else { continue };
        assert_eq!(get("gzip, deflate, br").body(), brotli);
        assert_eq!(get("gzip").headers()["content-encoding"], "gzip");
        assert!(get("gzip, br;q=0").headers()["content-encoding"] == "gzip");
    }
}

#[test]
fn an_asset_of_an_older_page_is_missing_and_that_is_not_kept() {
    let response = Page::asset(&Method::GET, "../Cargo.toml", &HeaderMap::new());
    assert_eq!(
        (response.status(), &response.headers()["cache-control"]),
        (StatusCode::NOT_FOUND, &HeaderValue::from_static("no-store"))
    );
}

#[test]
fn a_document_names_only_assets_that_are_there() {
    let names = INDEX.split("/assets/").skip(1).filter_map(|rest| rest.split('"').next());
    for name in names {
        assert!(ASSETS.iter().any(|asset| asset.name == name), "{name}");
    }
    assert_eq!(Page::built().is_ok(), INDEX.contains("/assets/"));
}

#[test]
fn without_the_page_people_are_told_how_to_get_it() {
    let settings = Settings { prefix: "agents".into(), version: "1".into(), model: true };
    let text = plain::page("there is <no> Node", &settings);
    assert!(text.contains("cargo run --release") && text.contains("hostel chat") && text.contains("&lt;no&gt;"));
}
