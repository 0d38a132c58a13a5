//! What the library hears, on its way to the shard.
//!
//! The library would run every handler as a task of its own, and two acks could overtake each other. These are called
//! from inside its reader instead, one after the other, and never wait.

use std::sync::{Arc, Weak};

use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::{AckSender, SocketRef};
use socketioxide::handler::{ConnectHandler, DisconnectHandler, FromMessageParts, MessageHandler, Value};
use socketioxide::socket::{DisconnectReason, Socket};
use streamfence_auth::Action;
use streamfence_core::{CloseReason, ErrorCode, NamespaceId, RefusalReason};
use streamfence_runtime::{MAX_DEPTH, nests_deeper_than};

use crate::auth::{Identity, NoText, Question, Shown, client_address, of_connect};
use crate::connection::{Connection, Member, Shared};
use crate::heard::Heard;
use crate::hooks::may_connect;
use crate::layer::Door;
use crate::line::{Asked, Said, Wish};
use crate::link::LinkState;
use crate::principal::Principal;
use crate::protocol::{connect_packet, is_json, session_wish};

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
            if text.is_some_and(|text| nests_deeper_than(text.as_bytes(), MAX_DEPTH)) {
                self.shared.refusals.count(RefusalReason::TooDeep, state.client());
                return Err(Box::new(ErrorCode::BadRequest.as_str()) as _);
            }
            // Who its certificate says it is; a token says it better, and the application may have another word for it.
            if let Some(who) = socket.req_parts().extensions.get::<Principal>() {
                socket.extensions.insert(who.clone());
            }
            let shown = self.shown(&socket, state, text.map(|text| &**text)).await?;
            if let Some(shown) = &shown {
                socket.extensions.insert(Principal(shown.grant.principal.to_string()));
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
            let principal = socket.extensions.get::<Principal>();
            let identity = principal.map(|Principal(name)| Identity { name: name.into(), shown });
            let name = identity.as_ref().map(|identity| &*identity.name);
            may_connect(&self.shared, state, socket.ns(), name).map_err(|code| Box::new(code.as_str()) as _)?;
            let connection = state.connection(|| Connection::open(state, &self.shared));
            let (socket_ref, wish) = (SocketRef::from(socket.clone()), wish.map(|(_, wish)| wish));
            // The library answers next, and nothing of this namespace may come before its answer: not even what is still
            // on its way to a session that the client had here before.
            state.wait_for(connect_packet(socket.ns(), socket.id.as_str()));
            let member = connection.enter(self.namespace, socket_ref, shard, wish, identity);
            let ear = |wish| Ear { wish, member: Arc::downgrade(&member), shared: self.shared.clone() };
            socket.on("subscribe", ear(Wish::Subscribe));
            socket.on("unsubscribe", ear(Wish::Unsubscribe));
            socket.on("publish", ear(Wish::Publish));
            if self.shared.gate.has_validator() {
                socket.on("authenticate", ear(Wish::Authenticate));
            }
            socket.on("ack", ear(Wish::Ack));
            socket.on("nack", ear(Wish::Nack));
            socket.on_disconnect(Exit { member: Arc::downgrade(&member) });
            Ok(())
        })
    }
}

impl<H> Entrance<H> {
    /// The token that a client shows when it comes in, if it shows one: a wrong one does not let it in.
    async fn shown(
        &self,
        socket: &Socket<LocalAdapter>,
        state: &LinkState,
        auth: Option<&str>,
    ) -> Result<Option<Arc<Shown>>, Box<dyn std::fmt::Display + Send>> {
        let gate = &self.shared.gate;
        if !gate.takes_tokens() {
            return Ok(None);
        }
        let refused = |code: ErrorCode| Box::new(code.as_str()) as _;
        let token = of_connect(auth, socket.req_parts()).map_err(|NoText| refused(ErrorCode::BadRequest))?;
        let Some(token) = token else { return Ok(None) };
        let namespace = self.shared.fence.catalog().namespace_entry(self.namespace).path.clone();
        let question = Question { token, namespace, topic: None, action: Action::Connect };
        let shown = gate.admit(question, client_address(state)).await;
        shown.map(|shown| Some(Arc::new(shown))).map_err(|why| refused(why.code()))
    }

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

impl MessageHandler<LocalAdapter, Fenced> for Ear {
    fn call(&self, socket: Arc<Socket<LocalAdapter>>, mut value: Value, ack_id: Option<i64>) {
        let Some(member) = self.member.upgrade() else { return };
        let Ok(sender) = AckSender::from_message_parts(&socket, &mut value, &ack_id);
        let Value::Str(text, attachments) = value else { return };
        let attachments = attachments.map(Vec::from).unwrap_or_default();
        let said = Said { wish: self.wish, text, attachments, asked: Asked { sender, id: ack_id } };
        Heard { member: &member, shared: &self.shared }.hear(said);
    }
}
