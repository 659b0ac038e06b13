//! Names of works: whatever a child writes, in any script, that is a name and not a path.

use preau_shared::refusal::Refusal;

use crate::store::Trouble;

/// Longest name, in characters.
pub(crate) const MAX_CHARS: usize = 80;

/// Reads a name; spaces around it are no part of it.
///
/// # Errors
/// `malformed`, with what is wrong.
pub(crate) fn parse(text: &str) -> Result<String, Trouble> {
    let name = text.trim();
    let wrong = |what: &str| Trouble::because(Refusal::Malformed, format!("the name {what}"));
    if name.is_empty() || name.chars().count() > MAX_CHARS {
        return Err(wrong("has 1 to 80 characters"));
    }
    if name == "." || name == ".." || name.contains(['/', '\\']) {
        return Err(wrong("is not a path"));
    }
    if name.chars().any(is_unseen) {
        return Err(wrong("has no control characters"));
    }
    Ok(name.to_owned())
}

/// Controls, and what turns the direction of writing around: `gnp.exe` is not to look like a picture.
fn is_unseen(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

/// The same name with a number, before its ending: `fleur (2).png`.
pub(crate) fn numbered(name: &str, number: usize) -> String {
    let (stem, ending) = match name.rfind('.') {
        Some(at) if at > 0 && name.len().saturating_sub(at) <= 8 => name.split_at(at),
        Some(_) | None => (name, ""),
    };
    let tail = format!(" ({number}){ending}");
    let room = MAX_CHARS.saturating_sub(tail.chars().count());
    stem.chars().take(room).chain(tail.chars()).collect()
}
