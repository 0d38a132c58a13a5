//! What the server says about a client's topics, as an event and as the answer to an acknowledgement.

use std::fmt::Write;

use streamfence_core::{Body, RequestId, TopicEntry, Transmit};

use super::packet::{json, namespace_part};
use super::wish::secret_text;

/// One answer: `subscribed {topic, ..}`, and `{ok: true, topic, ..}` for who asked.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The event, unless the answer is only for who asked.
    pub(crate) event: Option<&'static str>,
    /// The inside of the object: `"topic":"a"`.
    fields: String,
    is_ok: bool,
    pub(crate) request: Option<RequestId>,
}

impl Answer {
    /// The answer in a transmit; `None` for a message.
    pub(crate) fn of(what: &Transmit) -> Option<Self> {
        let name = |topic: &TopicEntry| json(&topic.name);
        Some(match what {
            Transmit::Message { .. } => return None,
            Transmit::Subscribed { client, topic, position, request, .. } => Self {
                event: Some("subscribed"),
                fields: format!(
                    r#""topic":{},"clientId":"{client}","epoch":"{}","offset":{}"#,
                    name(topic),
                    position.epoch,
                    position.offset.0
                ),
                is_ok: true,
                request: *request,
            },
            Transmit::Unsubscribed { topic, reason, request, .. } => Self {
                event: Some("unsubscribed"),
                fields: format!(r#""topic":{},"reason":"{}""#, name(topic), reason.as_str()),
                is_ok: true,
                request: *request,
            },
            Transmit::Session { ticket, .. } => Self {
                event: Some("session"),
                fields: format!(
                    r#""id":{},"secret":"{}","retentionMs":{},"resumed":{},"topics":[{}]"#,
                    json(&ticket.id),
                    secret_text(&ticket.secret),
                    ticket.retention.as_millis(),
                    ticket.resumed,
                    ticket.topics.iter().map(|topic| name(topic)).collect::<Vec<_>>().join(",")
                ),
                is_ok: true,
                request: None,
            },
            // Without what opens one: there is nothing to come back to.
            Transmit::NoSession { .. } => Self {
                event: Some("session"),
                fields: r#""retentionMs":0,"resumed":false,"topics":[]"#.to_owned(),
                is_ok: true,
                request: None,
            },
            Transmit::Gap { topic, gap, .. } => Self {
                event: Some("gap"),
                fields: format!(
                    r#""topic":{},"from":{},"to":{},"count":{},"reason":"{}""#,
                    name(topic),
                    gap.from.0,
                    gap.to.0,
                    gap.count,
                    gap.reason.as_str()
                ),
                is_ok: true,
                request: None,
            },
            Transmit::Authenticated { principal, request, .. } => Self {
                event: Some("authenticated"),
                fields: format!(r#""principal":{}"#, json(principal)),
                is_ok: true,
                request: *request,
            },
            Transmit::Done { request, .. } => {
                Self { event: None, fields: String::new(), is_ok: true, request: Some(*request) }
            }
            Transmit::Error { code, message, topic, request, .. } => {
                let mut fields = format!(r#""code":"{}","message":{}"#, code.as_str(), json(message));
                if let Some(topic) = topic {
                    write!(fields, r#","topic":{}"#, json(topic)).expect("a string takes everything");
                }
                Self { event: Some("error"), fields, is_ok: false, request: *request }
            }
        })
    }

    /// The object of the event.
    pub(crate) fn object(&self) -> String {
        format!("{{{}}}", self.fields)
    }

    /// The object for who asked.
    pub(crate) fn result(&self) -> String {
        let comma = if self.fields.is_empty() { "" } else { "," };
        format!(r#"{{"ok":{}{comma}{}}}"#, self.is_ok, self.fields)
    }
}

/// An event's packet: `2/feed,["subscribed",ARGUMENTS]`. Its payload are the arguments.
pub(crate) fn event_packet(namespace: &str, event: &str, arguments: &str) -> Body {
    packet(format!("2{}[{},", namespace_part(namespace), json(event)), arguments)
}

/// An acknowledgement's packet: `3/feed,7[ARGUMENTS]`. Its payload are the arguments.
pub(crate) fn ack_packet(namespace: &str, id: i64, arguments: &str) -> Body {
    packet(format!("3{}{id}[", namespace_part(namespace)), arguments)
}

/// A namespace's CONNECT packet, as the library answers a client's: `0/feed,{"sid":"..."}`.
pub(crate) fn connect_packet(namespace: &str, sid: &str) -> String {
    format!(r#"0{}{{"sid":"{sid}"}}"#, namespace_part(namespace))
}

fn packet(mut text: String, arguments: &str) -> Body {
    let start = text.len();
    text.push_str(arguments);
    let payload = start..text.len();
    text.push(']');
    Body { bytes: text.into(), payload, attachments: Box::default() }
}
