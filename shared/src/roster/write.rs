//! Rows to the bytes of an ONDE export: what the pilot and the tests feed to the reader like anybody's file.

use encoding_rs::{Encoding, ISO_8859_15, MACINTOSH, WINDOWS_1252};

use super::{BirthDate, Charset, Ine, Row, Sex, onde::HEADER};

/// Writes rows as the register does: its 22 columns, `CRLF`, addresses and authorisations empty. A letter that the
/// charset lacks becomes `?`; UTF-8 and UTF-16 get their byte order mark.
pub fn write(rows: &[Row], charset: Charset) -> Vec<u8> {
    let mut text = String::from(HEADER);
    text.push_str("\r\n");
    for row in rows {
        text.push_str(&line(row));
        text.push_str("\r\n");
    }
    match charset {
        Charset::Utf8 => [b"\xef\xbb\xbf".as_slice(), text.as_bytes()].concat(),
        Charset::Utf16 => {
            std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(|unit: u16| unit.to_le_bytes()).collect()
        }
        Charset::Windows1252 => encode(WINDOWS_1252, &text),
        Charset::Latin9 => encode(ISO_8859_15, &text),
        Charset::Macintosh => encode(MACINTOSH, &text),
    }
}

fn line(row: &Row) -> String {
    let cells = [
        row.family_name.as_str(),
        row.usage_name.as_deref().unwrap_or_default(),
        &row.given_name,
        &row.birth_date.map(BirthDate::french).unwrap_or_default(),
        row.sex.map(Sex::letter).unwrap_or_default(),
        row.ine.as_ref().map(Ine::as_str).unwrap_or_default(),
    ]
    .map(cell)
    .join(";");
    let place = [row.cycle.as_str(), &row.level, &row.class_name, row.class_ref.as_deref().unwrap_or_default()];
    format!("{cells};;;;;;;;;{};;;;", place.map(cell).join(";"))
}

fn cell(text: &str) -> String {
    if text.contains([';', '"', '\r', '\n']) || text.starts_with(' ') {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn encode(encoding: &'static Encoding, text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        let mut buffer = [0; 4];
        let (encoded, _, lost) = encoding.encode(c.encode_utf8(&mut buffer));
        bytes.extend_from_slice(if lost { b"?" } else { &encoded });
    }
    bytes
}
