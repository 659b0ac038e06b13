//! The frame of every page: language, words, security headers, and the files that pages are made of.
//!
//! Pages are static frames that modules fill by asking the API; they hold no personal data. Their files are part of the
//! program, so that screens work with no network behind the box, and stand under a folder named by their common hash:
//! a browser keeps them for a year and never mixes two versions.

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::Path,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use preau_shared::{
    animals, keys,
    messages::{Catalogue, Lang},
};

/// Bytes of the common hash that name a version of the files.
const VERSION_BYTES: usize = 8;
/// Arguments that sentences shown by modules may have: each is handed over as `{name}` and filled in on the page.
const ARGUMENTS: [(&str, &str); 11] = [
    ("name", "{name}"),
    ("tablet", "{tablet}"),
    ("school", "{school}"),
    ("count", "{count}"),
    ("total", "{total}"),
    ("minutes", "{minutes}"),
    ("number", "{number}"),
    ("steps", "{steps}"),
    ("other", "{other}"),
    ("since", "{since}"),
    ("days", "{days}"),
];
/// Scripts that a page may run: ours only, never inline. Workers read badges with WebAssembly under the same rule.
pub(crate) const SECURITY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; media-src 'self' blob:; object-src 'none'; \
                        base-uri 'none'; \
                        form-action 'self'; frame-ancestors 'none'; worker-src 'self'; manifest-src 'self'";
/// What browsers may use on our pages: the camera, for badges.
const PERMISSIONS: &str = "camera=(self), microphone=(), geolocation=(), payment=(), usb=()";

static RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// One file of the pages.
struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

macro_rules! assets {
    ($($name:literal is $kind:literal,)*) => {
        &[$(Asset { name: $name, kind: $kind, bytes: include_bytes!($name) },)*]
    };
}

/// Drawings of animals, the same on paper, stand under this folder by their names: a page asks for those it shows.
const ANIMALS: &str = "static/animals/";

/// Every other file that pages ask for, by its path under `edge/src/web/`.
const FILES: &[Asset] = assets![
    "static/base.css" is "text/css; charset=utf-8",
    "static/box.svg" is "image/svg+xml",
    "static/icon.svg" is "image/svg+xml",
    "static/animals.js" is "text/javascript; charset=utf-8",
    "static/decode.js" is "text/javascript; charset=utf-8",
    "static/live.js" is "text/javascript; charset=utf-8",
    "static/dom.js" is "text/javascript; charset=utf-8",
    "static/problem.js" is "text/javascript; charset=utf-8",
    "static/pulse.js" is "text/javascript; charset=utf-8",
    "static/relief.js" is "text/javascript; charset=utf-8",
    "static/shell.js" is "text/javascript; charset=utf-8",
    "static/silence.js" is "text/javascript; charset=utf-8",
    "static/steps.js" is "text/javascript; charset=utf-8",
    "static/scan.js" is "text/javascript; charset=utf-8",
    "static/words.js" is "text/javascript; charset=utf-8",
    "static/vendor/tabler-icons/icons.svg" is "image/svg+xml",
    "static/vendor/zxing-wasm/share.js" is "text/javascript; charset=utf-8",
    "static/vendor/zxing-wasm/reader/index.js" is "text/javascript; charset=utf-8",
    "static/vendor/zxing-wasm/reader/zxing_reader.wasm" is "application/wasm",
    "tablet/tablet.css" is "text/css; charset=utf-8",
    "tablet/asked.js" is "text/javascript; charset=utf-8",
    "tablet/box.js" is "text/javascript; charset=utf-8",
    "tablet/charter.css" is "text/css; charset=utf-8",
    "tablet/charter.js" is "text/javascript; charset=utf-8",
    "tablet/content.js" is "text/javascript; charset=utf-8",
    "tablet/courier.js" is "text/javascript; charset=utf-8",
    "tablet/drawer.js" is "text/javascript; charset=utf-8",
    "tablet/entry.js" is "text/javascript; charset=utf-8",
    "tablet/hosts.js" is "text/javascript; charset=utf-8",
    "tablet/idle.js" is "text/javascript; charset=utf-8",
    "tablet/inside.js" is "text/javascript; charset=utf-8",
    "tablet/keep.js" is "text/javascript; charset=utf-8",
    "tablet/lodging.js" is "text/javascript; charset=utf-8",
    "tablet/main.js" is "text/javascript; charset=utf-8",
    "tablet/mute.js" is "text/javascript; charset=utf-8",
    "tablet/pages.js" is "text/javascript; charset=utf-8",
    "tablet/quiet.js" is "text/javascript; charset=utf-8",
    "tablet/screens.js" is "text/javascript; charset=utf-8",
    "tablet/secret.js" is "text/javascript; charset=utf-8",
    "tablet/settings.js" is "text/javascript; charset=utf-8",
    "tablet/shelf.js" is "text/javascript; charset=utf-8",
    "tablet/stage.js" is "text/javascript; charset=utf-8",
    "tablet/stay.js" is "text/javascript; charset=utf-8",
    "tablet/told.js" is "text/javascript; charset=utf-8",
    "tablet/unplugged.js" is "text/javascript; charset=utf-8",
    "tablet/voice.js" is "text/javascript; charset=utf-8",
    "tablet/which.js" is "text/javascript; charset=utf-8",
    "tablet/wipe.js" is "text/javascript; charset=utf-8",
    "tablet/work.css" is "text/css; charset=utf-8",
    "tablet/work.js" is "text/javascript; charset=utf-8",
    "teacher/teacher.css" is "text/css; charset=utf-8",
    "teacher/box.js" is "text/javascript; charset=utf-8",
    "teacher/dialogs.js" is "text/javascript; charset=utf-8",
    "teacher/safe.js" is "text/javascript; charset=utf-8",
    "teacher/secrets.js" is "text/javascript; charset=utf-8",
    "teacher/main.js" is "text/javascript; charset=utf-8",
    "teacher/screens.js" is "text/javascript; charset=utf-8",
];

/// The files by their names.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|file| file.name)
}

/// Name of this version of the files.
pub(crate) fn version() -> String {
    let all = FILES.iter().map(|file| file.bytes).chain([animals::DRAWINGS.as_bytes()]);
    let each: Vec<u8> = all.flat_map(keys::sha256).collect();
    keys::sha256(&each).iter().take(VERSION_BYTES).map(|b| format!("{b:02x}")).collect()
}

/// `GET /static/{version}/{*name}`: the files of the pages. Another version's name is answered with this one's file,
/// which is then not kept: a page that was loaded across an update finds all its parts.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let current: Arc<str> = version().into();
    let serve = move |Path((version, name)): Path<(String, String)>| {
        let current = Arc::clone(&current);
        std::future::ready(asset(&name, *version == *current))
    };
    Router::new().route("/static/{version}/{*name}", get(serve))
}

fn asset(name: &str, keep: bool) -> Response {
    let file = FILES.iter().find(|file| file.name == name).map(|file| (file.kind, file.bytes.into_response()));
    let Some((kind, mut response)) = file.or_else(|| Some(("image/svg+xml", animal(name)?.into_response()))) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let cache = if keep { "public, max-age=31536000, immutable" } else { "no-cache" };
    secure(response.headers_mut());
    for (header, value) in [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache)] {
        response.headers_mut().insert(header, HeaderValue::from_static(value));
    }
    for_session_hosts(response.headers_mut());
    response
}

/// Parts of the program, the same for everybody: the pages of a session, on a host of their own, use them too, and a
/// browser fetches them once.
pub(crate) fn for_session_hosts(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(RESOURCE_POLICY.clone(), HeaderValue::from_static("same-site"));
}

/// The picture of one animal: its `symbol`, shown.
fn animal(name: &str) -> Option<String> {
    let word = name.strip_prefix(ANIMALS)?.strip_suffix(".svg")?;
    let symbol = animals::drawing(word)?;
    let [id, seen] = ["id=\"", "viewBox=\""].map(|start| symbol.split(start).nth(1)?.split('"').next());
    let (id, seen) = (id?, seen?);
    Some(format!("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"{seen}\">{symbol}<use href=\"#{id}\"/></svg>"))
}

/// Address of a file in this version.
pub(crate) fn address(version: &str, name: &str) -> String {
    format!("/static/{version}/{name}")
}

/// What a template needs to speak: words in the language asked for, and where its files are.
pub(crate) struct Frame {
    catalogue: Arc<Catalogue>,
    lang: Lang,
    version: Arc<str>,
    keys: &'static [&'static str],
    training: bool,
}

impl Frame {
    /// The frame of one page; `keys` are the sentences that its modules may say.
    pub(crate) fn new(
        catalogue: Arc<Catalogue>,
        asked: &HeaderMap,
        version: Arc<str>,
        keys: &'static [&'static str],
    ) -> Self {
        let asked = asked.get(header::ACCEPT_LANGUAGE).and_then(|h| h.to_str().ok()).unwrap_or_default();
        Self { catalogue, lang: Lang::asked(asked), version, keys, training: false }
    }

    /// … of a box that stands in a training room, or of a school's.
    pub(crate) fn in_training(self, training: bool) -> Self {
        Self { training, ..self }
    }

    /// Whether every screen says that nobody is real.
    pub(crate) fn training(&self) -> bool {
        self.training
    }

    /// The language's tag.
    pub(crate) fn lang(&self) -> &'static str {
        self.lang.tag()
    }

    /// The sentence of a key.
    pub(crate) fn say(&self, key: &str) -> String {
        self.catalogue.say(self.lang, key).into_owned()
    }

    /// Address of a file.
    pub(crate) fn file(&self, name: &str) -> String {
        address(&self.version, name)
    }

    /// The words of the modules in each language, as JSON that can stand inside an element: `<` is written as an escape.
    pub(crate) fn words(&self) -> String {
        let sentences = |lang: Lang| -> serde_json::Value {
            let said = self.keys.iter().map(|key| (*key, self.catalogue.say_with(lang, key, &ARGUMENTS)));
            said.map(|(key, sentence)| (key.to_owned(), sentence.into())).collect::<serde_json::Map<_, _>>().into()
        };
        let words: serde_json::Map<_, _> =
            [Lang::Fr, Lang::En].into_iter().map(|lang| (lang.tag().to_owned(), sentences(lang))).collect();
        serde_json::Value::Object(words).to_string().replace('<', "\\u003c")
    }
}

/// A page as an answer: its HTML, kept by nobody, with the security headers. `Preau-Page` names the version, so that a
/// page that stays open for weeks notices an update.
pub(crate) fn show(page: &impl Template, version: &str) -> Response {
    let html = match page.render() {
        Ok(html) => html,
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let mut response = html.into_response();
    let headers = response.headers_mut();
    secure(headers);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Language"));
    if let Ok(version) = HeaderValue::from_str(version) {
        headers.insert(HeaderName::from_static("preau-page"), version);
    }
    response
}

/// What browsers are told of every answer of the pages.
pub(crate) fn secure(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, SECURITY),
        (HeaderName::from_static("permissions-policy"), PERMISSIONS),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (RESOURCE_POLICY.clone(), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// The icons, to stand inside a page: other hosts' files of drawings are closed to it.
pub(crate) fn icons() -> &'static str {
    include_str!("static/vendor/tabler-icons/icons.svg")
}

/// For tests: the sentences that a module says, by reading it.
#[cfg(test)]
pub(crate) fn said_by(modules: &[&str]) -> std::collections::BTreeSet<String> {
    let mut keys = std::collections::BTreeSet::new();
    for asset in FILES.iter().filter(|a| modules.iter().any(|m| a.name.starts_with(m)) && a.name.ends_with(".js")) {
        let text = std::str::from_utf8(asset.bytes).expect("modules are UTF-8");
        for rest in text.split("say(\"").skip(1) {
            keys.insert(rest.split('"').next().unwrap_or_default().to_owned());
        }
    }
    keys
}

/// For tests: the files that a module imports.
#[cfg(test)]
pub(crate) fn imports(module: &str) -> Vec<String> {
    let asset = FILES.iter().find(|file| file.name == module).expect(module);
    let text = std::str::from_utf8(asset.bytes).expect("modules are UTF-8");
    let from = text.lines().filter(|l| l.starts_with("import ")).filter_map(|l| l.rsplit('"').nth(1));
    let resolved = from.map(|from| {
        let mut path: Vec<&str> = module.split('/').collect();
        path.pop();
        for part in from.split('/') {
            match part {
                "." => {}
                ".." => drop(path.pop()),
                name => path.push(name),
            }
        }
        path.join("/")
    });
    resolved.collect()
}

/// For tests: how many bytes a file has as it is served.
#[cfg(test)]
pub(crate) fn bytes_count(name: &str) -> usize {
    let file = FILES.iter().find(|file| file.name == name).map(|file| file.bytes.len());
    file.or_else(|| Some(animal(name)?.len())).unwrap_or_else(|| panic!("{name} is not served"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sentence_is_handed_over_with_an_argument_that_nobody_fills_in() {
        let catalogue = Catalogue::load();
        for key in said_by(&["tablet/", "teacher/", "static/"]) {
            for lang in [Lang::Fr, Lang::En] {
                let sentence = catalogue.say_with(lang, &key, &ARGUMENTS);
                assert!(!sentence.contains("{$"), "{key}: {sentence}");
            }
        }
    }

    #[test]
    fn every_file_a_module_imports_is_served() {
        for asset in FILES.iter().filter(|a| a.name.ends_with(".js")) {
            for wanted in imports(asset.name) {
                assert!(FILES.iter().any(|a| a.name == wanted), "{} imports {wanted}", asset.name);
            }
        }
    }

    #[test]
    fn every_animal_is_a_picture_of_its_own() {
        let fox = animal("static/animals/renard.svg").expect("the fox");
        assert!(
            fox.starts_with("<svg ")
                && fox.contains("<symbol id=\"renard\"")
                && fox.ends_with("<use href=\"#renard\"/></svg>")
        );
        for unknown in ["static/animals/zorille.svg", "static/animals/renard", "static/animals/../renard.svg"] {
            assert_eq!(animal(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn every_animal_that_screens_know_is_drawn() {
        let known = include_str!("static/animals.js");
        let list = known.split("const DRAWN = \"").nth(1).and_then(|t| t.split('"').next()).expect("the list");
        for animal in list.split(' ') {
            assert!(animals::drawing(animal).is_some(), "{animal} has no drawing");
        }
        for (word, drawn) in animals::SHARED {
            let key = if word.contains('-') { format!("\"{word}\"") } else { (*word).to_owned() };
            assert!(known.contains(&format!("{key}: \"{drawn}\"")), "screens do not know {word}");
        }
    }

    #[test]
    fn nothing_comes_from_elsewhere() {
        let ours = FILES.iter().filter(|a| !a.name.contains("/vendor/") && !a.name.ends_with(".svg"));
        for asset in ours {
            let text = std::str::from_utf8(asset.bytes).expect("UTF-8");
            let text = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains("http:") && !text.contains("https:"), "{} names another host", asset.name);
        }
    }
}
