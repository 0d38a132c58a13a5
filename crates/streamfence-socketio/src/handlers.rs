//! What the library hears, on its way to the shard.
//!
//! The library would run every handler as a task of its own, and two acks could overtake each other. These are called
//! from inside its reader instead, one after the other, and never wait.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::{AckSender, SocketRef};
use socketioxide::handler::{ConnectHandler, DisconnectHandler, FromMessageParts, MessageHandler, Value};
use socketioxide::socket::{DisconnectReason, Socket};
use streamfence_core::{
    CloseReason, Epoch, ErrorCode, MessageId, NamespaceId, Offset, RequestId, TopicEntry, Transmit, Transport,
    UnsubscribeReason, Wishes,
};
use streamfence_runtime::{FindError, Input, Payload};

use crate::connection::{Connection, Member, Shared};
use crate::layer::Door;
use crate::link::LinkState;
use crate::principal::Principal;
use crate::protocol::{
    Ack, Acked, BadWish, Nack, Publish, Subscribe, Topics, Unsubscribe, connect_packet, is_json, parse, session_wish,
};

/// Marks our implementations of the library's traits.
pub(crate) struct Fenced;

/// The connect handler of a fenced namespace, around the application's own.
pub(crate) struct Entrance<H> {
    pub(crate) application: H,
    pub(crate) namespace: NamespaceId,
    pub(crate) shared: Arc<Shared>,
    pub(crate) guard: Arc<Guard>,
}

/// Notices when the library lets go of a fenced namespace while it still serves: `io.ns` was called with its path.
pub(crate) struct Guard {
    pub(crate) path: String,
    pub(crate) served: Weak<Door>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.served.strong_count() > 0 {
            tracing::error!(
                code = "fence_replaced",
                namespace = self.path,
                "the handlers of a fenced namespace were replaced with `io.ns`; its clients are no longer fenced"
            );
        }
    }
}

impl<H: Clone> Clone for Entrance<H> {
    fn clone(&self) -> Self {
        Self {
            application: self.application.clone(),
            namespace: self.namespace,
            shared: self.shared.clone(),
            guard: self.guard.clone(),
        }
    }
}

type Verdict<'a> = std::pin::Pin<Box<dyn Future<Output = Result<(), Box<dyn std::fmt::Display + Send>>> + Send + 'a>>;

impl<H, T> ConnectHandler<LocalAdapter, T> for Entrance<H>
where
    H: ConnectHandler<LocalAdapter, T> + Send + Sync + 'static,
    T: Send + Sync + 'static,
{
    /// The CONNECT reply is on its way: the client is in, and may be told things.
    fn call(&self, socket: Arc<Socket<LocalAdapter>>, auth: Option<Value>) {
        if let Some(member) = self.member(&socket) {
            member.join();
        }
        self.application.call(socket, auth);
    }

    /// The application decides who comes in; then the ears are put on, before the client can be told that it is in.
    fn call_middleware<'a>(&'a self, socket: Arc<Socket<LocalAdapter>>, auth: &'a Option<Value>) -> Verdict<'a> {
        Box::pin(async move {
            let text = match auth {
                Some(Value::Str(text, _)) => Some(text),
                _ => None,
            };
            let state = socket.req_parts().extensions.get::<Arc<LinkState>>();
            let state = state.ok_or_else(|| Box::new("this server does not stand behind its layer") as _)?;
            if text.is_some_and(|text| !is_json(text)) {
                state.kill(CloseReason::Protocol);
                return Err(Box::new(ErrorCode::BadRequest.as_str()) as _);
            }
            // Who its certificate says it is; the application may know better.
            if let Some(who) = socket.req_parts().extensions.get::<Principal>() {
                socket.extensions.insert(who.clone());
            }
            self.application.call_middleware(socket.clone(), auth).await?;
            if self.shared.fence.catalog().namespace_entry(self.namespace).is_removed {
                // As the library says it of a namespace that never was.
                return Err(Box::new("Invalid namespace") as _);
            }
            if self.shared.fence.is_closing() {
                return Err(Box::new(ErrorCode::ShuttingDown.as_str()) as _);
            }
            let wish = text.and_then(|text| session_wish(text));
            let shard = wish.as_ref().and_then(|(shard, _)| *shard);
            let connection = state.connection(|| Connection::open(state, &self.shared));
            let principal = socket.extensions.get::<Principal>().map(|Principal(name)| name.into());
            let (socket_ref, wish) = (SocketRef::from(socket.clone()), wish.map(|(_, wish)| wish));
            // The library answers next, and nothing of this namespace may come before its answer: not even what is still
            // on its way to a session that the client had here before.
            state.wait_for(connect_packet(socket.ns(), socket.id.as_str()));
            let member = connection.enter(self.namespace, socket_ref, shard, wish, principal);
            let ear = |wish| Ear { wish, member: Arc::downgrade(&member), shared: self.shared.clone() };
            socket.on("subscribe", ear(Wish::Subscribe));
            socket.on("unsubscribe", ear(Wish::Unsubscribe));
            socket.on("publish", ear(Wish::Publish));
            socket.on("ack", ear(Wish::Ack));
            socket.on("nack", ear(Wish::Nack));
            socket.on_disconnect(Exit { member: Arc::downgrade(&member) });
            Ok(())
        })
    }
}

impl<H> Entrance<H> {
    fn member(&self, socket: &Socket<LocalAdapter>) -> Option<Arc<Member>> {
        let connection = socket.req_parts().extensions.get::<Arc<LinkState>>()?.opened_connection()?;
        connection.member(self.namespace)
    }
}

/// Hears of a client's leaving.
struct Exit {
    member: Weak<Member>,
}

impl DisconnectHandler<LocalAdapter, Fenced> for Exit {
    fn call_with_defer(
        &self,
        socket: Arc<Socket<LocalAdapter>>,
        reason: DisconnectReason,
        defer: fn(Arc<Socket<LocalAdapter>>),
    ) {
        if let Some(member) = self.member.upgrade()
            && let Some(connection) = member.connection()
        {
            let is_over =
                !matches!(reason, DisconnectReason::ClientNSDisconnect | DisconnectReason::ServerNSDisconnect);
            let reason = connection.state.killed().unwrap_or(close_reason(reason));
            if is_over {
                connection.state.end(reason);
            } else {
                connection.leave(member.namespace, reason);
            }
        }
        defer(socket);
    }
}

fn close_reason(reason: DisconnectReason) -> CloseReason {
    match reason {
        DisconnectReason::ClientNSDisconnect => CloseReason::Client,
        DisconnectReason::TransportClose => CloseReason::Client,
        DisconnectReason::TransportError => CloseReason::Transport,
        DisconnectReason::HeartbeatTimeout => CloseReason::Heartbeat,
        DisconnectReason::PacketParsingError | DisconnectReason::MultipleHttpPollingError => CloseReason::Protocol,
        DisconnectReason::ServerNSDisconnect => CloseReason::Server,
        DisconnectReason::ClosingServer => CloseReason::ShuttingDown,
    }
}

/// Hears one kind of event.
struct Ear {
    wish: Wish,
    member: Weak<Member>,
    shared: Arc<Shared>,
}

#[derive(Clone, Copy)]
enum Wish {
    Subscribe,
    Unsubscribe,
    Publish,
    Ack,
    Nack,
}

impl MessageHandler<LocalAdapter, Fenced> for Ear {
    fn call(&self, socket: Arc<Socket<LocalAdapter>>, mut value: Value, ack_id: Option<i64>) {
        let Some(member) = self.member.upgrade() else { return };
        let Ok(sender) = AckSender::from_message_parts(&socket, &mut value, &ack_id);
        let asked = Asked { sender, id: ack_id };
        let Value::Str(text, attachments) = value else { return };
        let heard = Heard { member: &member, shared: &self.shared };
        match self.wish {
            Wish::Subscribe => heard.subscribe(&text, asked),
            Wish::Unsubscribe => heard.unsubscribe(&text, asked),
            Wish::Publish => heard.publish(&text, attachments.map(Vec::from).unwrap_or_default(), asked),
            Wish::Ack => heard.ack(&text, asked),
            Wish::Nack => heard.nack(&text, asked),
        }
    }
}

/// Whether, and by which id, the client asked for an answer.
struct Asked {
    sender: AckSender,
    id: Option<i64>,
}

/// A client and its wish.
struct Heard<'a> {
    member: &'a Member,
    shared: &'a Shared,
}

impl Heard<'_> {
    fn subscribe(&self, text: &str, asked: Asked) {
        let (topics, wishes) = match parse(text).and_then(Subscribe::understood) {
            Ok((topics, wishes)) => (Ok(topics), wishes),
            Err(why) => (Err(why), Wishes::default()),
        };
        self.each_topic(text, topics, asked, |name, request| {
            let member = self.member;
            let topic = self.shared.fence.find_topic(member.namespace, name).map_err(|why| match why {
                FindError::TooMany { .. } => (ErrorCode::LimitExceeded, why.to_string()),
                _ => (ErrorCode::UnknownTopic, self.unknown(name)),
            })?;
            let polls = member.connection().is_some_and(|link| link.state.transport() == Transport::Polling);
            if polls && !topic.class.allow_polling {
                return Err((ErrorCode::TransportRejected, "this topic is not for clients that poll".to_owned()));
            }
            if wishes.max_frequency.is_some() && topic.class.policy.is_at_least_once() {
                let why = "maxFrequency leaves out values, and this topic leaves out none";
                return Err((ErrorCode::BadRequest, why.to_owned()));
            }
            let most = self.shared.options.now().max_subscriptions_per_client;
            if !member.take_subscription(topic.id, most as usize) {
                return Err((ErrorCode::LimitExceeded, format!("{most} subscriptions are the most a client may have")));
            }
            Ok(Input::Subscribe { namespace: member.namespace, topic, wishes, request })
        });
    }

    fn unsubscribe(&self, text: &str, asked: Asked) {
        let topics = parse::<Unsubscribe<'_>>(text).and_then(Unsubscribe::topics);
        self.each_topic(text, topics, asked, |name, request| {
            let topic = self.find(name).ok_or_else(|| (ErrorCode::UnknownTopic, self.unknown(name)))?;
            let reason = UnsubscribeReason::Client;
            Ok(Input::Unsubscribe { namespace: self.member.namespace, topic, reason, request })
        });
    }

    fn publish(&self, text: &str, attachments: Vec<Bytes>, asked: Asked) {
        let member = self.member;
        let request = member.ask(asked.sender, asked.id, None).next();
        let wish = match parse::<Publish<'_>>(text) {
            Ok(wish) => wish,
            Err(why) => return self.misunderstood(text, &why, request),
        };
        let name = Some(&*wish.topic);
        let Some(topic) = self.find_or_refuse(&wish.topic, request) else { return };
        let size = wish.payload.get().len() + attachments.iter().map(Bytes::len).sum::<usize>();
        let most = self.shared.options.now().max_payload_bytes;
        if size > most as usize {
            let why = format!("the payload has {size} bytes; wanted at most {most}");
            return member.refuse(ErrorCode::PayloadTooLarge, &why, name, request);
        }
        match Payload::with_attachments(Bytes::copy_from_slice(wish.payload.get().as_bytes()), attachments) {
            Ok(payload) => {
                let payload = match wish.key {
                    Some(key) => payload.with_key(&*key),
                    None => payload,
                };
                let payload = match wish.ttl_ms {
                    Some(ttl) => payload.with_ttl(Duration::from_millis(ttl.get().into())),
                    None => payload,
                };
                member.push(Input::Publish { namespace: member.namespace, topic, payload, request });
            }
            Err(why) => member.refuse(ErrorCode::BadRequest, &why.to_string(), name, request),
        }
    }

    fn ack(&self, text: &str, asked: Asked) {
        let member = self.member;
        let request = member.ask(asked.sender, asked.id, None).next();
        let (name, acked) = match parse::<Ack<'_>>(text).and_then(Ack::messages) {
            Ok(understood) => understood,
            Err(why) => return self.misunderstood(text, &why, request),
        };
        let Some(topic) = self.find_or_refuse(&name, request).map(|topic| topic.id) else { return };
        let namespace = member.namespace;
        match acked {
            Acked::These(ids) => {
                for id in ids {
                    member.push(Input::Ack { namespace, topic, id: message_id(&id) });
                }
            }
            Acked::UpTo(id) => member.push(Input::AckUpTo { namespace, topic, id: message_id(&id) }),
        }
        self.done(request);
    }

    fn nack(&self, text: &str, asked: Asked) {
        let member = self.member;
        let request = member.ask(asked.sender, asked.id, None).next();
        let wish = match parse::<Nack<'_>>(text) {
            Ok(wish) => wish,
            Err(why) => return self.misunderstood(text, &why, request),
        };
        let Some(topic) = self.find_or_refuse(&wish.topic, request).map(|topic| topic.id) else { return };
        let delay = Duration::from_millis(wish.delay_ms.into());
        let id = message_id(&wish.message_id);
        member.push(Input::Nack { namespace: member.namespace, topic, id, delay });
        self.done(request);
    }

    /// Answers whoever asked, after what was said before.
    fn done(&self, request: Option<RequestId>) {
        let namespace = self.member.namespace;
        if let Some(request) = request {
            self.member.push(Input::Tell { namespace, what: Transmit::Done { namespace, request } });
        }
    }

    /// Passes a wish on for each of its topics, or says why not.
    fn each_topic(
        &self,
        text: &str,
        topics: Result<Topics<'_>, BadWish>,
        asked: Asked,
        wish: impl Fn(&str, Option<RequestId>) -> Result<Input, (ErrorCode, String)>,
    ) {
        let topics = match topics {
            Ok(topics) => topics,
            Err(why) => {
                let request = self.member.ask(asked.sender, asked.id, None).next();
                return self.misunderstood(text, &why, request);
            }
        };
        let mut requests = self.member.ask(asked.sender, asked.id, topics.several());
        for name in topics.names() {
            let request = requests.next();
            match wish(name, request) {
                Ok(input) => self.member.push(input),
                Err((code, why)) => self.member.refuse(code, &why, Some(name), request),
            }
        }
    }

    /// Tells the client that its wish makes no sense. What is no JSON is no wish, and ends the connection: the library
    /// has read no further than the event's name.
    fn misunderstood(&self, text: &str, BadWish(why): &BadWish, request: Option<RequestId>) {
        if is_json(text) {
            return self.member.refuse(ErrorCode::BadRequest, why, None, request);
        }
        if let Some(connection) = self.member.connection() {
            connection.state.kill(CloseReason::Protocol);
        }
    }

    /// The topic of that name; where there is none, the client is told so.
    fn find_or_refuse(&self, topic: &str, request: Option<RequestId>) -> Option<Arc<TopicEntry>> {
        let found = self.find(topic);
        if found.is_none() {
            self.member.refuse(ErrorCode::UnknownTopic, &self.unknown(topic), Some(topic), request);
        }
        found
    }

    /// The topic of that name, made or not.
    fn find(&self, topic: &str) -> Option<Arc<TopicEntry>> {
        self.shared.fence.peek_topic(self.member.namespace, topic)
    }

    fn unknown(&self, topic: &str) -> String {
        let path = self.member.socket.ns();
        // A topic's name comes from the client and may be long: the beginning says enough.
        let shown: String = topic.chars().take(64).collect();
        format!("unknown topic `{shown}` in namespace `{path}`")
    }
}

/// A message's id as a client has it. What we never wrote is an id nobody has: it is counted as unknown and changes
/// nothing.
fn message_id(text: &str) -> MessageId {
    text.parse().unwrap_or(MessageId { epoch: Epoch(0), offset: Offset(0) })
}
