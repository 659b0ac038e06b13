//! Bytes to text. The register writes Windows-1252; whoever opened the file in between may have left UTF-8, with or
//! without its mark, or UTF-16. Nothing in the file says which, but its header is a text that we know: among the
//! encodings that are possible, the one under which the header is understood best is the right one.

use encoding_rs::{Encoding, ISO_8859_15, MACINTOSH, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::{RosterError, header::Places};

/// How a file's bytes were understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Charset {
    /// UTF-8, with or without a byte order mark.
    Utf8,
    /// UTF-16, with its mark.
    Utf16,
    /// Windows-1252, of which ISO-8859-1 is a part.
    Windows1252,
    /// ISO-8859-15.
    Latin9,
    /// Mac OS Roman.
    Macintosh,
}

impl Charset {
    /// The name that people know it by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16 => "UTF-16",
            Self::Windows1252 => "Windows-1252",
            Self::Latin9 => "ISO-8859-15",
            Self::Macintosh => "Mac OS Roman",
        }
    }
}

/// The text of a file, with `\n` at every line's end and without byte order marks.
pub(super) fn decode(bytes: &[u8]) -> Result<(String, Charset), RosterError> {
    let (text, charset) = guess(bytes);
    let text = text.trim_start_matches('\u{feff}');
    if text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\r' | '\n' | '\u{80}'..='\u{9f}')) {
        return Err(RosterError::NotText);
    }
    Ok((text.replace("\r\n", "\n").replace('\r', "\n"), charset))
}

fn guess(bytes: &[u8]) -> (String, Charset) {
    let utf8 = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Ok(text) = std::str::from_utf8(utf8) {
        return (text.to_owned(), Charset::Utf8);
    }
    if bytes.starts_with(b"\xff\xfe") {
        return (read(UTF_16LE, bytes), Charset::Utf16);
    }
    if bytes.starts_with(b"\xfe\xff") {
        return (read(UTF_16BE, bytes), Charset::Utf16);
    }
    let mut best: Option<(usize, &'static Encoding, Charset)> = None;
    for (encoding, charset) in
        [(WINDOWS_1252, Charset::Windows1252), (UTF_8, Charset::Utf8), (MACINTOSH, Charset::Macintosh)]
    {
        // Longer headers than this are refused anyway.
        let head = bytes.get(..8_192).unwrap_or(bytes);
        let known = columns_known(&read(encoding, head));
        if best.is_none_or(|(most, _, _)| known > most) {
            best = Some((known, encoding, charset));
        }
    }
    let (encoding, charset) = best.map_or((WINDOWS_1252, Charset::Windows1252), |(_, e, c)| (e, c));
    if charset == Charset::Windows1252 && is_latin9(bytes) {
        return (read(ISO_8859_15, bytes), Charset::Latin9);
    }
    (read(encoding, bytes), charset)
}

fn read(encoding: &'static Encoding, bytes: &[u8]) -> String {
    encoding.decode_with_bom_removal(bytes).0.into_owned()
}

fn columns_known(text: &str) -> usize {
    let header = text.split(['\r', '\n']).find(|line| !line.trim().is_empty()).unwrap_or_default();
    Places::of(header.split([';', ',', '\t', '|']).map(|title| title.trim_matches('"'))).known()
}

/// Where Windows-1252 has the fractions ¼ ½ ¾, ISO-8859-15 has Œ œ Ÿ, and names hold no fractions. Bytes that only
/// Windows-1252 prints settle it the other way.
fn is_latin9(bytes: &[u8]) -> bool {
    bytes.iter().any(|b| matches!(b, 0xbc..=0xbe)) && !bytes.iter().any(|b| matches!(b, 0x80..=0x9f))
}

/// Whether a cell went through a wrong encoding: replacement characters, controls, or UTF-8 read as Windows-1252
/// (`Ã©` for `é`).
pub(super) fn is_garbled(text: &str) -> bool {
    let second = |c: char| {
        let sign = !c.is_ascii() && !c.is_alphabetic();
        sign || matches!(c, 'ª' | 'º' | 'ƒ' | 'ˆ' | '˜' | 'Š' | 'Œ' | 'Ž' | 'š' | 'œ' | 'ž' | 'Ÿ')
    };
    let mut before = ' ';
    text.chars().any(|c| {
        let twice = matches!(before, 'Ã' | 'Â') && second(c);
        before = c;
        twice || c == '\u{fffd}' || c.is_control()
    })
}

/// Whether a header holds characters that no French title has.
pub(super) fn is_foreign(header: &str) -> bool {
    header.chars().any(|c| {
        let known = c.is_ascii() || matches!(c, '’' | '°' | 'º' | '«' | '»' | '\u{a0}' | '\u{300}'..='\u{36f}');
        !known && !super::plain(c.encode_utf8(&mut [0; 4])).is_ascii()
    }) || is_garbled(header)
}
