//! Whom a message is for: everybody subscribed, all but some, some clients, or all sessions of one principal.
//!
//! Never what becomes of it there: each lane decides for itself.

use std::sync::Arc;
use std::time::Instant;

use super::{Fanout, Hub};
use crate::lane::Admission;
use crate::message::{ClientId, Message, SessionKey};

impl Hub {
    /// Offers a message to every lane of its topic, but not to these clients, which must be sorted.
    pub fn publish_except(&mut self, message: &Arc<Message>, except: &[ClientId], now: Instant) -> Fanout {
        self.publish_unless(message, except, now)
    }

    /// Offers a message to the lanes of these clients, but not to those of `except`, which must be sorted. Whoever is not
    /// here or not subscribed is passed over.
    pub fn publish_to_clients(
        &mut self,
        clients: &[ClientId],
        message: &Arc<Message>,
        except: &[ClientId],
        now: Instant,
    ) -> Fanout {
        let named = clients.iter().filter(|client| except.binary_search(client).is_err());
        let sessions: Vec<_> = named.filter_map(|client| self.session_of(*client)).collect();
        self.publish_to_sessions(&sessions, message, now)
    }

    /// Offers a message to the lanes of all sessions of a principal, but not to those of `except`, which must be sorted.
    pub fn publish_to_principal(
        &mut self,
        principal: &str,
        message: &Arc<Message>,
        except: &[ClientId],
        now: Instant,
    ) -> Fanout {
        let is_meant = |key: &SessionKey| {
            self.session(*key).is_some_and(|session| except.binary_search(&session.client()).is_err())
        };
        let sessions: Vec<_> = self.sessions_of(principal).iter().copied().filter(is_meant).collect();
        self.publish_to_sessions(&sessions, message, now)
    }

    fn publish_to_sessions(&mut self, sessions: &[SessionKey], message: &Arc<Message>, now: Instant) -> Fanout {
        let now = self.advance(now);
        self.books.traces.note(message);
        if self.topics.take_position(message).goes_by_disk() {
            return self.publish_private(sessions, message, now);
        }
        let mut fanout = Fanout::default();
        for &key in sessions {
            if let Some(place) = self.session(key).and_then(|session| session.lane_of(message.topic.id)) {
                fanout.add(self.offer(key, place, message, now));
            }
        }
        fanout
    }

    #[inline]
    pub(super) fn publish_unless(&mut self, message: &Arc<Message>, except: &[ClientId], now: Instant) -> Fanout {
        let now = self.advance(now);
        self.books.traces.note(message);
        let mut fanout = Fanout::default();
        let seats = self.topics.take_position(message);
        if let Some(last) = &mut seats.last {
            last.remember(message);
        }
        if seats.goes_by_disk() {
            return self.publish_spilling(message, except, now);
        }
        let lanes = std::mem::take(&mut seats.lanes);
        for &(key, place) in &lanes {
            if self.is_left_out(except, key) {
                continue;
            }
            fanout.add(self.offer(key, place, message, now));
        }
        self.topics.open(&message.topic).lanes = lanes;
        fanout
    }

    /// Whether a session's client is one of these, which are sorted. Mostly there are none, and then nothing is looked at.
    #[inline]
    pub(super) fn is_left_out(&self, except: &[ClientId], key: SessionKey) -> bool {
        !except.is_empty() && except.binary_search(&self.sessions[key.index as usize].value.session.client()).is_ok()
    }

    /// Offers a message to one lane.
    #[inline]
    pub(super) fn offer(&mut self, key: SessionKey, place: u32, message: &Arc<Message>, now: Instant) -> Admission {
        if self.is_tight() {
            return self.offer_tight(key, place, message, None, now);
        }
        let session = &mut self.sessions[key.index as usize].value.session;
        let admission = session.offer(place, message, now, &mut self.books);
        let is_crowded = session.lane(place).is_crowded();
        self.settle(key, is_crowded);
        admission
    }
}
