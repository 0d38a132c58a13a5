//! What travels: a message, its identity, and the small ids everything is found by.
//!
//! Never an encoding: a body comes in encoded once by the adapter and leaves as it came.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::topic::TopicEntry;
use crate::trace::TraceContext;

/// One published message, shared by every lane that holds it.
///
/// In memory its fields lie in this order, so that what is looked at when it is sent lies together, next to its count of
/// references: with very many clients behind at places of their own, a message costs the cache lines that are touched of it.
#[derive(Debug)]
#[repr(C)]
pub struct Message {
    /// The topic it was published to, as it was then.
    pub topic: Arc<TopicEntry>,
    /// When it was published: what its age is counted from.
    pub published: Instant,
    /// Where it stands in a distributed trace, if in any.
    pub trace: Option<Arc<TraceContext>>,
    /// Its identity: the same on every retry, unique over restarts.
    pub id: MessageId,
    /// The complete packet.
    pub body: Body,
    /// From when on it is not worth sending; `None` is never.
    pub expires: Option<Instant>,
    /// What it replaces in a lane that coalesces; `None` means "the topic", so that every message replaces the last.
    pub key: Option<Key>,
}

impl Message {
    /// The message as one whose way nobody records, though its clients are told where it stands.
    pub(crate) fn unrecorded(self: &Arc<Self>) -> Arc<Self> {
        let Some(trace) = self.trace.as_ref().filter(|trace| trace.is_recorded) else { return self.clone() };
        Arc::new(Self {
            topic: self.topic.clone(),
            expires: self.expires,
            body: self.body.clone(),
            published: self.published,
            trace: Some(Arc::new(TraceContext { is_recorded: false, ..(**trace).clone() })),
            id: self.id,
            key: self.key.clone(),
        })
    }

    /// The size that limits, room, budget and metrics count: the length of the body.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.body.bytes.len() as u64
    }

    /// Whether it is not worth sending any more.
    #[must_use]
    pub fn is_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }

    /// Whether it was published as one that is sent until its client acks it, whatever its topic has become since.
    #[must_use]
    pub fn is_at_least_once(&self) -> bool {
        self.topic.class.policy.is_at_least_once()
    }

    /// Whether its packet asks the client to say that it has it.
    #[must_use]
    pub fn wants_ack(&self) -> bool {
        self.topic.class.policy.wants_ack()
    }

    /// How many transport frames it takes: one, and one per attachment.
    #[must_use]
    pub fn frames(&self) -> u32 {
        1 + self.body.attachments.len() as u32
    }
}

/// A complete packet, assembled once by the fence's encoder: the text, then its attachments, in one buffer.
///
/// ```text
/// 2/feed,["snapshot",PAYLOAD,META] ATTACHMENT ATTACHMENT
///                    '-payload-'   '--attachments (ranges)--'
/// '------------ text -------------'
/// ```
///
/// A transport with this wire writes the bytes as they are; one with another wire takes [`Body::payload`] out.
#[derive(Debug, Clone, Default)]
#[repr(C)]
pub struct Body {
    /// Where each binary attachment lies in `bytes`, in order. Empty for most messages, and then free.
    pub attachments: Box<[Range<usize>]>,
    /// Text and attachments, one after the other.
    pub bytes: Bytes,
    /// Where the publisher's payload lies in `bytes`.
    pub payload: Range<usize>,
}

impl Body {
    /// A body that is nothing but its payload, as a transport without an envelope wants it.
    #[must_use]
    pub fn plain(payload: Bytes) -> Self {
        Self { payload: 0..payload.len(), bytes: payload, attachments: Box::default() }
    }

    /// The text of the packet, without the attachments.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.bytes[..self.attachments.first().map_or(self.bytes.len(), |first| first.start)]
    }

    /// What the publisher gave.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.bytes[self.payload.clone()]
    }

    /// What follows the payload up to the end of the text: the metadata and the closing brackets.
    #[must_use]
    pub fn after_payload(&self) -> &[u8] {
        &self.text()[self.payload.end..]
    }

    /// The binary attachments, sharing the body's memory.
    pub fn attachments(&self) -> impl Iterator<Item = Bytes> + '_ {
        self.attachments.iter().map(|range| self.bytes.slice(range.clone()))
    }
}

/// What a message replaces where a lane coalesces: messages with equal keys are versions of one value.
pub type Key = Arc<str>;

/// One life of a topic's log: random, so that ids are unique over restarts.
///
/// Written as 13 characters of Crockford base32, which sort as the number does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(pub u64);

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const EPOCH_CHARS: usize = 13;

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; EPOCH_CHARS];
        let mut rest = self.0;
        for slot in text.iter_mut().rev() {
            *slot = CROCKFORD[(rest & 31) as usize];
            rest >>= 5;
        }
        f.write_str(std::str::from_utf8(&text).expect("Crockford's alphabet is ASCII"))
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Epoch {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        if text.len() != EPOCH_CHARS {
            return Err(ParseIdError);
        }
        let mut value: u64 = 0;
        for byte in text.bytes() {
            let digit = CROCKFORD.iter().position(|&c| c == byte).ok_or(ParseIdError)? as u64;
            // Thirteen digits hold 65 bits: the first may only be 0 to F, or the number would not come back.
            value = value.checked_mul(32).and_then(|v| v.checked_add(digit)).ok_or(ParseIdError)?;
        }
        Ok(Self(value))
    }
}

/// The place of a message in its topic's log, counted from 1 per (namespace, topic).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Offset(pub u64);

/// `<epoch>:<offset>`: what a client acks, and the same on every retry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId {
    /// The life of the log.
    pub epoch: Epoch,
    /// The place in it.
    pub offset: Offset,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.offset.0)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MessageId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let (epoch, offset) = text.split_once(':').ok_or(ParseIdError)?;
        // One spelling per id: `+7` and `007` are not what we wrote.
        if offset.is_empty() || offset.starts_with(['0', '+']) {
            return Err(ParseIdError);
        }
        Ok(Self { epoch: epoch.parse()?, offset: Offset(offset.parse().map_err(|_| ParseIdError)?) })
    }
}

/// The text is not an id this server ever wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a message id: wanted `<13 characters of Crockford base32>:<number from 1>`")]
pub struct ParseIdError;

/// The last message of a topic that a shard has taken: what a new subscriber comes after.
///
/// Offset 0 means that the log is still empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The life of the log.
    pub epoch: Epoch,
    /// The offset of the last message taken, 0 before the first.
    pub offset: Offset,
}

/// A client in one namespace: 96 random bits, written as base64url.
///
/// It is made by the runtime and is no secret; the Engine.IO session id, which is one, never serves as a client id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub [u8; 12]);

const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 16];
        for (three, four) in self.0.chunks_exact(3).zip(text.chunks_exact_mut(4)) {
            let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
            for (place, slot) in four.iter_mut().enumerate() {
                *slot = BASE64URL[(bits >> (18 - 6 * place) & 63) as usize];
            }
        }
        f.write_str(std::str::from_utf8(&text).expect("the base64url alphabet is ASCII"))
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ClientId {
    type Err = ParseClientIdError;

    fn from_str(text: &str) -> Result<Self, ParseClientIdError> {
        let text: &[u8; 16] = text.as_bytes().try_into().map_err(|_| ParseClientIdError)?;
        let mut id = [0; 12];
        for (four, three) in text.chunks_exact(4).zip(id.chunks_exact_mut(3)) {
            let mut bits = 0;
            for byte in four {
                let digit = BASE64URL.iter().position(|c| c == byte).ok_or(ParseClientIdError)?;
                bits = bits * 64 + digit as u32;
            }
            three.copy_from_slice(&bits.to_be_bytes()[1..]);
        }
        Ok(Self(id))
    }
}

/// The text is not a client id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a client id: wanted 16 characters of base64url")]
pub struct ParseClientIdError;

/// A namespace of the catalog, by its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NamespaceId(pub u32);

/// An entry of the catalog: a policy and a metric label, shared by all topics made from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClassId(pub u32);

/// A routing key: one (namespace, topic).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicId {
    /// Its class, by its place in the catalog: all topics made from one pattern have the same.
    pub index: u32,
    /// Which of those it is; 0 is the catalog entry itself. A number is never used again, because a topic that is made
    /// anew under its old name is another topic.
    pub generation: u32,
}

/// A session of a hub; stale once the session has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey {
    /// First, so that keys sort by age: a place is given anew and says nothing.
    pub(crate) generation: u32,
    pub(crate) index: u32,
}

/// A link of a hub; stale once the link has closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkKey {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl LinkKey {
    /// Its place among the links of the hub, reused after the link closes: an index for what a driver keeps per link.
    #[must_use]
    pub fn index(self) -> usize {
        self.index as usize
    }
}

/// What an adapter remembers a client's question by, so that the answer finds its way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_as_they_were_written() {
        for epoch in [0, 1, 31, 32, u64::MAX / 3, u64::MAX] {
            let id = MessageId { epoch: Epoch(epoch), offset: Offset(7) };
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!((format!("{id:?}"), format!("{:?}", id.epoch)), (id.to_string(), id.epoch.to_string()));
        }
        let client = ClientId([0, 1, 2, 253, 254, 255, 9, 8, 7, 6, 5, 4]);
        assert_eq!(client.to_string().parse(), Ok(client));
        assert_eq!(format!("{client:?}"), client.to_string());
        assert_eq!(client.to_string().len(), 16);
    }

    #[test]
    fn a_body_is_cut_where_its_parts_meet() {
        let whole = r#"2/feed,["tick",PAYLOAD,{}]"#;
        let (start, end) = (whole.find("PAYLOAD").expect("it is there"), whole.len());
        let mut body = Body { bytes: whole.into(), payload: start..start + 7, attachments: Box::default() };
        assert_eq!(
            (body.text(), body.payload(), body.after_payload()),
            (whole.as_bytes(), &b"PAYLOAD"[..], &b",{}]"[..])
        );
        body.bytes = format!("{whole}onetwo").into();
        body.attachments = [end..end + 3, end + 3..end + 6].into();
        assert_eq!((body.text(), body.after_payload()), (whole.as_bytes(), &b",{}]"[..]));
        assert_eq!(body.attachments().collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(Body::plain("all".into()).payload(), b"all");
    }

    #[test]
    fn what_we_never_wrote_is_no_id() {
        let wrong = [
            "",
            ":",
            "0000000000000",
            "0000000000000:",
            "0000000000000:0",
            "0000000000000:01",
            "000000000000:1",
            "0000000000000:+1",
            "000000000000I:1",
            "ZZZZZZZZZZZZZ:1",
            "0000000000000:99999999999999999999",
        ];
        for text in wrong {
            assert_eq!(text.parse::<MessageId>(), Err(ParseIdError), "{text:?}");
        }
        for text in ["", "AAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAA!"] {
            assert_eq!(text.parse::<ClientId>(), Err(ParseClientIdError), "{text:?}");
        }
    }
}
