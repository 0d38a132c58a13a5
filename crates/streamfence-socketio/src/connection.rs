//! One connection, between the Socket.IO library and the shard that serves it.
//!
//! It knows which namespaces the connection has joined, holds back what a client says before it has joined one, and
//! remembers who asked for an answer. Never a topic's policy.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use smallvec::SmallVec;
use socketioxide::extract::{AckSender, SocketRef};
use streamfence_core::{
    ClientId, CloseReason, ErrorCode, MessageId, NamespaceId, Policy, RequestId, Ticket, TopicEntry, TopicId, Transmit,
};
use streamfence_runtime::{Fence, Input, Link, SessionWish, parse_session_id};

use crate::auth::{Gate, Identity, Papers, Watch};
use crate::callbacks::{Answer, Callbacks};
use crate::inbound::Inbound;
use crate::line::Line;
use crate::link::LinkState;
use crate::options::LiveOptions;
use crate::outlet::SocketIoOutlet;
use crate::refusals::Refusals;

/// What all connections of an adapter have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) fence: Fence,
    pub(crate) options: LiveOptions,
    pub(crate) refusals: Refusals,
    pub(crate) gate: Gate,
    pub(crate) watch: Watch,
}

/// A connection that has come as far as a fenced namespace.
///
/// It has a link to one shard, and to another only where a client comes back to a session that waits there.
pub(crate) struct Connection {
    pub(crate) state: Arc<LinkState>,
    pub(crate) shared: Arc<Shared>,
    /// What it has wanted of late.
    pub(crate) inbound: Inbound,
    links: Mutex<Vec<Link>>,
    members: Mutex<Members>,
}

/// The namespaces a connection has joined, each with its name beside, so that finding one looks nowhere else.
pub(crate) type Members = SmallVec<[(NamespaceId, Arc<Member>); 1]>;

impl Connection {
    /// A connection without links. It lives until its transport has ended.
    pub(crate) fn open(state: &Arc<LinkState>, shared: &Arc<Shared>) -> Arc<Self> {
        let connection = Arc::new(Self {
            state: state.clone(),
            shared: shared.clone(),
            inbound: Inbound::new(),
            links: Mutex::default(),
            members: Mutex::default(),
        });
        let woken = Arc::downgrade(&connection);
        state.set_on_room(move || {
            if let Some(connection) = woken.upgrade() {
                connection.links().iter().for_each(Link::wake);
            }
        });
        let ended = connection.clone();
        state.set_on_end(move |reason| {
            // The library's sockets and this connection hold each other; this is where they let go.
            ended.members().clear();
            ended.links().iter().for_each(|link| link.end(reason));
        });
        connection
    }

    /// The link to the shard where a session waits; without one to look for, the link that is there, or a first one.
    fn link_to(self: &Arc<Self>, shard: Option<usize>) -> Link {
        // An id may name a shard that never was.
        let shard = shard.filter(|shard| *shard < self.shared.fence.shards());
        let mut links = self.links();
        let found = links.iter().find(|link| shard.is_none_or(|shard| link.shard() == shard));
        if let Some(link) = found {
            return link.clone();
        }
        let reader = Arc::downgrade(&self.state);
        let link = self.shared.fence.open_on(shard, move |may_read| {
            if let Some(state) = reader.upgrade() {
                state.pause_reading(!may_read);
            }
        });
        link.start(Box::new(SocketIoOutlet::new(self.clone(), link.shard())));
        // What has ended before it had this link cannot have ended it.
        match self.state.ended() {
            Some(reason) => link.end(reason),
            None => links.push(link.clone()),
        }
        link
    }

    /// Whether no other shard serves any of its namespaces.
    pub(crate) fn has_one_link(&self) -> bool {
        self.links().len() == 1
    }

    /// Tells the other shards that the connection's room has changed.
    pub(crate) fn wake_others(&self, shard: usize) {
        self.links().iter().filter(|link| link.shard() != shard).for_each(Link::wake);
    }

    /// Looks at what a send looks at; waits for nobody, and changes nothing.
    pub(crate) fn prepare(&self) {
        self.state.prepare();
        if let Ok(members) = self.members.try_lock() {
            black_box(members.first().map(|(namespace, _)| *namespace));
        }
    }

    fn links(&self) -> MutexGuard<'_, Vec<Link>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client asks to enter a namespace. What it says before it has entered waits.
    pub(crate) fn enter(
        self: &Arc<Self>,
        namespace: NamespaceId,
        socket: SocketRef,
        shard: Option<usize>,
        session: Option<SessionWish>,
        identity: Option<Identity>,
    ) -> Arc<Member> {
        let member = Arc::new(Member {
            namespace,
            socket,
            session,
            papers: Mutex::new(Papers::new(identity)),
            line: Mutex::default(),
            link: self.link_to(shard),
            connection: Arc::downgrade(self),
            state: Mutex::new(MemberState::default()),
            callbacks: Mutex::default(),
        });
        let mut members = self.members();
        members.retain(|(other, _)| *other != namespace);
        members.push((namespace, member.clone()));
        drop(members);
        let is_required = self.shared.fence.catalog().namespace_entry(namespace).auth_required;
        if is_required || self.shared.gate.has_validator() {
            self.shared.watch.add(&member, &self.shared);
        }
        member
    }

    /// A client has left a namespace.
    pub(crate) fn leave(&self, namespace: NamespaceId, reason: CloseReason) {
        let member = {
            let mut members = self.members();
            let place = members.iter().position(|(other, _)| *other == namespace);
            place.map(|place| members.swap_remove(place).1)
        };
        if let Some(member) = member {
            member.link.leave(namespace, reason);
        }
    }

    /// Who the client is in a namespace.
    pub(crate) fn member(&self, namespace: NamespaceId) -> Option<Arc<Member>> {
        self.members().iter().find(|(other, _)| *other == namespace).map(|(_, member)| member.clone())
    }

    /// Says nothing more in a namespace, nor hears of its end.
    pub(crate) fn forget(&self, member: &Arc<Member>) {
        self.members().retain(|(_, other)| !Arc::ptr_eq(other, member));
    }

    /// The namespaces joined, locked.
    pub(crate) fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One namespace of a connection.
pub(crate) struct Member {
    pub(crate) namespace: NamespaceId,
    pub(crate) socket: SocketRef,
    /// Whether the client wants a session that survives the connection.
    session: Option<SessionWish>,
    /// What the client has shown of who it is.
    papers: Mutex<Papers>,
    /// What it wishes for while its token is looked at.
    line: Mutex<Line>,
    /// To the shard that serves it.
    pub(crate) link: Link,
    connection: Weak<Connection>,
    state: Mutex<MemberState>,
    callbacks: Mutex<Callbacks>,
}

#[derive(Default)]
struct MemberState {
    has_joined: bool,
    /// The name it was given, and then that of the session it has.
    client: Option<ClientId>,
    /// Whether it was told which session it has.
    has_ticket: bool,
    /// What the client said before it had joined.
    early: Vec<Input>,
    /// The topics it has subscribed to, so that there are not too many.
    topics: Vec<(TopicId, Arc<str>)>,
    requests: HashMap<RequestId, Arc<Mutex<Request>>>,
    next_request: u64,
}

/// A client that wants to know what became of its wish.
struct Request {
    sender: Option<AckSender>,
    id: i64,
    /// How many answers are still to come.
    outstanding: usize,
    /// The answers so far, of a wish that is for several topics.
    results: Option<Vec<String>>,
}

/// What a client may say before it has joined: it was not told yet that it may, so this is only for races.
const EARLY_INPUTS: usize = 64;

impl Member {
    /// The client has joined: it is told now what it asked for before.
    pub(crate) fn join(&self) {
        let Some(connection) = self.connection() else { return };
        let principal = self.papers().identity().map(|identity| identity.name.clone());
        let mut state = self.lock();
        state.has_joined = true;
        let transport = connection.state.transport();
        state.client = Some(self.link.join(self.namespace, transport, self.session, principal));
        for input in state.early.drain(..) {
            // A refusal for want of room is told to the client by the link itself.
            let _ = self.link.push(input);
        }
    }

    /// The name the client was given when it joined, or that of the session it has come back to.
    pub(crate) fn client(&self) -> Option<ClientId> {
        self.lock().client
    }

    /// The name the client goes by; `None` while it is open which of two that is.
    pub(crate) fn client_id(&self) -> Option<ClientId> {
        let may_change =
            matches!(self.session, Some(SessionWish::Resume { .. })) && self.has_session(&self.connection()?.shared);
        let state = self.lock();
        state.client.filter(|_| state.has_ticket || !may_change)
    }

    /// Who the client is, where that is known.
    pub(crate) fn principal(&self) -> Option<Arc<str>> {
        self.papers().identity().map(|identity| identity.name.clone())
    }

    /// Whether it has a session that would survive its connection.
    pub(crate) fn has_session(&self, shared: &Shared) -> bool {
        let retention = shared.fence.catalog().namespace_entry(self.namespace).session_retention;
        self.session.is_some() && !retention.is_zero()
    }

    /// Waits, without a task, for the client to use the callback it got with a message.
    pub(crate) fn await_callback(self: &Arc<Self>, topic: TopicId, id: MessageId, policy: &Policy, answer: Answer) {
        let is_used = self.callbacks().keep(Arc::downgrade(self), topic, id, policy, answer);
        if is_used {
            self.push_ack(topic, id);
        }
    }

    /// The callbacks the client has not used yet. To be locked alone, since the library may ring while it holds locks.
    pub(crate) fn callbacks(&self) -> MutexGuard<'_, Callbacks> {
        self.callbacks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the client has shown of who it is. To be locked alone.
    pub(crate) fn papers(&self) -> MutexGuard<'_, Papers> {
        self.papers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The wishes that wait. To be locked alone.
    pub(crate) fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes on that the client has a message.
    pub(crate) fn push_ack(&self, topic: TopicId, id: MessageId) {
        self.push(Input::Ack { namespace: self.namespace, topic, id });
    }

    /// The client has a session, new or its own of before, with the subscriptions that it had.
    pub(crate) fn take_ticket(&self, ticket: &Ticket) {
        let mut state = self.lock();
        state.has_ticket = true;
        state.client = parse_session_id(&ticket.id).map(|(_, client)| client).or(state.client);
        for topic in &ticket.topics {
            // A wish may have come before this.
            if !state.topics.iter().any(|(other, _)| *other == topic.id) {
                state.topics.push((topic.id, topic.name.clone()));
            }
        }
    }

    /// A subscription ended without the client's wish, and leaves its place.
    ///
    /// A client that has subscribed again before it could hear of the end gets a place more: there is no harm in that,
    /// since a topic has one lane.
    pub(crate) fn give_back(&self, topic: TopicId) {
        self.lock().topics.retain(|(other, _)| *other != topic);
        self.papers().give_back(topic);
    }

    /// Passes on what the client said, in order.
    pub(crate) fn push(&self, input: Input) {
        if let Input::Unsubscribe { topic, .. } = &input {
            self.papers().give_back(topic.id);
        }
        let mut state = self.lock();
        if let Input::Unsubscribe { topic, .. } = &input {
            // Given back in the order of the wishes, not of the answers: the next wish may take it again at once.
            state.topics.retain(|(other, _)| *other != topic.id);
        }
        if !state.has_joined {
            if state.early.len() < EARLY_INPUTS {
                state.early.push(input);
            }
            return;
        }
        drop(state);
        // A refusal for want of room is told to the client by the link itself.
        let _ = self.link.push(input);
    }

    /// Tells the client that a wish was refused.
    pub(crate) fn refuse(&self, code: ErrorCode, message: &str, topic: Option<&str>, request: Option<RequestId>) {
        let what = Transmit::Error {
            namespace: self.namespace,
            code,
            message: message.into(),
            topic: topic.map(Into::into),
            request,
        };
        self.push(Input::Tell { namespace: self.namespace, what });
    }

    /// Remembers who asked; `several` is how many topics one wish is for, if it is for a list.
    pub(crate) fn ask(&self, sender: AckSender, id: Option<i64>, several: Option<usize>) -> Requests {
        let Some(id) = id else { return Requests(Vec::new()) };
        let outstanding = several.unwrap_or(1);
        let results = several.map(|_| Vec::new());
        let request = Arc::new(Mutex::new(Request { sender: Some(sender), id, outstanding, results }));
        let mut state = self.lock();
        let keys = (0..outstanding).map(|_| {
            state.next_request += 1;
            let key = RequestId(state.next_request);
            state.requests.insert(key, request.clone());
            key
        });
        let mut keys: Vec<_> = keys.collect();
        keys.reverse();
        Requests(keys)
    }

    /// Notes an answer. `Some` when it was the last one outstanding: the text to send, and who to.
    pub(crate) fn answer(&self, key: RequestId, result: String) -> Option<(AckSender, i64, String)> {
        let request = self.lock().requests.remove(&key)?;
        let mut request = request.lock().unwrap_or_else(PoisonError::into_inner);
        request.outstanding -= 1;
        let text = match &mut request.results {
            None => result,
            Some(results) => {
                results.push(result);
                if request.outstanding > 0 {
                    return None;
                }
                let results = request.results.take().unwrap_or_default();
                let all_ok = results.iter().all(|result| result.starts_with(r#"{"ok":true"#));
                format!(r#"{{"ok":{all_ok},"results":[{}]}}"#, results.join(","))
            }
        };
        Some((request.sender.take()?, request.id, text))
    }

    /// Takes a place among the subscriptions. `false` when there is none left.
    pub(crate) fn take_subscription(&self, topic: &TopicEntry, most: usize) -> bool {
        let topics = &mut self.lock().topics;
        if topics.iter().any(|(other, _)| *other == topic.id) {
            return true;
        }
        if topics.len() >= most {
            return false;
        }
        topics.push((topic.id, topic.name.clone()));
        true
    }

    /// The names of the topics it has subscribed to.
    pub(crate) fn subscriptions(&self) -> Vec<Arc<str>> {
        self.lock().topics.iter().map(|(_, name)| name.clone()).collect()
    }

    pub(crate) fn connection(&self) -> Option<Arc<Connection>> {
        self.connection.upgrade()
    }

    fn lock(&self) -> MutexGuard<'_, MemberState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The keys to answer a wish by, one per topic; none when the client did not ask.
pub(crate) struct Requests(Vec<RequestId>);

impl Requests {
    pub(crate) fn next(&mut self) -> Option<RequestId> {
        self.0.pop()
    }
}
