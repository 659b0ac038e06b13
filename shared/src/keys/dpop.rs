//! Proofs of possession of a tablet's key: DPoP (RFC 9449), ES256 only.
//!
//! A proof is a JWT whose header carries the public key and whose claims name the method (`htm`), the URL without
//! query (`htu`), a random `jti`, the server's `nonce` and, beside an access token, its hash (`ath`). `iat` is ignored:
//! neither a tablet nor a box knows the time, so freshness is the nonce's (ARCHITECTURE §5.2).

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{self, EcdsaKeyPair, KeyPair as _},
};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use super::{KeyError, same_secret, sha256};

/// Longest proof that is looked at, in bytes; a real one has about 600.
pub const MAX_PROOF_BYTES: usize = 2_048;
/// Longest `jti` accepted, in bytes.
pub const MAX_JTI_BYTES: usize = 64;

/// A public P-256 key as a JWK (RFC 7517). Members other than these are dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// `EC`.
    pub kty: String,
    /// `P-256`.
    pub crv: String,
    /// X coordinate, base64url.
    pub x: String,
    /// Y coordinate, base64url.
    pub y: String,
}

/// A key's name: SHA-256 of its canonical JWK (RFC 7638).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Thumbprint(pub [u8; 32]);

impl Jwk {
    /// The key's name.
    ///
    /// # Errors
    /// [`ProofError::Key`] when this is not a P-256 key.
    pub fn thumbprint(&self) -> Result<Thumbprint, ProofError> {
        self.point()?;
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, self.x, self.y);
        Ok(Thumbprint(sha256(canonical.as_bytes())))
    }

    /// The uncompressed point: 0x04 ‖ x ‖ y.
    fn point(&self) -> Result<Vec<u8>, ProofError> {
        let coordinate =
            |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).ok().filter(|b| b.len() == 32).ok_or(ProofError::Key);
        if self.kty != "EC" || self.crv != "P-256" {
            return Err(ProofError::Key);
        }
        let mut point = vec![4];
        point.extend(coordinate(&self.x)?);
        point.extend(coordinate(&self.y)?);
        Ok(point)
    }
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Too long, or not three base64url parts of JSON.
    #[error("the DPoP proof is not a JWT")]
    Shape,
    /// Another type or algorithm than `dpop+jwt` with ES256.
    #[error("the DPoP proof must be dpop+jwt with ES256")]
    Algorithm,
    /// Not a P-256 key.
    #[error("the key is not a P-256 public key")]
    Key,
    /// The signature does not fit the key in the header.
    #[error("the DPoP signature does not fit its key")]
    Signature,
    /// Made for another method or URL.
    #[error("the DPoP proof was made for another request")]
    OtherRequest,
    /// Made beside another access token, or beside none.
    #[error("the DPoP proof was made for another token")]
    OtherToken,
}

/// What a request must be proved for.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// HTTP method, upper case.
    pub method: &'a str,
    /// Scheme, authority and path.
    pub url: &'a str,
    /// The access token that travels beside, if any.
    pub token: Option<&'a str>,
}

/// A proof that holds. The caller still checks nonce and `jti`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Who signed.
    pub key: Thumbprint,
    /// The server's nonce, if the proof carries one.
    pub nonce: Option<String>,
    /// The proof's own name; never accepted twice.
    pub jti: String,
}

#[derive(Serialize, Deserialize)]
struct Header {
    typ: String,
    alg: String,
    jwk: Jwk,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    htm: String,
    htu: String,
    jti: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ath: Option<String>,
    /// Asked for by the RFC, ignored by us.
    #[serde(default)]
    iat: i64,
}

/// Checks a proof against the request it came with.
///
/// # Errors
/// [`ProofError`]; a hostile text costs at most [`MAX_PROOF_BYTES`] of work.
pub fn verify(proof: &str, expected: Expected<'_>) -> Result<Proof, ProofError> {
    if proof.len() > MAX_PROOF_BYTES {
        return Err(ProofError::Shape);
    }
    let (signed, signature) = proof.rsplit_once('.').ok_or(ProofError::Shape)?;
    let (header, claims) = signed.split_once('.').ok_or(ProofError::Shape)?;
    let header: Header = part(header)?;
    if !header.typ.eq_ignore_ascii_case("dpop+jwt") || header.alg != "ES256" {
        return Err(ProofError::Algorithm);
    }
    let key = header.jwk.thumbprint()?;
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).map_err(|_| ProofError::Shape)?;
    signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, header.jwk.point()?)
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| ProofError::Signature)?;
    let claims: Claims = part(claims)?;
    if claims.htm != expected.method || claims.htu != expected.url {
        return Err(ProofError::OtherRequest);
    }
    if claims.jti.is_empty() || claims.jti.len() > MAX_JTI_BYTES {
        return Err(ProofError::Shape);
    }
    let token_fits = match (expected.token, &claims.ath) {
        (None, _) => true,
        (Some(token), Some(ath)) => same_secret(token_hash(token).as_bytes(), ath.as_bytes()),
        (Some(_), None) => false,
    };
    if !token_fits {
        return Err(ProofError::OtherToken);
    }
    Ok(Proof { key, nonce: claims.nonce, jti: claims.jti })
}

fn part<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, ProofError> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| ProofError::Shape)?;
    serde_json::from_slice(&bytes).map_err(|_| ProofError::Shape)
}

fn token_hash(token: &str) -> String {
    BASE64URL_NOPAD.encode(&sha256(token.as_bytes()))
}

/// A tablet's key pair, as the virtual tablets hold it; real tablets keep theirs in WebCrypto.
pub struct TabletKey {
    pair: EcdsaKeyPair,
    jwk: Jwk,
}

impl TabletKey {
    /// Draws a key pair.
    ///
    /// # Errors
    /// [`KeyError`] when the provider cannot.
    pub fn generate() -> Result<Self, KeyError> {
        Self::of(EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| KeyError)?)
    }
    /// Reads back what [`Self::to_pkcs8`] gave.
    ///
    /// # Errors
    /// [`KeyError`] when the bytes are not a P-256 key.
    pub fn from_pkcs8(bytes: &[u8]) -> Result<Self, KeyError> {
        let algorithm = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        Self::of(EcdsaKeyPair::from_pkcs8(algorithm, bytes).map_err(|_| KeyError)?)
    }
    /// The private key, PKCS#8 DER.
    ///
    /// # Errors
    /// [`KeyError`] when the provider cannot export it.
    pub fn to_pkcs8(&self) -> Result<Vec<u8>, KeyError> {
        self.pair.to_pkcs8v1().map(|d| d.as_ref().to_vec()).map_err(|_| KeyError)
    }
    /// The public key.
    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }
    /// Makes a proof for a request.
    ///
    /// # Errors
    /// [`KeyError`] when the provider cannot sign.
    pub fn prove(&self, request: Expected<'_>, nonce: Option<&str>, jti: &str) -> Result<String, KeyError> {
        let header = Header { typ: "dpop+jwt".into(), alg: "ES256".into(), jwk: self.jwk.clone() };
        let claims = Claims {
            htm: request.method.into(),
            htu: request.url.into(),
            jti: jti.into(),
            nonce: nonce.map(Into::into),
            ath: request.token.map(token_hash),
            iat: 0,
        };
        let encode =
            |bytes: Result<Vec<u8>, serde_json::Error>| bytes.map(|b| BASE64URL_NOPAD.encode(&b)).map_err(|_| KeyError);
        let signed = format!("{}.{}", encode(serde_json::to_vec(&header))?, encode(serde_json::to_vec(&claims))?);
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).map_err(|_| KeyError)?;
        Ok(format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref())))
    }

    fn of(pair: EcdsaKeyPair) -> Result<Self, KeyError> {
        let point = pair.public_key().as_ref();
        let (x, y) = point.split_first().map(|(_, xy)| xy.split_at(32)).ok_or(KeyError)?;
        let jwk =
            Jwk { kty: "EC".into(), crv: "P-256".into(), x: BASE64URL_NOPAD.encode(x), y: BASE64URL_NOPAD.encode(y) };
        Ok(Self { pair, jwk })
    }
}

impl std::fmt::Debug for TabletKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TabletKey(of {:?})", self.jwk.thumbprint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: Expected<'static> =
        Expected { method: "POST", url: "https://box/api/v1/sessions", token: Some("t") };

    #[test]
    fn a_proof_holds_for_its_request_and_token_only() {
        let key = TabletKey::generate().expect("key");
        let proof = key.prove(REQUEST, Some("n"), "j").expect("proof");
        let held = verify(&proof, REQUEST).expect("holds");
        assert_eq!(held.key, key.jwk().thumbprint().expect("thumbprint"));
        assert_eq!((held.nonce.as_deref(), held.jti.as_str()), (Some("n"), "j"));
        for (other, error) in [
            (Expected { method: "GET", ..REQUEST }, ProofError::OtherRequest),
            (Expected { url: "https://box/api/v1/tablets", ..REQUEST }, ProofError::OtherRequest),
            (Expected { token: Some("stolen"), ..REQUEST }, ProofError::OtherToken),
        ] {
            assert_eq!(verify(&proof, other), Err(error));
        }
    }

    #[test]
    fn a_tampered_proof_is_refused() {
        let key = TabletKey::generate().expect("key");
        let proof = key.prove(REQUEST, None, "j").expect("proof");
        for at in 0..proof.len() {
            let mut bytes = proof.clone().into_bytes();
            bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
            assert!(verify(std::str::from_utf8(&bytes).expect("ascii"), REQUEST).is_err(), "byte {at}");
        }
        assert_eq!(verify(&"a".repeat(5_000), REQUEST), Err(ProofError::Shape));
        assert_eq!(verify("..", REQUEST), Err(ProofError::Shape));
    }

    #[test]
    fn a_key_survives_being_written_down() {
        let key = TabletKey::generate().expect("key");
        let again = TabletKey::from_pkcs8(&key.to_pkcs8().expect("pkcs8")).expect("read back");
        assert_eq!(again.jwk(), key.jwk());
    }
}
