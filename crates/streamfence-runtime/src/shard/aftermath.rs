//! What a shard does about what its hub has ended: clients that are gone, and messages that were given up.

use std::time::SystemTime;

use streamfence_core::{
    ClientId, CloseReason, ErrorCode, Event, GivenUp, LinkKey, NamespaceId, Secret, SessionKey, Transmit,
    UnsubscribeReason,
};
use tokio::time::Instant;

use super::Shard;

impl Shard {
    /// Tells whoever watches, and forgets what a session that is gone leaves behind.
    pub(super) fn witness(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Disconnected { client, namespace, reason } if self.hub.session_of(*client).is_none() => {
                let catalog = self.hub.catalog();
                match catalog.namespace(namespace) {
                    Some(namespace) => {
                        let retention = catalog.namespace_entry(namespace).session_retention;
                        self.tickets.end(*client, namespace, *reason, now, retention);
                    }
                    // A reload took it away: nobody comes back to it.
                    None => self.tickets.forget(*client),
                }
            }
            Event::SessionExpired { client, .. } if self.hub.session_of(*client).is_none() => {
                self.tickets.forget(*client);
            }
            _ => {}
        }
        self.parts.watchers.event(event);
    }

    /// Ends a client's session by the application's wish. `false` when there is no such client.
    pub(super) fn disconnect(&mut self, client: ClientId, reason: CloseReason, now: Instant) -> bool {
        let Some(session) = self.hub.session_of(client) else { return false };
        let Some(namespace) = self.hub.session(session).map(streamfence_core::Session::namespace) else { return false };
        match self.hub.link_of(session) {
            Some(key) => {
                self.leave(key, namespace, reason, now);
                if let Some(seat) = self.seat_mut(key) {
                    seat.outlet.disconnect(namespace, reason);
                }
            }
            // Nobody is there to be told; the session is not waited for any more.
            None => self.hub.leave(session, reason, now.into_std()),
        }
        true
    }

    /// The same for all sessions of a principal; says how many there were.
    pub(super) fn disconnect_all(&mut self, principal: &str, reason: CloseReason, now: Instant) -> u64 {
        let sessions = self.hub.sessions_of(principal).iter();
        let clients: Vec<_> = sessions.filter_map(|&key| Some(self.hub.session(key)?.client())).collect();
        clients.into_iter().filter(|client| self.disconnect(*client, reason, now)).count() as u64
    }

    /// Ends a client's subscription by the application's wish, and tells it so. Whether it had one; `None` when there is no
    /// such client.
    pub(super) fn unsubscribe(
        &mut self,
        client: ClientId,
        topic: &str,
        reason: UnsubscribeReason,
        now: Instant,
    ) -> Option<bool> {
        let key = self.hub.session_of(client)?;
        let entries = self.hub.session(key)?.lanes().map(streamfence_core::Lane::entry);
        let found = entries.into_iter().find(|entry| *entry.name == *topic).cloned();
        Some(found.is_some_and(|topic| self.hub.unsubscribe(key, &topic, reason, None, now.into_std())))
    }

    /// Ends on its transport what the hub has ended.
    pub(super) fn cut(&mut self, session: SessionKey, link: LinkKey, namespace: NamespaceId, reason: CloseReason) {
        let Some(seat) = self.seat_mut(link) else { return };
        // The client may have left, and even come back, since the hub said so.
        let Some(place) = seat.sessions.iter().position(|joined| joined.session == session) else { return };
        seat.sessions.swap_remove(place);
        seat.outlet.disconnect(namespace, reason);
    }

    /// Keeps what was given up, as many as the topic says now. One that is at-least-once no more keeps what it promised
    /// when the message was published.
    pub(super) fn bury(&mut self, given_up: GivenUp) {
        let topic = given_up.message.topic.clone();
        let now = self.hub.catalog().class(topic.id);
        let capacity = if now.policy.is_at_least_once() { now.dead_letters } else { topic.class.dead_letters };
        let event = Event::DeadLettered {
            namespace: topic.class.path.clone(),
            topic: topic.name.clone(),
            client: given_up.client,
            id: given_up.message.id,
            reason: given_up.reason,
        };
        if self.parts.dead_letters.keep(given_up, SystemTime::now(), capacity) {
            self.parts.watchers.event(&event);
        }
    }

    /// Tells whoever records it what became of messages.
    #[inline]
    pub(super) fn tell_traces(&mut self) {
        while let Some(delivery) = self.hub.poll_traced() {
            if let Some(tracer) = &self.parts.tracer {
                tracer.delivered(*delivery);
            }
        }
    }

    /// Tells a client that comes back why its session was cut: it may not have been able to read then.
    pub(super) fn tell_why(
        &mut self,
        session: SessionKey,
        namespace: NamespaceId,
        client: ClientId,
        secret: &Secret,
        now: Instant,
    ) {
        let reason = self.tickets.why(client, secret, namespace);
        let Some((code, message)) = reason.and_then(ErrorCode::of_close) else { return };
        let what = Transmit::Error { namespace, code, message: message.into(), topic: None, request: None };
        self.hub.tell(session, what, now.into_std());
    }
}
