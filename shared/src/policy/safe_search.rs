//! Search engines and film sites that show pupils less where a resolver leads to another of their servers, by an alias that
//! they publish for it. Nothing is decrypted: the site itself leaves out what is not for children.

/// Names under which a site is asked for, and the one to which pupils are led.
const SITES: [(&[&str], &str); 5] = [
    (
        &[
            "www.youtube.com",
            "m.youtube.com",
            "www.youtube-nocookie.com",
            "youtube.googleapis.com",
            "youtubei.googleapis.com",
        ],
        "restrict.youtube.com",
    ),
    (&["bing.com", "www.bing.com"], "strict.bing.com"),
    (&["duckduckgo.com", "www.duckduckgo.com", "start.duckduckgo.com"], "safe.duckduckgo.com"),
    (&["www.ecosia.org"], "strict-safe-search.ecosia.org"),
    (&["pixabay.com", "www.pixabay.com"], "safesearch.pixabay.com"),
];
/// … of Google's search, in every country.
const GOOGLE: &str = "forcesafesearch.google.com";

/// Where a pupil who asks for this folded name is led; none for most names.
pub fn instead(name: &str) -> Option<&'static str> {
    let of_google = name.strip_prefix("www.").unwrap_or(name).strip_prefix("google.");
    if of_google.is_some_and(is_country) {
        return Some(GOOGLE);
    }
    SITES.iter().find(|(names, _)| names.contains(&name)).map(|(_, instead)| *instead)
}

/// `com`, `fr`, `co.uk`, `com.br`: how Google's sites end.
fn is_country(end: &str) -> bool {
    let two_letters = |end: &str| end.len() == 2 && end.bytes().all(|byte| byte.is_ascii_lowercase());
    let below = |end: &str| ["co.", "com."].iter().find_map(|above| end.strip_prefix(above)).is_some_and(two_letters);
    end == "com" || two_letters(end) || below(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_led_to_its_safe_side_and_nothing_else_is() {
        for (name, led) in [
            ("www.google.fr", Some(GOOGLE)),
            ("google.com", Some(GOOGLE)),
            ("www.google.co.uk", Some(GOOGLE)),
            ("www.google.com.br", Some(GOOGLE)),
            ("www.bing.com", Some("strict.bing.com")),
            ("m.youtube.com", Some("restrict.youtube.com")),
            ("docs.google.com", None),
            ("www.google.example", None),
            ("www.google.com.example", None),
            ("notgoogle.fr", None),
            ("forcesafesearch.google.com", None),
            ("strict.bing.com", None),
            ("i.ytimg.com", None),
            ("", None),
        ] {
            assert_eq!(instead(name), led, "{name}");
        }
    }

    #[test]
    fn nobody_is_led_on_and_on() {
        let ends = SITES.iter().map(|(_, instead)| *instead).chain([GOOGLE]);
        assert!(ends.into_iter().all(|end| instead(end).is_none()));
    }
}
