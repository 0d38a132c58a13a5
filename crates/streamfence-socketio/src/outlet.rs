//! What a connection's shard says to it, by the tier the connection has. Never a topic's policy.

use std::net::IpAddr;
use std::sync::Arc;

use socketioxide::{SendError, SocketError};
use streamfence_core::{
    Batch, CloseReason, ErrorCode, NamespaceId, RefusalReason, Room, Tier, TopicEntry, Transmit, Transport,
};
use streamfence_runtime::Outlet;

use crate::auth::is_theirs;
use crate::connection::{Connection, Member, Members};
use crate::link::packet::Packets;
use crate::outgoing::Outgoing;

/// Writes below the websocket where it can, and emits through the library where it must.
pub(crate) struct SocketIoOutlet {
    connection: Arc<Connection>,
    /// Whose outlet it is: another shard may serve other namespaces of the connection.
    shard: usize,
}

impl SocketIoOutlet {
    pub(crate) fn new(connection: Arc<Connection>, shard: usize) -> Self {
        Self { connection, shard }
    }

    /// Says this to these members, in order. Below the websocket, as long as nothing of the batch needs the library:
    /// what follows that must not overtake it. The one whose packet the library has no place for, if there was one:
    /// nothing more is said then.
    fn say<'a>(&self, members: &'a Members, batch: impl IntoIterator<Item = Transmit>) -> Option<&'a Member> {
        let state = &self.connection.state;
        let mut is_spliced = state.is_in_order();
        let mut packets = Packets::new();
        let mut refused = None;
        for what in batch {
            let namespace = what.namespace();
            // Whoever has left meanwhile hears nothing; its session is on its way out too.
            let Some((_, member)) = members.iter().find(|(place, _)| *place == namespace) else { continue };
            Outgoing::of(member, what, |outgoing| {
                if is_spliced && outgoing.has_callback() {
                    state.splice(&mut packets);
                    is_spliced = false;
                }
                if is_spliced {
                    packets.push(outgoing.into_packet());
                } else if refused.is_none() && !self.emit(member, outgoing) {
                    refused = Some(&**member);
                }
            });
            if refused.is_some() {
                break;
            }
        }
        if !packets.is_empty() {
            state.splice(&mut packets);
        }
        refused
    }

    /// Has the library say it. `false` when its channel is full.
    fn emit(&self, member: &Arc<Member>, outgoing: Outgoing) -> bool {
        let emitted = outgoing.emit(&self.connection, member);
        !matches!(emitted, Err(SendError::Socket(SocketError::InternalChannelFull)))
    }

    /// Ends a connection whose channel is full: it would lose messages without a word, and the heartbeat with them. The
    /// fence keeps to its window; only the application's own emits can have filled it.
    ///
    /// To be called without the members locked: a session that polls ends at once, and its end forgets them.
    fn cut_full(&self, namespace: &str) {
        if self.connection.state.killed().is_none() {
            tracing::error!(
                code = "channel_full",
                namespace,
                "the application's own emits have filled the connection's channel; the connection is cut"
            );
        }
        self.connection.state.kill(CloseReason::Transport);
    }

    /// Tells a client why, where there is more to say than goodbye, and takes it out of its namespace. `false` when that
    /// cannot be said any more.
    fn dismiss(&self, member: &Arc<Member>, why: CloseReason) -> bool {
        // By the library, which says goodbye right behind it.
        let mut is_said = true;
        match ErrorCode::of_close(why) {
            _ if why == CloseReason::ShuttingDown => {
                let has_session = member.has_session(&self.connection.shared);
                is_said = self.emit(member, Outgoing::farewell(member, has_session));
            }
            Some((code, message)) => {
                let (namespace, message) = (member.namespace, message.into());
                let what = Transmit::Error { namespace, code, message, topic: None, request: None };
                Outgoing::of(member, what, |outgoing| is_said &= self.emit(member, outgoing));
            }
            None => {}
        }
        if !is_said {
            self.cut_full(member.socket.ns());
        }
        self.connection.forget(member);
        self.connection.state.killed().is_none() && member.socket.clone().disconnect().is_ok()
    }
}

impl Outlet for SocketIoOutlet {
    fn send(&mut self, batch: &mut Batch) {
        let refused = {
            let members = self.connection.members();
            self.say(&members, batch.drain(..)).map(|member| member.socket.ns().to_owned())
        };
        if let Some(namespace) = refused {
            self.cut_full(&namespace);
        }
    }

    fn prepare(&self) {
        self.connection.prepare();
    }

    fn room(&self) -> Room {
        let state = &self.connection.state;
        if state.resume() {
            // It may be what another shard waits for, and the kernel's word has been used up here.
            self.connection.wake_others(self.shard);
        }
        let room = state.room();
        if room.is_some() { room } else { state.await_room() }
    }

    fn await_room(&mut self) -> Room {
        let room = self.room();
        if room.is_some() { self.connection.state.await_room() } else { room }
    }

    fn tier(&self) -> Tier {
        self.connection.state.tier()
    }

    fn transport(&self) -> Option<Transport> {
        Some(self.connection.state.transport())
    }

    fn address(&self) -> Option<IpAddr> {
        self.connection.state.client()
    }

    fn is_blocked(&self) -> bool {
        self.connection.state.is_blocked()
    }

    fn may_keep(&self, namespace: NamespaceId, topic: &TopicEntry) -> bool {
        let member = self.connection.member(namespace);
        member.is_none_or(|member| is_theirs(&self.connection.shared, &member, topic))
    }

    fn disconnect(&mut self, namespace: NamespaceId, why: CloseReason) {
        let Some(member) = self.connection.member(namespace) else { return };
        if why == CloseReason::UnknownAcks {
            // Who makes things up in one namespace would go on in the next: the whole connection ends, without a word.
            let state = &self.connection.state;
            self.connection.shared.refusals.count(RefusalReason::UnknownAcks, state.client());
            self.connection.forget(&member);
            return state.kill(why);
        }
        if self.connection.is_stalled() || !self.dismiss(&member, why) {
            self.connection.forget(&member);
            self.connection.state.kill(why);
        }
    }

    fn close(&mut self, why: CloseReason) {
        let connection = self.connection.clone();
        let mine: Vec<_> = {
            let members = connection.members();
            members
                .iter()
                .map(|(_, member)| member)
                .filter(|member| member.link.shard() == self.shard)
                .cloned()
                .collect()
        };
        let nobody_is_there = connection.members().is_empty();
        if connection.is_stalled() || (nobody_is_there && connection.has_one_link()) {
            mine.iter().for_each(|member| connection.forget(member));
            connection.state.kill(why);
            return;
        }
        for member in mine {
            if !self.dismiss(&member, why) {
                connection.state.kill(why);
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
}
