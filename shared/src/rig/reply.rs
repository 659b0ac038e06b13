//! Refusals and failures as HTTP problems (RFC 9457).
//!
//! A *refusal* is an expected answer: stable `code`, a sentence and the next thing to do, in the language asked for. A
//! *failure* is ours: the caller sees a number, the log has the cause under the same number.

use axum::{
    Json,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::dice::SystemDice;
use crate::{
    dice::Dice as _,
    messages::{Catalogue, Lang},
    refusal::Refusal,
};

/// Failure numbers have six digits: short enough to be read out on the telephone.
const FAILURE_NUMBERS: u64 = 1_000_000;

/// An answer that is not a yes.
#[derive(Debug, Clone)]
pub struct Problem {
    refusal: Refusal,
    detail: Option<String>,
    members: Map<String, Value>,
    retry_after_s: Option<u64>,
}

impl Problem {
    /// A refusal.
    pub fn new(refusal: Refusal) -> Self {
        Self { refusal, detail: None, members: Map::new(), retry_after_s: None }
    }

    /// A failure of ours: logged now, under a number that the caller sees.
    pub fn failed(cause: &dyn std::fmt::Display) -> Self {
        Self::broken(Refusal::Failed, cause)
    }

    /// The disk does not take it: logged, and told apart from other failures (507).
    pub fn storage(cause: &dyn std::fmt::Display) -> Self {
        Self::broken(Refusal::StorageFailed, cause)
    }

    fn broken(refusal: Refusal, cause: &dyn std::fmt::Display) -> Self {
        let number = SystemDice.below(FAILURE_NUMBERS);
        tracing::error!(number, %cause, "a request failed");
        Self::new(refusal).with("number", number)
    }

    /// Adds what exactly was wrong (line, column, member), for the person who must mend it.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds a member that a program may act on.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.members.insert(member.to_owned(), value.into());
        self
    }

    /// Says when to come back.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Which refusal this is.
    pub fn refusal(&self) -> Refusal {
        self.refusal
    }

    fn body(&self, catalogue: &Catalogue, lang: Lang) -> Value {
        let (title, next) = catalogue.refusal(lang, self.refusal);
        let mut body = self.members.clone();
        body.insert("type".into(), json!(format!("urn:preau:problem:{}", self.refusal.code())));
        body.insert("status".into(), json!(self.refusal.status()));
        body.insert("code".into(), json!(self.refusal.code()));
        body.insert("title".into(), json!(title));
        body.insert("next".into(), json!(next));
        if let Some(detail) = &self.detail {
            body.insert("detail".into(), json!(detail));
        }
        Value::Object(body)
    }
}

impl IntoResponse for Problem {
    /// Status and the problem itself as an extension: [`in_words`] writes the body in the language asked for.
    fn into_response(self) -> Response {
        let mut response = status_of(self.refusal).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

fn status_of(refusal: Refusal) -> StatusCode {
    StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The language that a request asks for.
pub fn asked_in(headers: &HeaderMap) -> Lang {
    Lang::asked(headers.get(header::ACCEPT_LANGUAGE).and_then(|h| h.to_str().ok()).unwrap_or_default())
}

/// Writes the body of a [`Problem`] in the caller's language, and turns axum's own plain refusals (body too large, unknown
/// path, wrong method) into problems, so that every error a client sees has one form: for the outermost layer.
pub fn in_words(catalogue: &Catalogue, lang: Lang, mut response: Response) -> Response {
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None => match plain_refusal(&response) {
            Some(refusal) => Problem::new(refusal),
            None => return response,
        },
    };
    let headers = response.headers().clone();
    let mut answer = (response.status(), Json(problem.body(catalogue, lang))).into_response();
    for (name, value) in &headers {
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            answer.headers_mut().append(name, value.clone());
        }
    }
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    answer.headers_mut().insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(lang.tag()));
    answer
}

fn plain_refusal(response: &Response) -> Option<Refusal> {
    let json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|t| t.as_bytes().starts_with(b"application/") || t.as_bytes().starts_with(b"text/html"));
    if json {
        return None;
    }
    match response.status() {
        StatusCode::NOT_FOUND => Some(Refusal::NotFound),
        StatusCode::METHOD_NOT_ALLOWED => Some(Refusal::MethodNotAllowed),
        StatusCode::PAYLOAD_TOO_LARGE => Some(Refusal::TooLarge),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Some(Refusal::Malformed)
        }
        _ => None,
    }
}
