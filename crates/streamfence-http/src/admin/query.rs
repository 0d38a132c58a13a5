//! What comes with a request, read into what a resource wants of it: everything else is an error that says what was wanted.

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::header;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use streamfence_runtime::ClientId;

use crate::keys::Caller;
use crate::problem::{Code, Problem};

/// How many things an answer has at most, and how many where nobody says.
pub(crate) const MOST: usize = 1_000;
const MANY: usize = 100;

/// What follows the `?`.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = Query::from_request_parts(parts, state).await;
        let Query(params) = params.map_err(|why: QueryRejection| Problem::bad_request(why.body_text()))?;
        Ok(Self(params))
    }
}

/// Nothing: whatever stands there is a mistake.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// A body of JSON, and nothing in the query, as if what stands there were a part of the order; an empty one is an empty object.
pub(crate) struct Order<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Order<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        // Asking for this type is what makes a browser ask before it lets a foreign page give orders.
        if !kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json")) {
            return Err(Problem::new(Code::UnsupportedMediaType, "wanted content-type application/json"));
        }
        if let Some(query) = request.uri().query().filter(|query| !query.is_empty()) {
            let found: String = query.chars().take(64).collect();
            return Err(Problem::bad_request(format!("the query is `{found}`; wanted it in the body")));
        }
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|why| Problem::new(Code::PayloadTooLarge, why.body_text()))?;
        let body = if body.is_empty() { b"{}".as_slice() } else { &body };
        serde_json::from_slice(body).map(Self).map_err(|why| Problem::bad_request(why.to_string()))
    }
}

/// Whose key a request came with, for the log; nothing where nobody is asked for one.
pub(super) fn by(caller: &Caller) -> Option<&str> {
    caller.name().map(|name| &**name)
}

/// How many are wanted.
pub(crate) fn limit(wanted: Option<usize>) -> Result<usize, Problem> {
    match wanted {
        None => Ok(MANY),
        Some(limit) if (1..=MOST).contains(&limit) => Ok(limit),
        Some(limit) => Err(Problem::bad_request(format!("limit is {limit}; wanted 1 to {MOST}"))),
    }
}

/// The client of this name.
pub(crate) fn client_id(text: &str) -> Result<ClientId, Problem> {
    text.parse().map_err(|why| Problem::bad_request(format!("client {text:?}: {why}")))
}

/// Nobody is there of this name.
pub(crate) fn unknown_client(client: ClientId) -> Problem {
    Problem::new(Code::UnknownClient, format!("client {client} is not here; it may have left"))
}
