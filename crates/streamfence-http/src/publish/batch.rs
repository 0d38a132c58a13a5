//! `POST /v1/publish/batch`: several messages, in order, each with an answer of its own.

use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use streamfence_runtime::TraceContext;

use super::answer::Answer;
use super::fingerprint::Fingerprint;
use super::report::Report;
use super::request::PublishRequest;
use super::{read_body, refuse_unless, trace};
use crate::api::Api;
use crate::keys::Caller;
use crate::problem::Problem;
use crate::route::JSON;

/// How many messages a batch may have.
const MOST_MESSAGES: usize = 1_000;

/// Several messages to publish.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchRequest {
    /// At most 1,000, in the order in which they are published. None of them may `wait`.
    #[schemars(with = "Vec<PublishRequest>")]
    messages: Vec<Box<RawValue>>,
}

/// What became of each message of a batch.
#[derive(Serialize, JsonSchema)]
pub(crate) struct BatchAnswer {
    /// In the order of the messages: each with the `status` it would have alone, and its report or its problem.
    #[schemars(with = "Vec<BatchEntry>")]
    results: Vec<Box<RawValue>>,
}

/// What became of one message: what it would be answered alone, and the status of that.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "entries are made of what is kept; this says what they are")]
pub(crate) enum BatchEntry {
    /// It is published.
    Published {
        /// 202.
        status: u16,
        /// What became of it.
        #[schemars(flatten)]
        report: Report,
    },
    /// It is not, or not to all.
    Failed(Problem),
}

pub(super) async fn publish(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    refuse_unless(&headers, JSON)?;
    let body = read_body(body)?;
    let batch: BatchRequest = serde_json::from_slice(&body).map_err(|why| Problem::bad_request(why.to_string()))?;
    let found = batch.messages.len();
    if found > MOST_MESSAGES {
        return Err(Problem::bad_request(format!("messages are {found}; wanted at most {MOST_MESSAGES}")));
    }
    let messages: Vec<_> = batch.messages.iter().map(|message| Fingerprint(message.get().as_bytes())).collect();
    let name = api.idempotency.name(&caller, &headers, None, ("batch", messages))?;
    let idempotency = api.idempotency.clone();
    Ok(idempotency.once(name, carry_out(batch, api, caller, trace::of_headers(&headers))).await)
}

async fn carry_out(batch: BatchRequest, api: Api, caller: Caller, trace: Option<TraceContext>) -> Answer {
    let mut results = Vec::with_capacity(batch.messages.len());
    // One of which nobody got anything may be tried again.
    let mut is_final = false;
    for message in batch.messages {
        let text = message.get().as_bytes();
        let answer = PublishRequest::carry_out_entry(text, trace.as_ref(), &api, &caller).await;
        is_final |= answer.is_final;
        let entry = String::from_utf8(answer.entry()).ok().and_then(|entry| RawValue::from_string(entry).ok());
        results.extend(entry);
    }
    Answer::done(StatusCode::OK, &BatchAnswer { results }).kept_if(is_final)
}
