//! What a topic brought, out of the two shapes it comes in.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::packet::Event;

/// A message of a topic.
#[derive(Clone, Debug)]
pub struct Message {
    /// The topic.
    pub topic: String,
    /// What was published, as it came; a binary one is a placeholder of the protocol, see [`Message::binary`].
    pub payload: Box<RawValue>,
    /// `{namespace, topic, messageId, ackRequired, ..}`, or null where the topic sends none.
    pub metadata: Value,
    /// What binary parts of the payload stand for, by the numbers of their placeholders.
    pub attachments: Vec<Bytes>,
}

#[derive(Deserialize)]
struct Envelope {
    payload: Box<RawValue>,
    metadata: Value,
}

impl Message {
    /// The message in an event, where the event is one: named after a topic, or `topic-message` with an envelope.
    pub fn from_event(event: Event) -> Option<Self> {
        let Event { name, args, attachments } = event;
        let mut args = args.into_iter();
        match name.as_str() {
            "subscribed" | "unsubscribed" | "authenticated" | "session" | "gap" | "error" => None,
            "topic-message" => {
                let Envelope { payload, metadata } = serde_json::from_str(args.next()?.get()).ok()?;
                let topic = metadata["topic"].as_str()?.to_owned();
                Some(Self { topic, payload, metadata, attachments })
            }
            _ => {
                let payload = args.next().unwrap_or_else(|| RawValue::NULL.to_owned());
                let metadata = args.next().and_then(|metadata| serde_json::from_str(metadata.get()).ok());
                Some(Self { topic: name, payload, metadata: metadata.unwrap_or_default(), attachments })
            }
        }
    }

    /// Which message it is, the same on every retry, where the topic says.
    pub fn id(&self) -> Option<&str> {
        self.metadata["messageId"].as_str()
    }

    /// Whether it is sent again until it is acked.
    pub fn wants_ack(&self) -> bool {
        self.metadata["ackRequired"] == true
    }

    /// The bytes of a payload that is binary as a whole.
    pub fn binary(&self) -> Option<&Bytes> {
        if self.attachments.is_empty() {
            return None;
        }
        let placeholder: Placeholder = serde_json::from_str(self.payload.get()).ok()?;
        self.attachments.get(placeholder.num).filter(|_| placeholder.is_one)
    }
}

#[derive(Deserialize)]
struct Placeholder {
    #[serde(rename = "_placeholder")]
    is_one: bool,
    num: usize,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(name: &str, args: Value, attachments: &[&'static [u8]]) -> Event {
        let args = serde_json::from_str(&args.to_string()).expect("arguments are an array");
        let attachments = attachments.iter().copied().map(Bytes::from_static).collect();
        Event { name: name.to_owned(), args, attachments }
    }

    #[test]
    fn a_message_is_found_in_either_shape() {
        let metadata = json!({"topic": "tick", "messageId": "a:1", "ackRequired": true});
        let by_name = event("tick", json!([{"p": 1}, metadata]), &[]);
        let enveloped = event("topic-message", json!([{"payload": {"p": 1}, "metadata": metadata}]), &[]);
        for event in [by_name, enveloped] {
            let message = Message::from_event(event).expect("it is one");
            assert_eq!((message.topic.as_str(), message.payload.get()), ("tick", r#"{"p":1}"#));
            assert_eq!((message.id(), message.wants_ack()), (Some("a:1"), true));
        }
        let bare = Message::from_event(event("tick", json!([1]), &[])).expect("it is one");
        assert_eq!((bare.id(), bare.wants_ack(), bare.binary()), (None, false, None));
        assert!(Message::from_event(event("subscribed", json!([{"topic": "tick"}]), &[])).is_none());
        assert!(Message::from_event(event("topic-message", json!([]), &[])).is_none());
    }

    #[test]
    fn a_binary_payload_is_its_attachment() {
        let placeholder = json!([{"_placeholder": true, "num": 0}]);
        let message = Message::from_event(event("blob", placeholder, &[b"abc"])).expect("it is one");
        assert_eq!(message.binary(), Some(&Bytes::from_static(b"abc")));
        let elsewhere = json!([{"_placeholder": true, "num": 7}]);
        assert_eq!(Message::from_event(event("blob", elsewhere, &[b"abc"])).expect("it is one").binary(), None);
    }
}
