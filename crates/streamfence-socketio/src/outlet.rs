//! What a connection's shard says to it, over the Socket.IO library. Never a topic's policy.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::de::IgnoredAny;
use socketioxide::SendError;
use streamfence_core::{
    Batch, CloseReason, ErrorCode, Message, NamespaceId, Room, Transmit, Transport, UnsubscribeReason,
};
use streamfence_runtime::Outlet;

use crate::connection::{Connection, Member};
use crate::link::Expected;
use crate::protocol::{Answer, Farewell, ack_packet, event_packet, packet};
use crate::verbatim::Verbatim;

/// Emits through the library and writes down what is on its way, so that the connection knows its room.
pub(crate) struct SocketIoOutlet {
    connection: Arc<Connection>,
    /// Whose outlet it is: another shard may serve other namespaces of the connection.
    shard: usize,
}

impl SocketIoOutlet {
    pub(crate) fn new(connection: Arc<Connection>, shard: usize) -> Self {
        Self { connection, shard }
    }
}

impl Outlet for SocketIoOutlet {
    fn send(&mut self, batch: &mut Batch) {
        let connection = &*self.connection;
        let members = connection.members();
        for what in batch.drain(..) {
            let namespace = what.namespace();
            // Whoever has left meanwhile hears nothing; its session is on its way out too.
            let Some(member) = members.iter().find(|member| member.namespace == namespace) else { continue };
            let sent = match &what {
                Transmit::Message { message, attempt, .. } => connection.send_message(member, message, *attempt),
                _ => connection.send_answer(member, &what),
            };
            if let Err(SendError::Socket(socketioxide::SocketError::InternalChannelFull)) = sent {
                // The fence keeps to its window; only the application's own emits can have filled the channel, and a
                // full channel would lose messages without a word and the heartbeat with them.
                tracing::error!(
                    code = "channel_full",
                    namespace = member.socket.ns(),
                    "the application's own emits have filled the connection's channel; the connection is cut"
                );
                connection.state.kill(CloseReason::Transport);
                break;
            }
        }
    }

    fn room(&self) -> Room {
        let room = self.connection.state.room();
        if room.is_some() { room } else { self.connection.state.await_room() }
    }

    fn await_room(&mut self) -> Room {
        self.connection.state.await_room()
    }

    fn is_blocked(&self) -> bool {
        self.connection.state.is_blocked()
    }

    fn disconnect(&mut self, namespace: NamespaceId, why: CloseReason) {
        let member = {
            let mut members = self.connection.members();
            let place = members.iter().position(|member| member.namespace == namespace);
            place.map(|place| members.swap_remove(place))
        };
        let Some(member) = member else { return };
        if self.connection.is_stalled() || !self.connection.dismiss(&member, why) {
            self.connection.state.kill(why);
        }
    }

    fn close(&mut self, why: CloseReason) {
        let all = std::mem::take(&mut *self.connection.members());
        let nobody_is_there = all.is_empty();
        let (mine, others): (Vec<_>, _) = all.into_iter().partition(|member| member.link.shard() == self.shard);
        self.connection.members().extend(others);
        if self.connection.is_stalled() || (nobody_is_there && self.connection.has_one_link()) {
            self.connection.state.kill(why);
            return;
        }
        for member in mine {
            if !self.connection.dismiss(&member, why) {
                self.connection.state.kill(why);
            }
        }
    }
}

impl Connection {
    /// Whether a word to the client could only wait behind what it does not read, which is no way to end anything.
    /// One that polls is between two polls every moment: it gets the word with the next.
    fn is_stalled(&self) -> bool {
        self.state.is_blocked() && self.state.transport() == Transport::WebSocket
    }

    /// Tells a client why, where there is more to say than goodbye, and takes it out of its namespace. `false` when that
    /// cannot be said any more.
    fn dismiss(&self, member: &Arc<Member>, why: CloseReason) -> bool {
        let told = match ErrorCode::of_close(why) {
            _ if why == CloseReason::ShuttingDown => self.say_farewell(member),
            Some((code, message)) => {
                let (namespace, message) = (member.namespace, message.into());
                self.send_answer(member, &Transmit::Error { namespace, code, message, topic: None, request: None })
            }
            None => Ok(()),
        };
        told.is_ok() && member.socket.clone().disconnect().is_ok()
    }

    fn send_message(&self, member: &Arc<Member>, message: &Message, attempt: u32) -> Result<(), SendError> {
        let retry = packet::retry(message, attempt);
        let body = retry.as_ref().unwrap_or(&message.body);
        let attachments: Vec<Bytes> = body.attachments().collect();
        let expected = Expected::beginning(&body.bytes, body.text().len());
        let expected = match attachments.len() as u32 {
            0 => expected,
            count => expected.with_attachments(count, (body.bytes.len() - body.text().len()) as u64),
        };
        let arguments = Verbatim { arguments: packet::arguments(message, body), attachments: &attachments };
        if let Some(at) = packet::callback_at(message, body) {
            let mut answer = None;
            self.emit(expected.with_ack_id_at(at), || {
                let emitter = member.socket.timeout(AS_LONG_AS_IT_TAKES);
                answer = Some(emitter.emit_with_ack::<_, IgnoredAny>(packet::event(message), &arguments)?);
                Ok(())
            })?;
            if let Some(answer) = answer {
                member.await_callback(message.topic.id, message.id, &message.topic.class.policy, answer);
            }
            return Ok(());
        }
        self.emit(expected, || member.socket.emit(packet::event(message), &arguments))
    }

    fn send_answer(&self, member: &Member, what: &Transmit) -> Result<(), SendError> {
        let Some(answer) = Answer::of(what) else { return Ok(()) };
        match what {
            Transmit::Session { ticket, .. } => member.restore(&ticket.topics),
            Transmit::Unsubscribed { topic, reason, .. } if *reason != UnsubscribeReason::Client => {
                member.give_back(topic.id);
            }
            _ => {}
        }
        if let Some(event) = answer.event {
            self.say(member, event, &answer.object())?;
        }
        if let Some((sender, id, text)) = answer.request.and_then(|key| member.answer(key, answer.result())) {
            let packet = ack_packet(member.socket.ns(), id, &text);
            let arguments = Verbatim { arguments: &text, attachments: &[] };
            self.emit(Expected::text(&packet.into()), || sender.send(&arguments))?;
        }
        Ok(())
    }

    /// Tells a client that the server stops, and when to come back: each at a time of its own.
    fn say_farewell(&self, member: &Member) -> Result<(), SendError> {
        let farewell = Farewell::new(member.client(), member.has_session(&self.shared));
        self.say(member, farewell.event(), &farewell.object())
    }

    fn say(&self, member: &Member, event: &'static str, object: &str) -> Result<(), SendError> {
        let packet = event_packet(member.socket.ns(), event, object);
        let arguments = Verbatim { arguments: object, attachments: &[] };
        self.emit(Expected::text(&packet.into()), || member.socket.emit(event, &arguments))
    }

    /// Writes a packet down before it is emitted, since it may leave at once.
    fn emit(&self, packet: Expected, emit: impl FnOnce() -> Result<(), SendError>) -> Result<(), SendError> {
        self.state.expect(packet);
        emit().inspect_err(|_| self.state.retract())
    }
}

/// The library would forget a callback after a time of its own. When a message is worth no ack any more, its lane knows.
const AS_LONG_AS_IT_TAKES: Duration = Duration::from_secs(365 * 24 * 60 * 60);
