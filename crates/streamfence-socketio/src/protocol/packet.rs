//! The packet of a message, assembled once for all its clients.
//!
//! ```text
//! 2/feed,["snapshot",PAYLOAD]                                        best effort
//! 2/alerts,["alert",PAYLOAD,META]                                    at least once, or with metadata
//! 2/feed,["topic-message",{"metadata":META,"payload":PAYLOAD}]       envelope
//! 51-/feed,["snapshot",PAYLOAD with a placeholder] and an attachment
//! ```

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use streamfence_core::{AckStyle, Body, Message, MessageId, Metadata, TopicEntry, TraceContext, Wire};
use streamfence_runtime::{Encoder, Payload};

/// Assembles packets as Socket.IO v5 has them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SocketIoEncoder;

impl Encoder for SocketIoEncoder {
    fn encode(&self, topic: &TopicEntry, payload: &Payload, id: MessageId, published: SystemTime) -> Body {
        let attachments = payload.attachments().len();
        let (text, start) = Shape(topic).packet(
            payload.json(),
            attachments,
            Meta { id, published, attempt: 1, trace: payload.trace().map(AsRef::as_ref) },
        );
        payload.to_body(&text.into(), start)
    }
}

/// The packets of a topic, as it was when they were published.
#[derive(Clone, Copy, Debug)]
struct Shape<'a>(&'a TopicEntry);

struct Meta<'a> {
    id: MessageId,
    published: SystemTime,
    attempt: u32,
    trace: Option<&'a TraceContext>,
}

/// The event of an envelope.
const ENVELOPE: &str = "topic-message";

/// The event a message is emitted as.
pub(crate) fn event(message: &Message) -> &str {
    Shape(&message.topic).event()
}

/// The arguments of a message's event: the text between `["event",` and `]`.
pub(crate) fn arguments<'a>(message: &Message, body: &'a Body) -> &'a str {
    let head = Shape(&message.topic).head_bytes(body);
    std::str::from_utf8(&body.text()[head..body.text().len() - 1]).expect("the encoder wrote text")
}

/// The payload of a packet, as the text it is.
pub(crate) fn payload(body: &Body) -> &str {
    std::str::from_utf8(body.payload()).expect("a packet is text")
}

/// Whether a message is sent with Socket.IO's own callback.
pub(crate) fn has_callback(message: &Message) -> bool {
    let class = &message.topic.class;
    class.policy.wants_ack() && class.ack == AckStyle::Native
}

/// Where in its packet a message has the id of its callback, if it has one: before the `[`.
pub(crate) fn callback_at(message: &Message, body: &Body) -> Option<usize> {
    has_callback(message)
        .then(|| body.text().iter().position(|byte| *byte == b'[').expect("an event's packet has arguments"))
}

/// The packet of a later attempt, where the client is told which one it is; `None` where all attempts are alike.
pub(crate) fn retry(message: &Message, attempt: u32) -> Option<Body> {
    if attempt < 2 || message.topic.class.metadata != Metadata::Full {
        return None;
    }
    let age = message.published.elapsed();
    let meta = Meta { id: message.id, published: SystemTime::now() - age, attempt, trace: message.trace.as_deref() };
    let payload = message.body.payload();
    let (text, start) = Shape(&message.topic).packet(payload, message.body.attachments.len(), meta);
    let first_end = message.body.text().len();
    let moved =
        |range: &std::ops::Range<usize>| range.start - first_end + text.len()..range.end - first_end + text.len();
    let attachments = message.body.attachments.iter().map(moved).collect();
    let mut bytes = text.clone();
    bytes.extend_from_slice(&message.body.bytes[first_end..]);
    Some(Body { bytes: bytes.into(), payload: start..start + payload.len(), attachments })
}

impl<'a> Shape<'a> {
    fn event(self) -> &'a str {
        match self.0.class.wire {
            Wire::TopicEvent => &self.0.name,
            Wire::Envelope => ENVELOPE,
        }
    }

    fn wants_ack(self) -> bool {
        self.0.class.policy.wants_ack()
    }

    /// The text of a packet, and where the payload begins in it.
    fn packet(self, payload: &[u8], attachments: usize, meta: Meta<'_>) -> (Vec<u8>, usize) {
        const META_BYTES: usize = 192;
        let names = 2 * (self.0.class.path.len() + self.0.name.len());
        let mut text = Vec::with_capacity(names + payload.len() + META_BYTES);
        self.write_head(&mut text, attachments);
        let start = match self.0.class.wire {
            Wire::TopicEvent => {
                let start = text.len();
                text.extend_from_slice(payload);
                if self.wants_ack() || self.0.class.metadata != Metadata::WhenAcked {
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

    fn write_head(self, text: &mut Vec<u8>, attachments: usize) {
        if attachments == 0 {
            text.push(b'2');
        } else {
            put(text, format_args!("5{attachments}-"));
        }
        if &*self.0.class.path != "/" {
            text.extend_from_slice(self.0.class.path.as_bytes());
            text.push(b',');
        }
        text.push(b'[');
        put_json(text, self.event());
        text.push(b',');
    }

    /// How long the head is in a packet that was written.
    fn head_bytes(self, body: &Body) -> usize {
        match self.0.class.wire {
            // The payload is the first argument.
            Wire::TopicEvent => body.payload.start,
            Wire::Envelope => {
                let mut head = Vec::with_capacity(64);
                self.write_head(&mut head, body.attachments.len());
                head.len()
            }
        }
    }

    fn write_meta(self, text: &mut Vec<u8>, Meta { id, published, attempt, trace }: Meta<'_>) {
        text.extend_from_slice(br#"{"namespace":"#);
        put_json(text, &self.0.class.path);
        text.extend_from_slice(br#","topic":"#);
        put_json(text, &self.0.name);
        put(text, format_args!(r#","messageId":"{id}","ackRequired":{}"#, self.wants_ack()));
        if self.0.class.metadata == Metadata::Full {
            let at = published.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
            put(text, format_args!(r#","epoch":"{}","offset":{},"publishedAt":{at}"#, id.epoch, id.offset.0));
            if attempt > 1 {
                put(text, format_args!(r#","attempt":{attempt}"#));
            }
        }
        if let Some(trace) = trace {
            put(text, format_args!(r#","traceparent":"{trace}""#));
            if let Some(state) = &trace.state {
                text.extend_from_slice(br#","tracestate":"#);
                put_json(text, state);
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

fn put_json(text: &mut Vec<u8>, what: &str) {
    what.serialize(&mut serde_json::Serializer::new(text)).expect("a vector takes everything");
}

fn put(text: &mut Vec<u8>, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("a vector takes everything");
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use streamfence_core::{AtLeastOnce, Catalog, Epoch, Namespace, Offset, Topic};

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

    fn message(catalog: &Catalog, index: usize, payload: &Payload) -> Message {
        let topic = catalog.entry(catalog.topics().nth(index).expect("it is in the catalog")).clone();
        let id = MessageId { epoch: Epoch(1), offset: Offset(7) };
        let published = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let body = SocketIoEncoder.encode(&topic, payload, id, published);
        Message {
            topic,
            id,
            key: None,
            published: Instant::now(),
            expires: None,
            trace: payload.trace().cloned(),
            body,
        }
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
            let message = message(&catalog, index, &payload);
            assert_eq!(std::str::from_utf8(message.body.text()), Ok(text));
            assert_eq!(super::arguments(&message, &message.body), arguments);
            assert_eq!(message.body.payload(), br#"{"n":1}"#);
        }
    }

    #[test]
    fn attachments_are_counted_in_the_head() {
        let catalog = catalog();
        let message = message(&catalog, 0, &Payload::binary(&b"abc"[..]));
        assert_eq!(message.body.text(), br#"51-/feed,["snapshot",{"_placeholder":true,"num":0}]"#);
        assert_eq!(arguments(&message, &message.body), r#"{"_placeholder":true,"num":0}"#);
        assert_eq!(message.body.attachments().collect::<Vec<_>>(), ["abc"]);
        assert_eq!(message.frames(), 2);
    }

    #[test]
    fn a_trace_stands_in_the_metadata_of_the_first_packet_and_of_later_ones() {
        let catalog = catalog();
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace: TraceContext = parent.parse().expect("it is one");
        let payload = Payload::raw_json("1").expect("this is JSON").with_trace(trace.clone().with_state(r#"a="1""#));
        let first = message(&catalog, 3, &payload);
        let wanted = format!(r#","traceparent":"{parent}","tracestate":"a=\"1\""}}]"#);
        let text = |body: &Body| std::str::from_utf8(body.text()).expect("it is text").to_owned();
        assert!(text(&first.body).ends_with(&wanted), "{}", text(&first.body));
        let again = retry(&first, 2).expect("metadata is full");
        assert!(text(&again).ends_with(&wanted), "{}", text(&again));
        let plain = message(&catalog, 0, &Payload::raw_json("1").expect("this is JSON").with_trace(trace));
        assert_eq!(text(&plain.body), r#"2/feed,["snapshot",1]"#, "it has no metadata");
    }

    #[test]
    fn a_retry_says_which_attempt_it_is_where_metadata_is_full() {
        let catalog = catalog();
        let first = message(&catalog, 3, &Payload::binary(&b"abc"[..]));
        let again = retry(&first, 2).expect("metadata is full");
        let text = std::str::from_utf8(again.text()).expect("it is text");
        assert!(text.ends_with(r#","attempt":2}]"#), "{text}");
        assert!(text.contains(r#""messageId":"0000000000001:7""#), "{text}");
        assert_eq!(again.attachments().collect::<Vec<_>>(), ["abc"]);
        assert!(retry(&first, 1).is_none());
    }
}
