//! An adapter without sockets: swap the transport in your tests.
//!
//! A [`MemoryClient`] hears exactly what a real client would be sent, and has room for exactly as much as the test
//! says: a client that does not [`recv`](MemoryClient::recv) is a slow client.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use streamfence_core::{
    Batch, ClientId, CloseReason, Gap, MessageId, NamespaceId, RequestId, Room, Ticket, Transmit, Transport,
    UnsubscribeReason, Wishes,
};
use tokio::sync::Notify;

use crate::fence::Fence;
use crate::inbox::{InboxFull, Input, SessionWish};
use crate::link::Link;
use crate::outlet::Outlet;
use crate::payload::Payload;
use crate::tickets::parse_session_id;

/// A client in one namespace, in memory.
///
/// ```
/// use streamfence_runtime::memory::MemoryClient;
/// use streamfence_runtime::{Fence, Namespace, Overflow, Payload};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let fence = Fence::builder()
///     .namespace(Namespace::new("/feed").topic("tick").best_effort(Overflow::DropOldest).max_queued_messages(2))
///     .build()?;
/// // This client takes one message until it reads it.
/// let mut client = MemoryClient::connect(&fence, "/feed", 1);
/// client.subscribe("tick").await;
/// for n in 1..=5 {
///     fence.publish("/feed", "tick", Payload::serialize(&n)?).await?;
/// }
/// let mut heard = Vec::new();
/// for _ in 0..3 {
///     heard.push(client.recv().await.text().to_owned());
/// }
/// assert_eq!(heard, ["1", "4", "5"], "2 and 3 gave way");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct MemoryClient {
    link: Link,
    line: Arc<Line>,
    fence: Fence,
    namespace: NamespaceId,
    client: ClientId,
    next_request: u64,
}

/// What has been sent and not yet read.
#[derive(Debug)]
struct Line {
    state: Mutex<LineState>,
    arrived: Notify,
}

#[derive(Debug)]
struct LineState {
    sent: VecDeque<Transmit>,
    /// How many messages it takes before one is read.
    capacity: u32,
    closed: Option<CloseReason>,
}

/// A message as a client hears it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The topic.
    pub topic: String,
    /// The payload.
    pub payload: bytes::Bytes,
    /// Its identity, to ack it by.
    pub id: MessageId,
    /// How often it has been sent, from 1.
    pub attempt: u32,
}

impl Heard {
    /// The payload as text.
    ///
    /// # Panics
    /// When it is not UTF-8.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.payload).expect("JSON is UTF-8")
    }
}

impl MemoryClient {
    /// Connects to a namespace, with room for so many unread messages.
    ///
    /// # Panics
    /// When the fence has no such namespace.
    #[must_use]
    pub fn connect(fence: &Fence, namespace: &str, capacity: u32) -> Self {
        Self::enter(fence, namespace, capacity, None, None, None)
    }

    /// The same, asking for a session that survives the connection; [`MemoryClient::ticket`] waits for it.
    ///
    /// # Panics
    /// When the fence has no such namespace.
    #[must_use]
    pub fn connect_retained(fence: &Fence, namespace: &str, capacity: u32) -> Self {
        Self::enter(fence, namespace, capacity, None, Some(SessionWish::New), None)
    }

    /// Connects as a principal; with a ticket it comes back to that session, without one it asks for a session that
    /// survives the connection.
    ///
    /// # Panics
    /// When the fence has no such namespace, or the ticket's id is not one of a fence's.
    #[must_use]
    pub fn connect_as(fence: &Fence, namespace: &str, capacity: u32, principal: &str, ticket: Option<&Ticket>) -> Self {
        let principal = Some(principal.into());
        match ticket {
            Some(ticket) => Self::come_back(fence, namespace, capacity, ticket, principal),
            None => Self::enter(fence, namespace, capacity, None, Some(SessionWish::New), principal),
        }
    }

    /// Comes back with the ticket of a session; [`MemoryClient::ticket`] says whether it was still there.
    ///
    /// # Panics
    /// When the fence has no such namespace, or the ticket's id is not one of a fence's.
    #[must_use]
    pub fn resume(fence: &Fence, namespace: &str, capacity: u32, ticket: &Ticket) -> Self {
        Self::come_back(fence, namespace, capacity, ticket, None)
    }

    fn come_back(fence: &Fence, namespace: &str, capacity: u32, ticket: &Ticket, principal: Option<Arc<str>>) -> Self {
        let (shard, client) = parse_session_id(&ticket.id).expect("a fence wrote the ticket");
        let wish = SessionWish::Resume { client, secret: ticket.secret };
        Self::enter(fence, namespace, capacity, Some(shard), Some(wish), principal)
    }

    fn enter(
        fence: &Fence,
        namespace: &str,
        capacity: u32,
        shard: Option<usize>,
        session: Option<SessionWish>,
        principal: Option<Arc<str>>,
    ) -> Self {
        let namespace = fence.catalog().namespace(namespace).expect("the namespace is in the catalog");
        let state = LineState { sent: VecDeque::new(), capacity, closed: None };
        let line = Arc::new(Line { state: Mutex::new(state), arrived: Notify::new() });
        let link = fence.open_on(shard, |_| ());
        link.start(Box::new(MemoryOutlet(line.clone())));
        let client = link.join(namespace, Transport::Other, session, principal);
        Self { link, line, fence: fence.clone(), namespace, client, next_request: 0 }
    }

    /// The client's name.
    #[must_use]
    pub fn id(&self) -> ClientId {
        self.client
    }

    /// Waits for the ticket of its session.
    pub async fn ticket(&mut self) -> Ticket {
        match self.answer(|what| matches!(what, Transmit::Session { .. })).await {
            Transmit::Session { ticket, .. } => {
                self.client = parse_session_id(&ticket.id).expect("a fence wrote the ticket").1;
                *ticket
            }
            _ => unreachable!("only a session was asked for"),
        }
    }

    /// Loses its connection, without a goodbye.
    pub fn lose(&self) {
        self.link.end(CloseReason::Transport);
    }

    /// Changes how many unread messages it takes: 0 is a client that has stalled.
    pub fn set_capacity(&self, capacity: u32) {
        self.line.lock().capacity = capacity;
        self.link.wake();
    }

    /// Subscribes and waits until the subscription stands.
    ///
    /// # Panics
    /// When the namespace has no such topic.
    pub async fn subscribe(&mut self, topic: &str) {
        let topic = self.topic(topic);
        let request = self.request();
        let wishes = Wishes::default();
        let wish = Input::Subscribe { namespace: self.namespace, topic, wishes, request: Some(request) };
        self.link.push(wish).expect("a test does not overrun the inbox");
        self.answer(|what| matches!(what, Transmit::Subscribed { request: Some(r), .. } if *r == request)).await;
    }

    /// Ends a subscription and waits until it is gone.
    ///
    /// # Panics
    /// When the namespace has no such topic.
    pub async fn unsubscribe(&mut self, topic: &str) {
        let topic = self.topic(topic);
        let request = self.request();
        let reason = UnsubscribeReason::Client;
        let wish = Input::Unsubscribe { namespace: self.namespace, topic, reason, request: Some(request) };
        self.link.push(wish).expect("a test does not overrun the inbox");
        self.answer(|what| matches!(what, Transmit::Unsubscribed { request: Some(r), .. } if *r == request)).await;
    }

    /// Publishes, and waits for the answer: `Err` holds the code and the message of a refusal.
    ///
    /// # Errors
    /// The refusal, as a client would read it.
    ///
    /// # Panics
    /// When the namespace has no such topic.
    pub async fn publish(&mut self, topic: &str, payload: Payload) -> Result<(), (&'static str, String)> {
        let topic = self.topic(topic);
        let request = self.request();
        let wish = Input::Publish { namespace: self.namespace, topic, payload, request: Some(request) };
        // A refusal for want of room comes back as an answer too.
        let _: Result<(), InboxFull> = self.link.push(wish);
        let answer = self
            .answer(|what| match what {
                Transmit::Done { request: r, .. } | Transmit::Error { request: Some(r), .. } => *r == request,
                _ => false,
            })
            .await;
        match answer {
            Transmit::Error { code, message, .. } => Err((code.as_str(), message.into())),
            _ => Ok(()),
        }
    }

    /// Acks a message.
    ///
    /// # Panics
    /// When the namespace has no such topic.
    pub fn ack(&self, topic: &str, id: MessageId) {
        let topic = self.topic(topic).id;
        self.link.push(Input::Ack { namespace: self.namespace, topic, id }).expect("a test does not overrun the inbox");
    }

    /// Reads the next message, which makes room for another.
    pub async fn recv(&mut self) -> Heard {
        match self.answer(|what| matches!(what, Transmit::Message { .. })).await {
            Transmit::Message { message, attempt, .. } => Heard {
                topic: message.topic.name.to_string(),
                payload: message.body.bytes.slice(message.body.payload.clone()),
                id: message.id,
                attempt,
            },
            _ => unreachable!("only messages were asked for"),
        }
    }

    /// What it was told that it had missed, next of all.
    pub async fn gap(&mut self) -> Gap {
        match self.answer(|what| matches!(what, Transmit::Gap { .. })).await {
            Transmit::Gap { gap, .. } => gap,
            _ => unreachable!("only gaps were asked for"),
        }
    }

    /// Waits for an error that answers no wish: its code and its message.
    pub async fn error(&mut self) -> (&'static str, String) {
        match self.answer(|what| matches!(what, Transmit::Error { request: None, .. })).await {
            Transmit::Error { code, message, .. } => (code.as_str(), message.into()),
            _ => unreachable!("only an error was asked for"),
        }
    }

    /// Waits until its subscription to a topic has ended by the server's wish, and says why.
    ///
    /// # Panics
    /// When the namespace has no such topic.
    pub async fn unsubscribed(&mut self, topic: &str) -> UnsubscribeReason {
        let topic = self.topic(topic);
        let ended = |what: &Transmit| matches!(what, Transmit::Unsubscribed { topic: t, request: None, .. } if t.id == topic.id);
        match self.answer(ended).await {
            Transmit::Unsubscribed { reason, .. } => reason,
            _ => unreachable!("only an end was asked for"),
        }
    }

    /// Waits until the server has ended the connection, and says why.
    pub async fn closed(&mut self) -> CloseReason {
        loop {
            let arrived = self.line.arrived.notified();
            if let Some(reason) = self.line.lock().closed {
                return reason;
            }
            arrived.await;
        }
    }

    /// Waits for the first thing that fits and takes it out of the line; the rest keeps its order.
    async fn answer(&mut self, fits: impl Fn(&Transmit) -> bool) -> Transmit {
        loop {
            let arrived = self.line.arrived.notified();
            let found = {
                let mut state = self.line.lock();
                let place = state.sent.iter().position(&fits);
                place.and_then(|place| state.sent.remove(place))
            };
            if let Some(found) = found {
                self.link.wake();
                return found;
            }
            arrived.await;
        }
    }

    fn topic(&self, name: &str) -> Arc<streamfence_core::TopicEntry> {
        self.fence.find_topic(self.namespace, name).expect("the topic is in the catalog")
    }

    fn request(&mut self) -> RequestId {
        self.next_request += 1;
        RequestId(self.next_request)
    }
}

impl Drop for MemoryClient {
    fn drop(&mut self) {
        self.link.end(CloseReason::Client);
    }
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, LineState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct MemoryOutlet(Arc<Line>);

impl Outlet for MemoryOutlet {
    fn send(&mut self, batch: &mut Batch) {
        self.0.lock().sent.extend(batch.drain(..));
        self.0.arrived.notify_one();
    }

    fn room(&self) -> Room {
        let state = self.0.lock();
        let unread = state.sent.iter().filter(|what| matches!(what, Transmit::Message { .. })).count() as u32;
        let free = state.capacity.saturating_sub(unread);
        Room { frames: free, bytes: if free == 0 { 0 } else { u64::MAX }, is_empty: unread == 0 && free > 0 }
    }

    fn is_blocked(&self) -> bool {
        // Whoever does not read is a slow client, not a task that waits for our CPU.
        true
    }

    fn disconnect(&mut self, _: NamespaceId, why: CloseReason) {
        self.close(why);
    }

    fn close(&mut self, why: CloseReason) {
        self.0.lock().closed.get_or_insert(why);
        self.0.arrived.notify_one();
    }
}
