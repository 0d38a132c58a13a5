//! What a client hears, as it is printed.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use streamfence_client::Message;

use crate::say::visible;

/// A message for people: the topic and what was published.
pub(crate) fn text(message: &Message) -> String {
    let topic = visible(&message.topic);
    match message.binary() {
        Some(bytes) => format!("{topic} {} bytes: {}", bytes.len(), STANDARD.encode(bytes)),
        None => format!("{topic} {}", visible(payload(message).get())),
    }
}

/// A message for programs.
pub(crate) fn json(message: &Message) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Shown<'a> {
        r#type: &'static str,
        topic: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<Cow<'a, RawValue>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        payload_base64: Option<String>,
        #[serde(skip_serializing_if = "Value::is_null")]
        metadata: &'a Value,
    }
    let bytes = message.binary();
    let shown = Shown {
        r#type: "message",
        topic: &message.topic,
        payload: bytes.is_none().then(|| payload(message)),
        payload_base64: bytes.map(|bytes| STANDARD.encode(bytes)),
        metadata: &message.metadata,
    };
    serde_json::to_string(&shown).expect("texts and JSON can be written as JSON")
}

/// Anything else the server says, for programs: its object, and its name as `type`.
pub(crate) fn event(name: &str, arg: &Value) -> String {
    let mut shown = Map::from_iter([("type".to_owned(), Value::from(name))]);
    for (key, value) in arg.as_object().into_iter().flatten() {
        // The secret lets others take the session.
        if (name, key.as_str()) != ("session", "secret") {
            shown.insert(key.clone(), value.clone());
        }
    }
    Value::Object(shown).to_string()
}

/// The same for people.
pub(crate) fn aside(name: &str, arg: &Value) -> String {
    let word = |key: &str| visible(arg[key].as_str().unwrap_or("?"));
    match name {
        "subscribed" => format!("subscribed to {} as client {}", word("topic"), word("clientId")),
        "unsubscribed" => format!("unsubscribed from {}: {}", word("topic"), word("reason")),
        "error" => format!("error {}: {}", word("code"), word("message")),
        "gap" => format!("missed {} of {}: {}", arg["count"], word("topic"), word("reason")),
        _ => visible(&event(name, arg)),
    }
}

/// The payload as it came, but with `{"base64": ".."}` where a part of it is binary.
fn payload(message: &Message) -> Cow<'_, RawValue> {
    fn with_bytes(value: Value, message: &Message) -> Value {
        match value {
            Value::Object(object) if object.get("_placeholder") == Some(&Value::Bool(true)) => {
                let number = object.get("num").and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok());
                match number.and_then(|number| message.attachments.get(number)) {
                    Some(bytes) => json!({ "base64": STANDARD.encode(bytes) }),
                    None => Value::Object(object),
                }
            }
            Value::Object(object) => {
                Value::Object(object.into_iter().map(|(key, value)| (key, with_bytes(value, message))).collect())
            }
            Value::Array(values) => Value::Array(values.into_iter().map(|value| with_bytes(value, message)).collect()),
            value => value,
        }
    }
    let raw = Cow::Borrowed(&*message.payload);
    if message.attachments.is_empty() {
        return raw;
    }
    let Ok(value) = serde_json::from_str(message.payload.get()) else { return raw };
    let value = serde_json::value::to_raw_value(&with_bytes(value, message));
    Cow::Owned(value.expect("JSON can be written as JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(payload: Value, attachments: &[&'static [u8]]) -> Message {
        let attachments = attachments.iter().map(|bytes| bytes.to_vec().into()).collect();
        let payload = serde_json::value::to_raw_value(&payload).expect("it is JSON");
        Message { topic: "tick".into(), payload, metadata: Value::Null, attachments }
    }

    #[test]
    fn binary_is_shown_as_base64() {
        let whole = message(json!({"_placeholder": true, "num": 0}), &[b"abc"]);
        assert_eq!(text(&whole), "tick 3 bytes: YWJj");
        assert_eq!(json(&whole), r#"{"type":"message","topic":"tick","payloadBase64":"YWJj"}"#);
        let part = message(json!([{"a": {"_placeholder": true, "num": 1}}]), &[b"", b"abc"]);
        assert_eq!(text(&part), r#"tick [{"a":{"base64":"YWJj"}}]"#);
        let none = message(json!({"_placeholder": true, "num": 9}), &[]);
        assert_eq!(text(&none), r#"tick {"_placeholder":true,"num":9}"#);
    }

    #[test]
    fn what_is_said_beside_is_shown_without_its_secrets() {
        let session = json!({"id": "i", "secret": "hunter2", "retentionMs": 5});
        assert_eq!(event("session", &session), r#"{"id":"i","retentionMs":5,"type":"session"}"#);
        assert!(!aside("session", &session).contains("hunter2"));
        let error = json!({"code": "SLOW_CLIENT", "message": "too\u{1b}[2J slow"});
        assert_eq!(aside("error", &error), "error SLOW_CLIENT: too\\u{1b}[2J slow");
    }
}
