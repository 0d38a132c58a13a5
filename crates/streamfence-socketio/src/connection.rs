//! One connection, between the Socket.IO library and the shard that serves it.
//!
//! It knows which namespaces the connection has joined, holds back what a client says before it has joined one, and
//! remembers who asked for an answer. Never a topic's policy.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use socketioxide::extract::{AckSender, SocketRef};
use streamfence_core::{CloseReason, ErrorCode, NamespaceId, RequestId, TopicId, Transmit};
use streamfence_runtime::{Fence, Input, Link, SessionWish};

use crate::link::LinkState;
use crate::options::ServerOptions;
use crate::outlet::SocketIoOutlet;
use crate::protocol::Packets;

/// What all connections of an adapter have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) fence: Fence,
    pub(crate) options: ServerOptions,
    pub(crate) packets: Arc<Packets>,
}

/// A connection that has come as far as a fenced namespace.
pub(crate) struct Connection {
    pub(crate) link: Link,
    pub(crate) state: Arc<LinkState>,
    pub(crate) shared: Arc<Shared>,
    members: Mutex<Vec<Arc<Member>>>,
}

impl Connection {
    /// Opens a link of the fence for a connection. The connection lives until its transport has ended.
    ///
    /// It is best opened on the shard where the session waits that the client wants back.
    pub(crate) fn open(state: &Arc<LinkState>, shared: &Arc<Shared>, shard: Option<usize>) -> Arc<Self> {
        let reader = Arc::downgrade(state);
        let link = shared.fence.open_on(shard, move |may_read| {
            if let Some(state) = reader.upgrade() {
                state.pause_reading(!may_read);
            }
        });
        let connection = Arc::new(Self {
            link: link.clone(),
            state: state.clone(),
            shared: shared.clone(),
            members: Mutex::default(),
        });
        link.start(Box::new(SocketIoOutlet::new(connection.clone())));
        let woken = link.clone();
        state.set_on_room(move || woken.wake());
        let ended = connection.clone();
        state.set_on_end(move |reason| {
            // The library's sockets and this connection hold each other; this is where they let go.
            ended.members().clear();
            ended.link.end(reason);
        });
        connection
    }

    /// A client asks to enter a namespace. What it says before it has entered waits.
    pub(crate) fn enter(
        self: &Arc<Self>,
        namespace: NamespaceId,
        socket: SocketRef,
        session: Option<SessionWish>,
    ) -> Arc<Member> {
        let member = Arc::new(Member {
            namespace,
            socket,
            session,
            connection: Arc::downgrade(self),
            state: Mutex::new(MemberState::default()),
        });
        let mut members = self.members();
        members.retain(|other| other.namespace != namespace);
        members.push(member.clone());
        member
    }

    /// A client has left a namespace.
    pub(crate) fn leave(&self, namespace: NamespaceId, reason: CloseReason) {
        self.members().retain(|member| member.namespace != namespace);
        self.link.leave(namespace, reason);
    }

    /// The namespaces joined, locked.
    pub(crate) fn members(&self) -> MutexGuard<'_, Vec<Arc<Member>>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One namespace of a connection.
pub(crate) struct Member {
    pub(crate) namespace: NamespaceId,
    pub(crate) socket: SocketRef,
    /// Whether the client wants a session that survives the connection.
    session: Option<SessionWish>,
    connection: Weak<Connection>,
    state: Mutex<MemberState>,
}

#[derive(Default)]
struct MemberState {
    has_joined: bool,
    /// What the client said before it had joined.
    early: Vec<Input>,
    /// The topics it has subscribed to, so that there are not too many.
    topics: Vec<TopicId>,
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
        let mut state = self.lock();
        state.has_joined = true;
        connection.link.join(self.namespace, connection.state.transport(), self.session);
        for input in state.early.drain(..) {
            // A refusal for want of room is told to the client by the link itself.
            let _ = connection.link.push(input);
        }
    }

    /// The client has its session back, and with it the subscriptions that it had.
    pub(crate) fn restore(&self, topics: &[TopicId]) {
        self.lock().topics.extend_from_slice(topics);
    }

    /// Passes on what the client said, in order.
    pub(crate) fn push(&self, input: Input) {
        let mut state = self.lock();
        if let Input::Unsubscribe { topic, .. } = &input {
            // Given back in the order of the wishes, not of the answers: the next wish may take it again at once.
            state.topics.retain(|other| other != topic);
        }
        if !state.has_joined {
            if state.early.len() < EARLY_INPUTS {
                state.early.push(input);
            }
            return;
        }
        drop(state);
        if let Some(connection) = self.connection() {
            // A refusal for want of room is told to the client by the link itself.
            let _ = connection.link.push(input);
        }
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
    pub(crate) fn take_subscription(&self, topic: TopicId, most: usize) -> bool {
        let topics = &mut self.lock().topics;
        if topics.contains(&topic) {
            return true;
        }
        if topics.len() >= most {
            return false;
        }
        topics.push(topic);
        true
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
