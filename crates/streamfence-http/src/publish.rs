//! Publishing: a message in, what became of it out.

mod answer;
mod audience;
mod batch;
mod fingerprint;
mod idempotency;
mod one;
mod raw;
mod report;
mod request;
mod stream;
mod trace;
mod wait;

use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;

use self::batch::{BatchAnswer, BatchEntry, BatchRequest};
pub(crate) use self::idempotency::Idempotency;
use self::report::Report;
use self::request::{OnFull, PublishRequest};
pub(crate) use self::stream::MOST_STREAMS;
use crate::keys::Scope;
use crate::problem::{Code, Problem, unread};
use crate::route::Route;

/// What can go wrong with a message that stands alone.
const OF_A_MESSAGE: [Code; 9] = [
    Code::BadRequest,
    Code::PublishRejected,
    Code::UnknownTopic,
    Code::IdempotencyConflict,
    Code::IdempotencyInFlight,
    Code::PayloadTooLarge,
    Code::QueueFull,
    Code::LimitExceeded,
    Code::ShuttingDown,
];

/// The largest batch, in bytes.
const MAX_BATCH_BYTES: usize = 4 * 1024 * 1024;

pub(crate) fn routes() -> Vec<Route> {
    const KEY: &str = "A name for the request: made again within five minutes, it is answered as the first time and not \
                       carried out twice.";
    const TRACE: &str = "Where the caller stands in a distributed trace, as W3C has it.";
    const STATE: &str = "What tracing systems say beside `traceparent`; it is passed on.";
    vec![
        Route::post("/v1/publish", one::publish, "Publish a message, and learn what became of it")
            .needs(Scope::Publish)
            .header("Idempotency-Key", KEY)
            .header("traceparent", TRACE)
            .header("tracestate", STATE)
            .takes::<PublishRequest>()
            .answers::<Report>(
                StatusCode::OK,
                "It is published, and what it was to wait for is over: `acked` says how.",
            )
            .answers::<Report>(StatusCode::ACCEPTED, "It is published.")
            .fails(OF_A_MESSAGE)
            .fails([Code::UnsupportedMediaType]),
        Route::post("/v1/publish/batch", batch::publish, "Publish up to 1,000 messages, in order")
            .needs(Scope::Publish)
            .header("Idempotency-Key", KEY)
            .header("traceparent", TRACE)
            .header("tracestate", STATE)
            .limit(MAX_BATCH_BYTES)
            .takes::<BatchRequest>()
            .answers::<BatchAnswer>(StatusCode::OK, "What became of each; some may have failed.")
            .fails([Code::BadRequest, Code::IdempotencyConflict, Code::IdempotencyInFlight, Code::PayloadTooLarge])
            .fails([Code::UnsupportedMediaType, Code::LimitExceeded]),
        Route::post("/v1/publish/stream", stream::publish, "Publish messages line by line, for as long as it lasts")
            .needs(Scope::Publish)
            .header("traceparent", TRACE)
            .header("tracestate", STATE)
            .lasts()
            .takes_as::<PublishRequest>(stream::NDJSON)
            .answers_as::<BatchEntry>(
                StatusCode::OK,
                stream::NDJSON,
                "A line for each, in order; some may have failed.",
            )
            .fails([Code::BadRequest, Code::UnsupportedMediaType, Code::LimitExceeded]),
        Route::post(
            "/v1/namespaces/{ns}/topics/{topic}/messages",
            raw::publish,
            "Publish the body itself: JSON if it says so, bytes if not",
        )
        .needs(Scope::Publish)
        .path::<String>("ns", "The namespace without the slash it begins with, percent-encoded; `%2F` is the root.")
        .path::<String>("topic", "The topic, percent-encoded.")
        .query::<String>("key", "What it replaces where the topic coalesces: a message with the same key.")
        .query::<u32>("ttlMs", "For how many milliseconds it is worth sending; without it, as the topic says.")
        .query::<OnFull>("onFull", "What it means when lanes are full.")
        .query::<String>("to", "Whom it is for: the `clientId` of one, or several with commas between.")
        .header("Idempotency-Key", KEY)
        .header("traceparent", TRACE)
        .header("tracestate", STATE)
        .takes_as::<Vec<u8>>("*/*")
        .answers::<Report>(StatusCode::ACCEPTED, "It is published.")
        .fails(OF_A_MESSAGE),
    ]
}

/// Whether a body says that it is of this kind.
fn is_of_kind(headers: &HeaderMap, wanted: &str) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(wanted))
}

fn refuse_unless(headers: &HeaderMap, wanted: &str) -> Result<(), Problem> {
    if is_of_kind(headers, wanted) {
        return Ok(());
    }
    Err(Problem::new(Code::UnsupportedMediaType, format!("wanted content-type {wanted}")))
}

/// A body that was read whole.
fn read_body(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Problem> {
    body.map_err(|why| unread(&why))
}
