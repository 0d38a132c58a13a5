//! What a topic brought, out of the two shapes it comes in.

use bytes::Bytes;
use serde_json::Value;

use crate::packet::Event;

/// A message of a topic.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The topic.
    pub topic: String,
    /// What was published; a binary one is a placeholder of the protocol, see [`Message::binary`].
    pub payload: Value,
    /// `{namespace, topic, messageId, ackRequired, ..}`, or null where the topic sends none.
    pub metadata: Value,
    /// What binary parts of the payload stand for, by the numbers of their placeholders.
    pub attachments: Vec<Bytes>,
}

impl Message {
    /// The message in an event, where the event is one: named after a topic, or `topic-message` with an envelope.
    pub fn from_event(event: Event) -> Option<Self> {
        let Event { name, mut args, attachments } = event;
        match name.as_str() {
            "subscribed" | "unsubscribed" | "authenticated" | "session" | "gap" | "error" => None,
            "topic-message" => {
                let mut envelope = args.into_iter().next()?;
                let (payload, metadata) = (envelope["payload"].take(), envelope["metadata"].take());
                let topic = metadata["topic"].as_str()?.to_owned();
                Some(Self { topic, payload, metadata, attachments })
            }
            _ => {
                let mut take = |at: usize| args.get_mut(at).map(Value::take).unwrap_or_default();
                let (payload, metadata) = (take(0), take(1));
                Some(Self { topic: name, payload, metadata, attachments })
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
        let is_placeholder = self.payload["_placeholder"] == true;
        let number = self.payload["num"].as_u64().filter(|_| is_placeholder)?;
        self.attachments.get(usize::try_from(number).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(name: &str, args: Value, attachments: &[&'static [u8]]) -> Event {
        let Value::Array(args) = args else { panic!("arguments are an array") };
        let attachments = attachments.iter().copied().map(Bytes::from_static).collect();
        Event { name: name.to_owned(), args, attachments }
    }

    #[test]
    fn a_message_is_found_in_either_shape() {
        let metadata = json!({"topic": "tick", "messageId": "a:1", "ackRequired": true});
        let by_name = Message::from_event(event("tick", json!([{"p": 1}, metadata]), &[])).expect("it is one");
        let envelope = json!([{"payload": {"p": 1}, "metadata": metadata}]);
        let enveloped = Message::from_event(event("topic-message", envelope, &[])).expect("it is one");
        assert_eq!(by_name, enveloped);
        assert_eq!((by_name.id(), by_name.wants_ack()), (Some("a:1"), true));

        let bare = Message::from_event(event("tick", json!([1]), &[])).expect("it is one");
        assert_eq!((bare.id(), bare.wants_ack(), bare.binary()), (None, false, None));
        assert_eq!(Message::from_event(event("subscribed", json!([{"topic": "tick"}]), &[])), None);
        assert_eq!(Message::from_event(event("topic-message", json!([]), &[])), None);
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
