//! What an application implements to hear of events. All methods default to nothing.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use streamfence_core::{
    ClientId, CloseReason, ErrorCode, Event, GiveUpReason, HandshakeFailure, MessageId, RefusalReason, SpillHealth,
    StoreId, UnsubscribeReason, event::Transport,
};

/// Hears of edges: who came and went, who began to lose messages, who never acked.
///
/// Called on a task of its own behind a bounded queue, never on a shard: a slow listener misses events, which the log
/// counts, and a panicking one is caught and logged. Neither delays a message.
///
/// ```
/// use streamfence_core::ClientId;
/// use streamfence_runtime::Listener;
///
/// struct Pager;
/// impl Listener for Pager {
///     fn on_overflow_began(&self, namespace: &str, topic: &str, client: ClientId) {
///         println!("{client} cannot keep up with {topic} in {namespace}");
///     }
/// }
/// ```
#[expect(unused_variables, reason = "the names are the documentation of methods that do nothing by default")]
pub trait Listener: Send + Sync + 'static {
    /// Any event, before the method that is named after it.
    fn on_event(&self, event: &Event) {}
    /// A server is about to listen.
    fn on_server_starting(&self, address: &str) {}
    /// A server listens.
    fn on_server_started(&self, address: &str) {}
    /// A server takes no more connections and drains.
    fn on_server_stopping(&self, address: &str) {}
    /// A server is gone.
    fn on_server_stopped(&self, address: &str) {}
    /// A server has taken up the certificate that it shows from now on.
    fn on_tls_loaded(&self, server: &str, expires: SystemTime) {}
    /// The files of a server's TLS were read again and are not what they should be: what it had holds on.
    fn on_tls_reload_refused(&self, server: &str, reason: &str) {}
    /// A connection to a server came to nothing, because no TLS came about.
    fn on_handshake_failed(&self, address: &str, peer: Option<SocketAddr>, reason: HandshakeFailure) {}
    /// So many were not let in, because a limit says so.
    fn on_refused(&self, reason: RefusalReason, client: Option<IpAddr>, count: u64) {}
    /// Another catalog holds.
    fn on_reloaded(&self) {}
    /// A new catalog was not taken, and the old one holds.
    fn on_reload_refused(&self, reason: &str) {}
    /// A client joined a namespace.
    fn on_connected(&self, namespace: &str, client: ClientId, transport: Transport, principal: Option<&str>) {}
    /// A client that was nobody has said who it is.
    fn on_authenticated(&self, namespace: &str, client: ClientId, principal: &str) {}
    /// A client showed no token, or a wrong one, where it takes one.
    fn on_auth_rejected(&self, namespace: &str, address: Option<IpAddr>, reason: &str) {}
    /// A client showed a token that nobody looked at: too many wrong ones came from its address.
    fn on_auth_rate_limited(&self, namespace: &str, address: IpAddr) {}
    /// More wrong tokens came within a minute than somebody wants to hear of, from all addresses together. Told once a
    /// minute at most, with the namespace that the last of them was for.
    fn on_auth_alarm(&self, namespace: &str, failures: u32) {}
    /// A client left a namespace.
    fn on_disconnected(&self, namespace: &str, client: ClientId, reason: CloseReason) {}
    /// A client that asked for it has lost its connection and is waited for.
    fn on_session_detached(&self, namespace: &str, client: ClientId) {}
    /// A client that was waited for has come back.
    fn on_session_resumed(&self, namespace: &str, client: ClientId) {}
    /// A client that was waited for did not come back in time.
    fn on_session_expired(&self, namespace: &str, client: ClientId) {}
    /// A client subscribed.
    fn on_subscribed(&self, namespace: &str, topic: &str, client: ClientId) {}
    /// A subscription ended while its client stayed.
    fn on_unsubscribed(&self, namespace: &str, topic: &str, client: ClientId, reason: UnsubscribeReason) {}
    /// A client's publish was taken.
    fn on_publish_accepted(&self, namespace: &str, topic: &str, client: ClientId) {}
    /// A client's publish was refused.
    fn on_publish_rejected(&self, namespace: &str, topic: &str, client: ClientId, code: ErrorCode, reason: &str) {}
    /// A lane began to lose messages.
    fn on_overflow_began(&self, namespace: &str, topic: &str, client: ClientId) {}
    /// A lane that lost messages has caught up, or is gone.
    fn on_overflow_ended(&self, namespace: &str, topic: &str, client: ClientId, lost: u64) {}
    /// A lane is full and goes on on disk.
    fn on_spill_began(&self, namespace: &str, topic: &str, client: ClientId) {}
    /// A lane that went on on disk has caught up, or is gone; it has had so many messages from there.
    fn on_spill_ended(&self, namespace: &str, topic: &str, client: ClientId, messages: u64, lasted: Duration) {}
    /// A store that lanes spill to has no more room, has failed, or takes messages again.
    fn on_spill_health_changed(&self, store: StoreId, health: SpillHealth) {}
    /// Messages have reached 31 of 32 parts of the memory budget of so many bytes.
    fn on_pressure_began(&self, budget_bytes: u64) {}
    /// Messages take no more than nine tenths of the memory budget again; until then so many were rejected, and gave way.
    fn on_pressure_ended(&self, rejected: u64, displaced: u64) {}
    /// A message was sent again; `retry` counts from 1.
    fn on_retry(&self, namespace: &str, topic: &str, client: ClientId, id: MessageId, retry: u32) {}
    /// A message was given up after so many sends.
    fn on_retries_exhausted(&self, namespace: &str, topic: &str, client: ClientId, id: MessageId, attempts: u32) {}
    /// A message that was given up is kept among its topic's dead letters.
    fn on_dead_lettered(&self, namespace: &str, topic: &str, client: ClientId, id: MessageId, reason: GiveUpReason) {}
    /// A client has stayed above a soft limit of its namespace for so long that it counts as slow.
    fn on_slow_client_began(&self, namespace: &str, client: ClientId, messages: u64, bytes: u64) {}
    /// A slow client is below the soft limits again, or is gone; `lost` is what it lost meanwhile.
    fn on_slow_client_ended(&self, namespace: &str, client: ClientId, lasted: Duration, lost: u64) {}

    /// Passes an event to the methods above.
    #[doc(hidden)]
    fn hear(&self, event: &Event) {
        self.on_event(event);
        match event {
            Event::ServerStarting { address } => self.on_server_starting(address),
            Event::ServerStarted { address } => self.on_server_started(address),
            Event::ServerStopping { address } => self.on_server_stopping(address),
            Event::ServerStopped { address } => self.on_server_stopped(address),
            Event::TlsLoaded { server, expires } => self.on_tls_loaded(server, *expires),
            Event::TlsReloadRefused { server, reason } => self.on_tls_reload_refused(server, reason),
            Event::HandshakeFailed { address, peer, reason } => self.on_handshake_failed(address, *peer, *reason),
            Event::Refused { reason, client, count } => self.on_refused(*reason, *client, *count),
            Event::Reloaded => self.on_reloaded(),
            Event::ReloadRefused { reason } => self.on_reload_refused(reason),
            Event::Connected { namespace, client, transport, principal } => {
                self.on_connected(namespace, *client, *transport, principal.as_deref());
            }
            Event::Authenticated { namespace, client, principal } => {
                self.on_authenticated(namespace, *client, principal);
            }
            Event::AuthRejected { namespace, address, reason } => self.on_auth_rejected(namespace, *address, reason),
            Event::AuthRateLimited { namespace, address } => self.on_auth_rate_limited(namespace, *address),
            Event::AuthAlarm { namespace, failures } => self.on_auth_alarm(namespace, *failures),
            Event::Disconnected { namespace, client, reason } => self.on_disconnected(namespace, *client, *reason),
            Event::SessionDetached { namespace, client } => self.on_session_detached(namespace, *client),
            Event::SessionResumed { namespace, client } => self.on_session_resumed(namespace, *client),
            Event::SessionExpired { namespace, client } => self.on_session_expired(namespace, *client),
            Event::Subscribed { namespace, topic, client } => self.on_subscribed(namespace, topic, *client),
            Event::Unsubscribed { namespace, topic, client, reason } => {
                self.on_unsubscribed(namespace, topic, *client, *reason);
            }
            Event::PublishAccepted { namespace, topic, client } => {
                self.on_publish_accepted(namespace, topic, *client);
            }
            Event::PublishRejected { namespace, topic, client, code, reason } => {
                self.on_publish_rejected(namespace, topic, *client, *code, reason);
            }
            Event::OverflowBegan { namespace, topic, client } => self.on_overflow_began(namespace, topic, *client),
            Event::OverflowEnded { namespace, topic, client, lost } => {
                self.on_overflow_ended(namespace, topic, *client, *lost);
            }
            Event::SpillBegan { namespace, topic, client } => self.on_spill_began(namespace, topic, *client),
            Event::SpillEnded { namespace, topic, client, messages, lasted } => {
                self.on_spill_ended(namespace, topic, *client, *messages, *lasted);
            }
            Event::SpillHealthChanged { store, health } => self.on_spill_health_changed(*store, *health),
            Event::PressureBegan { budget_bytes } => self.on_pressure_began(*budget_bytes),
            Event::PressureEnded { rejected, displaced } => self.on_pressure_ended(*rejected, *displaced),
            Event::Retried { namespace, topic, client, id, retry } => {
                self.on_retry(namespace, topic, *client, *id, *retry);
            }
            Event::RetriesExhausted { namespace, topic, client, id, attempts } => {
                self.on_retries_exhausted(namespace, topic, *client, *id, *attempts);
            }
            Event::DeadLettered { namespace, topic, client, id, reason } => {
                self.on_dead_lettered(namespace, topic, *client, *id, *reason);
            }
            Event::SlowClientBegan { namespace, client, messages, bytes } => {
                self.on_slow_client_began(namespace, *client, *messages, *bytes);
            }
            Event::SlowClientEnded { namespace, client, lasted, lost } => {
                self.on_slow_client_ended(namespace, *client, *lasted, *lost);
            }
            // `Event` grows with the core; this crate grows with it.
            _ => {}
        }
    }
}
