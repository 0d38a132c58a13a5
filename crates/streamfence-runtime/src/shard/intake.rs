//! What a shard takes of what is published, and when. Never what becomes of it in a lane.

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Shard;
use crate::command::{Audience, Publish};
use crate::to::Whom;

/// Publishes taken in one turn, before the clients get theirs.
const PUBLISHES_PER_TURN: usize = 32;

impl Shard {
    /// Takes publishes, but no more than the clients that read can be sent. `true` when there may be more.
    pub(super) fn take_publishes(&mut self, now: Instant) -> bool {
        if self.relieve(now) {
            return true;
        }
        if self.is_holding(now) {
            return false;
        }
        for _ in 0..PUBLISHES_PER_TURN {
            let publish = match self.next_publish.take() {
                Some(publish) => publish,
                None => match self.parts.publishes.try_recv() {
                    Ok(publish) => publish,
                    Err(mpsc::error::TryRecvError::Empty) => return false,
                    Err(mpsc::error::TryRecvError::Disconnected) => {
                        self.is_orphaned = true;
                        return false;
                    }
                },
            };
            // It counts already: what has to give way for it does so before.
            if self.relieve(now) {
                self.next_publish = Some(publish);
                return true;
            }
            self.publish(publish, now);
            // A lane that could be drained right now is filling up: send first.
            if self.hub.is_crowded() {
                break;
            }
        }
        true
    }

    /// Counts what the lanes hold, and sheds a little where that is too much. `true` when there is more to shed.
    pub(super) fn relieve(&mut self, now: Instant) -> bool {
        let Some(portion) = &mut self.portion else { return false };
        let is_more = portion.relieve(&mut self.hub, now.into_std());
        if let Some(event) = portion.budget().look() {
            self.parts.watchers.event(&event);
        }
        is_more
    }

    fn publish(&mut self, Publish { message, audience, vote }: Publish, now: Instant) {
        self.catch_up(now);
        if let Some(ballot) = vote.awaits_acks() {
            self.waits.begin(ballot, &message, &mut self.hub);
        }
        let (at, hub) = (now.into_std(), &mut self.hub);
        let fanout = match audience {
            Audience::Subscribers => hub.publish(&message, None, at),
            Audience::AllBut(client) => hub.publish(&message, Some(client), at),
            Audience::Only(client) => {
                let session = hub.session_of(client);
                session.and_then(|session| hub.publish_to(session, &message, at)).unwrap_or_default()
            }
            Audience::Some(to) => match &to.whom {
                Whom::Everyone => hub.publish_except(&message, &to.except, at),
                Whom::Clients(clients) => hub.publish_to_clients(clients, &message, &to.except, at),
                Whom::Principal(principal) => hub.publish_to_principal(principal, &message, &to.except, at),
            },
        };
        // Whoever reads the report finds the memory of what was refused free, and that of what was not in use.
        drop(message);
        if let Some(portion) = &mut self.portion {
            portion.settle(&mut self.hub);
        }
        vote.cast(fanout);
    }
}
