//! What an operator hears about: edges, not messages.
//!
//! One event per message would be a second message, so losses are events when they begin and when they end, with
//! counts; counters count every message.

mod refusal;
mod unsubscribe_reason;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use self::refusal::RefusalReason;
pub use self::unsubscribe_reason::UnsubscribeReason;
use crate::message::{ClientId, MessageId};
use crate::output::ErrorCode;
use crate::spill::{SpillHealth, StoreId};

/// Something an operator or a listener may want to know.
///
/// What happens at the door is produced by adapters and defined here, so that whoever observes needs the core alone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A server is about to listen.
    ServerStarting {
        /// The address it was given.
        address: Arc<str>,
    },
    /// A server listens.
    ServerStarted {
        /// The address it got.
        address: Arc<str>,
    },
    /// A server takes no more connections and drains.
    ServerStopping {
        /// The address it listened on.
        address: Arc<str>,
    },
    /// A server is gone.
    ServerStopped {
        /// The address it listened on.
        address: Arc<str>,
    },
    /// A server has taken up the certificate that it shows from now on.
    TlsLoaded {
        /// The name of the server; its address where it has none.
        server: Arc<str>,
        /// When the certificate expires.
        expires: SystemTime,
    },
    /// The files of a server's TLS were read again and are not what they should be: what it had holds on.
    TlsReloadRefused {
        /// The name of the server; its address where it has none.
        server: Arc<str>,
        /// What is wrong with them.
        reason: Arc<str>,
    },
    /// A connection came to nothing, because no TLS came about.
    HandshakeFailed {
        /// The address of the server.
        address: Arc<str>,
        /// Who connected, where that has an address.
        peer: Option<SocketAddr>,
        /// Why.
        reason: HandshakeFailure,
    },
    /// Somebody or something was not let in, because a limit says so. The first of a reason is told at once, those of the
    /// next second together.
    Refused {
        /// Why.
        reason: RefusalReason,
        /// The address it came from, where one is known and they are not several.
        client: Option<IpAddr>,
        /// How many they were.
        count: u64,
    },
    /// Another catalog holds.
    Reloaded,
    /// A new catalog was not taken, and the old one holds.
    ReloadRefused {
        /// What is wrong with it.
        reason: Arc<str>,
    },
    /// A client joined a namespace.
    Connected {
        /// The namespace.
        namespace: Arc<str>,
        /// The client.
        client: ClientId,
        /// How it is connected.
        transport: Transport,
        /// Who it is, where the application has said so.
        principal: Option<Arc<str>>,
    },
    /// A client that was nobody has said who it is.
    Authenticated {
        /// The namespace.
        namespace: Arc<str>,
        /// The client.
        client: ClientId,
        /// Who it is.
        principal: Arc<str>,
    },
    /// A client showed no token, or a wrong one, where it takes one.
    AuthRejected {
        /// The namespace.
        namespace: Arc<str>,
        /// Where it is, as far as that is known.
        address: Option<IpAddr>,
        /// Why, for people. Never the token.
        reason: Arc<str>,
    },
    /// A client showed a token that nobody looked at: too many wrong ones came from its address.
    AuthRateLimited {
        /// The namespace.
        namespace: Arc<str>,
        /// Where it is.
        address: IpAddr,
    },
    /// More wrong tokens came than somebody wants to hear of, from all addresses together; told once a minute at most.
    AuthAlarm {
        /// The namespace that the last of them was for.
        namespace: Arc<str>,
        /// How many came in the minute.
        failures: u32,
    },
    /// A client left a namespace.
    Disconnected {
        /// The namespace.
        namespace: Arc<str>,
        /// The client.
        client: ClientId,
        /// Why.
        reason: CloseReason,
    },
    /// A client that asked for it has lost its connection and is waited for.
    SessionDetached {
        /// The namespace.
        namespace: Arc<str>,
        /// The client.
        client: ClientId,
    },
    /// A client that was waited for has come back.
    SessionResumed {
        /// The namespace.
        namespace: Arc<str>,
        /// The client.
        client: ClientId,
    },
    /// A client that was waited for did not come back in time; what its lanes held is abandoned.
    SessionExpired {
        /// The namespace.
        namespace: Arc<str>,
        /// The client.
        client: ClientId,
    },
    /// A client subscribed.
    Subscribed {
        /// The namespace.
        namespace: Arc<str>,
        /// The topic.
        topic: Arc<str>,
        /// The client.
        client: ClientId,
    },
    /// A subscription ended while its client stayed.
    Unsubscribed {
        /// The namespace.
        namespace: Arc<str>,
        /// The topic.
        topic: Arc<str>,
        /// The client.
        client: ClientId,
        /// Who ended it.
        reason: UnsubscribeReason,
    },
    /// A client's publish was taken.
    PublishAccepted {
        /// The namespace.
        namespace: Arc<str>,
        /// The topic.
        topic: Arc<str>,
        /// The client.
        client: ClientId,
    },
    /// A client's publish was refused.
    PublishRejected {
        /// The namespace.
        namespace: Arc<str>,
        /// The topic as the client named it.
        topic: Arc<str>,
        /// The client.
        client: ClientId,
        /// Why, for programs.
        code: ErrorCode,
        /// Why, for people.
        reason: Arc<str>,
    },
    /// A lane began to lose messages.
    OverflowBegan {
        /// The namespace.
        namespace: Arc<str>,
        /// The topic.
        topic: Arc<str>,
        /// The client.
        client: ClientId,
    },
    /// A lane that lost messages has caught up, or is gone.
    OverflowEnded {
        /// The namespace.
        namespace: Arc<str>,
        /// The topic.
        topic: Arc<str>,
        /// The client.
        client: ClientId,
        /// How many messages it lost between the two: displaced and rejected.
        lost: u64,
    },
    /// A lane is full and goes on on disk.
    SpillBegan {
        /// The namespace.
        namespace: Arc<str>,
        /// The topic.
        topic: Arc<str>,
        /// The client.
        client: ClientId,
    },
    /// A lane that went on on disk has caught up, or is gone.
    SpillEnded {
        /// The namespace.
        namespace: Arc<str>,
        /// The topic.
        topic: Arc<str>,
        /// The client.
        client: ClientId,
        /// How many messages it has had from there.
        messages: u64,
        /// How long it took.
        lasted: Duration,
    },
    /// How it stands with the disk has changed, as far as a shard has heard: each tells it once.
    SpillHealthChanged {
        /// Where it lies.
        store: StoreId,
        /// How it stands now.
        health: SpillHealth,
    },
    /// Messages have reached 31 of 32 parts of the memory budget: lanes that let older ones give way shed them, and where
    /// that is not enough messages are rejected.
    PressureBegan {
        /// How many bytes messages may take.
        budget_bytes: u64,
    },
    /// Messages take no more than nine tenths of the memory budget again.
    PressureEnded {
        /// Messages rejected between the two, once per lane.
        rejected: u64,
        /// Messages that gave way between the two, once per lane.
        displaced: u64,
    },
    /// A message was sent again.
    Retried {
        /// The namespace.
        namespace: Arc<str>,
        /// The topic.
        topic: Arc<str>,
        /// The client.
        client: ClientId,
        /// The message.
        id: MessageId,
        /// Which retry it is, from 1.
        retry: u32,
    },
    /// A message was given up: its client never acked it.
    RetriesExhausted {
        /// The namespace.
        namespace: Arc<str>,
        /// The topic.
        topic: Arc<str>,
        /// The client.
        client: ClientId,
        /// The message.
        id: MessageId,
        /// How often it was sent.
        attempts: u32,
    },
    /// A client has stayed above a soft limit of its namespace for so long that it counts as slow.
    SlowClientBegan {
        /// The namespace.
        namespace: Arc<str>,
        /// The client.
        client: ClientId,
        /// How many messages its lanes hold, queued and in flight.
        messages: u64,
        /// Their bytes, encoded.
        bytes: u64,
    },
    /// A slow client is below the soft limits again, or is gone.
    SlowClientEnded {
        /// The namespace.
        namespace: Arc<str>,
        /// The client.
        client: ClientId,
        /// How long it was above, from the moment it came there.
        lasted: Duration,
        /// How many messages it lost meanwhile: displaced, rejected, expired, given up, or taken
        /// by an eviction.
        lost: u64,
    },
    /// A message that was given up is kept among its topic's dead letters.
    DeadLettered {
        /// The namespace.
        namespace: Arc<str>,
        /// The topic.
        topic: Arc<str>,
        /// The client it was for.
        client: ClientId,
        /// The message.
        id: MessageId,
        /// Why it was given up.
        reason: GiveUpReason,
    },
}

/// Why a message was sent no more. A closed set: it stands in logs and in answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GiveUpReason {
    /// The last attempt was not acked in time.
    Exhausted,
    /// The client said of the last attempt that it could not handle it.
    Nacked,
}

impl GiveUpReason {
    /// The name used in logs and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Nacked => "nacked",
        }
    }
}

/// How a client is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// A websocket.
    WebSocket,
    /// HTTP long polling.
    Polling,
    /// An adapter that is neither: another protocol, or memory.
    Other,
}

impl Transport {
    /// The name used in logs and labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Polling => "polling",
            Self::Other => "other",
        }
    }
}

/// Why no TLS came about with whoever connected. A closed set: it is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HandshakeFailure {
    /// It took longer than it may.
    Timeout,
    /// Others waited to begin theirs, and this was the oldest of as many as there may be.
    Displaced,
    /// The server has as many connections as it may.
    Full,
    /// What came is not TLS: another protocol, or HTTP without it.
    NotTls,
    /// Both sides speak TLS and have no version, cipher or protocol in common.
    Incompatible,
    /// The other side said that it does not want: most often it does not trust the certificate.
    Alert,
    /// The client showed no certificate where one is required, or none that those whose word counts have signed.
    Certificate,
    /// The other side went away.
    Closed,
    /// The other side broke the rules.
    Protocol,
}

impl HandshakeFailure {
    /// All of them, for whoever makes a label of each.
    pub const ALL: [Self; 9] = [
        Self::Timeout,
        Self::Displaced,
        Self::Full,
        Self::NotTls,
        Self::Incompatible,
        Self::Alert,
        Self::Certificate,
        Self::Closed,
        Self::Protocol,
    ];

    /// The name used in logs and labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Displaced => "displaced",
            Self::Full => "full",
            Self::NotTls => "not_tls",
            Self::Incompatible => "incompatible",
            Self::Alert => "alert",
            Self::Certificate => "certificate",
            Self::Closed => "closed",
            Self::Protocol => "protocol",
        }
    }
}

/// How messages reach a connection's stream. A closed set: it is a metric label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tier {
    /// One by one, by the library that speaks the protocol.
    #[default]
    Emit,
    /// Below that library: encoded once for all receivers, many with one call to the kernel.
    Splice,
}

impl Tier {
    /// Every tier, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Emit, Self::Splice];

    /// The name used in logs and labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Emit => "emit",
            Self::Splice => "splice",
        }
    }
}

/// Why a client is gone. A closed set: it is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// The client said goodbye.
    Client,
    /// The connection ended without a word.
    Transport,
    /// The client did not answer a ping.
    Heartbeat,
    /// There was something to write and the client accepted no byte of it for too long.
    Stalled,
    /// The client sent what is not the protocol.
    Protocol,
    /// The application ended it.
    Server,
    /// The server is stopping.
    ShuttingDown,
    /// The client has come back on another connection.
    Replaced,
    /// A reload took the namespace away.
    Removed,
    /// The client did not ack the last retry of a message, where that costs the connection.
    RetriesExhausted,
    /// The client stayed above a hard limit of its namespace and made no progress.
    SlowClient,
    /// The client had as much on disk as it may have, where that costs the connection.
    SpillFull,
    /// The client has not said who it is in time, or what it said is good no more.
    AuthRejected,
    /// The client wanted more than it may, again and again, where that costs the connection.
    RateLimited,
    /// The client acked more messages that never were than anybody does by mistake.
    UnknownAcks,
}

impl CloseReason {
    /// All of them, for whoever makes a label of each.
    pub const ALL: [Self; 15] = [
        Self::Client,
        Self::Transport,
        Self::Heartbeat,
        Self::Stalled,
        Self::Protocol,
        Self::Server,
        Self::ShuttingDown,
        Self::Replaced,
        Self::Removed,
        Self::RetriesExhausted,
        Self::SlowClient,
        Self::SpillFull,
        Self::AuthRejected,
        Self::RateLimited,
        Self::UnknownAcks,
    ];

    /// Whether the connection was lost rather than ended by somebody's wish: then the client may come back.
    #[must_use]
    pub fn is_loss(self) -> bool {
        match self {
            // A transport that ends without a goodbye in the namespace is a lost one, however politely it ended.
            Self::Client | Self::Transport | Self::Heartbeat | Self::Stalled | Self::Replaced => true,
            // Whom the fence itself has cut has left before its link closes: this is said of the others on that link.
            Self::RetriesExhausted | Self::SlowClient | Self::SpillFull | Self::AuthRejected => true,
            Self::Protocol | Self::Server | Self::ShuttingDown => false,
            Self::Removed | Self::RateLimited | Self::UnknownAcks => false,
        }
    }

    /// The name used in logs and labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Transport => "transport",
            Self::Heartbeat => "heartbeat",
            Self::Stalled => "stalled",
            Self::Protocol => "protocol",
            Self::Server => "server",
            Self::ShuttingDown => "shutting_down",
            Self::Replaced => "replaced",
            Self::Removed => "removed",
            Self::RetriesExhausted => "retries_exhausted",
            Self::SlowClient => "slow_client",
            Self::SpillFull => "spill_full",
            Self::AuthRejected => "auth_rejected",
            Self::RateLimited => "rate_limited",
            Self::UnknownAcks => "unknown_acks",
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{AckOutcome, LossReason, SlowReason};

    /// `SlowClient` as `slow_client`.
    pub(crate) fn snake_case(name: impl std::fmt::Debug) -> String {
        let name = format!("{name:?}").replace("WebSocket", "Websocket");
        let mut words = String::new();
        for letter in name.chars() {
            if letter.is_uppercase() && !words.is_empty() {
                words.push('_');
            }
            words.extend(letter.to_lowercase());
        }
        words
    }

    #[test]
    fn labels_say_what_the_code_says() {
        for reason in CloseReason::ALL {
            assert_eq!(reason.as_str(), snake_case(reason));
        }
        for failure in HandshakeFailure::ALL {
            assert_eq!(failure.as_str(), snake_case(failure));
        }
        for tier in Tier::ALL {
            assert_eq!(tier.as_str(), snake_case(tier));
        }
        for outcome in AckOutcome::ALL {
            assert_eq!(outcome.as_str(), snake_case(outcome));
        }
        use UnsubscribeReason::{Admin, AuthRejected, Client, Removed, Server, SlowClient};
        for reason in [Client, Server, Removed, SlowClient, AuthRejected, Admin] {
            assert_eq!(reason.as_str(), snake_case(reason));
        }
        for reason in [GiveUpReason::Exhausted, GiveUpReason::Nacked] {
            assert_eq!(reason.as_str(), snake_case(reason));
        }
        for reason in [LossReason::Displaced, LossReason::Expired, LossReason::Rejected, LossReason::Damaged] {
            assert_eq!(reason.as_str(), snake_case(reason));
        }
        for reason in SlowReason::ALL {
            assert_eq!(reason.as_str(), snake_case(reason));
        }
        for transport in [Transport::WebSocket, Transport::Polling, Transport::Other] {
            assert_eq!(transport.as_str(), snake_case(transport));
        }
    }
}
