//! What a browser keeps so that the pages open without a box: a service worker and two manifests.
//!
//! The worker's text is the same for everybody. It is preceded by the version and the names of what it keeps: the pages
//! and their files, never an answer of the API, and nothing that depends on who sat there. The reader of QR codes and the
//! animals are left out: without a box nobody signs in.

use std::sync::Arc;

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde_json::json;

use super::page;

const WORKER: &str = include_str!("static/sw.js");
/// Addresses of pages, and the one under which each is kept.
const PAGES: [(&str, &str); 5] = [
    ("/", "/tablette"),
    ("/tablette", "/tablette"),
    ("/tablet", "/tablette"),
    ("/enseignant", "/enseignant"),
    ("/teacher", "/enseignant"),
];
/// The colours of `page.html` and `base.css`.
const LEAF: &str = "#0b5f58";
const PAPER: &str = "#fdf7ee";

/// `GET /sw.js`, `GET /manifest.webmanifest` (the tablet's), `GET /enseignant.webmanifest`.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let version = page::version();
    let worker: Arc<str> = worker(&version).into();
    let tablet: Arc<str> = manifest("Préau", "/tablette", &version).into();
    let teacher: Arc<str> = manifest("Préau, enseignant", "/enseignant", &version).into();
    let serve = |text: Arc<str>, kind: &'static str| get(move || std::future::ready(told(&text, kind)));
    Router::new()
        .route("/sw.js", serve(worker, "text/javascript; charset=utf-8"))
        .route("/manifest.webmanifest", serve(tablet, "application/manifest+json"))
        .route("/enseignant.webmanifest", serve(teacher, "application/manifest+json"))
}

fn worker(version: &str) -> String {
    let files: Vec<&str> = page::names().filter(|name| is_kept(name)).collect();
    let pages: serde_json::Map<String, serde_json::Value> =
        PAGES.iter().map(|(path, kept)| ((*path).to_owned(), (*kept).into())).collect();
    format!(
        "const VERSION = {};\nconst FILES = {};\nconst PAGES = {};\n{WORKER}",
        json!(version),
        json!(files),
        json!(pages)
    )
}

fn is_kept(name: &str) -> bool {
    !name.starts_with("static/vendor/zxing-wasm/") && name != "static/decode.js"
}

fn manifest(name: &str, start: &str, version: &str) -> String {
    json!({
        "name": name,
        "short_name": "Préau",
        "start_url": start,
        "id": start,
        "scope": "/",
        "display": "standalone",
        "theme_color": LEAF,
        "background_color": PAPER,
        "icons": [{ "src": page::address(version, "static/icon.svg"), "type": "image/svg+xml", "sizes": "any" }],
    })
    .to_string()
}

/// Asked for anew each time: a browser that looks for an update finds it at once.
fn told(text: &str, kind: &'static str) -> Response {
    let mut response = text.to_owned().into_response();
    let headers = response.headers_mut();
    page::secure(headers);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(HeaderName::from_static("service-worker-allowed"), HeaderValue::from_static("/"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_keeps_pages_and_files_and_no_answer() {
        let text = worker("0123");
        let line = |name: &str| {
            let start = format!("const {name} = ");
            let rest = text.lines().find_map(|l| l.strip_prefix(&start)).and_then(|l| l.strip_suffix(';'));
            serde_json::from_str::<serde_json::Value>(rest.expect(name)).expect("JSON")
        };
        assert_eq!(line("VERSION"), "0123");
        let files: Vec<String> = serde_json::from_value(line("FILES")).expect("names");
        for needed in ["tablet/main.js", "tablet/tablet.css", "teacher/main.js", "static/box.svg", "static/silence.js"]
        {
            assert!(files.iter().any(|f| f == needed), "{needed} is not kept");
        }
        assert!(!files.iter().any(|f| f.contains("zxing")), "the reader is not needed without a box");
        for (_, page) in line("PAGES").as_object().expect("object") {
            assert!(["/tablette", "/enseignant"].contains(&page.as_str().expect("a path")));
        }
    }
}
