//! The tablet's page: scanner, environment of whoever signed in, wipe.
//!
//! It shows; the API decides. One origin holds it for good, because the tablet's key lives there.

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    http::{HeaderMap, HeaderValue, header},
    routing::get,
};
use preau_shared::messages::Catalogue;

use super::page::{self, Frame};

/// Every sentence that the tablet's modules may say.
const KEYS: &[&str] = &[
    "step-apps",
    "step-camera",
    "step-clipboard",
    "step-downloads",
    "step-pages",
    "step-storage",
    "tablet-account-name",
    "tablet-account-password",
    "tablet-account-title",
    "tablet-again",
    "tablet-apps",
    "tablet-back",
    "tablet-box-silent",
    "tablet-call-again",
    "tablet-call-help",
    "tablet-call-title",
    "tablet-camera-broken",
    "tablet-camera-busy",
    "tablet-camera-insecure",
    "tablet-camera-none",
    "tablet-camera-refused",
    "tablet-camera-turn",
    "tablet-camera-type",
    "tablet-charter",
    "tablet-charter-missing",
    "tablet-charter-understood",
    "tablet-choose-again",
    "tablet-choose-digits",
    "tablet-choose-go-on",
    "tablet-choose-keeping",
    "tablet-choose-later",
    "tablet-choose-not-kept",
    "tablet-choose-other",
    "tablet-choose-pictures",
    "tablet-choose-simple",
    "tablet-content",
    "tablet-documents",
    "tablet-enrol-code",
    "tablet-enrol-example",
    "tablet-enrol-go",
    "tablet-enrol-help",
    "tablet-enrol-name",
    "tablet-enrol-title",
    "tablet-foreign-code",
    "tablet-go",
    "tablet-goodbye",
    "tablet-guest",
    "tablet-hello",
    "tablet-insecure-title",
    "tablet-links",
    "tablet-listen",
    "tablet-lost-help",
    "tablet-lost-title",
    "tablet-not-me",
    "tablet-not-recorded",
    "tablet-nothing-yet",
    "tablet-number",
    "tablet-ok",
    "tablet-outing-help",
    "tablet-outing-title",
    "tablet-owner",
    "tablet-page-failed",
    "tablet-page-failed-next",
    "tablet-pair-go",
    "tablet-pair-title",
    "tablet-quiet",
    "tablet-ready-account",
    "tablet-ready-pair",
    "tablet-ready-title",
    "tablet-ready-type",
    "tablet-retired-help",
    "tablet-retired-title",
    "tablet-secret-digits",
    "tablet-secret-erase",
    "tablet-secret-have-digits",
    "tablet-secret-have-pictures",
    "tablet-secret-pictures",
    "tablet-secret-wrong",
    "tablet-settings",
    "tablet-settings-contrast",
    "tablet-settings-lang",
    "tablet-settings-large",
    "tablet-settings-largest",
    "tablet-settings-loud",
    "tablet-settings-motion",
    "tablet-settings-moving",
    "tablet-settings-mute",
    "tablet-settings-normal",
    "tablet-settings-soft",
    "tablet-settings-sound",
    "tablet-settings-still",
    "tablet-settings-strong",
    "tablet-settings-text",
    "tablet-sign-out",
    "tablet-silent-help",
    "tablet-silent-next",
    "tablet-silent-title",
    "tablet-still-here",
    "tablet-still-here-all",
    "tablet-still-there",
    "tablet-still-there-all",
    "tablet-stuck-help",
    "tablet-stuck-title",
    "tablet-told",
    "tablet-told-ask",
    "tablet-told-ask-who",
    "tablet-told-code",
    "tablet-told-code-who",
    "tablet-told-frames",
    "tablet-told-frames-who",
    "tablet-told-name",
    "tablet-told-name-who",
    "tablet-told-never",
    "tablet-told-never-who",
    "tablet-told-settings",
    "tablet-told-settings-who",
    "tablet-told-stay",
    "tablet-told-stay-who",
    "tablet-told-work",
    "tablet-told-work-who",
    "tablet-unclean-help",
    "tablet-unclean-steps",
    "tablet-unclean-title",
    "tablet-unplugged",
    "tablet-unplugged-guest",
    "tablet-unplugged-help",
    "tablet-unplugged-kept",
    "tablet-unplugged-rest",
    "tablet-unplugged-title",
    "tablet-unplugged-unclean",
    "tablet-unplugged-wrong",
    "tablet-which-all",
    "tablet-which-later",
    "tablet-which-title",
    "tablet-wiping-help",
    "tablet-wiping-title",
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

#[derive(Template)]
#[template(path = "tablet/tablet.html")]
struct TabletPage {
    frame: Frame,
    /// The name below which sessions have hosts of their own (`session_host.rs`); empty where they have none.
    hosts: Arc<str>,
}

/// `GET /tablette`, also `/tablet`, of a training room or a school. Sessions have hosts of their own below the name `hosts`.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(
    catalogue: Arc<Catalogue>,
    (training, hosts): (bool, Option<&str>),
) -> Router<S> {
    let version: Arc<str> = page::version().into();
    let rules = HeaderValue::from_str(&rules(hosts)).unwrap_or(HeaderValue::from_static(page::SECURITY));
    let hosts: Arc<str> = hosts.unwrap_or_default().into();
    let show = move |asked: HeaderMap| {
        let frame = Frame::new(Arc::clone(&catalogue), &asked, Arc::clone(&version), KEYS).in_training(training);
        let mut answer = page::show(&TabletPage { frame, hosts: Arc::clone(&hosts) }, &version);
        answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, rules.clone());
        std::future::ready(answer)
    };
    Router::new().route("/tablette", get(show.clone())).route("/tablet", get(show))
}

/// Frames are those of sessions alone, and only they are told to clear; the port is whichever the box is reached by.
fn rules(hosts: Option<&str>) -> String {
    let common = page::SECURITY;
    match hosts {
        Some(name) => format!("{common}; frame-src https://*.{name}:*; connect-src 'self' https://*.{name}:*"),
        None => format!("{common}; frame-src 'none'"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_modules_say_what_the_page_hands_over() {
        let said: BTreeSet<String> = page::said_by(&["tablet/", "static/"]);
        assert_eq!(said, KEYS.iter().map(|k| (*k).to_owned()).collect());
    }

    /// Uncompressed, without the reader of QR codes: what a slow tablet fetches before it shows the badge reader.
    const MAX_FIRST_LOAD_BYTES: usize = 150 * 1024;
    /// Pictures of that screen, and the worker that counts.
    const SHOWN: [&str; 3] = ["static/vendor/tabler-icons/icons.svg", "static/animals/renard.svg", "static/pulse.js"];

    #[test]
    fn the_first_load_is_small() {
        let frame = Frame::new(Arc::new(Catalogue::load()), &HeaderMap::new(), "0123".into(), KEYS);
        let html = TabletPage { frame, hosts: "jean-moulin.box.example".into() }.render().expect("the page");
        let named = html.split("/static/0123/").skip(1).filter_map(|rest| rest.split('"').next());
        let mut files: BTreeSet<String> = named.chain(SHOWN).map(str::to_owned).collect();
        let mut modules: Vec<String> = files.iter().filter(|name| name.ends_with("main.js")).cloned().collect();
        while let Some(module) = modules.pop() {
            for imported in page::imports(&module) {
                if files.insert(imported.clone()) {
                    modules.push(imported);
                }
            }
        }
        let mut sizes: Vec<(usize, String)> = files.into_iter().map(|name| (page::bytes_count(&name), name)).collect();
        sizes.push((html.len(), "the page itself".into()));
        sizes.sort_unstable_by(|one, other| other.cmp(one));
        let total: usize = sizes.iter().map(|(bytes, _)| bytes).sum();
        let lines: Vec<String> = sizes.iter().map(|(bytes, name)| format!("{bytes:7} {name}")).collect();
        assert!(total <= MAX_FIRST_LOAD_BYTES, "{total} bytes:\n{}", lines.join("\n"));
    }

    #[test]
    fn the_pad_shows_the_pictures_that_the_box_knows() {
        let list = preau_shared::second_factor::PICTURES.map(|picture| format!("\"{picture}\"")).join(", ");
        assert!(include_str!("tablet/secret.js").contains(&format!("[{list}]")), "{list}");
    }
}
