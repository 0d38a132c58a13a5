//! Sessions that outlive their link, for clients that asked for it.
//!
//! ```text
//! join, retain --> attached --link closes--> detached --attach in time--> attached
//!                     | leave                   | too late
//!                     v                         v
//!                   gone                     expired
//! ```
//!
//! A detached session has no clock and no room, so nothing of it is sent, retried or given up; its lanes go on taking
//! messages by their policies. When it is attached again, what was sent and not acked is sent first.

use std::time::{Duration, Instant};

use super::Hub;
use crate::event::{CloseReason, Event, Transport};
use crate::message::{LinkKey, SessionKey};

/// How many sessions of a hub may be detached at once; the next ones end with their connection.
const DETACHED_AT_ONCE: usize = 10_000;
/// What a retention counts as that is longer than time can tell.
const LONGEST_RETENTION: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

impl Hub {
    /// From now on the session outlives its link by so much.
    pub fn retain(&mut self, key: SessionKey, retention: Duration) {
        if self.session(key).is_some() {
            self.sessions[key.index as usize].value.retention = Some(retention);
        }
    }

    /// Gives a session, detached or not, another link: the client has come back. What was sent and not acked is sent
    /// again, before anything new. `false` when the session or the link is gone.
    pub fn attach(&mut self, key: SessionKey, link: LinkKey, transport: Transport, now: Instant) -> bool {
        let now = self.advance(now);
        if self.session(key).is_none() || self.link(link).is_none() {
            return false;
        }
        if self.link_of(key).is_some() {
            // Without a look at how many are detached: it is not for a moment.
            self.take_off(key, CloseReason::Replaced, now);
        }
        let seated = &mut self.sessions[key.index as usize].value;
        if seated.detached_until.take().is_some() {
            self.detached -= 1;
        }
        seated.link = link;
        seated.transport = transport;
        seated.filed = None;
        let (client, namespace) = (seated.session.client(), seated.session.namespace());
        if let Some(link) = self.link_mut(link) {
            link.join(key);
        }
        let (namespace, principal) = (self.path(namespace), self.principal_of(key).cloned());
        self.books.push_event(Event::Connected { namespace: namespace.clone(), client, transport, principal });
        self.books.push_event(Event::SessionResumed { namespace, client });
        let clock = self.clock_of(key, now);
        self.sessions[key.index as usize].value.session.resume(clock, &mut self.books);
        self.settle(key, false);
        true
    }

    /// Ends every detached session now, keeps none from now on, and says how many messages they held.
    pub fn expire_detached(&mut self, now: Instant) -> u64 {
        self.advance(now);
        self.keeps_none = true;
        let before = self.books.resident();
        let detached = self.sessions.iter().filter(|(_, entry)| entry.value.detached_until.is_some());
        let keys: Vec<_> = detached.map(|(index, entry)| entry.session_key(index)).collect();
        for key in keys {
            self.end_detached(key);
        }
        before - self.books.resident()
    }

    /// Takes a session off its link and keeps it, where it is one to be kept and there is place for one more.
    pub(super) fn detach(&mut self, key: SessionKey, reason: CloseReason, now: Instant) -> bool {
        let Some(retention) = self.sessions[key.index as usize].value.retention else { return false };
        if !reason.is_loss() || self.keeps_none || self.detached >= DETACHED_AT_ONCE {
            return false;
        }
        self.take_off(key, reason, now);
        let until = now.checked_add(retention).unwrap_or_else(|| now + LONGEST_RETENTION);
        self.sessions[key.index as usize].value.detached_until = Some(until);
        self.detached += 1;
        self.file_deadline(key);
        true
    }

    /// Takes a session off its link, which must know no more of it.
    fn take_off(&mut self, key: SessionKey, reason: CloseReason, now: Instant) {
        let seated = &mut self.sessions[key.index as usize].value;
        let link = seated.link;
        let unsaid = seated.session.drop_answers();
        // Whoever is away makes no progress and is not to blame for it.
        seated.session.get_off(now, &mut self.books);
        seated.filed = None;
        let (client, namespace) = (seated.session.client(), seated.session.namespace());
        if let Some(link) = self.link_mut(link) {
            link.leave(key);
            link.control_backlog -= unsaid;
        }
        // What it could not say for want of room may have held up the others of its link.
        self.file_ready(link);
        let namespace = self.path(namespace);
        self.books.push_event(Event::Disconnected { namespace: namespace.clone(), client, reason });
        self.books.push_event(Event::SessionDetached { namespace, client });
    }

    /// Ends a session whose client did not come back.
    pub(super) fn end_detached(&mut self, key: SessionKey) {
        let seated = &self.sessions[key.index as usize].value;
        let (client, namespace) = (seated.session.client(), self.path(seated.session.namespace()));
        self.remove(key);
        self.books.push_event(Event::SessionExpired { namespace, client });
    }
}
