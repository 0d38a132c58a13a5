//! Every topic there is, under dense ids, with its policy.
//!
//! A catalog is valid or it does not exist. Never a file format, and the only place that knows that today a class has
//! exactly one topic.

use std::collections::HashMap;
use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::time::Duration;

use crate::message::{ClassId, NamespaceId, TopicId};
use crate::namespace::{
    AtLeastOnce, ClientPublish, CoalesceKey, Draft, DraftDelivery, InboundAck, Metadata, Namespace, Wire,
};
use crate::policy::{Backoff, Delivery, Exhaustion, Limits, LosslessOverflow, Overflow, Policy, PolicyError, Retry};
use crate::slow_client::{SlowClient, SlowClientError};

/// All namespaces and topics, with their policies.
#[derive(Debug, Default)]
pub struct Catalog {
    namespaces: Vec<NamespaceEntry>,
    classes: Vec<Class>,
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
    topics: HashMap<Arc<str>, TopicId>,
    /// In the order of the catalog's making.
    order: Vec<TopicId>,
}

impl NamespaceEntry {
    /// Its topics, in the order they were named in.
    #[must_use]
    pub fn topics(&self) -> &[TopicId] {
        &self.order
    }
}

/// What all topics made from one catalog entry have in common.
#[derive(Debug)]
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
    /// How long a message is worth sending, unless its publisher says otherwise; `None` is for ever.
    pub ttl: Option<Duration>,
    /// What a client pays that did not ack the last retry of a message; nothing where no ack is wanted.
    pub exhaustion: Exhaustion,
    /// How many messages that were given up are kept; 0 where no ack is wanted.
    pub dead_letters: u32,
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
    /// Whether a relayed message also reaches its sender.
    pub echo: bool,
}

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

    /// Finds a topic by its name.
    #[must_use]
    pub fn topic(&self, namespace: NamespaceId, name: &str) -> Option<TopicId> {
        self.namespaces[namespace.0 as usize].topics.get(name).copied()
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

    /// The name a topic is published and subscribed under.
    #[must_use]
    pub fn topic_name(&self, topic: TopicId) -> &Arc<str> {
        &self.class(topic).name
    }

    /// All topics, in the order they were named in.
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
            topics: HashMap::new(),
            order: Vec::new(),
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
            let policy = draft.policy(&path, &name)?;
            let (exhaustion, dead_letters) = match draft.delivery {
                Some(DraftDelivery::AtLeastOnce(promise)) => (promise.exhaustion, promise.dead_letters),
                Some(DraftDelivery::BestEffort(_)) | None => (Exhaustion::default(), 0),
            };
            self.classes.push(Class {
                id: ClassId(key.index),
                namespace: id,
                path: path.clone(),
                name,
                policy,
                coalesce_key: draft.coalesce_key.clone().unwrap_or_default(),
                ttl: draft.ttl,
                exhaustion,
                dead_letters,
                wire: draft.wire.unwrap_or_default(),
                metadata: draft.metadata.unwrap_or_default(),
                client_publish: draft.client_publish.unwrap_or_default(),
                inbound_ack: draft.inbound_ack.unwrap_or_default(),
                allow_polling: draft.allow_polling.unwrap_or(true),
                echo: draft.echo.unwrap_or(true),
            });
        }
        self.namespaces.push(entry);
        Ok(())
    }
}

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
        let delivery = match self.delivery.unwrap_or(DraftDelivery::BestEffort(Overflow::RejectNew)) {
            DraftDelivery::BestEffort(overflow) => Delivery::BestEffort { overflow, coalesce },
            DraftDelivery::AtLeastOnce(_) if coalesce => {
                return Err(CatalogError::CoalescedAtLeastOnce { topic: topic() });
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
                    overflow: LosslessOverflow::RejectNew,
                }
            }
        };
        if let Some(CoalesceKey::Pointer(pointer)) = &self.coalesce_key
            && !pointer.starts_with('/')
        {
            return Err(CatalogError::BadPointer { topic: topic(), pointer: pointer.clone() });
        }
        if let Some(ttl) = self.ttl {
            above_zero("ttl", ttl.as_nanos().try_into().unwrap_or(u64::MAX))?;
        }
        Policy::new(delivery, limits)
            .map(|policy| policy.with_gap_notices(self.gap_notices.unwrap_or(false)))
            .map_err(|why| CatalogError::Policy { topic: topic(), why })
    }
}

/// Event names that are Socket.IO's or ours: a topic of that name could not be told from them.
pub const RESERVED_NAMES: [&str; 18] = [
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
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
        return Err(CatalogError::BadTopicName { namespace: path.to_owned(), topic: name.to_owned() });
    }
    Ok(())
}

/// Why a catalog cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The path is not one of a namespace.
    #[error(
        "namespace `{namespace}`: wanted a path that starts with `/`, of at most 128 letters, digits and `/ . _ ~ -`"
    )]
    BadPath {
        /// The path found.
        namespace: String,
    },
    /// Two namespaces have one path.
    #[error("namespace `{namespace}` is there twice; wanted each path once")]
    DuplicateNamespace {
        /// The path.
        namespace: String,
    },
    /// A namespace has nothing to subscribe to.
    #[error("namespace `{namespace}` has no topics; wanted at least one")]
    NoTopics {
        /// The path.
        namespace: String,
    },
    /// The name is not one of a topic.
    #[error("namespace `{namespace}`: topic {topic:?}: wanted a name of 1 to 128 bytes without control characters")]
    BadTopicName {
        /// The namespace it is in.
        namespace: String,
        /// The name found.
        topic: String,
    },
    /// The name is an event of Socket.IO's or of ours.
    #[error("namespace `{namespace}`: topic `{topic}` is the name of a control event; wanted another name")]
    ReservedTopic {
        /// The namespace it is in.
        namespace: String,
        /// The name found.
        topic: String,
    },
    /// Two topics of a namespace have one name.
    #[error("namespace `{namespace}`: topic `{topic}` is there twice; wanted each name once")]
    DuplicateTopic {
        /// The namespace they are in.
        namespace: String,
        /// The name.
        topic: String,
    },
    /// A number that must be above zero is zero.
    #[error("topic `{topic}`: {key} is 0; wanted at least 1")]
    Zero {
        /// Namespace and topic.
        topic: String,
        /// The setting.
        key: &'static str,
    },
    /// A coalescing key that is no JSON pointer.
    #[error("topic `{topic}`: coalesce key {pointer:?} is no JSON pointer; wanted one such as `/symbol`")]
    BadPointer {
        /// Namespace and topic.
        topic: String,
        /// What was found.
        pointer: String,
    },
    /// An at-least-once topic would lose messages by design.
    #[error("topic `{topic}`: coalesce with at-least-once would lose messages; wanted one of the two")]
    CoalescedAtLeastOnce {
        /// Namespace and topic.
        topic: String,
    },
    /// The limits of the slow-client ladder do not fit together.
    #[error("namespace `{namespace}`: slow client: {why}")]
    SlowClient {
        /// The path.
        namespace: String,
        /// What does not fit.
        why: SlowClientError,
    },
    /// The parts of the policy do not fit together.
    #[error("topic `{topic}`: {why}")]
    Policy {
        /// Namespace and topic.
        topic: String,
        /// What does not fit.
        why: PolicyError,
    },
}
