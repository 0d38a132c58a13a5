//! A hub that goes on under another catalog, with its links, sessions and lanes as they are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::Hub;
use crate::catalog::Catalog;
use crate::event::UnsubscribeReason;
use crate::message::TopicId;
use crate::topic::TopicEntry;

/// What a hub goes on with.
#[derive(Clone, Debug)]
pub struct Reload {
    /// The new catalog, made with [`Catalog::following`] from the one before.
    pub catalog: Arc<Catalog>,
    /// The topics made from patterns that are still there, each with its class of the new catalog.
    pub made: BTreeMap<TopicId, Arc<TopicEntry>>,
}

impl Hub {
    /// Goes on under another catalog.
    ///
    /// What grows counts at once and what shrinks discards nothing: a lane that holds too much now takes no more until
    /// it holds less, by its new policy. A message keeps the promise it was published under, and what is due stays due
    /// when it was. The slow-client ladder is weighed by its new limits and patience at once. The subscribers of a topic
    /// that is gone are told `removed`; their sessions stay.
    pub fn reload(&mut self, reload: &Reload, now: Instant) {
        let now = self.advance(now);
        let catalog = &reload.catalog;
        self.books.reload(catalog.clone());
        self.topics.reload(catalog);
        let current = |old: &TopicEntry| match old.id.generation {
            0 => Some(catalog.entry(old.id).clone()).filter(|entry| !entry.class.is_removed),
            _ => reload.made.get(&old.id).cloned(),
        };
        let sessions: Vec<_> = self.sessions.iter().map(|(index, entry)| entry.session_key(index)).collect();
        for key in sessions {
            let session = &mut self.sessions[key.index as usize].value.session;
            let rules = catalog.namespace_entry(session.namespace()).slow_client;
            session.follow_ladder(rules, now, &mut self.books);
            let gone = session.reload(current, &mut self.books);
            for lane in session.lanes() {
                self.topics.open(lane.entry()).spills = lane.policy().spills();
            }
            self.refile_quotas(key);
            for topic in gone {
                self.unsubscribe(key, &topic, UnsubscribeReason::Removed, None, now);
            }
            self.settle(key, false);
        }
    }
}
