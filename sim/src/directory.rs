//! What every topic is now: those of the catalog, and those made from patterns as long as somebody holds them.

use std::collections::BTreeMap;
use std::sync::Arc;

use streamfence_core::{Catalog, Epoch, Found, NamespaceId, TopicEntry, TopicId};

/// The life of the logs of all topics that were not made from a pattern.
pub(crate) const EPOCH: Epoch = Epoch(0x5eed);

#[derive(Debug)]
pub(crate) struct Directory {
    catalog: Arc<Catalog>,
    made: BTreeMap<TopicId, Arc<TopicEntry>>,
    /// The topic that was made last under each name, there or not: an event may still tell of it.
    by_name: BTreeMap<(NamespaceId, Arc<str>), TopicId>,
    /// How many there ever were.
    numbers: u32,
}

impl Directory {
    pub(crate) fn new(catalog: Arc<Catalog>) -> Self {
        Self { catalog, made: BTreeMap::new(), by_name: BTreeMap::new(), numbers: 0 }
    }

    /// The topic of a name, which is made if there is a pattern for it; `None` where as many were as there may be.
    pub(crate) fn find(&mut self, namespace: NamespaceId, name: &str) -> Option<TopicId> {
        let class = match self.catalog.find(namespace, name).expect("the world knows the names of its topics") {
            Found::Topic(entry) => return Some(entry.id),
            Found::Pattern(class) => class.clone(),
        };
        if let Some(known) = self.by_name.get(&(namespace, name.into())).filter(|id| self.made.contains_key(id)) {
            return Some(*known);
        }
        if self.made_from(class.id.0).count() >= class.max_topics as usize {
            return None;
        }
        self.numbers += 1;
        let epoch = epoch_of(TopicId { index: class.id.0, generation: self.numbers });
        let entry = TopicEntry::made(&class, name.into(), self.numbers, epoch);
        let id = entry.id;
        self.by_name.insert((namespace, entry.name.clone()), id);
        self.made.insert(id, entry);
        Some(id)
    }

    /// The topic an event tells of.
    pub(crate) fn named(&self, namespace: &str, name: &str) -> Option<TopicId> {
        let is_it = |topic: &TopicId| {
            let class = self.catalog.class(*topic);
            (&*class.path, &*class.name) == (namespace, name)
        };
        let namespace = self.catalog.namespace(namespace);
        let made = || self.by_name.get(&(namespace?, name.into())).copied();
        made().or_else(|| self.catalog.topics().find(is_it))
    }

    /// `None` where it was made from a pattern and is gone.
    pub(crate) fn entry(&self, topic: TopicId) -> Option<&Arc<TopicEntry>> {
        if topic.generation == 0 { Some(self.catalog.entry(topic)) } else { self.made.get(&topic) }
    }

    /// Those that are there of what was made from a pattern.
    pub(crate) fn made_from(&self, class: u32) -> impl Iterator<Item = TopicId> + '_ {
        self.made.keys().copied().filter(move |topic| topic.index == class)
    }

    /// Forgets those that nobody holds, and hands out all that were there, with whether they are still.
    pub(crate) fn sweep(&mut self) -> Vec<(TopicId, bool)> {
        let all = self.made.iter().map(|(id, entry)| (*id, !TopicEntry::is_unused(entry))).collect();
        self.made.retain(|_, entry| !TopicEntry::is_unused(entry));
        all
    }

    /// Goes on with another catalog, and hands out what is still there.
    pub(crate) fn reload(&mut self, catalog: &Arc<Catalog>) -> BTreeMap<TopicId, Arc<TopicEntry>> {
        self.catalog = catalog.clone();
        self.made.retain(|_, entry| match catalog.find(entry.class.namespace, &entry.name) {
            Some(Found::Pattern(class)) if class.id.0 == entry.id.index => {
                *entry = entry.under(class);
                true
            }
            _ => false,
        });
        self.made.clone()
    }
}

/// The life of a topic's log.
pub(crate) fn epoch_of(topic: TopicId) -> Epoch {
    Epoch(EPOCH.0 ^ u64::from(topic.generation) << 32)
}
