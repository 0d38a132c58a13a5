//! Every topic there is, under dense ids, with its policy.
//!
//! A catalog is valid or it does not exist. It never changes: a reload makes another one, in which what is still there
//! has the ids it had. Never a file format.

mod error;

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::time::Duration;

pub use self::error::CatalogError;
use crate::message::{ClassId, NamespaceId, TopicId};
use crate::namespace::{
    AckStyle, AtLeastOnce, ClientPublish, CoalesceKey, Draft, DraftDelivery, InboundAck, Metadata, Namespace,
    OnSubscribe, Wire,
};
use crate::policy::{Backoff, Delivery, Exhaustion, Frequency, Limits, Overflow, Policy, Retry, SpillRules};
use crate::slow_client::SlowClient;
use crate::topic::TopicEntry;

/// All namespaces and topics, with their policies.
#[derive(Debug, Default)]
pub struct Catalog {
    namespaces: Vec<NamespaceEntry>,
    classes: Vec<Arc<Class>>,
    /// The topic each class stands for, by its place; of a pattern, what its numbers are kept under.
    entries: Vec<Arc<TopicEntry>>,
    by_path: HashMap<Arc<str>, NamespaceId>,
}

/// A namespace of the catalog.
#[derive(Debug)]
pub struct NamespaceEntry {
    /// Its path, such as `/feed`.
    pub path: Arc<str>,
    /// How long a lost session waits for its client, where the client asked for that.
    pub session_retention: Duration,
    /// What happens to a client that stays behind, if anything.
    pub slow_client: Option<SlowClient>,
    /// Whether a client must prove who it is to stay in it.
    pub auth_required: bool,
    /// Whether a reload took it away; its id is not given to another.
    pub is_removed: bool,
    topics: HashMap<Arc<str>, TopicId>,
    /// In the order of the catalog's making.
    order: Vec<TopicId>,
    /// Those of them that are patterns, the longest first.
    patterns: Vec<TopicId>,
}

impl NamespaceEntry {
    /// Its topics, in the order they were named in.
    #[must_use]
    pub fn topics(&self) -> &[TopicId] {
        &self.order
    }
}

/// What all topics made from one catalog entry have in common.
#[derive(Clone, Debug)]
pub struct Class {
    /// Its id.
    pub id: ClassId,
    /// The namespace it is in.
    pub namespace: NamespaceId,
    /// The path of that namespace.
    pub path: Arc<str>,
    /// The name it has in the catalog, which is its metric label.
    pub name: Arc<str>,
    /// How its lanes treat messages.
    pub policy: Policy,
    /// What makes two messages versions of one value, where lanes coalesce.
    pub coalesce_key: CoalesceKey,
    /// What a new subscriber gets at once.
    pub on_subscribe: OnSubscribe,
    /// How long a message is worth sending, unless its publisher says otherwise; `None` is for ever.
    pub ttl: Option<Duration>,
    /// What a client pays that did not ack the last retry of a message; nothing where no ack is wanted.
    pub exhaustion: Exhaustion,
    /// How many messages that were given up are kept; 0 where no ack is wanted.
    pub dead_letters: u32,
    /// How much of it may lie on disk, where its lanes spill.
    pub spill: SpillRules,
    /// How a client says that it has a message, where it is asked to.
    pub ack: AckStyle,
    /// The shape of a message on the wire.
    pub wire: Wire,
    /// Which messages carry metadata.
    pub metadata: Metadata,
    /// What becomes of a message a client publishes.
    pub client_publish: ClientPublish,
    /// When a client's publish is answered.
    pub inbound_ack: InboundAck,
    /// Whether a client that polls may subscribe.
    pub allow_polling: bool,
    /// Whether a client must prove who it is to subscribe or publish.
    pub auth_required: bool,
    /// Whether a relayed message also reaches its sender.
    pub echo: bool,
    /// How many topics may be made from it at once, where it is a pattern.
    pub max_topics: u32,
    /// Whether a reload took it away; its id is not given to another.
    pub is_removed: bool,
}

impl Class {
    /// What the name of a topic made from this pattern begins with; `None` where it is no pattern.
    #[must_use]
    pub fn prefix(&self) -> Option<&str> {
        self.name.strip_suffix(WILDCARD)
    }

    /// Whether a topic of that name is made from this pattern.
    fn makes(&self, name: &str) -> bool {
        self.prefix().is_some_and(|prefix| name.len() > prefix.len() && name.starts_with(prefix))
    }
}

/// What a name is looked up as.
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    /// A topic of the catalog.
    Topic(&'a Arc<TopicEntry>),
    /// A name that a topic may be made under.
    Pattern(&'a Arc<Class>),
}

/// Ends the name of a pattern, and stands in no other name.
const WILDCARD: char = '*';

impl Catalog {
    /// Starts a catalog.
    #[must_use]
    pub fn builder() -> CatalogBuilder {
        CatalogBuilder::default()
    }

    /// Finds a namespace by its path.
    #[must_use]
    pub fn namespace(&self, path: &str) -> Option<NamespaceId> {
        self.by_path.get(path).copied()
    }

    /// Finds a topic, or a pattern, by the name it has in the catalog.
    #[must_use]
    pub fn topic(&self, namespace: NamespaceId, name: &str) -> Option<TopicId> {
        self.namespaces.get(namespace.0 as usize)?.topics.get(name).copied()
    }

    /// Finds what a name stands for that somebody wants to subscribe or publish to: the topic of that name, else the
    /// longest pattern that fits.
    #[must_use]
    pub fn find(&self, namespace: NamespaceId, name: &str) -> Option<Found<'_>> {
        if name.contains(WILDCARD) {
            return None;
        }
        let entry = self.namespaces.get(namespace.0 as usize)?;
        if let Some(topic) = entry.topics.get(name) {
            return Some(Found::Topic(self.entry(*topic)));
        }
        let class = entry.patterns.iter().map(|pattern| &self.classes[pattern.index as usize]);
        let class = class.into_iter().find(|class| class.makes(name))?;
        check_topic_name(&entry.path, name).is_ok().then_some(Found::Pattern(class))
    }

    /// The topic of the catalog under an id of this catalog; for a topic made from a pattern, that pattern.
    ///
    /// # Panics
    /// When the id is another catalog's.
    #[must_use]
    pub fn entry(&self, topic: TopicId) -> &Arc<TopicEntry> {
        &self.entries[topic.index as usize]
    }

    /// The namespace under an id of this catalog.
    ///
    /// # Panics
    /// When the id is another catalog's.
    #[must_use]
    pub fn namespace_entry(&self, id: NamespaceId) -> &NamespaceEntry {
        &self.namespaces[id.0 as usize]
    }

    /// All namespaces, in the order they were named in.
    pub fn namespaces(&self) -> impl Iterator<Item = (NamespaceId, &NamespaceEntry)> {
        self.namespaces.iter().enumerate().map(|(index, entry)| (NamespaceId(index as u32), entry))
    }

    /// The class of a topic.
    ///
    /// # Panics
    /// When the id is another catalog's.
    #[must_use]
    pub fn class(&self, topic: TopicId) -> &Class {
        &self.classes[topic.index as usize]
    }

    /// Whether this is what its topic is under this catalog, and not a memory of an earlier one.
    #[must_use]
    pub fn is_current(&self, topic: &TopicEntry) -> bool {
        self.classes.get(topic.id.index as usize).is_some_and(|class| Arc::ptr_eq(class, &topic.class))
    }

    /// The name a topic has in the catalog, which is its metric label.
    #[must_use]
    pub fn topic_name(&self, topic: TopicId) -> &Arc<str> {
        &self.class(topic).name
    }

    /// All topics and patterns, in the order they were named in, and those that a reload took away.
    pub fn topics(&self) -> impl Iterator<Item = TopicId> + use<> {
        (0..self.classes.len() as u32).map(|index| TopicId { index, generation: 0 })
    }
}

/// Gathers namespaces and checks them all at once.
#[derive(Debug, Default)]
pub struct CatalogBuilder {
    namespaces: Vec<Namespace>,
}

impl CatalogBuilder {
    /// Adds a namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: Namespace) -> Self {
        self.namespaces.push(namespace);
        self
    }

    /// Checks everything and gives ids.
    ///
    /// # Errors
    /// [`CatalogError`] names the namespace, the topic and what does not fit.
    pub fn build(self) -> Result<Catalog, CatalogError> {
        let mut catalog = Catalog::default();
        for namespace in self.namespaces {
            catalog.add(&namespace)?;
        }
        Ok(catalog)
    }
}

impl Catalog {
    fn add(&mut self, namespace: &Namespace) -> Result<(), CatalogError> {
        let path: Arc<str> = namespace.path.as_str().into();
        check_path(&path)?;
        if namespace.topics.is_empty() {
            return Err(CatalogError::NoTopics { namespace: path.to_string() });
        }
        let id = NamespaceId(self.namespaces.len() as u32);
        if self.by_path.insert(path.clone(), id).is_some() {
            return Err(CatalogError::DuplicateNamespace { namespace: path.to_string() });
        }
        if let Some(why) = namespace.slow_client.and_then(|ladder| ladder.check().err()) {
            return Err(CatalogError::SlowClient { namespace: path.to_string(), why });
        }
        let mut entry = NamespaceEntry {
            path: path.clone(),
            session_retention: namespace.session_retention,
            slow_client: namespace.slow_client,
            auth_required: namespace.draft.auth_required.unwrap_or(false),
            is_removed: false,
            topics: HashMap::new(),
            order: Vec::new(),
            patterns: Vec::new(),
        };
        for topic in &namespace.topics {
            let name: Arc<str> = topic.name.as_str().into();
            check_topic_name(&path, &name)?;
            let key = TopicId { index: self.classes.len() as u32, generation: 0 };
            if entry.topics.insert(name.clone(), key).is_some() {
                return Err(CatalogError::DuplicateTopic { namespace: path.to_string(), topic: name.to_string() });
            }
            entry.order.push(key);
            let draft = topic.draft.or(&namespace.draft);
            let (exhaustion, dead_letters) = match draft.delivery {
                Some(DraftDelivery::AtLeastOnce(promise)) => (promise.exhaustion, promise.dead_letters),
                Some(DraftDelivery::BestEffort(_)) | None => (Exhaustion::default(), 0),
            };
            let class = Class {
                id: ClassId(key.index),
                namespace: id,
                path: path.clone(),
                policy: draft.policy(&path, &name)?,
                name,
                coalesce_key: draft.coalesce_key.clone().unwrap_or_default(),
                on_subscribe: draft.on_subscribe.unwrap_or_default(),
                ttl: draft.ttl,
                exhaustion,
                dead_letters,
                spill: draft.spill.unwrap_or_default(),
                ack: draft.ack.unwrap_or_default(),
                wire: draft.wire.unwrap_or_default(),
                metadata: draft.metadata.unwrap_or_default(),
                client_publish: draft.client_publish.unwrap_or_default(),
                inbound_ack: draft.inbound_ack.unwrap_or_default(),
                allow_polling: draft.allow_polling.unwrap_or(true),
                auth_required: draft.auth_required.unwrap_or(false),
                echo: draft.echo.unwrap_or(true),
                max_topics: draft.max_topics.unwrap_or(MAX_TOPICS),
                is_removed: false,
            };
            if class.prefix().is_some() {
                if class.max_topics == 0 {
                    let topic = format!("{} {}", class.path, class.name);
                    return Err(CatalogError::Zero { topic, key: "max_topics" });
                }
                if class.on_subscribe == OnSubscribe::Last {
                    return Err(CatalogError::RememberedPattern { topic: format!("{} {}", class.path, class.name) });
                }
                entry.patterns.push(key);
            }
            self.push(class);
        }
        entry.patterns.sort_by_key(|pattern| Reverse(self.classes[pattern.index as usize].name.len()));
        self.namespaces.push(entry);
        Ok(())
    }

    fn push(&mut self, class: Class) {
        let class = Arc::new(class);
        self.entries.push(TopicEntry::of(&class));
        self.classes.push(class);
    }

    /// This catalog under the ids of the one it replaces: what has kept its name has kept its id, what is gone leaves
    /// its id behind unused, and what is new has new ones.
    #[must_use]
    pub fn following(&self, old: &Self) -> Self {
        let mut next = Self::default();
        let is_new = |entry: &&NamespaceEntry| !old.namespaces.iter().any(|known| known.path == entry.path);
        for entry in old.namespaces.iter().chain(self.namespaces.iter().filter(is_new)) {
            let kept = self.namespace(&entry.path).map(|id| self.namespace_entry(id));
            let id = NamespaceId(next.namespaces.len() as u32);
            if kept.is_some() {
                next.by_path.insert(entry.path.clone(), id);
            }
            next.namespaces.push(NamespaceEntry {
                path: entry.path.clone(),
                session_retention: kept.unwrap_or(entry).session_retention,
                slow_client: kept.unwrap_or(entry).slow_client,
                auth_required: kept.unwrap_or(entry).auth_required,
                is_removed: kept.is_none(),
                topics: HashMap::new(),
                order: Vec::new(),
                patterns: Vec::new(),
            });
        }
        let named = |classes: &Self, wanted: &Class| {
            let id = classes.namespace(&wanted.path)?;
            let topic = classes.topic(id, &wanted.name)?;
            Some(classes.classes[topic.index as usize].clone())
        };
        let known: HashSet<_> = old.classes.iter().map(|class| (&class.path, &class.name)).collect();
        let is_new = |class: &&Arc<Class>| !known.contains(&(&class.path, &class.name));
        let mut moved = HashMap::new();
        for class in old.classes.iter().chain(self.classes.iter().filter(is_new)) {
            let kept = named(self, class);
            let id = ClassId(next.classes.len() as u32);
            if let Some(kept) = &kept {
                moved.insert(kept.id, TopicId { index: id.0, generation: 0 });
            }
            let is_removed = kept.is_none();
            let kept = kept.unwrap_or_else(|| class.clone());
            let place = next.namespaces.iter().position(|entry| entry.path == kept.path);
            let namespace = NamespaceId(place.expect("a class's namespace is in its catalog, and so here") as u32);
            next.push(Class { id, namespace, is_removed, ..(*kept).clone() });
        }
        let ids = |topics: &[TopicId]| topics.iter().map(|topic| moved[&ClassId(topic.index)]).collect::<Vec<_>>();
        for entry in next.namespaces.iter_mut().filter(|entry| !entry.is_removed) {
            let Some(kept) = self.namespace(&entry.path).map(|id| self.namespace_entry(id)) else { continue };
            (entry.order, entry.patterns) = (ids(&kept.order), ids(&kept.patterns));
            let name = |topic: &TopicId| next.entries[topic.index as usize].name.clone();
            entry.topics = entry.order.iter().map(|topic| (name(topic), *topic)).collect();
        }
        next
    }
}

/// How many topics may be made from a pattern at once, unless it says otherwise.
const MAX_TOPICS: u32 = 10_000;

impl Draft {
    fn policy(&self, path: &str, name: &str) -> Result<Policy, CatalogError> {
        let topic = || format!("{path} {name}");
        let above_zero = |key: &'static str, value: u64| {
            NonZeroU64::new(value).ok_or_else(|| CatalogError::Zero { topic: topic(), key })
        };
        let defaults = Limits::default();
        let limits = Limits {
            messages: match self.max_queued_messages {
                Some(wanted) => NonZeroU32::new(wanted)
                    .ok_or_else(|| CatalogError::Zero { topic: topic(), key: "max_queued_messages" })?,
                None => defaults.messages,
            },
            bytes: match self.max_queued_bytes {
                Some(wanted) => above_zero("max_queued_bytes", wanted)?,
                None => defaults.bytes,
            },
        };
        let coalesce = self.coalesce.unwrap_or(false);
        let max_frequency = match self.max_frequency {
            None | Some(0.0) => None,
            Some(hertz) => Some(Frequency::hertz(hertz).map_err(|why| CatalogError::Policy { topic: topic(), why })?),
        };
        let delivery = match self.delivery.unwrap_or(DraftDelivery::BestEffort(Overflow::RejectNew)) {
            DraftDelivery::BestEffort(Overflow::Spill) if coalesce || max_frequency.is_some() => {
                return Err(CatalogError::CoalescedSpill { topic: topic() });
            }
            DraftDelivery::BestEffort(overflow) => Delivery::BestEffort { overflow, coalesce, max_frequency },
            DraftDelivery::AtLeastOnce(_) if coalesce => {
                return Err(CatalogError::CoalescedAtLeastOnce { topic: topic() });
            }
            DraftDelivery::AtLeastOnce(_) if max_frequency.is_some() => {
                return Err(CatalogError::PacedAtLeastOnce { topic: topic() });
            }
            DraftDelivery::AtLeastOnce(AtLeastOnce {
                window,
                ack_timeout,
                max_retries,
                multiplier,
                max_backoff,
                jitter,
                exhaustion: _,
                dead_letters: _,
                overflow,
            }) => {
                above_zero("ack_timeout", ack_timeout.as_nanos().try_into().unwrap_or(u64::MAX))?;
                Delivery::AtLeastOnce {
                    window: NonZeroU16::new(window)
                        .ok_or_else(|| CatalogError::Zero { topic: topic(), key: "max_in_flight" })?,
                    retry: Retry {
                        ack_timeout,
                        max_retries: NonZeroU32::new(max_retries)
                            .ok_or_else(|| CatalogError::Zero { topic: topic(), key: "max_retries" })?,
                        backoff: Backoff::new(multiplier, max_backoff, jitter)
                            .map_err(|why| CatalogError::Policy { topic: topic(), why })?,
                    },
                    overflow,
                }
            }
        };
        if let Some(CoalesceKey::Pointers(pointers)) = &self.coalesce_key {
            let bad = pointers.iter().find(|pointer| !pointer.starts_with('/')).cloned();
            if let Some(pointer) = bad.or_else(|| pointers.is_empty().then(String::new)) {
                return Err(CatalogError::BadPointer { topic: topic(), pointer });
            }
        }
        if let Some(ttl) = self.ttl {
            above_zero("ttl", ttl.as_nanos().try_into().unwrap_or(u64::MAX))?;
        }
        Policy::new(delivery, limits)
            .map(|policy| policy.with_gap_notices(self.gap_notices.unwrap_or(false)))
            .and_then(|policy| policy.with_receipt_window(self.receipt_window.and_then(NonZeroU16::new)))
            .map_err(|why| CatalogError::Policy { topic: topic(), why })
    }
}

/// Event names that are Socket.IO's or ours: a topic of that name could not be told from them.
pub const RESERVED_NAMES: [&str; 19] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
    "subscribe",
    "subscribed",
    "unsubscribe",
    "unsubscribed",
    "publish",
    "ack",
    "nack",
    "error",
    "gap",
    "session",
    "authenticate",
    "authenticated",
    "topic-message",
];

/// The longest path of a namespace and name of a topic, in bytes.
pub const MAX_NAME_BYTES: usize = 128;

fn check_path(path: &str) -> Result<(), CatalogError> {
    let fits = path.starts_with('/')
        && path.len() <= MAX_NAME_BYTES
        && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._~-".contains(&b));
    if fits { Ok(()) } else { Err(CatalogError::BadPath { namespace: path.to_owned() }) }
}

fn check_topic_name(path: &str, name: &str) -> Result<(), CatalogError> {
    if RESERVED_NAMES.contains(&name) {
        return Err(CatalogError::ReservedTopic { namespace: path.to_owned(), topic: name.to_owned() });
    }
    if name.strip_suffix(WILDCARD).unwrap_or(name).contains(WILDCARD) {
        return Err(CatalogError::BadPattern { namespace: path.to_owned(), topic: name.to_owned() });
    }
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
        return Err(CatalogError::BadTopicName { namespace: path.to_owned(), topic: name.to_owned() });
    }
    Ok(())
}
