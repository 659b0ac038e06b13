//! Who calls: a program with the administrator's token, or a browser with a session cookie.
//!
//! A cookie alone may only look. What changes something also needs an `Origin` that is this very server (STYLE: the
//! browser sends it, another site cannot forge it), beside SameSite=Strict.

use std::convert::Infallible;

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{HeaderMap, Method, Uri, header, request::Parts},
};
use preau_shared::{
    keys::sha256,
    messages::Lang,
    refusal::Refusal,
    rig::{reply::Problem, writer::StoreError},
};

use super::{Web, problem};
use crate::store::sessions;

/// Name of the cookie: the prefix makes browsers insist on Secure, on the path `/` and on no domain (RFC 6265bis).
pub(super) const COOKIE: &str = "__Host-preau-dsi";
/// Longest header that is looked at, in bytes.
const MAX_HEADER_BYTES: usize = 4_096;

/// An administrator, by token or by cookie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Administrator;

impl FromRequestParts<Web> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        if let Some(token) = bearer(&parts.headers) {
            let known = web.door.is_token(token);
            return if known { Ok(Self) } else { Err(Problem::new(Refusal::AdministratorRequired)) };
        }
        let open = match cookie(&parts.headers) {
            Some(token) => is_open(web, token).await.map_err(|error| problem::store(&error))?,
            None => false,
        };
        if !open {
            return Err(Problem::new(Refusal::AdministratorRequired));
        }
        let safe = parts.method == Method::GET || parts.method == Method::HEAD;
        if safe || is_same_origin(&parts.headers, &parts.uri) {
            Ok(Self)
        } else {
            Err(Problem::new(Refusal::Forbidden))
        }
    }
}

impl OptionalFromRequestParts<Web> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Option<Self>, Problem> {
        match <Self as FromRequestParts<Web>>::from_request_parts(parts, web).await {
            Ok(administrator) => Ok(Some(administrator)),
            Err(problem) if problem.refusal() == Refusal::AdministratorRequired => Ok(None),
            Err(problem) => Err(problem),
        }
    }
}

/// The language asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked(pub(super) Lang);

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(Lang::asked(text(&parts.headers, header::ACCEPT_LANGUAGE).unwrap_or_default())))
    }
}

async fn is_open(web: &Web, token: &str) -> Result<bool, StoreError> {
    let (hash, now) = (sha256(token.as_bytes()), web.app.clock.stamp());
    web.app.store.read(move |connection| sessions::is_open(connection, &hash, now)).await
}

/// The session's token, as the browser keeps it.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    pairs
        .flat_map(|pairs| pairs.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
        .filter(|token| !token.is_empty() && token.len() <= MAX_HEADER_BYTES)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = text(headers, header::AUTHORIZATION)?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether the page that sent this is ours: scheme, host and port (RFC 6454). HTTP/2 names the host in the URL.
pub(super) fn is_same_origin(headers: &HeaderMap, uri: &Uri) -> bool {
    let host = uri.authority().map(axum::http::uri::Authority::as_str).or_else(|| text(headers, header::HOST));
    let (Some(origin), Some(host)) = (text(headers, header::ORIGIN), host) else { return false };
    origin.strip_prefix("https://").is_some_and(|named| named.eq_ignore_ascii_case(host))
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().filter(|value| value.len() <= MAX_HEADER_BYTES)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_this_very_server_is_the_same_origin() {
        for (origin, same) in [
            ("https://127.0.0.1:8443", true),
            ("https://127.0.0.1", false),
            ("http://127.0.0.1:8443", false),
            ("https://127.0.0.1:8443.evil.example", false),
            ("null", false),
        ] {
            let (path, whole) = (Uri::from_static("/"), Uri::from_static("https://127.0.0.1:8443/"));
            let one = is_same_origin(&headers(&[(header::ORIGIN, origin), (header::HOST, "127.0.0.1:8443")]), &path);
            let two = is_same_origin(&headers(&[(header::ORIGIN, origin)]), &whole);
            assert_eq!((one, two), (same, same), "{origin}");
        }
        assert!(!is_same_origin(&headers(&[(header::HOST, "127.0.0.1:8443")]), &Uri::from_static("/")), "none at all");
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let found = |value: &'static str| cookie(&headers(&[(header::COOKIE, value)])).map(str::to_owned);
        assert_eq!(found("a=b; __Host-preau-dsi=tok; c=d").as_deref(), Some("tok"));
        for none in ["", "__Host-preau-dsi=", "x__Host-preau-dsi=tok", "__Host-preau-dsi2=tok"] {
            assert_eq!(found(none), None, "{none}");
        }
    }
}
