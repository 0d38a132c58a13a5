//! `POST /v1/namespaces/{ns}/topics/{topic}/messages`: a message that is the body itself.

use std::num::NonZeroU32;

use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;
use streamfence_runtime::Payload;

use super::audience::{Recipients, audience};
use super::request::{OnFull, Order, dressed, json_payload};
use super::{is_of_kind, read_body, trace};
use crate::api::Api;
use crate::keys::Caller;
use crate::problem::Problem;
use crate::route::JSON;

/// What stands in the query.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Beside {
    key: Option<String>,
    ttl_ms: Option<NonZeroU32>,
    #[serde(default)]
    on_full: OnFull,
    to: Option<String>,
}

pub(super) async fn publish(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<(String, String)>, PathRejection>,
    beside: Result<Query<Beside>, QueryRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let Path((namespace, topic)) = path.map_err(|why| Problem::bad_request(why.body_text()))?;
    let Query(beside) = beside.map_err(|why| Problem::bad_request(why.body_text()))?;
    let body = read_body(body)?;
    let is_json = is_of_kind(&headers, JSON);
    let namespace = if namespace.starts_with('/') { namespace } else { format!("/{namespace}") };
    let name = api.idempotency.name(&caller, &headers, None, (&namespace, &topic, query, is_json, &body))?;
    let payload = if is_json { json_payload(body)? } else { Payload::binary(body) };
    let to = beside.to.map(|to| Recipients::Clients(to.split(',').map(str::to_owned).collect()));
    let order = Order {
        namespace,
        topic,
        to: audience(to.as_ref(), None)?,
        payload: trace::within(dressed(payload, beside.key, beside.ttl_ms), trace::of_headers(&headers).as_ref()),
        on_full: beside.on_full,
        id: None,
        acks: None,
    };
    let idempotency = api.idempotency.clone();
    Ok(idempotency.once(name, async move { order.carry_out(&api, &caller).await.into() }).await)
}
