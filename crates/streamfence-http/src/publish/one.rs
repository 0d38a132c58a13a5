//! `POST /v1/publish`: one message.

use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;

use super::fingerprint::Fingerprint;
use super::request::PublishRequest;
use super::{read_body, refuse_unless, trace};
use crate::api::Api;
use crate::keys::Caller;
use crate::problem::Problem;
use crate::route::JSON;

pub(super) async fn publish(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    refuse_unless(&headers, JSON)?;
    let body = read_body(body)?;
    let order = PublishRequest::read(&body, trace::of_headers(&headers).as_ref())?;
    let name = api.idempotency.name(&caller, &headers, order.id.as_deref(), Fingerprint(&body))?;
    let idempotency = api.idempotency.clone();
    Ok(idempotency.once(name, async move { order.carry_out(&api, &caller).await.into() }).await)
}
