//! Media types that are kept as they are named; anything else is bytes, which a browser saves and never runs.

/// How a work is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Media {
    /// Media type.
    pub(crate) word: &'static str,
    /// What the screen draws for it.
    pub(crate) kind: &'static str,
    /// Whether a browser may show it in a page; else it saves it.
    pub(crate) inline: bool,
}

const OTHER: Media = shown("application/octet-stream", "other", false);

const KEPT: &[Media] = &[
    shown("image/png", "image", true),
    shown("image/jpeg", "image", true),
    shown("image/webp", "image", true),
    shown("image/gif", "image", true),
    shown("application/pdf", "pdf", true),
    shown("text/plain", "text", true),
    shown("audio/mpeg", "audio", false),
    shown("audio/mp4", "audio", false),
    shown("audio/aac", "audio", false),
    shown("audio/ogg", "audio", false),
    shown("audio/wav", "audio", false),
    shown("audio/webm", "audio", false),
    shown("audio/3gpp", "audio", false),
    shown("video/mp4", "video", false),
    shown("video/webm", "video", false),
    shown("video/ogg", "video", false),
    shown("video/3gpp", "video", false),
    shown("video/quicktime", "video", false),
];

const fn shown(word: &'static str, kind: &'static str, inline: bool) -> Media {
    Media { word, kind, inline }
}

/// What a request or a row names; its parameters do not count.
pub(crate) fn of(text: &str) -> Media {
    let word = text.split(';').next().unwrap_or_default().trim();
    KEPT.iter().find(|media| media.word.eq_ignore_ascii_case(word)).copied().unwrap_or(OTHER)
}
