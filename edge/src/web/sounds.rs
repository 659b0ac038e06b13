//! Sentences read aloud to whoever cannot read yet: recordings that come with the program, or a school's own.
//!
//! A school puts its recordings beside the box's database: `sounds/fr/ready.ogg`, by the names of [`SPOKEN`]; `.mp3`,
//! `.m4a` and `.webm` do as well. The browser's own speech is never used: it may need a network. `sounds/render.py` makes
//! ours.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{
    Router,
    extract::Path as At,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use preau_shared::messages::Lang;
use tokio::io::AsyncReadExt as _;

use super::page;

/// Largest recording of a school's own that is played: ten minutes of speech, or one in a poor format.
const MAX_OWN_BYTES: u64 = 2 * 1_024 * 1_024;
/// What a school's own recording may be, the first that is there.
const KINDS: [(&str, &str); 4] =
    [("ogg", "audio/ogg"), ("mp3", "audio/mpeg"), ("m4a", "audio/mp4"), ("webm", "audio/webm")];

/// A sentence, as it is said in French and in English.
struct Spoken {
    name: &'static str,
    fr: &'static [u8],
    en: &'static [u8],
}

macro_rules! spoken {
    ($($name:literal,)*) => {
        &[$(Spoken {
            name: $name,
            fr: include_bytes!(concat!("sounds/fr/", $name, ".ogg")),
            en: include_bytes!(concat!("sounds/en/", $name, ".ogg")),
        },)*]
    };
}

const SPOKEN: &[Spoken] = spoken![
    "ready",
    "foreign",
    "secret-digits",
    "secret-pictures",
    "secret-wrong",
    "call",
    "choose-digits",
    "choose-pictures",
    "choose-again",
    "choose-other",
    "choose-simple",
    "choose-not-kept",
    "wiping",
    "unclean",
    "stuck",
    "still-there",
    "still-there-all",
    "nothing-yet",
    "told-name",
    "told-code",
    "told-stay",
    "told-settings",
    "told-work",
    "told-frames",
    "told-never",
    "told-ask",
    "charter-cycle2",
    "charter-cycle3",
    "badge_malformed",
    "badge_unknown",
    "badge_void",
    "badge_expired",
    "locked_out",
    "not_enrolled_here",
    "outside_hours",
    "account_wrong",
    "account_full",
];

/// `GET /sounds/{lang}/{name}`: `folder` holds a school's own.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(folder: PathBuf) -> Router<S> {
    let folder: Arc<Path> = folder.into();
    let play = move |At((lang, name)): At<(String, String)>| {
        let folder = Arc::clone(&folder);
        async move { sound(&folder, &lang, &name).await }
    };
    Router::new().route("/sounds/{lang}/{name}", get(play))
}

async fn sound(folder: &Path, lang: &str, name: &str) -> Response {
    let Some((lang, spoken)) = Lang::from_tag(lang).zip(SPOKEN.iter().find(|spoken| spoken.name == name)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let ours = match lang {
        Lang::Fr => spoken.fr,
        Lang::En => spoken.en,
    };
    match own(folder, lang, spoken.name).await {
        Ok(Some((bytes, kind))) => told(bytes, kind),
        Ok(None) => told(ours, "audio/ogg"),
        Err(error) => {
            tracing::warn!(%error, spoken.name, "a recording of the school's own cannot be read; ours is played");
            told(ours, "audio/ogg")
        }
    }
}

/// The school's own recording. Only names of [`SPOKEN`] are looked for.
async fn own(folder: &Path, lang: Lang, name: &str) -> io::Result<Option<(Vec<u8>, &'static str)>> {
    for (ending, kind) in KINDS {
        let file = match tokio::fs::File::open(folder.join(lang.tag()).join(format!("{name}.{ending}"))).await {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(MAX_OWN_BYTES.saturating_add(1)).read_to_end(&mut bytes).await?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_OWN_BYTES {
            return Err(io::Error::other(format!("it is larger than {MAX_OWN_BYTES} bytes")));
        }
        return Ok(Some((bytes, kind)));
    }
    Ok(None)
}

fn told(bytes: impl axum::response::IntoResponse, kind: &'static str) -> Response {
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    page::secure(headers);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
    page::for_session_hosts(headers);
    response
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use preau_shared::messages::Catalogue;

    use super::*;

    /// Which messages each recording says.
    fn lines() -> BTreeMap<&'static str, Vec<&'static str>> {
        let lines = include_str!("sounds/spoken.txt").lines();
        lines.filter_map(|line| line.split_once(": ")).map(|(name, keys)| (name, keys.split(' ').collect())).collect()
    }

    #[test]
    fn what_is_said_is_what_is_written() {
        let words = Catalogue::load();
        let names: BTreeSet<&str> = SPOKEN.iter().map(|spoken| spoken.name).collect();
        assert_eq!(lines().keys().copied().collect::<BTreeSet<_>>(), names);
        for (lang, said) in
            [(Lang::Fr, include_str!("sounds/fr/said.json")), (Lang::En, include_str!("sounds/en/said.json"))]
        {
            let said: BTreeMap<String, String> = serde_json::from_str(said).expect("JSON");
            for (name, keys) in lines() {
                for key in keys {
                    let written = words.say(lang, key);
                    assert!(said[name].contains(written.trim()), "{lang:?} {name}: render it again, it is {written:?}");
                }
            }
        }
        assert!(SPOKEN.iter().all(|spoken| spoken.fr.starts_with(b"OggS") && spoken.en.starts_with(b"OggS")));
    }

    #[test]
    fn every_recording_is_asked_for_by_its_name() {
        let modules = concat!(
            include_str!("tablet/content.js"),
            include_str!("tablet/main.js"),
            include_str!("tablet/screens.js"),
            include_str!("tablet/secret.js"),
            include_str!("tablet/told.js"),
            include_str!("../sign_in/charter.rs"),
        );
        let refusals = include_str!("tablet/voice.js").split("new Set(\"").nth(1).and_then(|t| t.split('"').next());
        let refusals: BTreeSet<&str> = refusals.expect("the list").split(' ').collect();
        for Spoken { name, .. } in SPOKEN {
            let asked = modules.contains(&format!("\"{name}\"")) || refusals.contains(name);
            assert!(asked, "{name} is recorded, and no screen says it: is it called otherwise there?");
        }
        for name in refusals {
            assert!(SPOKEN.iter().any(|spoken| spoken.name == name), "{name} is not recorded");
        }
    }

    #[tokio::test]
    async fn a_schools_own_recording_is_played_and_a_bad_one_is_not() {
        let dir = tempfile::tempdir().expect("dir");
        std::fs::create_dir(dir.path().join("fr")).expect("folder");
        let kind =
            |response: &Response| response.headers()[header::CONTENT_TYPE].to_str().map(str::to_owned).expect("kind");
        let ask = async |lang, name| sound(dir.path(), lang, name).await;
        assert_eq!(kind(&ask("fr", "ready").await), "audio/ogg");
        std::fs::write(dir.path().join("fr/ready.mp3"), b"the school's voice").expect("written");
        assert_eq!(kind(&ask("fr", "ready").await), "audio/mpeg");
        assert_eq!(kind(&ask("en", "ready").await), "audio/ogg", "the other language is ours");
        std::fs::write(dir.path().join("fr/ready.mp3"), vec![0; 3 * 1_024 * 1_024]).expect("written");
        assert_eq!(kind(&ask("fr", "ready").await), "audio/ogg", "too large");
        for (lang, name) in [("de", "ready"), ("fr", "nothing"), ("fr", "../fr/ready"), ("..", "ready"), ("fr", "")] {
            assert_eq!(ask(lang, name).await.status(), StatusCode::NOT_FOUND, "{lang} {name}");
        }
    }
}
