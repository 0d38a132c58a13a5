//! Where a message stands in a distributed trace, and what became of it at each client, for whoever records that.
//!
//! Opaque to everything that decides: a context is carried along, and a message without one costs a look at a null
//! pointer. Never a span, and never an exporter.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Instant;

use crate::event::GiveUpReason;
use crate::in_flight::Departed;
use crate::lane::Rejection;
use crate::message::{ClientId, Message, MessageId};
use crate::topic::TopicEntry;

/// The most bytes of a `tracestate` that are carried along; a longer one is left out, as W3C allows.
pub const TRACE_STATE_BYTES: usize = 512;

/// A place in a distributed trace, as W3C's `traceparent` and `tracestate` say it.
///
/// ```
/// use streamfence_core::TraceContext;
///
/// let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let context: TraceContext = text.parse()?;
/// assert!(context.is_sampled());
/// assert_eq!(context.to_string(), text);
/// # Ok::<(), streamfence_core::ParseTraceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace, the same over all services. Never all zeros.
    pub trace_id: [u8; 16],
    /// The span that what follows is a child of. Never all zeros.
    pub span_id: [u8; 8],
    /// The flags of `traceparent`; bit 0 says that the trace is sampled.
    pub flags: u8,
    /// What tracing systems say beside it: the value of `tracestate`, printable ASCII.
    pub state: Option<Box<str>>,
    /// Whether somebody in this process records what becomes of the message: only then is anything told.
    pub is_recorded: bool,
}

impl TraceContext {
    /// Whether its trace is one of those that are recorded.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags & 1 == 1
    }

    /// The same with what stood in `tracestate`; one that is empty, too long, or no list of members as W3C has it is left out.
    #[must_use]
    pub fn with_state(mut self, state: &str) -> Self {
        self.state = (state.len() <= TRACE_STATE_BYTES).then(|| members(state)).flatten().map(Into::into);
        self
    }
}

/// The members of a `tracestate` without what is between them, if that is one: W3C Trace Context, section 3.3.1.
fn members(state: &str) -> Option<String> {
    let members = state.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|member| !member.is_empty());
    let mut known: Vec<(&str, &str)> = Vec::new();
    for member in members {
        let (key, value) = member.split_once('=')?;
        let begins_well = key.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit());
        let may_be_in_key = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(&byte);
        let may_be_in_value = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'=';
        let is_key = begins_well && key.len() <= 256 && key.bytes().all(may_be_in_key);
        let is_value = !value.is_empty() && value.len() <= 256 && value.bytes().all(may_be_in_value);
        if !is_key || !is_value || known.len() == MEMBERS || known.iter().any(|(other, _)| *other == key) {
            return None;
        }
        known.push((key, value));
    }
    let members: Vec<_> = known.iter().map(|(key, value)| format!("{key}={value}")).collect();
    (!members.is_empty()).then(|| members.join(","))
}

/// How many members a `tracestate` may have.
const MEMBERS: usize = 32;

impl fmt::Display for TraceContext {
    /// The value of `traceparent`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("00-")?;
        self.trace_id.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("-")?;
        self.span_id.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        // Of the others it is not known whether they hold for what we pass on.
        write!(f, "-{:02x}", self.flags & 1)
    }
}

impl FromStr for TraceContext {
    type Err = ParseTraceError;

    fn from_str(text: &str) -> Result<Self, ParseTraceError> {
        let mut parts = text.trim_matches([' ', '\t']).split('-');
        let [version] = bytes(parts.next())?;
        let (trace_id, span_id, [flags]) = (bytes(parts.next())?, bytes(parts.next())?, bytes(parts.next())?);
        // A later version may have more behind; this one has not, and 255 is none.
        let is_known = if version == 0 { parts.next().is_none() } else { version != 0xff };
        if !is_known || trace_id == [0; 16] || span_id == [0; 8] {
            return Err(ParseTraceError);
        }
        Ok(Self { trace_id, span_id, flags, state: None, is_recorded: false })
    }
}

/// So many bytes in lower-case hexadecimal, and nothing more.
fn bytes<const N: usize>(text: Option<&str>) -> Result<[u8; N], ParseTraceError> {
    let digits = text.unwrap_or_default().as_bytes();
    if digits.len() != 2 * N {
        return Err(ParseTraceError);
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        _ => Err(ParseTraceError),
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Ok(bytes)
}

/// The text is no `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent: wanted `00-<32 digits>-<16 digits>-<2 digits>`, lower-case hexadecimal, no id all zeros")]
pub struct ParseTraceError;

/// What became of a recorded message at one client, told once: when the client's lane has it no more.
#[derive(Clone, Debug)]
pub struct TracedDelivery {
    /// The trace of the message.
    pub trace: Arc<TraceContext>,
    /// The topic it was published to.
    pub topic: Arc<TopicEntry>,
    /// Which message.
    pub id: MessageId,
    /// The bytes of its packet.
    pub size_bytes: u64,
    /// Whose lane had it.
    pub client: ClientId,
    /// When it was published.
    pub published: Instant,
    /// When it was sent for the first time, if it was.
    pub sent: Option<Instant>,
    /// How often it was sent.
    pub attempts: u32,
    /// When that was over.
    pub ended: Instant,
    /// How.
    pub outcome: DeliveryOutcome,
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliveryOutcome {
    /// The transport has taken it; no ack is waited for.
    Sent,
    /// The client has acked it.
    Acked,
    /// A newer value has taken its place.
    Coalesced,
    /// It gave way to newer messages, or for want of memory.
    Displaced,
    /// Its time was over.
    Expired,
    /// The lane did not take it.
    Rejected(Rejection),
    /// It was sent as often as it may be.
    GivenUp(GiveUpReason),
    /// Its client is gone, or has unsubscribed.
    Abandoned,
}

impl DeliveryOutcome {
    /// The outcome as a word, for those who filter by it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Acked => "acked",
            Self::Coalesced => "coalesced",
            Self::Displaced => "displaced",
            Self::Expired | Self::Rejected(Rejection::Expired) => "expired",
            Self::Rejected(Rejection::Full) => "rejected_full",
            Self::Rejected(Rejection::TooLarge) => "rejected_too_large",
            Self::Rejected(Rejection::OverBudget) => "rejected_over_budget",
            Self::Rejected(Rejection::NotSpilled(_)) => "rejected_not_spilled",
            Self::GivenUp(GiveUpReason::Exhausted) => "retries_exhausted",
            Self::GivenUp(GiveUpReason::Nacked) => "nacked",
            Self::Abandoned => "abandoned",
        }
    }

    /// Whether a client that is there has neither the message nor a newer value in its place.
    #[must_use]
    pub fn is_loss(self) -> bool {
        !matches!(self, Self::Sent | Self::Acked | Self::Coalesced | Self::Abandoned)
    }
}

/// What is to be told of recorded messages.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    /// Whether there was ever one: until then nobody looks for any in what a lane leaves behind.
    is_used: bool,
    /// The newest time the hub has seen.
    at: Option<Instant>,
    told: VecDeque<Box<TracedDelivery>>,
}

/// How a message has left its lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    pub(crate) client: ClientId,
    pub(crate) sent: Option<Instant>,
    pub(crate) attempts: u32,
    pub(crate) outcome: DeliveryOutcome,
}

/// A recorded message that has left its lane, until whoever drives the lane tells of it.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) message: Arc<Message>,
    pub(crate) sent: Option<Instant>,
    pub(crate) attempts: u32,
    pub(crate) outcome: DeliveryOutcome,
}

/// Those of one lane. Mostly none, and there are very many lanes.
#[derive(Debug, Default)]
#[expect(clippy::box_collection, reason = "it is empty nearly always, and there are very many lanes")]
pub(crate) struct LeftBehind(Option<Box<Vec<Left>>>);

impl LeftBehind {
    /// Notes that a message that was never sent is gone.
    #[inline]
    pub(crate) fn note(&mut self, message: &Arc<Message>, outcome: DeliveryOutcome) {
        if is_recorded(message) {
            self.push(Left { message: message.clone(), sent: None, attempts: 0, outcome });
        }
    }

    /// The same of one that was sent.
    #[inline]
    pub(crate) fn note_sent(&mut self, departed: &Departed, outcome: DeliveryOutcome) {
        let Departed { message, sent, attempts } = departed;
        if is_recorded(message) {
            self.push(Left { message: message.clone(), sent: Some(*sent), attempts: *attempts, outcome });
        }
    }

    #[cold]
    fn push(&mut self, left: Left) {
        self.0.get_or_insert_default().push(left);
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn take(&mut self) -> Vec<Left> {
        self.0.take().map(|left| *left).unwrap_or_default()
    }
}

#[inline]
fn is_recorded(message: &Message) -> bool {
    message.trace.as_ref().is_some_and(|trace| trace.is_recorded)
}

impl Traces {
    #[inline]
    pub(crate) fn is_used(&self) -> bool {
        self.is_used
    }

    /// From now on there are recorded messages.
    #[inline]
    pub(crate) fn note(&mut self, message: &Message) {
        self.is_used |= is_recorded(message);
    }

    #[inline]
    pub(crate) fn note_time(&mut self, now: Instant) {
        self.at = Some(now);
    }

    /// Tells of the end of a message, if it is recorded.
    #[inline]
    pub(crate) fn end(&mut self, message: &Message, ending: impl FnOnce() -> Ending) {
        if let Some(trace) = &message.trace
            && trace.is_recorded
        {
            self.tell(message, trace, ending());
        }
    }

    #[cold]
    fn tell(&mut self, message: &Message, trace: &Arc<TraceContext>, ending: Ending) {
        let Ending { client, sent, attempts, outcome } = ending;
        let ended = self.at.map_or(message.published, |at| at.max(message.published));
        self.told.push_back(Box::new(TracedDelivery {
            trace: trace.clone(),
            topic: message.topic.clone(),
            id: message.id,
            size_bytes: message.size_bytes(),
            client,
            published: message.published,
            sent,
            attempts,
            ended,
            outcome,
        }));
    }

    pub(crate) fn pop(&mut self) -> Option<Box<TracedDelivery>> {
        self.told.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_context_comes_back_as_it_was_written() {
        let context: TraceContext = GOOD.parse().expect("it is W3C's own example");
        assert_eq!((context.trace_id[0], context.span_id[7], context.flags), (0x4b, 0xb7, 1));
        assert_eq!(context.to_string(), GOOD);
        let unsampled = GOOD.replace("-01", "-00");
        let context: TraceContext = unsampled.parse().expect("it is fine");
        assert!(!context.is_sampled());
        assert_eq!(context.to_string(), unsampled);
        let later = format!("cc-{}-what-comes-later", &GOOD[3..]);
        assert_eq!(later.parse::<TraceContext>().expect("later versions begin the same").to_string(), GOOD);
    }

    #[test]
    fn what_is_no_context_is_none() {
        let wrong = [
            String::new(),
            GOOD.replace("00-4", "ff-4"),
            GOOD.to_uppercase(),
            format!("{GOOD}-more"),
            GOOD[..54].to_owned(),
            GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)),
            GOOD.replace("4bf9", "4bg9"),
            GOOD.replace("-00f0", "-0é0"),
        ];
        for text in wrong {
            assert_eq!(text.parse::<TraceContext>(), Err(ParseTraceError), "{text:?}");
        }
    }

    #[test]
    fn a_state_that_cannot_be_passed_on_is_left_out() {
        let with = |state: &str| GOOD.parse::<TraceContext>().expect("it is fine").with_state(state).state;
        assert_eq!(with("rojo=00f067aa0ba902b7,congo=t61").as_deref(), Some("rojo=00f067aa0ba902b7,congo=t61"));
        assert_eq!(with(" a=1,"), Some("a=1".into()));
        for wrong in [String::new(), "a=\n".into(), "ä=1".into(), "a".repeat(513)] {
            assert_eq!(with(&wrong), None, "{wrong:?}");
            for wrong in ["garbage", "a=1,a=2", "A=1", "a=", "a=1=2", "=1", "a"] {
                assert_eq!(with(wrong), None, "{wrong}");
            }
            let members = |count: usize| (0..count).map(|number| format!("k{number}=1")).collect::<Vec<_>>().join(",");
            assert_eq!(with(&members(32)), Some(members(32).into()));
            assert_eq!(with(&members(33)), None);
        }
    }
}
