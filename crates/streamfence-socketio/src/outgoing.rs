//! A packet of the fence on its way out, which either tier can take. Never which of them does.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::de::IgnoredAny;
use socketioxide::SendError;
use socketioxide::extract::AckSender;
use streamfence_core::{Body, Message, Transmit, UnsubscribeReason};

use crate::connection::{Connection, Member};
use crate::link::Expected;
use crate::link::packet::Packet;
use crate::protocol::{Answer, Farewell, ack_packet, event_packet, packet};
use crate::verbatim::Verbatim;

/// What is said to one client in one packet.
pub(crate) enum Outgoing {
    /// A message, and its packet where this attempt has one of its own.
    Message { message: Arc<Message>, retry: Option<Box<Body>> },
    /// What the server says about the client's topics.
    Answer(Box<Said>),
}

/// An answer: as an event, or to who asked.
pub(crate) struct Said {
    /// Its payload are the arguments.
    body: Body,
    way: Way,
}

enum Way {
    Event(&'static str),
    Ack(AckSender),
}

impl Outgoing {
    /// Puts what there is to say to a client into packets, in order.
    pub(crate) fn of(member: &Member, what: Transmit, mut push: impl FnMut(Self)) {
        let answer = match what {
            Transmit::Message { message, attempt, .. } => {
                let retry = packet::retry(&message, attempt).map(Box::new);
                return push(Self::Message { message, retry });
            }
            Transmit::Session { ref ticket, .. } => {
                member.take_ticket(ticket);
                Answer::of(&what)
            }
            Transmit::Unsubscribed { ref topic, reason, .. } if reason != UnsubscribeReason::Client => {
                member.give_back(topic.id);
                Answer::of(&what)
            }
            _ => Answer::of(&what),
        };
        let Some(answer) = answer else { return };
        if let Some(event) = answer.event {
            push(Self::event(member, event, &answer.object()));
        }
        if let Some((sender, id, text)) = answer.request.and_then(|key| member.answer(key, answer.result())) {
            let body = ack_packet(member.socket.ns(), id, &text);
            push(Self::Answer(Box::new(Said { body, way: Way::Ack(sender) })));
        }
    }

    /// That the server stops, and when to come back: each client at a time of its own.
    pub(crate) fn farewell(member: &Member, has_session: bool) -> Self {
        let farewell = Farewell::new(member.client(), has_session);
        Self::event(member, farewell.event(), &farewell.object())
    }

    fn event(member: &Member, event: &'static str, object: &str) -> Self {
        let body = event_packet(member.socket.ns(), event, object);
        Self::Answer(Box::new(Said { body, way: Way::Event(event) }))
    }

    /// The packet, for whoever can send it without the library.
    pub(crate) fn into_packet(self) -> Packet {
        match self {
            Self::Message { message, retry: None } => Packet::Shared(message),
            Self::Message { retry: Some(body), .. } => Packet::Own(body),
            Self::Answer(said) => Packet::Own(Box::new(said.body)),
        }
    }

    /// Whether only the library can send it: it keeps the callbacks.
    pub(crate) fn has_callback(&self) -> bool {
        match self {
            Self::Message { message, .. } => packet::has_callback(message),
            Self::Answer(_) => false,
        }
    }

    /// Has the library send it.
    pub(crate) fn emit(self, connection: &Connection, member: &Arc<Member>) -> Result<(), SendError> {
        match self {
            Self::Message { message, retry, .. } => {
                emit_message(connection, member, &message, retry.as_deref().unwrap_or(&message.body))
            }
            Self::Answer(said) => {
                let Said { body, way } = *said;
                let expected = Expected::text(&body.bytes);
                let arguments = Verbatim { arguments: packet::payload(&body), attachments: &[] };
                book(connection, expected, || match way {
                    Way::Event(event) => member.socket.emit(event, &arguments),
                    Way::Ack(sender) => sender.send(&arguments),
                })
            }
        }
    }
}

fn emit_message(
    connection: &Connection,
    member: &Arc<Member>,
    message: &Message,
    body: &Body,
) -> Result<(), SendError> {
    let attachments: Vec<Bytes> = body.attachments().collect();
    let expected = Expected::beginning(&body.bytes, body.text().len());
    let expected = match attachments.len() as u32 {
        0 => expected,
        count => expected.with_attachments(count, (body.bytes.len() - body.text().len()) as u64),
    };
    let arguments = Verbatim { arguments: packet::arguments(message, body), attachments: &attachments };
    if let Some(at) = packet::callback_at(message, body) {
        let mut answer = None;
        book(connection, expected.with_ack_id_at(at), || {
            let emitter = member.socket.timeout(AS_LONG_AS_IT_TAKES);
            answer = Some(emitter.emit_with_ack::<_, IgnoredAny>(packet::event(message), &arguments)?);
            Ok(())
        })?;
        if let Some(answer) = answer {
            member.await_callback(message.topic.id, message.id, &message.topic.class.policy, answer);
        }
        return Ok(());
    }
    book(connection, expected, || member.socket.emit(packet::event(message), &arguments))
}

/// Writes a packet down before it is emitted, since it may leave at once.
fn book(
    connection: &Connection,
    packet: Expected,
    emit: impl FnOnce() -> Result<(), SendError>,
) -> Result<(), SendError> {
    connection.state.expect(packet.clone());
    emit().inspect_err(|_| connection.state.retract(&packet))
}

/// The library would forget a callback after a time of its own. When a message is worth no ack any more, its lane knows.
const AS_LONG_AS_IT_TAKES: Duration = Duration::from_secs(365 * 24 * 60 * 60);
