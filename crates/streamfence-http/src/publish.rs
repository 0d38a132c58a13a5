//! `POST /v1/publish`: a message in, what became of it out.

use std::num::NonZeroU32;
use std::time::Duration;

use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use streamfence_runtime::{Payload, PublishError};

use crate::api::Api;
use crate::audience::{Recipients, audience};
use crate::problem::Problem;

/// The body of a publish.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Request {
    namespace: String,
    topic: String,
    #[serde(default, deserialize_with = "given")]
    payload: Option<Box<RawValue>>,
    payload_base64: Option<String>,
    to: Option<Recipients>,
    except: Option<Vec<String>>,
    key: Option<String>,
    ttl_ms: Option<NonZeroU32>,
    id: Option<IgnoredAny>,
    wait: Option<IgnoredAny>,
}

pub(crate) async fn publish(
    State(api): State<Api>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    // Asking for this type is what makes a browser ask before it lets a foreign page publish.
    if !is_json(&headers) {
        return Err(Problem::not_json());
    }
    let body = body.map_err(|why| Problem::too_large(why.body_text()))?;
    let request: Request = serde_json::from_slice(&body).map_err(|why| Problem::bad_request(why.to_string()))?;
    request.refuse_unbuilt()?;
    let to = audience(request.to.as_ref(), request.except.as_deref())?;
    let payload = request.payload()?;
    match api.fence.publish_to(&request.namespace, to, &request.topic, payload).await {
        Ok(report) => Ok((StatusCode::ACCEPTED, axum::Json(report)).into_response()),
        Err(why @ (PublishError::UnknownNamespace { .. } | PublishError::UnknownTopic { .. })) => {
            Err(Problem::unknown_topic(why.to_string()))
        }
        Err(why @ PublishError::TooManyTopics { .. }) => Err(Problem::limit_exceeded(why.to_string())),
        Err(why @ PublishError::Vetoed { .. }) => Err(Problem::vetoed(why.to_string())),
        Err(PublishError::ShuttingDown) => Err(Problem::shutting_down()),
        Err(why) => Err(Problem::internal(why.to_string())),
    }
}

impl Request {
    fn payload(&self) -> Result<Payload, Problem> {
        let payload = match (&self.payload, &self.payload_base64) {
            (Some(json), None) => Payload::raw_json(json.get().to_owned()),
            (None, Some(text)) => {
                let bytes = STANDARD.decode(text);
                Ok(Payload::binary(bytes.map_err(|why| Problem::bad_request(format!("payloadBase64: {why}")))?))
            }
            _ => return Err(Problem::bad_request("wanted payload or payloadBase64, one of the two")),
        };
        let payload = payload.map_err(|why| Problem::bad_request(why.to_string()))?;
        let payload = match &self.key {
            Some(key) => payload.with_key(key.as_str()),
            None => payload,
        };
        Ok(match self.ttl_ms {
            Some(ttl) => payload.with_ttl(Duration::from_millis(ttl.get().into())),
            None => payload,
        })
    }

    fn refuse_unbuilt(&self) -> Result<(), Problem> {
        for (key, value) in [("id", &self.id), ("wait", &self.wait)] {
            if value.is_some() {
                return Err(Problem::bad_request(format!("{key} is not in this build")));
            }
        }
        Ok(())
    }
}

/// A payload of `null` is a payload.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}
