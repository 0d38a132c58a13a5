//! A message as a body says it, and as it is published when nothing is wrong with it.

use std::num::NonZeroU32;
use std::time::Duration;

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use streamfence_runtime::{AckWait, MAX_DEPTH, Payload, PublishError, To, TraceContext, nests_deeper_than};

use super::answer::Answer;
use super::audience::{Recipients, audience};
use super::fingerprint::Fingerprint;
use super::report::Report;
use super::trace;
use super::wait::WaitRequest;
use crate::admin::known::ensure_known;
use crate::api::Api;
use crate::keys::{Caller, Scope};
use crate::problem::{Code, Problem};

/// A message to publish. Exactly one of `payload` and `payloadBase64` is there.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct PublishRequest {
    /// The path of the namespace, such as `/feed`.
    namespace: String,
    /// The topic in it.
    topic: String,
    /// What clients get: any JSON, `null` too.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Value")]
    payload: Option<Box<RawValue>>,
    /// What clients get as one binary attachment: the bytes of it, as base64.
    payload_base64: Option<String>,
    /// Whom it is for, of those subscribed; everyone without it.
    to: Option<Recipients>,
    /// Whom it is not for: client ids, at most 1,000.
    except: Option<Vec<String>>,
    /// What it replaces where the topic coalesces: a message with the same key.
    key: Option<String>,
    /// For how many milliseconds it is worth sending; without it, as the topic says.
    ttl_ms: Option<NonZeroU32>,
    /// Where its publisher stands in a distributed trace, as W3C's header of that name says it; without it, as the header of
    /// the request does.
    traceparent: Option<String>,
    /// What tracing systems say beside `traceparent`.
    tracestate: Option<String>,
    /// What it means when lanes are full.
    #[serde(default)]
    on_full: OnFull,
    /// A name for the request, as the header `Idempotency-Key` gives it: 1 to 255 bytes.
    id: Option<String>,
    /// What the answer waits for; without it, that all lanes have decided. Not in a batch and not in a stream.
    wait: Option<WaitRequest>,
}

/// What it means when lanes are full and refuse a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum OnFull {
    /// The report says how many, and that is all.
    #[default]
    Report,
    /// The publish is answered `429 QUEUE_FULL`, though the others have the message: the problem has the `report`.
    Fail,
}

/// A message with which nothing is wrong as far as it shows.
pub(super) struct Order {
    pub(super) namespace: String,
    pub(super) topic: String,
    pub(super) to: To,
    pub(super) payload: Payload,
    pub(super) on_full: OnFull,
    pub(super) id: Option<String>,
    /// Whose acks are waited for.
    pub(super) acks: Option<AckWait>,
}

impl PublishRequest {
    /// The message that the text of a body is, and in whose trace it is unless it says so itself.
    pub(super) fn read(text: &[u8], around: Option<&TraceContext>) -> Result<Order, Problem> {
        let request: Self = serde_json::from_slice(text).map_err(|why| Problem::bad_request(why.to_string()))?;
        let acks = request.wait.as_ref().map(WaitRequest::acks).transpose()?.flatten();
        let to = audience(request.to.as_ref(), request.except.as_deref())?;
        let mut payload = request.payload()?;
        if let Some(context) = trace::of_message(request.traceparent.as_deref(), request.tracestate.as_deref())? {
            payload = payload.with_trace(context);
        }
        let payload = trace::within(payload, around);
        let Self { namespace, topic, key, ttl_ms, on_full, id, .. } = request;
        Ok(Order { namespace, topic, to, payload: dressed(payload, key, ttl_ms), on_full, id, acks })
    }

    /// Publishes what a text says, as one message of several.
    pub(super) async fn carry_out_entry(
        text: &[u8],
        around: Option<&TraceContext>,
        api: &Api,
        caller: &Caller,
    ) -> Answer {
        let named = Self::read(text, around).and_then(|order| {
            if order.acks.is_some() {
                // It would hold up those behind it.
                return Err(Problem::bad_request("a message of several waits for no acks; wanted it alone"));
            }
            let name = api.idempotency.name(caller, &HeaderMap::new(), order.id.as_deref(), Fingerprint(text))?;
            Ok((order, name))
        });
        let (order, name) = match named {
            Ok(named) => named,
            Err(problem) => return problem.into(),
        };
        let (of, caller) = (api.clone(), caller.clone());
        api.idempotency.answer(name, async move { order.carry_out(&of, &caller).await.into() }).await.0
    }

    fn payload(&self) -> Result<Payload, Problem> {
        match (&self.payload, &self.payload_base64) {
            (Some(json), None) => json_payload(json.get().to_owned()),
            (None, Some(text)) => {
                let bytes = STANDARD.decode(text);
                Ok(Payload::binary(bytes.map_err(|why| Problem::bad_request(format!("payloadBase64: {why}")))?))
            }
            _ => Err(Problem::bad_request("wanted payload or payloadBase64, one of the two")),
        }
    }
}

pub(super) fn json_payload(text: impl Into<bytes::Bytes>) -> Result<Payload, Problem> {
    let text = text.into();
    if nests_deeper_than(&text, MAX_DEPTH) {
        return Err(Problem::bad_request(format!("the payload nests deeper than {MAX_DEPTH} levels")));
    }
    Payload::raw_json(text).map_err(|why| Problem::bad_request(why.to_string()))
}

/// A payload with what stands beside it.
pub(super) fn dressed(payload: Payload, key: Option<String>, ttl_ms: Option<NonZeroU32>) -> Payload {
    let payload = match key {
        Some(key) => payload.with_key(key),
        None => payload,
    };
    match ttl_ms {
        Some(ttl) => payload.with_ttl(Duration::from_millis(ttl.get().into())),
        None => payload,
    }
}

impl Order {
    /// Publishes it, if its caller may.
    pub(super) async fn carry_out(self, api: &Api, caller: &Caller) -> Result<Report, Problem> {
        caller.refuse_foreign(&self.namespace, &self.topic)?;
        let Self { namespace, topic, to, payload, .. } = self;
        let published = match self.acks {
            None => api.fence.publish_to(&namespace, to, &topic, payload).await.map(Report::from),
            Some(wait) => api.fence.publish_acked(&namespace, to, &topic, payload, wait).await.map(Report::from),
        };
        let report = published.map_err(|why| {
            // What there is instead is told to whoever may ask for all of it.
            if is_unknown(&why) && caller.renewed(Scope::Read).is_ok() {
                let known = ensure_known(&api.fence.catalog(), Some(&namespace), Some(&topic));
                return known.err().unwrap_or_else(|| problem(&why));
            }
            problem(&why)
        })?;
        if self.on_full == OnFull::Fail && report.rejected > 0 {
            let others = if report.admitted == 0 { "nobody has it" } else { "the others have it" };
            let detail = format!("the lanes of {} clients refused it; {others}", report.rejected);
            let report = serde_json::to_value(&report).unwrap_or_default();
            return Err(Problem::new(Code::QueueFull, detail).with("report", report));
        }
        Ok(report)
    }
}

fn is_unknown(why: &PublishError) -> bool {
    matches!(why, PublishError::UnknownNamespace { .. } | PublishError::UnknownTopic { .. })
}

fn problem(why: &PublishError) -> Problem {
    let code = match why {
        why if is_unknown(why) => Code::UnknownTopic,
        PublishError::TooManyTopics { .. } | PublishError::Overloaded { .. } | PublishError::TooManyWaits { .. } => {
            Code::LimitExceeded
        }
        PublishError::NotAcked { .. } => Code::BadRequest,
        PublishError::Vetoed { .. } => Code::PublishRejected,
        PublishError::ShuttingDown => Code::ShuttingDown,
        _ => Code::Internal,
    };
    Problem::new(code, why.to_string())
}

/// A payload of `null` is a payload.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}
