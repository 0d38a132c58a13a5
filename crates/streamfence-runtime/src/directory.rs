//! What every name stands for now: the catalog, the topics made from its patterns, and the ends of their logs.
//!
//! Shared by publishers, adapters and shards. A reload changes it in one step; a shard looks at the version before it
//! handles anything, so it never meets a topic that it does not know. Never a queue, never a subscriber.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use streamfence_core::{Catalog, Class, ClassId, Epoch, Found, NamespaceId, Reload, TopicEntry, TopicId};
use tokio::time::Instant;

use crate::log::{Log, Published};

/// How long a pattern that is full stays so before it is looked at again.
const SWEEP: Duration = Duration::from_millis(100);

/// All topics of a fence.
#[derive(Debug)]
pub(crate) struct Directory {
    /// What the ids of logs are made from.
    epoch: Epoch,
    current: ArcSwap<Current>,
    made: RwLock<Made>,
    /// How often it was reloaded.
    version: AtomicU64,
}

/// What a reload replaces.
#[derive(Debug)]
struct Current {
    catalog: Arc<Catalog>,
    /// By class. A log outlives every reload.
    logs: Vec<Arc<Log>>,
}

/// The topics made from patterns, by namespace and name.
#[derive(Debug, Default)]
struct Made {
    topics: HashMap<NamespaceId, HashMap<Arc<str>, Topic>>,
    /// How many there are of each pattern.
    counts: HashMap<ClassId, u32>,
    /// How many there ever were.
    numbers: u32,
    /// When it was last looked for topics that nobody holds.
    swept: Option<Instant>,
}

/// A topic and the end of its log.
#[derive(Clone, Debug)]
pub(crate) struct Topic {
    pub(crate) entry: Arc<TopicEntry>,
    pub(crate) log: Arc<Log>,
}

/// Why a name stands for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// Nothing of that name is in the catalog.
    #[error("unknown topic")]
    Unknown,
    /// As many topics as there may be were made from the pattern.
    #[error("{most} topics of `{pattern}` are the most there may be at once")]
    TooMany {
        /// The pattern.
        pattern: Arc<str>,
        /// How many there may be.
        most: u32,
    },
}

impl Directory {
    pub(crate) fn new(catalog: Arc<Catalog>, epoch: Epoch) -> Self {
        Self {
            epoch,
            current: ArcSwap::from_pointee(Current { logs: logs(&[], &catalog, epoch), catalog }),
            made: RwLock::default(),
            version: AtomicU64::new(0),
        }
    }

    /// The life of the logs of all topics that were not made from a pattern.
    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        self.current.load().catalog.clone()
    }

    /// The namespace under a path: a look, for every publish.
    pub(crate) fn namespace(&self, path: &str) -> Option<NamespaceId> {
        self.current.load().catalog.namespace(path)
    }

    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The topic of that name, which is made if there is a pattern for it. It is there as long as somebody holds it.
    pub(crate) fn find(&self, namespace: NamespaceId, name: &str) -> Result<Topic, FindError> {
        let current = self.current.load();
        match current.catalog.find(namespace, name).ok_or(FindError::Unknown)? {
            Found::Topic(entry) => Ok(current.topic(entry)),
            Found::Pattern(_) => self.known(namespace, name).map_or_else(|| self.make(namespace, name), Ok),
        }
    }

    /// The topic of that name as far as it is there; where it could be made, what it would be to somebody who has
    /// nothing to do with it.
    pub(crate) fn peek(&self, namespace: NamespaceId, name: &str) -> Option<Arc<TopicEntry>> {
        let current = self.current.load();
        Some(match current.catalog.find(namespace, name)? {
            Found::Topic(entry) => entry.clone(),
            Found::Pattern(class) => match self.known(namespace, name) {
                Some(topic) => topic.entry,
                // A number that no topic is ever given.
                None => TopicEntry::made(class, name.into(), u32::MAX, self.epoch),
            },
        })
    }

    /// What a topic that was found a while ago is now.
    pub(crate) fn refresh(&self, topic: Arc<TopicEntry>) -> Result<Arc<TopicEntry>, FindError> {
        if self.current.load().catalog.is_current(&topic) {
            return Ok(topic);
        }
        Ok(self.find(topic.class.namespace, &topic.name)?.entry)
    }

    /// Replaces the catalog by another, all at once.
    pub(crate) fn reload(&self, catalog: &Catalog) {
        // Held to the end: one reload at a time, and no topic is made meanwhile.
        let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
        let old = self.current.load();
        let catalog = Arc::new(catalog.following(&old.catalog));
        made.retain(|topic| match catalog.find(topic.entry.class.namespace, &topic.entry.name) {
            Some(Found::Pattern(class)) if class.id.0 == topic.entry.id.index => {
                topic.entry = topic.entry.under(class);
                true
            }
            // It is another topic's name now, or no topic's.
            _ => false,
        });
        let logs = logs(&old.logs, &catalog, self.epoch);
        self.current.store(Arc::new(Current { catalog, logs }));
        self.version.fetch_add(1, Ordering::Release);
    }

    /// What a shard goes on with, and the version that is.
    pub(crate) fn latest(&self) -> (u64, Reload) {
        let made = self.made.read().unwrap_or_else(PoisonError::into_inner);
        let topics = made.topics.values().flat_map(HashMap::values);
        let made = topics.map(|topic| (topic.entry.id, topic.entry.clone())).collect();
        (self.version(), Reload { catalog: self.catalog(), made })
    }

    /// Forgets the topics made from patterns that nobody holds any more.
    pub(crate) fn sweep(&self) {
        if !self.made.read().unwrap_or_else(PoisonError::into_inner).topics.is_empty() {
            self.made.write().unwrap_or_else(PoisonError::into_inner).sweep();
        }
    }

    /// What was published to a topic, or to all topics of a pattern, since the last call: messages and bytes.
    pub(crate) fn take_published(&self, topic: TopicId) -> (u64, u64) {
        self.current.load().logs[topic.index as usize].published().take()
    }

    fn known(&self, namespace: NamespaceId, name: &str) -> Option<Topic> {
        let made = self.made.read().unwrap_or_else(PoisonError::into_inner);
        made.topics.get(&namespace)?.get(name).cloned()
    }

    fn make(&self, namespace: NamespaceId, name: &str) -> Result<Topic, FindError> {
        let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that no reload comes between.
        let current = self.current.load();
        let class = match current.catalog.find(namespace, name) {
            Some(Found::Pattern(class)) => class,
            Some(Found::Topic(entry)) => return Ok(current.topic(entry)),
            None => return Err(FindError::Unknown),
        };
        if let Some(known) = made.topics.get(&namespace).and_then(|topics| topics.get(name)) {
            return Ok(known.clone());
        }
        made.take_place(class)?;
        made.numbers += 1;
        let published = current.logs[class.id.0 as usize].published().clone();
        // Unique as the epoch it comes from is: a multiple of an odd number is another for every number.
        let epoch = Epoch(self.epoch.0 ^ u64::from(made.numbers).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let entry = TopicEntry::made(class, name.into(), made.numbers, epoch);
        let topic = Topic { entry, log: Arc::new(Log::new(epoch, published)) };
        made.topics.entry(namespace).or_default().insert(topic.entry.name.clone(), topic.clone());
        Ok(topic)
    }
}

impl Current {
    fn topic(&self, entry: &Arc<TopicEntry>) -> Topic {
        Topic { entry: entry.clone(), log: self.logs[entry.id.index as usize].clone() }
    }
}

impl Made {
    /// Takes one of the places that a pattern has, and looks for one that is free if none is known.
    fn take_place(&mut self, class: &Class) -> Result<(), FindError> {
        let is_full = |made: &Self| made.counts.get(&class.id).is_some_and(|count| *count >= class.max_topics);
        if is_full(self) && self.swept.is_none_or(|at| at.elapsed() >= SWEEP) {
            self.sweep();
        }
        // The number after the last is nobody's, and there is none after that.
        if is_full(self) || self.numbers == u32::MAX - 1 {
            return Err(FindError::TooMany { pattern: class.name.clone(), most: class.max_topics });
        }
        *self.counts.entry(class.id).or_default() += 1;
        Ok(())
    }

    fn sweep(&mut self) {
        self.swept = Some(Instant::now());
        // Nobody can take hold of one meanwhile: that would need the lock.
        self.retain(|topic| !TopicEntry::is_unused(&topic.entry));
    }

    fn retain(&mut self, mut keep: impl FnMut(&mut Topic) -> bool) {
        self.counts.clear();
        for topics in self.topics.values_mut() {
            topics.retain(|_, topic| keep(topic));
            for topic in topics.values() {
                *self.counts.entry(topic.entry.class.id).or_default() += 1;
            }
        }
        self.topics.retain(|_, topics| !topics.is_empty());
    }
}

/// The logs of a catalog: those there were, and new ones for what is new.
fn logs(known: &[Arc<Log>], catalog: &Catalog, epoch: Epoch) -> Vec<Arc<Log>> {
    let new = || Arc::new(Log::new(epoch, Arc::<Published>::default()));
    let mut logs = known.to_vec();
    logs.resize_with(catalog.topics().count().max(known.len()), new);
    logs
}
