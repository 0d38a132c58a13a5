//! What a connection's shard says to it, over the Socket.IO library. Never a topic's policy.

use std::sync::Arc;

use bytes::Bytes;
use socketioxide::SendError;
use streamfence_core::{
    Batch, CloseReason, ErrorCode, Message, NamespaceId, Room, Transmit, Transport, UnsubscribeReason,
};
use streamfence_runtime::Outlet;

use crate::connection::{Connection, Member};
use crate::link::Expected;
use crate::protocol::{Answer, ack_packet, event_packet};
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
    fn dismiss(&self, member: &Member, why: CloseReason) -> bool {
        let word = ErrorCode::of_close(why).map(|(code, message)| Transmit::Error {
            namespace: member.namespace,
            code,
            message: message.into(),
            topic: None,
            request: None,
        });
        let is_told = word.is_none_or(|word| self.send_answer(member, &word).is_ok());
        is_told && member.socket.clone().disconnect().is_ok()
    }

    fn send_message(&self, member: &Member, message: &Message, attempt: u32) -> Result<(), SendError> {
        let packets = &self.shared.packets;
        let retry = packets.retry(message, attempt);
        let body = retry.as_ref().unwrap_or(&message.body);
        let attachments: Vec<Bytes> = body.attachments().collect();
        let expected = Expected::beginning(&body.bytes, body.text().len());
        let expected = match attachments.len() as u32 {
            0 => expected,
            count => expected.with_attachments(count, (body.bytes.len() - body.text().len()) as u64),
        };
        let arguments = Verbatim { arguments: packets.arguments(message.topic, body), attachments: &attachments };
        self.emit(expected, || member.socket.emit(packets.event(message.topic), &arguments))
    }

    fn send_answer(&self, member: &Member, what: &Transmit) -> Result<(), SendError> {
        let Some(answer) = Answer::of(what, self.shared.fence.catalog()) else { return Ok(()) };
        if let Transmit::Session { ticket, .. } = what {
            member.restore(&ticket.topics);
        }
        if let Transmit::Unsubscribed { topic, reason: UnsubscribeReason::SlowClient, .. } = what {
            member.give_back(*topic);
        }
        if let Some(event) = answer.event {
            let object = answer.object();
            let packet = event_packet(member.socket.ns(), event, &object);
            let arguments = Verbatim { arguments: &object, attachments: &[] };
            self.emit(Expected::text(&packet.into()), || member.socket.emit(event, &arguments))?;
        }
        if let Some((sender, id, text)) = answer.request.and_then(|key| member.answer(key, answer.result())) {
            let packet = ack_packet(member.socket.ns(), id, &text);
            let arguments = Verbatim { arguments: &text, attachments: &[] };
            self.emit(Expected::text(&packet.into()), || sender.send(&arguments))?;
        }
        Ok(())
    }

    /// Writes a packet down before it is emitted, since it may leave at once.
    fn emit(&self, packet: Expected, emit: impl FnOnce() -> Result<(), SendError>) -> Result<(), SendError> {
        self.state.expect(packet);
        emit().inspect_err(|_| self.state.retract())
    }
}
