//! All the core asks of the world.
//!
//! Never behaviour: what to do with an output is the driver's business.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::event::{CloseReason, Event, GiveUpReason, UnsubscribeReason};
use crate::gap::Gap;
use crate::message::{ClientId, LinkKey, Message, NamespaceId, Position, RequestId, SessionKey};
use crate::spill::SpillCommand;
use crate::topic::TopicEntry;

/// What one link has to send, in order.
pub type Batch = Vec<Transmit>;

/// What the driver must do next.
#[derive(Debug)]
#[must_use]
pub enum Output {
    /// Hand these to the link's transport, which has room for all of them. Give the batch back with
    /// [`Hub::recycle`](crate::Hub::recycle) once it is empty, so that the next one costs no allocation.
    Transmit(LinkKey, Batch),
    /// The link has room, but not for what it would say next: say its room again when there is more.
    Starved(LinkKey),
    /// Tell whoever observes.
    Event(Event),
    /// Tell the store that a log lies in. What becomes of it is heard with [`Hub::handle_spill`](crate::Hub::handle_spill).
    Spill(SpillCommand),
    /// Keep this message for whoever looks after what was given up, as many as its class says.
    GivenUp(Box<GivenUp>),
    /// The hub has ended a session: end it on its transport too, with a word to the client if there is room and by
    /// force if not.
    Disconnect {
        /// The session that has ended; its key is stale.
        session: SessionKey,
        /// The link it was on.
        link: LinkKey,
        /// The namespace it was in.
        namespace: NamespaceId,
        /// Why it has ended.
        reason: CloseReason,
    },
}

/// A message that is sent to its client no more.
#[derive(Clone, Debug)]
pub struct GivenUp {
    /// The client it was for.
    pub client: ClientId,
    /// The message.
    pub message: Arc<Message>,
    /// How often it was sent.
    pub attempts: u32,
    /// Why no more.
    pub reason: GiveUpReason,
}

/// One thing to say to one client.
#[derive(Clone, Debug)]
pub enum Transmit {
    /// A message of a topic.
    Message {
        /// The namespace to say it in.
        namespace: NamespaceId,
        /// The message.
        message: Arc<Message>,
        /// How often it has been sent with this, from 1.
        attempt: u32,
    },
    /// A subscription stands; every later message of the topic comes after this.
    Subscribed {
        /// The namespace to say it in.
        namespace: NamespaceId,
        /// The client's own name.
        client: ClientId,
        /// The topic subscribed to.
        topic: Arc<TopicEntry>,
        /// What the first message will come after.
        position: Position,
        /// The question this answers.
        request: Option<RequestId>,
    },
    /// A subscription ended; no later message of the topic comes after this.
    Unsubscribed {
        /// The namespace to say it in.
        namespace: NamespaceId,
        /// The topic it was to.
        topic: Arc<TopicEntry>,
        /// Who ended it.
        reason: UnsubscribeReason,
        /// The question this answers.
        request: Option<RequestId>,
    },
    /// The client has a session that survives its connection.
    Session {
        /// The namespace to say it in.
        namespace: NamespaceId,
        /// What it comes back with.
        ticket: Box<Ticket>,
    },
    /// The client wished for such a session, and its namespace keeps none.
    NoSession {
        /// The namespace to say it in.
        namespace: NamespaceId,
    },
    /// The client missed something, just before the next message of the topic.
    Gap {
        /// The namespace to say it in.
        namespace: NamespaceId,
        /// The topic.
        topic: Arc<TopicEntry>,
        /// What it missed.
        gap: Gap,
    },
    /// It is known now who the client is.
    Authenticated {
        /// The namespace to say it in.
        namespace: NamespaceId,
        /// Who it is.
        principal: Arc<str>,
        /// The question this answers.
        request: Option<RequestId>,
    },
    /// A client's wish is done. Said only to a client that asked for an answer.
    Done {
        /// The namespace to say it in.
        namespace: NamespaceId,
        /// The question this answers.
        request: RequestId,
    },
    /// A client's wish was refused.
    Error {
        /// The namespace to say it in.
        namespace: NamespaceId,
        /// Why, for programs.
        code: ErrorCode,
        /// Why, for people: the place, the value found and the value wanted.
        message: Box<str>,
        /// The topic it is about, as the client named it.
        topic: Option<Box<str>>,
        /// The question this answers.
        request: Option<RequestId>,
    },
}

impl Transmit {
    /// The namespace to say it in.
    #[must_use]
    pub fn namespace(&self) -> NamespaceId {
        match self {
            Self::Message { namespace, .. }
            | Self::Subscribed { namespace, .. }
            | Self::Unsubscribed { namespace, .. }
            | Self::Session { namespace, .. }
            | Self::NoSession { namespace }
            | Self::Gap { namespace, .. }
            | Self::Authenticated { namespace, .. }
            | Self::Done { namespace, .. }
            | Self::Error { namespace, .. } => *namespace,
        }
    }

    /// Whether it is one of the answers that wait in a session, rather than something of a lane's.
    pub(crate) fn is_answer(&self) -> bool {
        !matches!(self, Self::Message { .. } | Self::Gap { .. })
    }

    /// How many transport frames it takes.
    #[must_use]
    pub fn frames(&self) -> u32 {
        match self {
            Self::Message { message, .. } => message.frames(),
            // The event, and the acknowledgement that carries the same object.
            Self::Subscribed { .. } | Self::Unsubscribed { .. } | Self::Authenticated { .. } | Self::Error { .. } => 2,
            Self::Session { .. } | Self::NoSession { .. } | Self::Gap { .. } | Self::Done { .. } => 1,
        }
    }

    /// How many bytes it takes: exact for a message, a generous guess for what is small anyway.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        const CONTROL_BYTES: u64 = 256;
        match self {
            Self::Message { message, .. } => message.size_bytes(),
            _ => CONTROL_BYTES,
        }
    }
}

/// What a client comes back with after its connection was lost.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// The session's name, which is no secret.
    pub id: String,
    /// What proves that it is the client's.
    pub secret: Secret,
    /// How long the session waits for it.
    pub retention: Duration,
    /// Whether this is the session the client asked for; else it is a new one.
    pub resumed: bool,
    /// The topics it is subscribed to, still.
    pub topics: Vec<Arc<TopicEntry>>,
}

/// 128 random bits that only one client knows. Never shown by `Debug`, compared without telling how much was right.
#[derive(Clone, Copy)]
pub struct Secret(pub [u8; 16]);

impl Secret {
    /// Whether it is the same, in a time that does not depend on where they differ.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).fold(0, |difference, (mine, theirs)| difference | (mine ^ theirs)) == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Why a client's wish was refused, as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// No such topic in this namespace.
    UnknownTopic,
    /// No token, or a wrong one, where one is wanted.
    AuthRejected,
    /// Too many wrong tokens came from where the client is.
    AuthRateLimited,
    /// A client that polls, where polling is not allowed.
    TransportRejected,
    /// More bytes than `maxPayloadBytes`.
    PayloadTooLarge,
    /// More subscriptions than a client may have, or more connections than an address may.
    LimitExceeded,
    /// More in a while than a client or an address may want.
    RateLimited,
    /// The topic takes no messages from clients, or its handler failed.
    PublishRejected,
    /// An event with a payload that is not what the contract says.
    BadRequest,
    /// The client sends faster than its messages are handled.
    BackPressure,
    /// The client stays too far behind and makes no progress.
    SlowClient,
    /// The client has as much on disk as it may have.
    SpillFull,
    /// The client did not ack the last retry of a message.
    RetriesExhausted,
    /// The server is about to stop.
    ShuttingDown,
}

impl ErrorCode {
    /// What a client is told before it is cut, for programs and for people; `None` where the end says enough.
    #[must_use]
    pub fn of_close(reason: CloseReason) -> Option<(Self, &'static str)> {
        Some(match reason {
            CloseReason::SlowClient => {
                (Self::SlowClient, "too many messages waited for you and none of them left; read faster, or less")
            }
            CloseReason::SpillFull => {
                (Self::SpillFull, "more messages waited for you on disk than may; read and ack faster, or want less")
            }
            CloseReason::RetriesExhausted => {
                (Self::RetriesExhausted, "a message was not acked after its last retry; ack what you have handled")
            }
            CloseReason::AuthRejected => {
                (Self::AuthRejected, "it is not known, or not any more, who you are; connect again with a good token")
            }
            CloseReason::ShuttingDown => (Self::ShuttingDown, "the server is stopping; connect again in a while"),
            _ => return None,
        })
    }

    /// The code as it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownTopic => "UNKNOWN_TOPIC",
            Self::AuthRejected => "AUTH_REJECTED",
            Self::AuthRateLimited => "AUTH_RATE_LIMITED",
            Self::TransportRejected => "TRANSPORT_REJECTED",
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Self::LimitExceeded => "LIMIT_EXCEEDED",
            Self::RateLimited => "RATE_LIMITED",
            Self::PublishRejected => "PUBLISH_REJECTED",
            Self::BadRequest => "BAD_REQUEST",
            Self::BackPressure => "BACK_PRESSURE",
            Self::SlowClient => "SLOW_CLIENT",
            Self::SpillFull => "SPILL_FULL",
            Self::RetriesExhausted => "RETRIES_EXHAUSTED",
            Self::ShuttingDown => "SHUTTING_DOWN",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::snake_case;

    #[test]
    fn a_secret_is_the_same_in_every_bit_or_another_and_is_never_shown() {
        let secret = Secret([0b1010_0101; 16]);
        assert!(secret.matches(&secret));
        for (byte, bit) in (0..16).flat_map(|byte| [(byte, 1), (byte, 0x80)]) {
            let mut other = secret;
            other.0[byte] ^= bit;
            assert!(!secret.matches(&other), "they differ in byte {byte}");
        }
        // Two differences do not make it the same.
        let mut other = secret;
        (other.0[0], other.0[1]) = (!other.0[0], !other.0[1]);
        assert!(!secret.matches(&other));
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }

    #[test]
    fn a_code_on_the_wire_says_what_the_code_here_says() {
        use ErrorCode::*;
        let codes = [
            UnknownTopic,
            TransportRejected,
            PayloadTooLarge,
            LimitExceeded,
            PublishRejected,
            BadRequest,
            BackPressure,
            SlowClient,
            SpillFull,
            RetriesExhausted,
            ShuttingDown,
        ];
        for code in codes {
            assert_eq!(code.as_str(), snake_case(code).to_uppercase());
        }
    }

    #[test]
    fn whoever_is_cut_for_something_it_can_change_is_told_so_by_the_name_of_the_reason() {
        let told = CloseReason::ALL.into_iter().filter_map(|reason| Some((reason, ErrorCode::of_close(reason)?)));
        let told: Vec<_> = told.collect();
        for (reason, (code, why)) in &told {
            assert_eq!(code.as_str(), reason.as_str().to_uppercase());
            assert!(why.contains("; "), "what happened; what to do: {why}");
        }
        let reasons: Vec<_> = told.into_iter().map(|(reason, _)| reason).collect();
        use CloseReason::{AuthRejected, RetriesExhausted, ShuttingDown, SlowClient, SpillFull};
        assert_eq!(reasons, [ShuttingDown, RetriesExhausted, SlowClient, SpillFull, AuthRejected]);
    }
}
