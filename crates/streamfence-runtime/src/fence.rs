//! The handle an application holds: publish, listen, shut down. Never per-client state.

mod acked;
mod letters;
pub(crate) mod look;
pub(crate) mod start;
mod steer;

use std::any::Any;
use std::fmt::Display;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, SystemTime};

use streamfence_core::{
    Body, Catalog, ClientId, CloseReason, CoalesceKey, Event, MemoryUse, Message, MessageId, NamespaceId,
    RefusalReason, TopicEntry, TraceContext,
};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::budget::Budget;
use crate::builder::FenceBuilder;
use crate::command::{Audience, Control, Publish};
use crate::dead_letters::DeadLetters;
use crate::directory::{Directory, FindError, Topic};
use crate::encoder::{Encoder, PlainEncoder};
use crate::handler::{ClientMessage, HandlerError, Handlers};
use crate::hooks::{HookChain, Hooks, Veto, Vetoed};
use crate::link::{Link, ReadyList};
use crate::listener::Listener;
use crate::payload::Payload;
use crate::refusals::Refusals;
use crate::report::{Ballot, PublishError, PublishReport, Vote};
use crate::to::To;
use crate::tracer::{TracedPublish, Tracer};
use crate::watch::Watchers;

/// What a drain counts as that is longer than time can tell.
const LONGEST_DRAIN: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Delivery control for a set of namespaces. Clones are the same fence.
///
/// ```
/// use streamfence_runtime::{Fence, Namespace, Overflow, Payload};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let fence = Fence::builder()
///     .namespace(
///         Namespace::new("/feed")
///             .topic("snapshot")
///             .best_effort(Overflow::DropOldest)
///             .max_queued_messages(128),
///     )
///     .build()?;
///
/// let report = fence.publish("/feed", "snapshot", Payload::serialize(&42)?).await?;
/// assert_eq!(report.matched, 0, "nobody is connected yet");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Fence(Arc<Inner>);

/// A fence that may be gone: for what the fence itself holds.
#[derive(Clone)]
pub(crate) struct WeakFence(Weak<Inner>);

struct Inner {
    directory: Arc<Directory>,
    dead_letters: Arc<DeadLetters>,
    shards: Vec<ShardHandle>,
    encoder: OnceLock<Arc<dyn Encoder>>,
    watchers: Arc<Watchers>,
    handlers: Arc<Handlers>,
    hooks: HookChain,
    tracer: Option<Arc<dyn Tracer>>,
    refusals: Refusals,
    is_closing: AtomicBool,
    failed: watch::Sender<bool>,
    budget: Option<Arc<Budget>>,
    /// Places for publishers that wait for acks.
    ack_waits: Semaphore,
    questions: Semaphore,
}

struct ShardHandle {
    publishes: mpsc::Sender<Publish>,
    control: mpsc::Sender<Control>,
    ready: Arc<ReadyList>,
    links: Arc<AtomicUsize>,
}

impl Fence {
    /// Starts a fence from namespaces.
    #[must_use]
    pub fn builder() -> FenceBuilder {
        FenceBuilder::default()
    }

    /// Starts a fence from a catalog, such as a configuration file's.
    #[must_use]
    pub fn from_catalog(catalog: Arc<Catalog>) -> FenceBuilder {
        FenceBuilder::with_catalog(catalog)
    }

    /// Publishes a message to everyone subscribed, and says what became of it.
    ///
    /// Waits for a place on the shards, which is our own CPU, and then for their answers; never for a client.
    ///
    /// # Errors
    /// [`PublishError`] when there is no such topic or the fence shuts down. That lanes refused the message is no
    /// error: the report says so.
    pub async fn publish(&self, namespace: &str, topic: &str, payload: Payload) -> Result<PublishReport, PublishError> {
        self.publish_message(self.topic(namespace, topic)?, payload, Audience::Subscribers).await
    }

    /// Publishes without waiting and without a report.
    ///
    /// # Errors
    /// [`PublishError::Overloaded`] when a shard has no place; otherwise as [`Fence::publish`].
    pub fn try_publish(&self, namespace: &str, topic: &str, payload: Payload) -> Result<MessageId, PublishError> {
        let topic = self.topic(namespace, topic)?;
        self.refuse_when_closing()?;
        self.refuse_when_vetoed(&topic, &payload)?;
        let permits = self
            .0
            .shards
            .iter()
            .map(|shard| {
                let overloaded = PublishError::Overloaded { queued: shard.publishes.max_capacity() };
                shard.publishes.try_reserve().map_err(|_| overloaded)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let (id, recorded) = self.sequence(&topic, payload, Audience::Subscribers, permits, None);
        self.record(recorded, None);
        Ok(id)
    }

    /// Publishes a message to one client, to several, or to all sessions of a principal, as far as they are subscribed to
    /// the topic: the report's `matched` is how many those were.
    ///
    /// ```
    /// use streamfence_runtime::{ClientId, Fence, Namespace, Payload, To};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let fence = Fence::builder().namespace(Namespace::new("/feed").topic("snapshot")).build()?;
    /// let nobody = ClientId([0; 12]);
    /// fence.publish_to("/feed", nobody, "snapshot", Payload::serialize(&1)?).await?;
    /// fence.publish_to("/feed", To::principal("ann"), "snapshot", Payload::serialize(&2)?).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`Fence::publish`].
    pub async fn publish_to(
        &self,
        namespace: &str,
        to: impl Into<To>,
        topic: &str,
        payload: Payload,
    ) -> Result<PublishReport, PublishError> {
        let audience = to.into().into();
        self.publish_message(self.topic(namespace, topic)?, payload, audience).await
    }

    /// Publishes a message to everyone subscribed but these clients.
    ///
    /// # Errors
    /// As [`Fence::publish`].
    pub async fn publish_except(
        &self,
        namespace: &str,
        clients: impl IntoIterator<Item = ClientId>,
        topic: &str,
        payload: Payload,
    ) -> Result<PublishReport, PublishError> {
        let audience = To::everyone().except(clients).into();
        self.publish_message(self.topic(namespace, topic)?, payload, audience).await
    }

    /// Hands messages that clients publish to this topic to a handler: one call at a time per client, in order.
    ///
    /// A handler that fails, or panics, refuses that message; the client is told where the topic answers after the
    /// handler. The last handler set for a topic counts.
    ///
    /// A pattern has one handler for all topics made from it.
    ///
    /// # Errors
    /// [`PublishError`] when the catalog has no such topic.
    pub fn on_message<F, R, E>(&self, namespace: &str, topic: &str, handler: F) -> Result<(), PublishError>
    where
        F: Fn(ClientMessage) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        let catalog = self.catalog();
        let topic = catalog.topic(self.namespace(namespace)?, topic).ok_or_else(|| unknown_topic(namespace, topic))?;
        let handler = Arc::new(move |message| {
            let answer = handler(message);
            Box::pin(async move { answer.await.map_err(HandlerError::from) }) as _
        });
        self.0.handlers.set(catalog.class(topic).id, handler);
        Ok(())
    }

    /// Adds someone who hears of events.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn add_listener(&self, listener: impl Listener) {
        self.0.watchers.add_listener(Arc::new(listener));
    }

    /// Ends a client's session, whether or not the client reads. `false` when there is no such client.
    pub async fn disconnect(&self, client: ClientId) -> bool {
        self.disconnect_for(client, CloseReason::Server).await
    }

    /// The same for a reason that has a name: the client is told it, and so are the listeners; for adapters.
    pub async fn disconnect_for(&self, client: ClientId, reason: CloseReason) -> bool {
        let answers = self.ask_all(|answer| Control::Disconnect(client, reason, answer)).await;
        answers.into_iter().any(|was_here| was_here)
    }

    /// Takes no further messages, lets the lanes flush and at-least-once topics be acked, and at the deadline ends
    /// every connection.
    pub async fn shutdown(&self, drain: Duration) {
        self.0.is_closing.store(true, Ordering::Release);
        let now = Instant::now();
        let deadline = now.checked_add(drain).unwrap_or_else(|| now + LONGEST_DRAIN);
        self.ask_all(|answer| Control::Drain(deadline, answer)).await;
        self.0.refusals.flush();
    }

    /// Hands all numbers to the observers now, instead of with the next tick: for a scrape.
    pub async fn flush_stats(&self) {
        self.ask_all(Control::Flush).await;
        self.0.refusals.flush();
    }

    /// The catalog it serves.
    #[must_use]
    pub fn catalog(&self) -> Arc<Catalog> {
        self.0.directory.catalog()
    }

    /// Goes on under another catalog, with every connection and every message as it is. Returns when all shards do.
    ///
    /// What grows counts at once and what shrinks discards nothing; a message keeps the promise it was published under.
    /// The subscribers of a topic that is gone are told `removed`, and the clients of a namespace that is gone are
    /// disconnected. What has kept its name has kept its numbers, even if it was gone for a while.
    ///
    /// ```
    /// use streamfence_runtime::{Catalog, Fence, Namespace, Payload};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let feed = || Namespace::new("/feed").topic("snapshot");
    /// let fence = Fence::builder().namespace(feed().max_queued_messages(8)).build()?;
    /// fence.reload(&Catalog::builder().namespace(feed().topic("delta").max_queued_messages(64)).build()?).await;
    /// assert!(fence.publish("/feed", "delta", Payload::serialize(&7)?).await.is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn reload(&self, catalog: &Catalog) {
        self.0.directory.reload(catalog);
        self.0.watchers.reload(&self.catalog());
        self.ask_all(Control::CatchUp).await;
        self.announce(&Event::Reloaded);
    }

    /// The topic of that name, for a client that subscribes: a pattern makes it. It is there as long as somebody holds
    /// it; for adapters.
    ///
    /// # Errors
    /// [`FindError`] when there is none, or the pattern has made as many as it may.
    pub fn find_topic(&self, namespace: NamespaceId, name: &str) -> Result<Arc<TopicEntry>, FindError> {
        self.0.directory.find(namespace, name).map(|topic| topic.entry)
    }

    /// The topic of that name, for a client that has it already or only speaks to it: nothing is made; for adapters.
    #[must_use]
    pub fn peek_topic(&self, namespace: NamespaceId, name: &str) -> Option<Arc<TopicEntry>> {
        self.0.directory.peek(namespace, name)
    }

    /// How many shards it has.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.0.shards.len()
    }

    /// Whether it has begun to shut down.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.0.is_closing.load(Ordering::Acquire)
    }

    /// Waits until a shard has failed, which is a bug of ours: its clients hear nothing more and every publish is
    /// refused. Nothing mends that but a new process.
    pub async fn failed(&self) {
        let mut failed = self.0.failed.subscribe();
        // The sender is in this fence, so the wait ends with a failure or not at all.
        let _ = failed.wait_for(|has_failed| *has_failed).await;
    }

    /// Whether a shard has failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        *self.0.failed.borrow()
    }

    /// What messages take of the memory they may take; `None` where there is no budget.
    #[must_use]
    pub fn memory(&self) -> Option<MemoryUse> {
        self.0.budget.as_ref().map(|budget| budget.memory())
    }

    /// Whether messages have reached 31 of 32 parts of the memory budget, and have not been down to nine tenths since.
    #[must_use]
    pub fn is_over_budget(&self) -> bool {
        let Some(budget) = &self.0.budget else { return false };
        if let Some(event) = budget.look() {
            self.announce(&event);
        }
        budget.is_over()
    }

    /// Opens a connection on the shard that has the fewest; for adapters.
    ///
    /// `reading` is told `false` when the client says more than its shard has handled, and `true` when it may go on.
    /// It is called under a lock: it must only note what it is told.
    #[must_use]
    pub fn open(&self, reading: impl Fn(bool) + Send + Sync + 'static) -> Link {
        self.open_on(None, reading)
    }

    /// The same, on the shard where the session waits that the client wants to resume.
    #[must_use]
    pub fn open_on(&self, shard: Option<usize>, reading: impl Fn(bool) + Send + Sync + 'static) -> Link {
        let shards = || self.0.shards.iter().enumerate();
        let emptiest = || shards().min_by_key(|(_, shard)| shard.links.load(Ordering::Relaxed));
        let wanted = shard.and_then(|wanted| shards().nth(wanted));
        let (index, shard) = wanted.or_else(emptiest).expect("a fence has shards");
        // Counted here and not by the shard, or a storm of connections would all choose the same one.
        shard.links.fetch_add(1, Ordering::Relaxed);
        Link::new(index, shard.ready.clone(), Box::new(reading))
    }

    /// Gives the fence the encoder that assembles its packets; for adapters.
    ///
    /// A second adapter of the same kind brings the same encoder, and the first one's is kept.
    ///
    /// # Errors
    /// [`EncoderInUse`] when it has one of another kind: a message has one packet for all adapters, and an adapter
    /// with another wire takes the payload out of it.
    pub fn use_encoder(&self, encoder: Arc<dyn Encoder>) -> Result<(), EncoderInUse> {
        let kind = |encoder: &dyn Encoder| (encoder as &dyn Any).type_id();
        let wanted = kind(&*encoder);
        let kept = self.0.encoder.get_or_init(|| encoder);
        if kind(&**kept) == wanted { Ok(()) } else { Err(EncoderInUse) }
    }

    /// Calls this with every catalog that is reloaded, as long as the caller keeps it; for adapters.
    pub fn on_reload(&self, hook: &Arc<dyn Fn(&Catalog) + Send + Sync>) {
        self.0.watchers.on_reload(Arc::downgrade(hook));
    }

    /// Tells observers and listeners of something that happened at the door; for adapters.
    pub fn announce(&self, event: &Event) {
        self.0.watchers.event(event);
    }

    /// Asks the hooks what one of them may forbid; for adapters.
    ///
    /// # Errors
    /// [`Vetoed`], when one does.
    pub fn ask(&self, question: impl Fn(&dyn Hooks) -> Result<(), Veto>) -> Result<(), Vetoed> {
        self.0.hooks.ask(question)
    }

    /// Whether it has hooks at all; for adapters.
    #[must_use]
    pub fn has_hooks(&self) -> bool {
        !self.0.hooks.is_empty()
    }

    /// Counts somebody or something that a limit did not let in; for adapters. Those of one second are told together.
    pub fn refused(&self, reason: RefusalReason, client: Option<IpAddr>) {
        self.0.refusals.count(reason, client);
    }

    fn refuse_when_vetoed(&self, topic: &Topic, payload: &Payload) -> Result<(), PublishError> {
        let entry = &topic.entry;
        let asked = self.ask(|hooks| hooks.on_broadcast(&entry.class.path, &entry.name, payload));
        asked.map_err(|vetoed| {
            let reason = if vetoed.has_panicked { RefusalReason::HookPanicked } else { RefusalReason::Veto };
            self.refused(reason, None);
            PublishError::Vetoed { why: vetoed.veto }
        })
    }

    pub(crate) async fn publish_message(
        &self,
        topic: Topic,
        payload: Payload,
        audience: Audience,
    ) -> Result<PublishReport, PublishError> {
        self.publish_on(topic, payload, audience, &Arc::new(Ballot::new(self.0.shards.len()))).await
    }

    async fn publish_on(
        &self,
        topic: Topic,
        payload: Payload,
        audience: Audience,
        ballot: &Arc<Ballot>,
    ) -> Result<PublishReport, PublishError> {
        self.refuse_when_closing()?;
        self.refuse_when_vetoed(&topic, &payload)?;
        // Every publisher asks the shards in the same order, so none waits for another in a circle.
        let mut permits = Vec::with_capacity(self.0.shards.len());
        for shard in &self.0.shards {
            permits.push(shard.publishes.reserve().await.map_err(|_| PublishError::ShuttingDown)?);
        }
        let (id, recorded) = self.sequence(&topic, payload, audience, permits, Some(ballot));
        let report = ballot.report(id).await;
        self.record(recorded, Some(report));
        Ok(report)
    }

    /// Gives the message its place and sends it to every shard: under the topic's lock, and without waiting.
    fn sequence(
        &self,
        topic: &Topic,
        mut payload: Payload,
        audience: Audience,
        permits: Vec<mpsc::Permit<'_, Publish>>,
        ballot: Option<&Arc<Ballot>>,
    ) -> (MessageId, Option<Box<TracedPublish>>) {
        let encoder = self.0.encoder.get().map_or(&PlainEncoder as &dyn Encoder, AsRef::as_ref);
        let entry = &topic.entry;
        let class = &entry.class;
        let key = payload.key().cloned().or_else(|| match &class.coalesce_key {
            CoalesceKey::Topic => None,
            CoalesceKey::Pointers(pointers) => payload.key_at(pointers),
        });
        let (wall, now) = (SystemTime::now(), Instant::now().into_std());
        let parent = self.0.tracer.as_ref().and_then(|tracer| begin_trace(&**tracer, &mut payload));
        let mut log = topic.log.lock();
        let id = log.next();
        let body = encoder.encode(entry, &payload, id, wall);
        log.count(body.bytes.len() as u64);
        let body = match &self.0.budget {
            Some(budget) => Body { bytes: budget.charge(body.bytes), ..body },
            None => body,
        };
        let expires = payload.ttl().or(class.ttl).and_then(|ttl| now.checked_add(ttl));
        let message = Arc::new(Message {
            topic: entry.clone(),
            id,
            key,
            published: now,
            expires,
            trace: payload.trace().cloned(),
            body,
        });
        let recorded = parent.map(|(parent, trace)| {
            let (topic, size_bytes) = (entry.clone(), payload.size_bytes());
            Box::new(TracedPublish { parent, trace, topic, id, size_bytes, began: now, ended: now, report: None })
        });
        for permit in permits {
            permit.send(Publish { message: message.clone(), audience: audience.clone(), vote: Vote(ballot.cloned()) });
        }
        (id, recorded)
    }

    /// Tells of a publish that is over, if it is recorded.
    fn record(&self, recorded: Option<Box<TracedPublish>>, report: Option<PublishReport>) {
        if let (Some(tracer), Some(publish)) = (&self.0.tracer, recorded) {
            tracer.published(TracedPublish { ended: Instant::now().into_std(), report, ..*publish });
        }
    }

    pub(crate) fn topic(&self, namespace: &str, topic: &str) -> Result<Topic, PublishError> {
        self.0.directory.find(self.namespace(namespace)?, topic).map_err(|why| match why {
            FindError::Unknown => unknown_topic(namespace, topic),
            FindError::TooMany { pattern, most } => PublishError::TooManyTopics { pattern, most },
        })
    }

    fn namespace(&self, path: &str) -> Result<NamespaceId, PublishError> {
        let unknown = || PublishError::UnknownNamespace { namespace: path.to_owned() };
        self.0.directory.namespace(path).ok_or_else(unknown)
    }

    fn refuse_when_closing(&self) -> Result<(), PublishError> {
        if self.is_closing() { Err(PublishError::ShuttingDown) } else { Ok(()) }
    }

    /// Asks every shard at once and gathers the answers; a shard that is gone has none.
    async fn ask_all<T>(&self, question: impl Fn(oneshot::Sender<T>) -> Control) -> Vec<T> {
        let mut pending = Vec::with_capacity(self.0.shards.len());
        for shard in &self.0.shards {
            let (answer, heard) = oneshot::channel();
            if shard.control.send(question(answer)).await.is_ok() {
                pending.push(heard);
            }
        }
        let mut answers = Vec::with_capacity(pending.len());
        for heard in pending {
            answers.extend(heard.await.ok());
        }
        answers
    }
}

/// Asks whether a publish is recorded: what its publisher said of a trace, and the context of its own span, under which the
/// payload goes on.
fn begin_trace(tracer: &dyn Tracer, payload: &mut Payload) -> Option<(Option<Arc<TraceContext>>, Arc<TraceContext>)> {
    let trace = tracer.begin(payload.trace().map(AsRef::as_ref))?;
    let trace = Arc::new(TraceContext { is_recorded: true, ..trace });
    let parent = payload.trace().cloned();
    payload.set_trace(Some(trace.clone()));
    Some((parent, trace))
}

fn unknown_topic(namespace: &str, topic: &str) -> PublishError {
    PublishError::UnknownTopic { namespace: namespace.to_owned(), topic: topic.to_owned() }
}

impl WeakFence {
    pub(crate) fn upgrade(&self) -> Option<Fence> {
        self.0.upgrade().map(Fence)
    }
}

impl std::fmt::Debug for Fence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fence").field("shards", &self.0.shards.len()).finish_non_exhaustive()
    }
}

/// The fence has an encoder of another kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the fence has an encoder of another kind already; this adapter has to take the payload out of its packets")]
pub struct EncoderInUse;
