//! What a publisher gives: JSON, serialised once, and binary attachments.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde::de::Error as _;
use streamfence_core::{Body, Key};

use crate::tree::{Tree, check_json};

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
}

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
        check_json(&text).map_err(PayloadError::NotJson)?;
        Ok(Self::trusted(text, Vec::new()))
    }

    /// A payload that is one binary attachment.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::trusted(Bytes::from_static(br#"{"_placeholder":true,"num":0}"#), vec![bytes.into()])
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
        let tree = std::str::from_utf8(&text)
            .map_err(|_| PayloadError::NotJson(serde_json::Error::custom("the text is not UTF-8")))
            .and_then(|text| Tree::parse(text).map_err(PayloadError::NotJson))?;
        let numbers = tree.numbers();
        let mut in_order = Vec::with_capacity(attachments.len());
        for &number in &numbers {
            let index = usize::try_from(number).ok().filter(|_| in_order.len() < attachments.len());
            in_order.extend(index.and_then(|index| attachments.get(index)).cloned());
        }
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.len() != numbers.len() || in_order.len() != attachments.len() || numbers.len() != attachments.len() {
            return Err(PayloadError::Placeholders { found: numbers.len(), attachments: attachments.len() });
        }
        // One spelling and one numbering, so that what leaves is what every serialiser would write.
        let place = |number| Placeholder { placeholder: true, num: numbers.iter().position(|&n| n == number) };
        let text = serde_json::to_vec(&tree.with(&place)).map_err(PayloadError::NotJson)?.into();
        Ok(Self::trusted(text, in_order))
    }

    /// What the message replaces where a lane coalesces: messages with equal keys are versions of one value.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Key>) -> Self {
        self.key = Some(key.into());
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

    fn trusted(json: Bytes, attachments: Vec<Bytes>) -> Self {
        Self { json, attachments, key: None }
    }
}

fn append(bytes: &mut BytesMut, more: &[u8]) -> Range<usize> {
    let start = bytes.len();
    bytes.extend_from_slice(more);
    start..bytes.len()
}

#[derive(Serialize)]
struct Placeholder {
    #[serde(rename = "_placeholder")]
    placeholder: bool,
    num: Option<usize>,
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
        found: usize,
        /// Attachments beside it.
        attachments: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attach(text: &'static str, attachments: &[&'static str]) -> Result<(String, Vec<Bytes>), String> {
        let attachments = attachments.iter().map(|text| Bytes::from_static(text.as_bytes())).collect();
        let payload = Payload::with_attachments(text, attachments).map_err(|why| why.to_string())?;
        Ok((String::from_utf8(payload.json.to_vec()).expect("JSON is UTF-8"), payload.attachments))
    }

    #[test]
    fn attachments_are_numbered_in_the_order_of_the_text() {
        let swapped = r#"{ "b": {"num": 1, "_placeholder": true}, "a": {"_placeholder":true,"num":0} }"#;
        let wanted = r#"{"b":{"_placeholder":true,"num":0},"a":{"_placeholder":true,"num":1}}"#;
        assert_eq!(attach(swapped, &["first", "second"]), Ok((wanted.into(), vec!["second".into(), "first".into()])));
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
    }

    #[test]
    fn text_that_is_not_json_is_refused() {
        for text in ["", "{", "1 2", "nope", "[1,]"] {
            assert!(Payload::raw_json(text).is_err(), "{text:?}");
        }
        assert!(Payload::raw_json(" [1, 2] ").is_ok());
    }
}
