//! A host of its own for each session: `s-<random>.<the box's name>`, on which what a child opens and makes is shown.
//!
//! The tablet's page (`tablet.rs`) stays on the box's own name with the key, the token and the camera; it shows the page
//! served here in a frame. To a browser every such host is another world: whatever a page leaves there, the next child's
//! page, on another host, cannot find. A host is drawn with its session, resumed by a reload, forgotten with the end of
//! the session and served never again. Nothing but the empty page and the order to clear is served there.

use std::{fmt, sync::Arc};

use askama::Template;
use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use preau_shared::{ids::SessionHostId, wire::SESSION_HOST};

use super::{
    caller,
    page::{self, Frame},
};
use crate::{app::App, store::sessions};

/// Every sentence that the modules of a session's page may say.
const KEYS: &[&str] = &[
    "tablet-apps",
    "tablet-documents",
    "tablet-links",
    "tablet-listen",
    "tablet-nothing-yet",
    "tablet-ok",
    "tablet-work",
    "tablet-work-arriving",
    "tablet-work-back",
    "tablet-work-elsewhere",
    "tablet-work-ent",
    "tablet-work-gone",
    "tablet-work-keep",
    "tablet-work-keeping",
    "tablet-work-large",
    "tablet-work-later",
    "tablet-work-none",
    "tablet-work-remove",
    "tablet-work-unnamed",
    "tablet-work-waiting",
];
/// What [`MAIN`] imports, and its imports: asked for at once, not one after the other.
const IMPORTED: &[&str] = &[
    "static/animals.js",
    "static/dom.js",
    "static/problem.js",
    "static/words.js",
    "tablet/asked.js",
    "tablet/content.js",
    "tablet/mute.js",
    "tablet/settings.js",
    "tablet/shelf.js",
    "tablet/voice.js",
    "tablet/work.js",
];
/// The page's own module.
const MAIN: &str = "tablet/inside.js";
/// Clears what pages of this host left, and cookies of the names above it. The page itself is kept by no cache.
const CLEAR: HeaderName = HeaderName::from_static("clear-site-data");

/// Where sessions have hosts of their own: under the box's name, if its certificate holds for them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hosts(Option<Arc<str>>);

/// Whose page a host below the box's name stands for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Session(SessionHostId),
    Nobody,
}

impl Hosts {
    /// Under this name, or nowhere.
    pub(crate) fn under(name: Option<String>) -> Self {
        Self(name.map(|name| name.to_ascii_lowercase().into()))
    }

    /// The name above them all.
    pub(crate) fn above(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// What the host of a request stands for, with the origin of the tablet's page; none when it is not below our name.
    fn asked(&self, host: &str) -> Option<(Asked, String)> {
        let above = self.above()?;
        let host = host.to_ascii_lowercase();
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => (name, Some(port)),
            _ => (host.as_str(), None),
        };
        let label = name.trim_end_matches('.').strip_suffix(above)?.strip_suffix('.')?;
        let id = label.strip_prefix(SESSION_HOST).and_then(|id| id.parse().ok());
        let origin = match port {
            Some(port) => format!("https://{above}:{port}"),
            None => format!("https://{above}"),
        };
        Some((id.map_or(Asked::Nobody, Asked::Session), origin))
    }
}

/// What the hosts of sessions are served from.
pub(crate) struct Site {
    pub(crate) app: App,
    version: Arc<str>,
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Site({:?})", self.app.hosts)
    }
}

impl Site {
    /// Of this box.
    pub(crate) fn of(app: App) -> Arc<Self> {
        Arc::new(Self { app, version: page::version().into() })
    }

    /// What is asked of a session's host; everything else goes on to the box's own pages and API.
    pub(crate) fn answer(&self, request: &Request) -> Option<Response> {
        let host = caller::host_in(request.uri(), request.headers())?;
        let (asked, origin) = self.app.hosts.asked(host)?;
        let Asked::Session(host) = asked else { return Some(nothing()) };
        Some(match (request.method(), request.uri().path()) {
            (&Method::GET, "/") => page(self, host, request.headers(), &origin),
            (&Method::GET, "/clear") => cleared(&origin),
            _ => nothing(),
        })
    }
}

#[derive(Template)]
#[template(path = "tablet/session.html")]
struct SessionPage<'a> {
    frame: Frame,
    /// The tablet's page, whose files this one uses.
    origin: &'a str,
    icons: &'static str,
    main: &'static str,
    imported: &'static [&'static str],
}

/// The page of a live session; none of another.
fn page(site: &Site, host: SessionHostId, asked: &HeaderMap, origin: &str) -> Response {
    let Some(session) = site.app.seats.of_host(host) else { return nothing() };
    match site.app.reader.read(|conn| sessions::find_live(conn, session)) {
        Ok(Some(live)) if live.host == Some(host) => {}
        Ok(_) => return nothing(),
        Err(error) => {
            tracing::error!(%error, "whose page this is could not be read");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    }
    let frame = Frame::new(Arc::clone(&site.app.words), asked, Arc::clone(&site.version), KEYS);
    let mut response =
        page::show(&SessionPage { frame, origin, icons: page::icons(), main: MAIN, imported: IMPORTED }, &site.version);
    let headers = response.headers_mut();
    if let Ok(rules) = HeaderValue::from_str(&rules(origin)) {
        headers.insert(header::CONTENT_SECURITY_POLICY, rules);
    }
    headers.insert(HeaderName::from_static("permissions-policy"), HeaderValue::from_static(NOTHING_PERMITTED));
    // A cookie can be set for all hosts of a name. None is of ours: what comes with a fresh host was left by somebody.
    if asked.contains_key(header::COOKIE) {
        headers.insert(CLEAR, HeaderValue::from_static("\"cookies\""));
    }
    response
}

const NOTHING_PERMITTED: &str = "camera=(), microphone=(), geolocation=(), payment=(), usb=()";

/// Our own modules from the tablet's origin and nothing else; it speaks to nobody but the page around it.
fn rules(origin: &str) -> String {
    format!(
        "default-src 'none'; script-src {origin}; style-src {origin}; img-src blob:; media-src {origin} blob:; \
         base-uri 'none'; form-action 'none'; frame-ancestors {origin}"
    )
}

/// The order to clear, which says nothing of anybody: it is given for every host, live or past, as often as it is asked.
fn cleared(origin: &str) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    page::secure(headers);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CLEAR, HeaderValue::from_static("\"cookies\", \"storage\""));
    page::for_session_hosts(headers);
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    if let Ok(origin) = HeaderValue::from_str(origin) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    response
}

/// No page, and none that a browser keeps or runs.
fn nothing() -> Response {
    let mut response = (StatusCode::NOT_FOUND, "404\n").into_response();
    let headers = response.headers_mut();
    page::secure(headers);
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const ID: &str = "000102030405060708090a0b0c0d0e0f";

    fn hosts() -> Hosts {
        Hosts::under(Some("Moulin.box.example".into()))
    }

    #[test]
    fn a_host_stands_for_one_session_or_for_nobody_or_is_not_ours() {
        let id = ID.parse().expect("an id");
        for (host, asked) in [
            (format!("s-{ID}.moulin.box.example:8443"), Some((Asked::Session(id), "https://moulin.box.example:8443"))),
            (format!("S-{ID}.Moulin.Box.Example."), Some((Asked::Session(id), "https://moulin.box.example"))),
            (format!("a.s-{ID}.moulin.box.example"), Some((Asked::Nobody, "https://moulin.box.example"))),
            (format!("{ID}.moulin.box.example"), Some((Asked::Nobody, "https://moulin.box.example"))),
            ("s-1.moulin.box.example".into(), Some((Asked::Nobody, "https://moulin.box.example"))),
            (".moulin.box.example".into(), Some((Asked::Nobody, "https://moulin.box.example"))),
            ("moulin.box.example:8443".into(), None),
            (format!("s-{ID}moulin.box.example"), None),
            ("127.0.0.1:8443".into(), None),
            ("[::1]:8443".into(), None),
            (String::new(), None),
        ] {
            assert_eq!(hosts().asked(&host), asked.map(|(asked, origin)| (asked, origin.to_owned())), "{host}");
        }
        assert_eq!(Hosts::default().asked(&format!("s-{ID}.moulin.box.example")), None);
    }

    proptest! {
        #[test]
        fn what_a_host_stands_for_can_stand_in_a_header(host in ".*") {
            for host in [host.clone(), format!("{host}.moulin.box.example"), format!("s-{ID}.moulin.box.example:{host}")] {
                if let Some((_, origin)) = hosts().asked(&host) {
                    let port = origin.strip_prefix("https://moulin.box.example").expect("our name");
                    prop_assert!(port.is_empty() || port[1..].bytes().all(|b| b.is_ascii_digit()), "{origin}");
                    prop_assert!(HeaderValue::from_str(&rules(&origin)).is_ok());
                }
            }
        }
    }

    #[test]
    fn the_modules_are_those_the_page_asks_for_and_say_what_it_hands_over() {
        let (mut modules, mut found) = (vec![MAIN.to_owned()], BTreeSet::new());
        while let Some(module) = modules.pop() {
            if found.insert(module.clone()) {
                modules.extend(page::imports(&module));
            }
        }
        let asked = IMPORTED.iter().chain([&MAIN]).map(|name| (*name).to_owned());
        assert_eq!(asked.collect::<BTreeSet<_>>(), found);
        let names: Vec<&str> = found.iter().map(String::as_str).collect();
        assert_eq!(page::said_by(&names), KEYS.iter().map(|k| (*k).to_owned()).collect());
    }
}
