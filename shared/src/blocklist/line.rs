//! One line of a `domains` file.

use std::{borrow::Cow, str::FromStr as _};

use hickory_proto::rr::Name;

/// What a line holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'l> {
    /// A name, folded: lower case, without a final dot, in its ASCII form (IDNA).
    Name(Cow<'l, str>),
    /// Nothing, a comment, or an address: no resolver is asked for an address.
    Nothing,
    /// Neither.
    Bad,
}

/// Reads a line. A name of one label alone is bad: a whole top-level domain is never meant.
pub(super) fn read(line: &[u8]) -> Line<'_> {
    let Ok(text) = std::str::from_utf8(line) else { return Line::Bad };
    let text = text.split('#').next().unwrap_or_default().trim();
    let text = text.strip_prefix("*.").or_else(|| text.strip_prefix('.')).unwrap_or(text).trim_end_matches('.');
    if text.is_empty() {
        return Line::Nothing;
    }
    let name: Cow<'_, str> = if text.is_ascii() {
        if text.bytes().any(|b| b.is_ascii_uppercase()) { text.to_ascii_lowercase().into() } else { text.into() }
    } else {
        match Name::from_str(text) {
            Ok(name) => name.to_ascii().trim_end_matches('.').to_ascii_lowercase().into(),
            Err(_) => return Line::Bad,
        }
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|b| b.is_ascii_digit()) || name.contains(':') {
        return if name.parse::<std::net::IpAddr>().is_ok() { Line::Nothing } else { Line::Bad };
    }
    if is_name(&name) { Line::Name(name) } else { Line::Bad }
}

fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    name.len() <= 253 && name.contains('.') && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folded_and_the_rest_is_left_out() {
        let name = |text: &'static str| Line::Name(text.into());
        for (line, expected) in [
            ("Example.ORG.", name("example.org")),
            (" *.example.org # why", name("example.org")),
            (".a_b.example", name("a_b.example")),
            ("bücher.example", name("xn--bcher-kva.example")),
            ("", Line::Nothing),
            ("# comment", Line::Nothing),
            ("192.0.2.1", Line::Nothing),
            ("2001:db8::1", Line::Nothing),
            ("com", Line::Bad),
            ("a..b", Line::Bad),
            ("http://example.org/x", Line::Bad),
            ("exa mple.org", Line::Bad),
            ("1.2.3", Line::Bad),
        ] {
            assert_eq!(read(line.as_bytes()), expected, "{line}");
        }
        assert_eq!(read(b"\xff.example"), Line::Bad);
        assert_eq!(read(format!("{}.example", "a".repeat(64)).as_bytes()), Line::Bad);
    }
}
