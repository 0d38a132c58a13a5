//! The packet of a message, assembled once for all its clients.
//!
//! ```text
//! 2/feed,["snapshot",PAYLOAD]                                        best effort
//! 2/alerts,["alert",PAYLOAD,META]                                    at least once, or with metadata
//! 2/feed,["topic-message",{"metadata":META,"payload":PAYLOAD}]       envelope
//! 51-/feed,["snapshot",PAYLOAD with a placeholder] and an attachment
//! ```

use std::io::Write;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use streamfence_core::{AckStyle, Body, Catalog, Class, Message, MessageId, Metadata, TopicId, Wire};
use streamfence_runtime::{Encoder, Payload};

/// Assembles packets as Socket.IO v5 has them.
#[derive(Debug)]
pub(crate) struct SocketIoEncoder(pub(crate) Arc<Packets>);

impl Encoder for SocketIoEncoder {
    fn encode(&self, class: &Class, _: &str, payload: &Payload, id: MessageId, published: SystemTime) -> Body {
        let shape = &self.0.shapes[class.id.0 as usize];
        let (text, start) =
            shape.packet(payload.json(), payload.attachments().len(), Meta { id, published, attempt: 1 });
        payload.to_body(&text.into(), start)
    }
}

/// What is the same in all packets of a class, written once.
#[derive(Debug)]
pub(crate) struct Packets {
    shapes: Vec<Shape>,
}

#[derive(Debug)]
struct Shape {
    /// `/feed,`, and nothing for the main namespace.
    namespace: String,
    /// The event: the topic's name, or the envelope's.
    event: String,
    /// `["snapshot",`.
    opening: String,
    /// `{"namespace":"/feed","topic":"snapshot","messageId":"`.
    meta_opening: String,
    wire: Wire,
    metadata: Metadata,
    wants_ack: bool,
    /// Whether it is sent with the library's own callback.
    is_called_back: bool,
}

struct Meta {
    id: MessageId,
    published: SystemTime,
    attempt: u32,
}

/// The event of an envelope.
const ENVELOPE: &str = "topic-message";

impl Packets {
    pub(crate) fn new(catalog: &Catalog) -> Self {
        Self { shapes: catalog.topics().map(|topic| Shape::new(catalog.class(topic))).collect() }
    }

    /// The event a message is emitted as.
    pub(crate) fn event(&self, topic: TopicId) -> &str {
        &self.shapes[topic.index as usize].event
    }

    /// Where in its packet a message has the id of its callback, if it has one: before the `[`.
    pub(crate) fn callback_at(&self, topic: TopicId, body: &Body) -> Option<usize> {
        let shape = &self.shapes[topic.index as usize];
        let at = || shape.head_bytes(body.attachments.len()) - shape.opening.len();
        shape.is_called_back.then(at)
    }

    /// The arguments of a message's event: the text between `["event",` and `]`.
    pub(crate) fn arguments<'a>(&self, topic: TopicId, body: &'a Body) -> &'a str {
        let shape = &self.shapes[topic.index as usize];
        let text = &body.text()[..body.text().len() - 1];
        std::str::from_utf8(&text[shape.head_bytes(body.attachments.len())..]).expect("the encoder wrote text")
    }

    /// The packet of a later attempt, where the client is told which one it is; `None` where all attempts are alike.
    pub(crate) fn retry(&self, message: &Message, attempt: u32) -> Option<Body> {
        let shape = &self.shapes[message.topic.index as usize];
        if attempt < 2 || shape.metadata != Metadata::Full {
            return None;
        }
        let age = message.published.elapsed();
        let meta = Meta { id: message.id, published: SystemTime::now() - age, attempt };
        let payload = message.body.payload();
        let (text, start) = shape.packet(payload, message.body.attachments.len(), meta);
        let first_end = message.body.text().len();
        let moved =
            |range: &std::ops::Range<usize>| range.start - first_end + text.len()..range.end - first_end + text.len();
        let attachments = message.body.attachments.iter().map(moved).collect();
        let mut bytes = text.clone();
        bytes.extend_from_slice(&message.body.bytes[first_end..]);
        Some(Body { bytes: bytes.into(), payload: start..start + payload.len(), attachments })
    }
}

impl Shape {
    fn new(class: &Class) -> Self {
        let event = match class.wire {
            Wire::TopicEvent => class.name.to_string(),
            Wire::Envelope => ENVELOPE.to_owned(),
        };
        Self {
            namespace: namespace_part(&class.path),
            opening: format!("[{},", json(&event)),
            meta_opening: format!(r#"{{"namespace":{},"topic":{},"messageId":""#, json(&class.path), json(&class.name)),
            event,
            wire: class.wire,
            metadata: class.metadata,
            wants_ack: class.policy.wants_ack(),
            is_called_back: class.policy.wants_ack() && class.ack == AckStyle::Native,
        }
    }

    /// The text of a packet, and where the payload begins in it.
    fn packet(&self, payload: &[u8], attachments: usize, meta: Meta) -> (Vec<u8>, usize) {
        const META_BYTES: usize = 192;
        let mut text = Vec::with_capacity(self.opening.len() + self.meta_opening.len() + payload.len() + META_BYTES);
        self.write_head(&mut text, attachments);
        let start = match self.wire {
            Wire::TopicEvent => {
                let start = text.len();
                text.extend_from_slice(payload);
                if self.wants_ack || self.metadata != Metadata::WhenAcked {
                    text.push(b',');
                    self.write_meta(&mut text, meta);
                }
                start
            }
            Wire::Envelope => {
                text.extend_from_slice(br#"{"metadata":"#);
                self.write_meta(&mut text, meta);
                text.extend_from_slice(br#","payload":"#);
                let start = text.len();
                text.extend_from_slice(payload);
                text.push(b'}');
                start
            }
        };
        text.push(b']');
        (text, start)
    }

    fn write_head(&self, text: &mut Vec<u8>, attachments: usize) {
        if attachments == 0 {
            text.push(b'2');
        } else {
            put(text, format_args!("5{attachments}-"));
        }
        text.extend_from_slice(self.namespace.as_bytes());
        text.extend_from_slice(self.opening.as_bytes());
    }

    fn head_bytes(&self, attachments: usize) -> usize {
        let kind = if attachments == 0 { 1 } else { 3 + attachments.ilog10() as usize };
        kind + self.namespace.len() + self.opening.len()
    }

    fn write_meta(&self, text: &mut Vec<u8>, Meta { id, published, attempt }: Meta) {
        text.extend_from_slice(self.meta_opening.as_bytes());
        put(text, format_args!(r#"{id}","ackRequired":{}"#, self.wants_ack));
        if self.metadata == Metadata::Full {
            let at = published.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
            put(text, format_args!(r#","epoch":"{}","offset":{},"publishedAt":{at}"#, id.epoch, id.offset.0));
            if attempt > 1 {
                put(text, format_args!(r#","attempt":{attempt}"#));
            }
        }
        text.push(b'}');
    }
}

/// A namespace as it stands in a packet: `/feed,`, and nothing for the main one.
pub(crate) fn namespace_part(path: &str) -> String {
    if path == "/" { String::new() } else { format!("{path},") }
}

/// A string as JSON.
pub(crate) fn json(text: &str) -> String {
    serde_json::to_string(text).expect("a string is JSON")
}

fn put(text: &mut Vec<u8>, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("a vector takes everything");
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use streamfence_core::{AtLeastOnce, Epoch, Namespace, Offset, Topic};

    use super::*;

    fn catalog() -> Catalog {
        let catalog = Catalog::builder()
            .namespace(
                Namespace::new("/feed")
                    .topic("snapshot")
                    .topic_with(Topic::new("with \"quotes\"").metadata(Metadata::Always))
                    .topic_with(Topic::new("wrapped").wire(Wire::Envelope))
                    .topic_with(Topic::new("alert").at_least_once(AtLeastOnce::default()).metadata(Metadata::Full)),
            )
            .namespace(Namespace::new("/").topic("main"));
        catalog.build().expect("the catalog is valid")
    }

    fn message(catalog: &Catalog, index: u32, payload: &Payload) -> (Packets, Message) {
        let topic = TopicId { index, generation: 0 };
        let encoder = SocketIoEncoder(Arc::new(Packets::new(catalog)));
        let id = MessageId { epoch: Epoch(1), offset: Offset(7) };
        let published = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let body = encoder.encode(catalog.class(topic), "", payload, id, published);
        let message = Message { topic, id, key: None, published: Instant::now(), expires: None, body };
        (Packets::new(catalog), message)
    }

    #[test]
    fn each_shape_is_written_as_the_contract_has_it() {
        let catalog = catalog();
        let payload = Payload::raw_json(r#"{"n":1}"#).expect("this is JSON");
        let wanted = [
            (r#"2/feed,["snapshot",{"n":1}]"#, r#"{"n":1}"#),
            (
                r#"2/feed,["with \"quotes\"",{"n":1},{"namespace":"/feed","topic":"with \"quotes\"","messageId":"0000000000001:7","ackRequired":false}]"#,
                r#"{"n":1},{"namespace":"/feed","topic":"with \"quotes\"","messageId":"0000000000001:7","ackRequired":false}"#,
            ),
            (
                r#"2/feed,["topic-message",{"metadata":{"namespace":"/feed","topic":"wrapped","messageId":"0000000000001:7","ackRequired":false},"payload":{"n":1}}]"#,
                r#"{"metadata":{"namespace":"/feed","topic":"wrapped","messageId":"0000000000001:7","ackRequired":false},"payload":{"n":1}}"#,
            ),
            (
                r#"2/feed,["alert",{"n":1},{"namespace":"/feed","topic":"alert","messageId":"0000000000001:7","ackRequired":true,"epoch":"0000000000001","offset":7,"publishedAt":1700000000123}]"#,
                r#"{"n":1},{"namespace":"/feed","topic":"alert","messageId":"0000000000001:7","ackRequired":true,"epoch":"0000000000001","offset":7,"publishedAt":1700000000123}"#,
            ),
            (r#"2["main",{"n":1}]"#, r#"{"n":1}"#),
        ];
        for (index, (text, arguments)) in wanted.into_iter().enumerate() {
            let (packets, message) = message(&catalog, index as u32, &payload);
            assert_eq!(std::str::from_utf8(message.body.text()), Ok(text));
            assert_eq!(packets.arguments(message.topic, &message.body), arguments);
            assert_eq!(message.body.payload(), br#"{"n":1}"#);
        }
    }

    #[test]
    fn attachments_are_counted_in_the_head() {
        let catalog = catalog();
        let (packets, message) = message(&catalog, 0, &Payload::binary(&b"abc"[..]));
        assert_eq!(message.body.text(), br#"51-/feed,["snapshot",{"_placeholder":true,"num":0}]"#);
        assert_eq!(packets.arguments(message.topic, &message.body), r#"{"_placeholder":true,"num":0}"#);
        assert_eq!(message.body.attachments().collect::<Vec<_>>(), ["abc"]);
        assert_eq!(message.frames(), 2);
    }

    #[test]
    fn a_retry_says_which_attempt_it_is_where_metadata_is_full() {
        let catalog = catalog();
        let (packets, first) = message(&catalog, 3, &Payload::binary(&b"abc"[..]));
        let again = packets.retry(&first, 2).expect("metadata is full");
        let text = std::str::from_utf8(again.text()).expect("it is text");
        assert!(text.ends_with(r#","attempt":2}]"#), "{text}");
        assert!(text.contains(r#""messageId":"0000000000001:7""#), "{text}");
        assert_eq!(again.attachments().collect::<Vec<_>>(), ["abc"]);
        assert!(packets.retry(&first, 1).is_none());
    }
}
