//! A QR code of another system, such as the one that the ENT prints for its pupils. Once an adult has said whose it is, it
//! signs in like a badge of ours.

use data_encoding::BASE64URL_NOPAD;

use crate::keys::sha256;

/// Before the hash, so that it is no badge and no short code.
const PREFIX: &str = "ext:";

/// What a tablet says of such a code: `ext:` and the SHA-256 of its text in base64url. The text itself may be a password
/// of the other system: it never leaves the tablet.
#[derive(Clone, PartialEq, Eq)]
pub struct ForeignCode([u8; 32]);

impl ForeignCode {
    /// Of this text of a QR code.
    pub fn of(text: &str) -> Self {
        Self(sha256(text.as_bytes()))
    }

    /// Reads what a tablet said; none when it is something else.
    pub fn parse(said: &str) -> Option<Self> {
        let hash = BASE64URL_NOPAD.decode(said.strip_prefix(PREFIX)?.as_bytes()).ok()?;
        hash.try_into().ok().map(Self)
    }

    /// What a tablet says of it.
    pub fn said(&self) -> String {
        format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&self.0))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for ForeignCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ForeignCode(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_back_and_is_nothing_else() {
        let code = ForeignCode::of("https://ent.example/qr?jeton=1");
        assert_eq!(ForeignCode::parse(&code.said()), Some(code.clone()));
        assert!(code.said().len() <= crate::badge::MAX_TEXT_BYTES);
        for wrong in ["", "ext:", "ext:AAAA", "https://ent.example", &code.said()[4..], &format!("{}A", code.said())] {
            assert_eq!(ForeignCode::parse(wrong), None, "{wrong}");
        }
        assert!(
            crate::badge::Badge::parse(&code.said()).is_err() && crate::badge::ShortCode::parse(&code.said()).is_none()
        );
    }
}
