//! What a client says, in order, until its shard gets to it.
//!
//! Bounded in items and bytes. Above half, the adapter is told to stop reading from the client; below, to go on.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use streamfence_core::{
    ClientId, CloseReason, ErrorCode, MessageId, NamespaceId, RequestId, Secret, TopicEntry, TopicId, Transmit,
    Transport, UnsubscribeReason, Wishes,
};

use crate::outlet::Outlet;
use crate::payload::Payload;

/// How many items a client may have waiting, before its wishes are refused.
pub(crate) const INBOX_ITEMS: usize = 1_024;
/// How many before its acks, and our answers, are forgotten too: the largest window there is. A client whose acks were
/// refused earlier would be sent again what it has.
pub(crate) const INBOX_MOST: usize = u16::MAX as usize;
/// How many bytes of payloads a client may have waiting.
pub(crate) const INBOX_BYTES: u64 = 1024 * 1024;
/// One thing a client said, or one thing that happened to it.
#[non_exhaustive]
pub enum Input {
    /// The connection is there, and this is where it hears.
    Open(Box<dyn Outlet>),
    /// A client entered a namespace.
    Join {
        /// The namespace.
        namespace: NamespaceId,
        /// Its new name.
        client: ClientId,
        /// How it is connected.
        transport: Transport,
        /// Whether it wants a session that survives its connection, and which.
        session: Option<SessionWish>,
        /// Who it is, where the application has said so.
        principal: Option<Arc<str>>,
    },
    /// It is known now who a client is that has joined as nobody.
    Identify {
        /// The namespace.
        namespace: NamespaceId,
        /// Who it is.
        principal: Arc<str>,
        /// What to answer by.
        request: Option<RequestId>,
    },
    /// A client left a namespace.
    Leave {
        /// The namespace.
        namespace: NamespaceId,
        /// Why.
        reason: CloseReason,
    },
    /// A client subscribes.
    Subscribe {
        /// The namespace.
        namespace: NamespaceId,
        /// The topic.
        topic: Arc<TopicEntry>,
        /// What the client asks for.
        wishes: Wishes,
        /// What to answer by.
        request: Option<RequestId>,
    },
    /// A client ends a subscription.
    Unsubscribe {
        /// The namespace.
        namespace: NamespaceId,
        /// The topic.
        topic: Arc<TopicEntry>,
        /// Who ends it.
        reason: UnsubscribeReason,
        /// What to answer by.
        request: Option<RequestId>,
    },
    /// A client publishes.
    Publish {
        /// The namespace.
        namespace: NamespaceId,
        /// The topic.
        topic: Arc<TopicEntry>,
        /// The message.
        payload: Payload,
        /// What to answer by.
        request: Option<RequestId>,
    },
    /// A client has a message.
    Ack {
        /// The namespace.
        namespace: NamespaceId,
        /// The topic.
        topic: TopicId,
        /// The message.
        id: MessageId,
    },
    /// A client has every message of a topic up to one.
    AckUpTo {
        /// The namespace.
        namespace: NamespaceId,
        /// The topic.
        topic: TopicId,
        /// The last of the messages.
        id: MessageId,
    },
    /// A client could not handle a message and wants it again.
    Nack {
        /// The namespace.
        namespace: NamespaceId,
        /// The topic.
        topic: TopicId,
        /// The message.
        id: MessageId,
        /// How much later.
        delay: Duration,
    },
    /// A client acked messages of a topic that is not there.
    StrayAcks {
        /// The namespace.
        namespace: NamespaceId,
        /// How many.
        count: u32,
    },
    /// The adapter, or a handler, has something to say to the client.
    Tell {
        /// The namespace.
        namespace: NamespaceId,
        /// What.
        what: Transmit,
    },
    /// The connection is gone.
    End(CloseReason),
}

/// A client that wants a session which survives its connection.
#[derive(Clone, Copy, Debug)]
pub enum SessionWish {
    /// A new one.
    New,
    /// The one it had; a new one where that is gone, or the secret is wrong.
    Resume {
        /// The name it had.
        client: ClientId,
        /// What it was given.
        secret: Secret,
    },
}

impl Input {
    /// What counts against the bound in bytes.
    fn size_bytes(&self) -> u64 {
        match self {
            Self::Publish { payload, .. } => payload.size_bytes(),
            _ => 0,
        }
    }

    /// How many items may wait before this one is refused.
    fn limit(&self) -> usize {
        match self {
            Self::Subscribe { .. } | Self::Unsubscribe { .. } | Self::Publish { .. } => INBOX_ITEMS,
            Self::Ack { .. }
            | Self::AckUpTo { .. }
            | Self::Nack { .. }
            | Self::StrayAcks { .. }
            | Self::Tell { .. } => INBOX_MOST,
            // What begins or ends a thing, of which there are few.
            Self::Open(_) | Self::Join { .. } | Self::Identify { .. } | Self::Leave { .. } | Self::End(_) => usize::MAX,
        }
    }

    /// What the client is told in place of what it wished for; nothing for an ack.
    fn refusal(&self) -> Option<Self> {
        let (Self::Subscribe { namespace, request, .. }
        | Self::Unsubscribe { namespace, request, .. }
        | Self::Publish { namespace, request, .. }) = *self
        else {
            return None;
        };
        let message = "too much of what you said waits to be handled; slow down and try again".into();
        let what = Transmit::Error { namespace, code: ErrorCode::BackPressure, message, topic: None, request };
        Some(Self::Tell { namespace, what })
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open(_) => "Open",
            Self::Join { .. } => "Join",
            Self::Identify { .. } => "Identify",
            Self::Leave { .. } => "Leave",
            Self::Subscribe { .. } => "Subscribe",
            Self::Unsubscribe { .. } => "Unsubscribe",
            Self::Publish { .. } => "Publish",
            Self::Ack { .. } => "Ack",
            Self::AckUpTo { .. } => "AckUpTo",
            Self::Nack { .. } => "Nack",
            Self::StrayAcks { .. } => "StrayAcks",
            Self::Tell { .. } => "Tell",
            Self::End(_) => "End",
        })
    }
}

/// The client says more than its shard can take; this was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the inbox is full: {INBOX_ITEMS} items or {INBOX_BYTES} bytes wait already")]
pub struct InboxFull;

#[derive(Debug, Default)]
pub(crate) struct Inbox {
    items: VecDeque<Input>,
    /// Sum of `size_bytes` over `items`.
    bytes: u64,
    /// Set with the end's arrival, so that it is seen from behind whatever else waits.
    end: Option<CloseReason>,
    /// Whether the adapter was told to stop reading.
    is_paused: bool,
}

/// What the adapter is to do about reading, when that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Pause,
    Resume,
}

impl Inbox {
    pub(crate) fn push(&mut self, input: Input) -> (Result<(), InboxFull>, Option<Reading>) {
        let size = input.size_bytes();
        // One payload that is larger than all may wait is still taken, alone: the adapter has let it in.
        let fits = size == 0 || self.bytes == 0 || self.bytes + size <= INBOX_BYTES;
        let has_place = fits && self.items.len() < input.limit();
        if !has_place {
            if self.items.len() < INBOX_MOST {
                self.items.extend(input.refusal());
            }
            return (Err(InboxFull), None);
        }
        if let Input::End(reason) = &input {
            self.end.get_or_insert(*reason);
        }
        self.bytes += size;
        if self.items.capacity() == 0 {
            // A connection opens and joins at once; later, most say one thing at a time. A queue makes room for four.
            self.items.reserve_exact(2);
        }
        self.items.push_back(input);
        let change = (!self.is_paused && self.is_half_full()).then_some(Reading::Pause);
        self.is_paused |= change.is_some();
        (Ok(()), change)
    }

    pub(crate) fn pop(&mut self) -> (Option<Input>, Option<Reading>) {
        let input = self.items.pop_front();
        self.bytes -= input.as_ref().map_or(0, Input::size_bytes);
        let change = (self.is_paused && !self.is_half_full()).then_some(Reading::Resume);
        self.is_paused &= change.is_none();
        (input, change)
    }

    /// Why the connection ended, if its end is among what waits.
    pub(crate) fn end(&self) -> Option<CloseReason> {
        self.end
    }

    fn is_half_full(&self) -> bool {
        self.items.len() > INBOX_ITEMS / 2 || self.bytes > INBOX_BYTES / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic() -> Arc<TopicEntry> {
        let namespace = streamfence_core::Namespace::new("/feed").topic("tick");
        let catalog = streamfence_core::Catalog::builder().namespace(namespace).build().expect("it is valid");
        catalog.entry(catalog.topics().next().expect("it has a topic")).clone()
    }

    fn ack() -> Input {
        Input::Ack {
            namespace: NamespaceId(0),
            topic: TopicId { index: 0, generation: 0 },
            id: MessageId { epoch: streamfence_core::Epoch(1), offset: streamfence_core::Offset(1) },
        }
    }

    #[test]
    fn reading_pauses_above_half_and_resumes_below() {
        let mut inbox = Inbox::default();
        let mut changes = Vec::new();
        for _ in 0..INBOX_MOST {
            changes.extend(inbox.push(ack()).1);
        }
        assert_eq!(changes, [Reading::Pause]);
        assert_eq!(inbox.push(ack()).0, Err(InboxFull));
        assert!(inbox.push(Input::End(CloseReason::Client)).0.is_ok(), "an end always finds a place");
        while let (Some(_), change) = inbox.pop() {
            changes.extend(change);
        }
        assert_eq!(changes, [Reading::Pause, Reading::Resume]);
    }

    #[test]
    fn a_payload_larger_than_the_inbox_is_taken_alone() {
        let large = || Input::Publish {
            namespace: NamespaceId(0),
            topic: topic(),
            payload: Payload::binary(vec![0; INBOX_BYTES as usize + 1]),
            request: None,
        };
        let mut inbox = Inbox::default();
        assert_eq!(inbox.push(large()), (Ok(()), Some(Reading::Pause)));
        assert_eq!(inbox.push(large()).0, Err(InboxFull));
        assert!(inbox.push(ack()).0.is_ok());
        assert_eq!(inbox.pop().1, Some(Reading::Resume));
    }

    #[test]
    fn wishes_are_refused_before_acks_are_and_even_refusals_have_an_end() {
        let wish =
            || Input::Subscribe { namespace: NamespaceId(0), topic: topic(), wishes: Wishes::default(), request: None };
        let mut inbox = Inbox::default();
        for _ in 0..INBOX_ITEMS {
            assert!(inbox.push(wish()).0.is_ok());
        }
        assert_eq!(inbox.push(wish()).0, Err(InboxFull));
        assert!(matches!(inbox.items.back(), Some(Input::Tell { .. })));
        assert!(inbox.push(ack()).0.is_ok());
        for _ in 0..2 * INBOX_MOST {
            assert_eq!(inbox.push(wish()).0, Err(InboxFull));
        }
        assert_eq!(inbox.items.len(), INBOX_MOST);
        inbox.push(Input::End(CloseReason::Client)).0.expect("an end always finds a place");
    }
}
