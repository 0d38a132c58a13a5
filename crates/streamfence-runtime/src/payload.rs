//! What a publisher gives: JSON, serialised once, and binary attachments.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde::de::IgnoredAny;
use streamfence_core::{Body, Key, Message, TraceContext};

/// The payload of one message.
///
/// Binary parts stand beside the JSON, which names them as Socket.IO does: `{"_placeholder":true,"num":0}` is the
/// first attachment.
///
/// ```
/// use streamfence_runtime::Payload;
///
/// let quote = Payload::serialize(&serde_json::json!({"symbol": "EURUSD", "bid": 1.0842}))?.with_key("EURUSD");
/// let image = Payload::binary(vec![0x89, b'P', b'N', b'G']);
/// # Ok::<(), streamfence_runtime::PayloadError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Payload {
    json: Bytes,
    attachments: Vec<Bytes>,
    key: Option<Key>,
    ttl: Option<Duration>,
    trace: Option<Arc<TraceContext>>,
}

/// The text of a payload that is one attachment.
const ONE_ATTACHMENT: &[u8] = br#"{"_placeholder":true,"num":0}"#;

impl Payload {
    /// Serialises a value.
    ///
    /// # Errors
    /// [`PayloadError::NotJson`] when the value has no JSON form, such as a map with keys that are not strings.
    pub fn serialize<T: Serialize + ?Sized>(value: &T) -> Result<Self, PayloadError> {
        let json = serde_json::to_vec(value).map_err(PayloadError::NotJson)?;
        Ok(Self::trusted(json.into(), Vec::new()))
    }

    /// Takes JSON text as it is, after checking that it is JSON.
    ///
    /// # Errors
    /// [`PayloadError::NotJson`] says where it stops being JSON.
    pub fn raw_json(text: impl Into<Bytes>) -> Result<Self, PayloadError> {
        let text = text.into();
        serde_json::from_slice::<IgnoredAny>(&text).map_err(PayloadError::NotJson)?;
        Ok(Self::trusted(text, Vec::new()))
    }

    /// A payload that is one binary attachment.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::trusted(Bytes::from_static(ONE_ATTACHMENT), vec![bytes.into()])
    }

    /// JSON text and the attachments its placeholders name.
    ///
    /// # Errors
    /// [`PayloadError::NotJson`], or [`PayloadError::Placeholders`] unless the text names each attachment exactly
    /// once: a client would otherwise see the parser's inside in place of its data.
    pub fn with_attachments(text: impl Into<Bytes>, attachments: Vec<Bytes>) -> Result<Self, PayloadError> {
        let text = text.into();
        if attachments.is_empty() {
            return Self::raw_json(text);
        }
        let value: serde_json::Value = serde_json::from_slice(&text).map_err(PayloadError::NotJson)?;
        let mut named = vec![0_u32; attachments.len()];
        let mut beyond = 0;
        count_placeholders(&value, &mut named, &mut beyond);
        if beyond > 0 || named.iter().any(|&times| times != 1) {
            let found = named.iter().sum::<u32>() + beyond;
            return Err(PayloadError::Placeholders { found, attachments: attachments.len() });
        }
        Ok(Self::trusted(text, attachments))
    }

    /// What the message replaces where a lane coalesces: messages with equal keys are versions of one value.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Key>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// How long the message is worth sending, in place of what its topic says.
    #[must_use]
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Where the publisher stands in a distributed trace. Clients that get metadata find there where the message stands.
    #[must_use]
    pub fn with_trace(mut self, trace: TraceContext) -> Self {
        self.trace = Some(unrecorded(trace));
        self
    }

    /// The JSON text.
    #[must_use]
    pub fn json(&self) -> &Bytes {
        &self.json
    }

    /// The JSON text as a value of a type.
    ///
    /// # Errors
    /// When it is another type's.
    pub fn parse<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.json)
    }

    /// Whether it is one binary attachment and nothing beside, as [`Payload::binary`] makes it.
    #[must_use]
    pub fn is_binary(&self) -> bool {
        self.attachments.len() == 1 && self.json == ONE_ATTACHMENT
    }

    /// The binary attachments.
    #[must_use]
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// The coalescing key.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// The coalescing key of the payload itself: what stands at JSON pointers in it, as JSON. `None` where nothing stands
    /// at any of them.
    pub(crate) fn key_at(&self, pointers: &[String]) -> Option<Key> {
        let value: serde_json::Value = serde_json::from_slice(&self.json).ok()?;
        let parts: Vec<_> = pointers.iter().map(|pointer| value.pointer(pointer)).collect();
        if parts.iter().all(Option::is_none) {
            return None;
        }
        // No JSON value is empty and none ends where a comma is not the next one's: no two lists read the same.
        let parts = parts.into_iter().map(|part| part.map(ToString::to_string).unwrap_or_default());
        Some(parts.collect::<Vec<_>>().join(",").into())
    }

    /// How long the message is worth sending, if the publisher said so.
    #[must_use]
    pub fn ttl(&self) -> Option<Duration> {
        self.ttl
    }

    /// Where it stands in a distributed trace, if in any: as its publisher said, and once it is published, as the span of
    /// that.
    #[must_use]
    pub fn trace(&self) -> Option<&Arc<TraceContext>> {
        self.trace.as_ref()
    }

    pub(crate) fn set_trace(&mut self, trace: Option<Arc<TraceContext>>) {
        self.trace = trace;
    }

    /// Its size as it came: the JSON and the attachments, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        (self.json.len() + self.attachments.iter().map(Bytes::len).sum::<usize>()) as u64
    }

    /// A body of a packet's text, in which the payload begins at `start`, with the attachments behind it.
    ///
    /// # Panics
    /// When the payload is not in the text at `start`: the encoder has miscounted.
    #[must_use]
    pub fn to_body(&self, text: &Bytes, start: usize) -> Body {
        let payload = start..start + self.json.len();
        assert!(text.len() >= payload.end, "the packet of {} bytes ends within its payload {payload:?}", text.len());
        if self.attachments.is_empty() {
            return Body { bytes: text.clone(), payload, attachments: Box::default() };
        }
        let size = text.len() + self.attachments.iter().map(Bytes::len).sum::<usize>();
        let mut bytes = BytesMut::with_capacity(size);
        bytes.extend_from_slice(text);
        let attachments = self.attachments.iter().map(|attachment| append(&mut bytes, attachment)).collect();
        Body { bytes: bytes.freeze(), payload, attachments }
    }

    /// What was published in a message, with its key and the time it was worth sending.
    pub(crate) fn of_message(message: &Message) -> Self {
        let Body { bytes, payload, .. } = &message.body;
        Self {
            json: bytes.slice(payload.clone()),
            attachments: message.body.attachments().collect(),
            key: message.key.clone(),
            ttl: message.expires.map(|expires| expires.saturating_duration_since(message.published)),
            trace: message.trace.as_deref().cloned().map(unrecorded),
        }
    }

    fn trusted(json: Bytes, attachments: Vec<Bytes>) -> Self {
        Self { json, attachments, key: None, ttl: None, trace: None }
    }
}

/// Whether it is recorded is for a tracer to say, with each publish.
fn unrecorded(trace: TraceContext) -> Arc<TraceContext> {
    Arc::new(TraceContext { is_recorded: false, ..trace })
}

fn append(bytes: &mut BytesMut, more: &[u8]) -> Range<usize> {
    let start = bytes.len();
    bytes.extend_from_slice(more);
    start..bytes.len()
}

fn count_placeholders(value: &serde_json::Value, named: &mut [u32], beyond: &mut u32) {
    match value {
        serde_json::Value::Object(object) if object.get("_placeholder") == Some(&true.into()) => {
            let number = object.get("num").and_then(serde_json::Value::as_u64);
            match number.and_then(|number| named.get_mut(usize::try_from(number).ok()?)) {
                Some(times) => *times += 1,
                None => *beyond += 1,
            }
        }
        serde_json::Value::Object(object) => {
            object.values().for_each(|value| count_placeholders(value, named, beyond));
        }
        serde_json::Value::Array(array) => array.iter().for_each(|value| count_placeholders(value, named, beyond)),
        _ => {}
    }
}

/// Why something is no payload.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The text is not JSON, or the value has no JSON form.
    #[error("payload is not JSON: {0}")]
    NotJson(serde_json::Error),
    /// The JSON does not name each attachment exactly once.
    #[error("payload names {found} attachments by placeholders and brings {attachments}; wanted each named once")]
    Placeholders {
        /// Placeholders in the JSON.
        found: u32,
        /// Attachments beside it.
        attachments: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attach(text: &'static str, attachments: &[&'static str]) -> Result<Payload, PayloadError> {
        let attachments = attachments.iter().map(|text| Bytes::from_static(text.as_bytes())).collect();
        Payload::with_attachments(text, attachments)
    }

    #[test]
    fn each_attachment_is_named_once_or_refused() {
        let one = r#"{"_placeholder":true,"num":0}"#;
        let twice = r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#;
        let beyond = r#"{"_placeholder":true,"num":7}"#;
        for (text, attachments) in
            [(one, &["a", "b"][..]), (twice, &["a"]), (twice, &["a", "b"]), (beyond, &["a"]), ("1", &["a"])]
        {
            assert!(attach(text, attachments).is_err(), "{text} with {}", attachments.len());
        }
        let nested = r#"{"b":[{"num":1,"_placeholder":true}],"a":{"_placeholder":true,"num":0}}"#;
        assert!(attach(nested, &["a", "b"]).is_ok(), "the order is the publisher's");
    }

    #[test]
    fn a_key_of_several_parts_is_that_of_no_other_parts() {
        let pointers = ["/a".to_owned(), "/b".to_owned()];
        let key = |text: &'static str| Payload::raw_json(text).expect(text).key_at(&pointers);
        let different = [
            r#"{"a":"a","b":"bc"}"#,
            r#"{"a":"ab","b":"c"}"#,
            r#"{"a":"a,b","b":"c"}"#,
            r#"{"a":1,"b":2}"#,
            r#"{"a":"1","b":2}"#,
            r#"{"a":1,"b":"2"}"#,
            r#"{"a":"1,2"}"#,
            r#"{"a":1}"#,
            r#"{"b":1}"#,
            r#"{"a":1,"b":null}"#,
            r#"{"a":null,"b":1}"#,
            r#"{"a":[1,2],"b":3}"#,
            r#"{"a":1,"b":[2,3]}"#,
            r#"{"a":"\",\"","b":""}"#,
            r#"{"a":"","b":"\",\""}"#,
            r#"{"c":1}"#,
        ];
        let keys: std::collections::HashSet<_> = different.into_iter().map(key).collect();
        assert_eq!(keys.len(), different.len(), "{keys:?}");
        assert_eq!(key(r#"{ "b": {"y": 1, "x": 2}, "a": 1.0 }"#), key(r#"{"a":1.0,"b":{"x":2,"y":1}}"#));
        assert_eq!(key(r#"{"c":1}"#), None, "what has no value of its own is a version of the topic's");
        let one = ["/a".to_owned()];
        assert_eq!(Payload::raw_json(r#"{"a":"x"}"#).expect("it is JSON").key_at(&one).as_deref(), Some("\"x\""));
    }

    #[test]
    fn text_that_is_not_json_is_refused() {
        for text in ["", "{", "1 2", "nope", "[1,]"] {
            assert!(Payload::raw_json(text).is_err(), "{text:?}");
        }
        assert!(Payload::raw_json(" [1, 2] ").is_ok());
    }
}
