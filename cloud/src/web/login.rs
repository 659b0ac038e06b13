//! The DSI's sign-in: a plain form, so that it works before any script is loaded.

use std::{net::SocketAddr, time::Duration};

use askama::Template;
use axum::{
    body::Bytes,
    extract::{ConnectInfo, Query, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
};
use preau_shared::{
    keys::{draw_token, sha256},
    messages::Lang,
    refusal::Refusal,
    rig::reply::Problem,
};
use serde::Deserialize;

use super::{
    Web,
    caller::{Administrator, Asked, COOKIE, cookie, is_same_origin},
    console::{board::Words, html},
    problem,
};
use crate::store::{Tx, sessions};

/// A session ends after so long, so that a wall screen asks once a day.
const SESSION: Duration = Duration::from_secs(12 * 60 * 60);

#[derive(Template)]
#[template(path = "login.html")]
struct Page<'a> {
    words: Words<'a>,
    assets: &'a str,
    territory: &'a str,
    wrong: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Form {
    #[serde(default)]
    user: String,
    #[serde(default)]
    password: String,
}

/// `GET /login`.
pub(super) async fn page(
    signed_in: Option<Administrator>,
    Asked(lang): Asked,
    State(web): State<Web>,
) -> Result<Response, Problem> {
    match signed_in {
        Some(Administrator) => Ok(Redirect::to("/").into_response()),
        None => show(&web, lang, StatusCode::OK, None),
    }
}

/// `POST /login`: user and password → cookie, and to the page.
pub(super) async fn enter(
    State(web): State<Web>,
    Asked(lang): Asked,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    (headers, uri): (HeaderMap, Uri),
    body: Bytes,
) -> Result<Response, Problem> {
    if !is_same_origin(&headers, &uri) {
        return Err(Problem::new(Refusal::Forbidden));
    }
    let form = read(&body).ok_or_else(|| Problem::new(Refusal::Malformed).detail("user, password"))?;
    let (address, now) = (from.ip(), web.app.clock.elapsed());
    let words = Words { catalogue: &web.app.catalogue, lang };
    if let Some(left) = web.door.wait(address, now) {
        let seconds = left.as_secs().max(1).to_string();
        let sentence = words.with("dsi-login-wait", &[("seconds", &seconds)]);
        return show(&web, lang, StatusCode::TOO_MANY_REQUESTS, Some(sentence));
    }
    if !web.door.is_administrator(&form.user, form.password, (address, now)).await {
        tracing::warn!("a sign-in to the console was refused");
        return show(&web, lang, StatusCode::UNAUTHORIZED, Some(words.say("dsi-login-wrong")));
    }
    let token = draw_token(web.app.dice.as_ref());
    let (hash, opened) = (sha256(token.as_bytes()), web.app.clock.stamp());
    let open = move |connection: &Tx| sessions::open(connection, &hash, opened.after(SESSION), opened);
    web.app.store.commit(open).await.map_err(|error| problem::store(&error))?;
    let kept = format!("{COOKIE}={token}; Path=/; Max-Age={}; Secure; HttpOnly; SameSite=Strict", SESSION.as_secs());
    Ok(([(header::SET_COOKIE, kept)], Redirect::to("/")).into_response())
}

/// `POST /logout`.
pub(super) async fn leave(_: Administrator, State(web): State<Web>, headers: HeaderMap) -> Result<Response, Problem> {
    if let Some(token) = cookie(&headers) {
        let hash = sha256(token.as_bytes());
        let close = move |connection: &Tx| sessions::close(connection, &hash);
        web.app.store.commit(close).await.map_err(|error| problem::store(&error))?;
    }
    let gone = format!("{COOKIE}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict");
    Ok(([(header::SET_COOKIE, gone)], Redirect::to("/login")).into_response())
}

/// A form's body has the syntax of a query (URL Standard §5).
fn read(body: &[u8]) -> Option<Form> {
    let text = std::str::from_utf8(body).ok()?;
    let uri: Uri = format!("/?{text}").parse().ok()?;
    Query::try_from_uri(&uri).ok().map(|Query(form)| form)
}

fn show(web: &Web, lang: Lang, status: StatusCode, wrong: Option<String>) -> Result<Response, Problem> {
    let page = Page {
        words: Words { catalogue: &web.app.catalogue, lang },
        assets: &web.assets,
        territory: &web.app.config.territory,
        wrong,
    };
    Ok((status, html(&page)?).into_response())
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_form_is_read_and_nothing_else() {
        let form = read(b"user=dsi&password=a%26b+c%C3%A9").expect("form");
        assert_eq!((form.user.as_str(), form.password.as_str()), ("dsi", "a&b cé"));
        assert!(read(b"\xff\xfe").is_none());
        assert!(read(b"user=a&user=b").is_none());
        assert!(read("user=é".as_bytes()).is_none_or(|form| form.user == "é"));
    }
}
