//! `POST /v1/publish`: one message.

use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::is_of_kind;
use super::request::PublishRequest;
use crate::api::Api;
use crate::keys::Caller;
use crate::problem::{Code, Problem};
use crate::route::JSON;

pub(super) async fn publish(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    if !is_of_kind(&headers, JSON) {
        return Err(Problem::new(Code::UnsupportedMediaType, "wanted content-type application/json"));
    }
    let body = body.map_err(|why| Problem::new(Code::PayloadTooLarge, why.body_text()))?;
    let report = PublishRequest::read(&body)?.carry_out(&api, &caller).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(report)).into_response())
}
