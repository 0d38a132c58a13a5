//! How an application says what it wants: a [`Namespace`] of [`Topic`]s, each with its policy.
//!
//! A draft may say anything; [`Catalog::builder`](crate::Catalog::builder) decides whether it can be kept.

use std::time::Duration;

use crate::policy::{Exhaustion, LosslessOverflow, Overflow, SpillRules};
use crate::slow_client::SlowClient;

/// A namespace and the topics in it, as an application asks for them.
///
/// What is said on the namespace holds for all its topics; a [`Topic`] given with [`Namespace::topic_with`] may differ.
///
/// ```
/// use streamfence_core::{AtLeastOnce, Catalog, Namespace, Overflow, Topic};
///
/// let catalog = Catalog::builder()
///     .namespace(
///         Namespace::new("/feed")
///             .topic("snapshot")
///             .topic_with(Topic::new("delta").best_effort(Overflow::RejectNew))
///             .best_effort(Overflow::DropOldest)
///             .max_queued_messages(128),
///     )
///     .namespace(Namespace::new("/alerts").topic("alert").at_least_once(AtLeastOnce::default().max_retries(5)))
///     .build()?;
/// assert!(catalog.namespace("/feed").is_some());
/// # Ok::<(), streamfence_core::CatalogError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Namespace {
    pub(crate) path: String,
    pub(crate) topics: Vec<Topic>,
    pub(crate) session_retention: Duration,
    pub(crate) slow_client: Option<SlowClient>,
    pub(crate) draft: Draft,
}

/// How long a lost session waits for its client, unless the namespace says otherwise.
const SESSION_RETENTION: Duration = Duration::from_secs(30);

impl Namespace {
    /// A namespace under a path, which starts with `/`.
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            topics: Vec::new(),
            session_retention: SESSION_RETENTION,
            slow_client: None,
            draft: Draft::default(),
        }
    }

    /// Adds a topic with the namespace's settings. A name that ends in `*` is a pattern: a topic is made of every name
    /// that begins so, when somebody subscribes or publishes to it, and is gone with its last subscriber.
    #[must_use]
    pub fn topic(self, name: impl Into<String>) -> Self {
        self.topic_with(Topic::new(name))
    }

    /// How long a lost session waits for its client, where the client asked for that; zero is not at all. Default: 30 s.
    #[must_use]
    pub fn session_retention(mut self, retention: Duration) -> Self {
        self.session_retention = retention;
        self
    }

    /// What happens to a client that stays behind. Default: nothing but what its lanes' policies say.
    #[must_use]
    pub fn slow_client(mut self, ladder: SlowClient) -> Self {
        self.slow_client = Some(ladder);
        self
    }

    /// Adds a topic with settings of its own.
    #[must_use]
    pub fn topic_with(mut self, topic: Topic) -> Self {
        self.topics.push(topic);
        self
    }
}

/// A topic whose settings differ from its namespace's.
#[derive(Clone, Debug)]
pub struct Topic {
    pub(crate) name: String,
    pub(crate) draft: Draft,
}

impl Topic {
    /// A topic that has its namespace's settings until told otherwise.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), draft: Draft::default() }
    }
}

/// What was said so far; what was not is asked of the namespace, then of the defaults.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub(crate) delivery: Option<DraftDelivery>,
    pub(crate) coalesce: Option<bool>,
    pub(crate) coalesce_key: Option<CoalesceKey>,
    pub(crate) max_queued_messages: Option<u32>,
    pub(crate) max_queued_bytes: Option<u64>,
    pub(crate) ttl: Option<Duration>,
    pub(crate) gap_notices: Option<bool>,
    pub(crate) max_frequency: Option<f64>,
    pub(crate) on_subscribe: Option<OnSubscribe>,
    pub(crate) receipt_window: Option<u16>,
    pub(crate) ack: Option<AckStyle>,
    pub(crate) wire: Option<Wire>,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) client_publish: Option<ClientPublish>,
    pub(crate) inbound_ack: Option<InboundAck>,
    pub(crate) allow_polling: Option<bool>,
    pub(crate) auth_required: Option<bool>,
    pub(crate) echo: Option<bool>,
    pub(crate) max_topics: Option<u32>,
    pub(crate) spill: Option<SpillRules>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum DraftDelivery {
    BestEffort(Overflow),
    AtLeastOnce(AtLeastOnce),
}

impl Draft {
    /// This draft, with what it does not say taken from `parent`.
    pub(crate) fn or(&self, parent: &Self) -> Self {
        Self {
            delivery: self.delivery.or(parent.delivery),
            coalesce: self.coalesce.or(parent.coalesce),
            coalesce_key: self.coalesce_key.clone().or_else(|| parent.coalesce_key.clone()),
            max_queued_messages: self.max_queued_messages.or(parent.max_queued_messages),
            max_queued_bytes: self.max_queued_bytes.or(parent.max_queued_bytes),
            ttl: self.ttl.or(parent.ttl),
            gap_notices: self.gap_notices.or(parent.gap_notices),
            max_frequency: self.max_frequency.or(parent.max_frequency),
            on_subscribe: self.on_subscribe.or(parent.on_subscribe),
            receipt_window: self.receipt_window.or(parent.receipt_window),
            ack: self.ack.or(parent.ack),
            wire: self.wire.or(parent.wire),
            metadata: self.metadata.or(parent.metadata),
            client_publish: self.client_publish.or(parent.client_publish),
            inbound_ack: self.inbound_ack.or(parent.inbound_ack),
            allow_polling: self.allow_polling.or(parent.allow_polling),
            auth_required: self.auth_required.or(parent.auth_required),
            echo: self.echo.or(parent.echo),
            max_topics: self.max_topics.or(parent.max_topics),
            spill: self.spill.or(parent.spill),
        }
    }
}

/// The settings a namespace and a topic have in common, written once for both.
macro_rules! settings {
    ($owner:ty) => {
        impl $owner {
            /// At most once, with what gives way when a lane is full. Default: best effort, [`Overflow::RejectNew`].
            #[must_use]
            pub fn best_effort(mut self, overflow: Overflow) -> Self {
                self.draft.delivery = Some(DraftDelivery::BestEffort(overflow));
                self
            }

            /// At least once: a message is sent until the client acks it or the retries run out.
            #[must_use]
            pub fn at_least_once(mut self, promise: AtLeastOnce) -> Self {
                self.draft.delivery = Some(DraftDelivery::AtLeastOnce(promise));
                self
            }

            /// Whether an offer first replaces the queued message of the same key, in its place. Default: no.
            #[must_use]
            pub fn coalesce(mut self, yes: bool) -> Self {
                self.draft.coalesce = Some(yes);
                self
            }

            /// What makes two messages versions of one value, where lanes coalesce. Default: [`CoalesceKey::Topic`].
            #[must_use]
            pub fn coalesce_key(mut self, key: CoalesceKey) -> Self {
                self.draft.coalesce_key = Some(key);
                self
            }

            /// How many messages a client's lane holds, queued and in flight together. Default: 64.
            #[must_use]
            pub fn max_queued_messages(mut self, messages: u32) -> Self {
                self.draft.max_queued_messages = Some(messages);
                self
            }

            /// How many bytes of encoded packets a client's lane holds. Default: 524 288.
            #[must_use]
            pub fn max_queued_bytes(mut self, bytes: u64) -> Self {
                self.draft.max_queued_bytes = Some(bytes);
                self
            }

            /// How long a message is worth sending. What has waited longer is given up and counted as expired. Default:
            /// for ever; a publisher may say otherwise for one message.
            #[must_use]
            pub fn ttl(mut self, ttl: Duration) -> Self {
                self.draft.ttl = Some(ttl);
                self
            }

            /// Whether a client is told, in order, of what it missed. Default: no.
            #[must_use]
            pub fn gap_notices(mut self, yes: bool) -> Self {
                self.draft.gap_notices = Some(yes);
                self
            }

            /// How many values of one key a client gets in a second at most: after one was sent, the next is held for
            /// the rest of the interval, and a newer one takes its place. Best effort only. Default: 0, as many as there
            /// are; a client may ask for fewer.
            #[must_use]
            pub fn max_frequency(mut self, hertz: f64) -> Self {
                self.draft.max_frequency = Some(hertz);
                self
            }

            /// What a new subscriber gets at once. Default: [`OnSubscribe::Nothing`].
            #[must_use]
            pub fn on_subscribe(mut self, what: OnSubscribe) -> Self {
                self.draft.on_subscribe = Some(what);
                self
            }

            /// How many messages of a best-effort topic may be sent to a client and not yet confirmed by it; the lane fills
            /// beyond, and its policy decides. Nothing is sent again. 0 is any number, which is the default.
            #[must_use]
            pub fn receipt_window(mut self, messages: u16) -> Self {
                self.draft.receipt_window = Some(messages);
                self
            }

            /// How a client says that it has a message, where it is asked to. Default: [`AckStyle::Event`].
            #[must_use]
            pub fn ack(mut self, style: AckStyle) -> Self {
                self.draft.ack = Some(style);
                self
            }

            /// The shape a message has on the wire. Default: [`Wire::TopicEvent`].
            #[must_use]
            pub fn wire(mut self, wire: Wire) -> Self {
                self.draft.wire = Some(wire);
                self
            }

            /// Which messages carry metadata, and how much. Default: [`Metadata::WhenAcked`].
            #[must_use]
            pub fn metadata(mut self, metadata: Metadata) -> Self {
                self.draft.metadata = Some(metadata);
                self
            }

            /// What becomes of a message a client publishes. Default: [`ClientPublish::Handler`].
            #[must_use]
            pub fn client_publish(mut self, rule: ClientPublish) -> Self {
                self.draft.client_publish = Some(rule);
                self
            }

            /// When a client's publish is answered. Default: [`InboundAck::OnReceipt`].
            #[must_use]
            pub fn inbound_ack(mut self, rule: InboundAck) -> Self {
                self.draft.inbound_ack = Some(rule);
                self
            }

            /// Whether a client that polls may subscribe. Default: yes.
            #[must_use]
            pub fn allow_polling(mut self, yes: bool) -> Self {
                self.draft.allow_polling = Some(yes);
                self
            }

            /// Whether a client must prove who it is: said of a namespace, to stay in it and for its topics; of a topic, to
            /// subscribe or publish to that one. Default: no.
            #[must_use]
            pub fn auth_required(mut self, yes: bool) -> Self {
                self.draft.auth_required = Some(yes);
                self
            }

            /// How many topics may be made at once from one whose name is a pattern, such as `orders.*`. Default: 10 000.
            #[must_use]
            pub fn max_topics(mut self, topics: u32) -> Self {
                self.draft.max_topics = Some(topics);
                self
            }

            /// How much may lie on disk, and where, of lanes that spill. Default: as much as the first store has.
            #[must_use]
            pub fn spill(mut self, rules: SpillRules) -> Self {
                self.draft.spill = Some(rules);
                self
            }

            /// Whether a relayed message also reaches the client that published it. Default: yes.
            #[must_use]
            pub fn echo(mut self, yes: bool) -> Self {
                self.draft.echo = Some(yes);
                self
            }
        }
    };
}

settings!(Namespace);
settings!(Topic);

/// The at-least-once promise as an application asks for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AtLeastOnce {
    pub(crate) window: u16,
    pub(crate) ack_timeout: Duration,
    pub(crate) max_retries: u32,
    pub(crate) multiplier: f64,
    pub(crate) max_backoff: Duration,
    pub(crate) jitter: f64,
    pub(crate) exhaustion: Exhaustion,
    pub(crate) dead_letters: u32,
    pub(crate) overflow: LosslessOverflow,
}

impl Default for AtLeastOnce {
    /// A window of 1, an ack timeout of 1 s, 3 retries, 128 dead letters.
    fn default() -> Self {
        Self {
            window: 1,
            ack_timeout: Duration::from_secs(1),
            max_retries: 3,
            multiplier: 1.0,
            max_backoff: Duration::ZERO,
            jitter: 0.0,
            exhaustion: Exhaustion::DeadLetter,
            dead_letters: 128,
            overflow: LosslessOverflow::RejectNew,
        }
    }
}

impl AtLeastOnce {
    /// How many messages may be sent and not yet acked, at least 1. Default: 1, which is slow and strictly one by one.
    #[must_use]
    pub fn window(mut self, messages: u16) -> Self {
        self.window = messages;
        self
    }

    /// How long a client may take to ack while its connection has room. Default: 1 s.
    #[must_use]
    pub fn ack_timeout(mut self, timeout: Duration) -> Self {
        self.ack_timeout = timeout;
        self
    }

    /// How often a message is sent again, at least 1. Default: 3.
    #[must_use]
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.max_retries = retries;
        self
    }

    /// Each attempt has `multiplier` times as long as the one before it, between 1 and 100, but no longer than `max`.
    /// Default: every attempt has the same time.
    #[must_use]
    pub fn backoff(mut self, multiplier: f64, max: Duration) -> Self {
        (self.multiplier, self.max_backoff) = (multiplier, max);
        self
    }

    /// Each timeout is shortened by a share between 0 and this, so that clients do not all retry at once. Default: 0.
    #[must_use]
    pub fn jitter(mut self, share: f64) -> Self {
        self.jitter = share;
        self
    }

    /// What a client that did not ack the last retry of a message pays for it. Default: [`Exhaustion::DeadLetter`],
    /// which is nothing.
    #[must_use]
    pub fn on_exhausted(mut self, exhaustion: Exhaustion) -> Self {
        self.exhaustion = exhaustion;
        self
    }

    /// How many messages that were given up are kept for the topic, to be looked at and published again; the oldest
    /// gives way. 0 keeps none. Default: 128.
    #[must_use]
    pub fn dead_letters(mut self, messages: u32) -> Self {
        self.dead_letters = messages;
        self
    }

    /// What gives way when a lane is full. Default: [`LosslessOverflow::RejectNew`].
    #[must_use]
    pub fn overflow(mut self, overflow: LosslessOverflow) -> Self {
        self.overflow = overflow;
        self
    }
}

/// What makes two messages versions of one value, where the publisher gives no key of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CoalesceKey {
    /// That they are of one topic: the newest message is the only one that counts.
    #[default]
    Topic,
    /// What stands at these JSON pointers (RFC 6901) of their payloads, such as `/symbol`: all of it together. Messages
    /// where nothing stands at any of them are versions of one value too. At least one pointer.
    Pointers(Vec<String>),
}

impl CoalesceKey {
    /// What stands at one JSON pointer.
    pub fn pointer(pointer: impl Into<String>) -> Self {
        Self::Pointers(vec![pointer.into()])
    }
}

/// What a new subscriber gets at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnSubscribe {
    /// Nothing: it hears what is published from now on.
    #[default]
    Nothing,
    /// The newest message, or the newest of each key where the topic coalesces: of up to
    /// [`VALUES_KEPT`](crate::hub::last_values::VALUES_KEPT) keys, those published last. Messages for one client alone are not among
    /// them, nor is what has expired. Not for patterns, whose topics end when nobody uses them.
    Last,
}

/// The shape of a message on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wire {
    /// An event named after the topic: `(payload)` or `(payload, metadata)`.
    #[default]
    TopicEvent,
    /// One event `topic-message` with `{metadata, payload}`.
    Envelope,
}

/// How a client says that it has a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AckStyle {
    /// By an event of its own.
    #[default]
    Event,
    /// By the callback of the transport's own that comes with the message, where it has such a thing; the event is taken
    /// too.
    Native,
}

/// Which messages carry metadata, and how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metadata {
    /// Only messages that want an ack: namespace, topic, message id, `ackRequired`.
    #[default]
    WhenAcked,
    /// The same, on best-effort messages too.
    Always,
    /// On every message, with epoch, offset, the time of publication and, from the second, the attempt.
    Full,
}

/// What becomes of a message a client publishes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientPublish {
    /// It goes to the application's handler.
    #[default]
    Handler,
    /// It is published to the topic's subscribers as it came.
    Relay,
    /// It is refused.
    Deny,
}

/// When a client's publish is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InboundAck {
    /// When it has been taken in.
    #[default]
    OnReceipt,
    /// When the handler has succeeded.
    AfterHandlerSuccess,
}
