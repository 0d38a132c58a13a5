//! What may be wished for: random policies, and steps that mostly concern who is there.

use std::time::Duration;

use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;
use streamfence_core::{AtLeastOnce, Namespace, Overflow, Topic};

/// Connections, each with a client in every namespace.
pub(crate) const LINKS: usize = 3;
pub(crate) const NAMESPACES: usize = 2;
/// A slot is a place for a session: slot `s` is on link `s / NAMESPACES`, in namespace `s % NAMESPACES`.
pub(crate) const SLOTS: usize = LINKS * NAMESPACES;
/// Topics per namespace. Topic `t` is in namespace `t / TOPICS_EACH`.
pub(crate) const TOPICS_EACH: usize = 2;
pub(crate) const TOPICS: usize = NAMESPACES * TOPICS_EACH;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Promise {
    BestEffort { overflow: Overflow, coalesce: bool, pace_ms: Option<u64> },
    AtLeastOnce { window: u16, ack_timeout_ms: u64, max_retries: u32 },
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) promise: Promise,
    pub(crate) max_messages: u32,
    pub(crate) max_bytes: u64,
    pub(crate) gap_notices: bool,
}

impl Rule {
    pub(crate) fn topic(&self, name: &str) -> Topic {
        let topic = Topic::new(name)
            .max_queued_messages(self.max_messages)
            .max_queued_bytes(self.max_bytes)
            .gap_notices(self.gap_notices);
        match self.promise {
            Promise::BestEffort { overflow, coalesce, pace_ms } => topic
                .best_effort(overflow)
                .coalesce(coalesce)
                .max_frequency(pace_ms.map_or(0.0, |ms| 1_000.0 / ms as f64)),
            Promise::AtLeastOnce { window, ack_timeout_ms, max_retries } => topic.at_least_once(
                AtLeastOnce::default()
                    .window(window)
                    .ack_timeout(Duration::from_millis(ack_timeout_ms))
                    .max_retries(max_retries),
            ),
        }
    }

    fn any() -> impl Strategy<Value = Self> {
        let overflow = prop_oneof![
            Just(Overflow::RejectNew),
            Just(Overflow::DropOldest),
            Just(Overflow::Coalesce),
            Just(Overflow::SnapshotOnly)
        ];
        let pace_ms = prop_oneof![Just(None), (5..80_u64).prop_map(Some)];
        let best_effort = (overflow, any::<bool>(), pace_ms)
            .prop_map(|(overflow, coalesce, pace_ms)| Promise::BestEffort { overflow, coalesce, pace_ms });
        let at_least_once = (1..4_u16, 10..60_u64, 1..3_u32).prop_map(|(window, ack_timeout_ms, max_retries)| {
            Promise::AtLeastOnce { window, ack_timeout_ms, max_retries }
        });
        let promise = prop_oneof![best_effort, at_least_once];
        (promise, 1..6_u32, 20..120_u64, any::<bool>()).prop_map(|(promise, messages, max_bytes, gap_notices)| {
            let least = match promise {
                Promise::AtLeastOnce { window, .. } => u32::from(window),
                Promise::BestEffort { .. } => 1,
            };
            Self { promise, max_messages: messages.max(least), max_bytes, gap_notices }
        })
    }
}

/// The namespaces of a world.
pub(crate) fn namespaces(rules: &[Rule]) -> Vec<Namespace> {
    let topics = rules.chunks(TOPICS_EACH).enumerate();
    topics
        .map(|(n, rules)| {
            let named = rules.iter().enumerate();
            named.fold(Namespace::new(format!("/{n}")), |namespace, (t, rule)| {
                namespace.topic_with(rule.topic(&format!("t{t}")))
            })
        })
        .collect()
}

#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) topic: usize,
    pub(crate) size: usize,
    pub(crate) frames: u32,
    pub(crate) key: Option<u8>,
    pub(crate) ttl_ms: Option<u64>,
}

impl Draft {
    fn any() -> impl Strategy<Value = Self> {
        let key = prop_oneof![Just(None), (0..3_u8).prop_map(Some)];
        let ttl_ms = prop_oneof![3 => Just(None), 1 => (0..60_u64).prop_map(Some)];
        (0..TOPICS, 1..50_usize, 1..3_u32, key, ttl_ms).prop_map(|(topic, size, frames, key, ttl_ms)| Self {
            topic,
            size,
            frames,
            key,
            ttl_ms,
        })
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Open(usize),
    Close(usize),
    Join(usize),
    Leave(usize),
    /// A slot, one of its namespace's topics, and a wish for the window.
    Subscribe(usize, usize, Option<u16>),
    Unsubscribe(usize, usize),
    Tell(usize),
    Publish(Draft, Option<usize>),
    PublishTo(usize, Draft),
    /// A link takes so many frames and bytes now; and whether nothing is below.
    Room(usize, u32, u64, bool),
    /// A slot acks the n-th last message of one of its namespace's topics.
    Ack(usize, usize, u64),
    /// It acks all up to that one.
    AckUpTo(usize, usize, u64),
    /// It could not handle that one, and wants it again in so many milliseconds.
    Nack(usize, usize, u64, u64),
    /// Gives up what has expired and was not touched since.
    Tick,
    /// From now on a slot's session outlives its link by so many milliseconds.
    Retain(usize, u64),
    /// A slot's client comes back to the link that is there now.
    Attach(usize),
    /// All clients of a link come back on another before the old one is known to be lost.
    TakeOver(usize),
    /// Milliseconds.
    Pass(u64),
}

/// Who is there: enough to choose steps that mean something.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) rules: Vec<Rule>,
    is_open: [bool; LINKS],
    is_joined: [bool; SLOTS],
}

impl ReferenceStateMachine for World {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        prop::collection::vec(Rule::any(), TOPICS)
            .prop_map(|rules| Self { rules, is_open: [true; LINKS], is_joined: [true; SLOTS] })
            .boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Step> {
        let there = |places: &[bool]| -> Vec<usize> { (0..places.len()).filter(|&place| places[place]).collect() };
        // Mostly who is there, sometimes who is not: disconnects race with everything.
        let some = |places: &[bool]| match there(places) {
            all if all.is_empty() => (0..places.len()).boxed(),
            all => prop_oneof![9 => prop::sample::select(all), 1 => 0..places.len()].boxed(),
        };
        let absent = |places: &[bool]| match there(&places.iter().map(|there| !there).collect::<Vec<_>>()) {
            all if all.is_empty() => (0..places.len()).boxed(),
            all => prop::sample::select(all).boxed(),
        };
        let (link, slot) = (some(&state.is_open), some(&state.is_joined));
        let topic = 0..TOPICS_EACH;
        let window = prop_oneof![2 => Just(None), 1 => (1..5_u16).prop_map(Some)];
        prop_oneof![
            12 => (Draft::any(), prop_oneof![4 => Just(None), 1 => slot.clone().prop_map(Some)])
                .prop_map(|(draft, except)| Step::Publish(draft, except)),
            2 => (slot.clone(), Draft::any()).prop_map(|(slot, draft)| Step::PublishTo(slot, draft)),
            10 => (link.clone(), 0..12_u32, 0..400_u64, any::<bool>())
                .prop_map(|(link, frames, bytes, is_empty)| Step::Room(link, frames, bytes, is_empty)),
            2 => link.clone().prop_map(|link| Step::Room(link, 500, 1 << 20, true)),
            8 => (slot.clone(), topic.clone(), 0..6_u64).prop_map(|(slot, topic, nth)| Step::Ack(slot, topic, nth)),
            2 => (slot.clone(), topic.clone(), 0..6_u64).prop_map(|(slot, topic, nth)| Step::AckUpTo(slot, topic, nth)),
            2 => (slot.clone(), topic.clone(), 0..6_u64, 1..50_u64)
                .prop_map(|(slot, topic, nth, delay)| Step::Nack(slot, topic, nth, delay)),
            1 => Just(Step::Tick),
            3 => (slot.clone(), 1..200_u64).prop_map(|(slot, ms)| Step::Retain(slot, ms)),
            3 => (0..SLOTS).prop_map(Step::Attach),
            1 => link.clone().prop_map(Step::TakeOver),
            6 => (1..40_u64).prop_map(Step::Pass),
            3 => (slot.clone(), topic.clone(), window).prop_map(|(s, t, window)| Step::Subscribe(s, t, window)),
            1 => (slot.clone(), topic).prop_map(|(slot, topic)| Step::Unsubscribe(slot, topic)),
            1 => slot.clone().prop_map(Step::Tell),
            2 => absent(&state.is_open).prop_map(Step::Open),
            3 => absent(&state.is_joined).prop_map(Step::Join),
            1 => slot.prop_map(Step::Leave),
            1 => link.prop_map(Step::Close),
        ]
        .boxed()
    }

    fn apply(mut state: Self, step: &Step) -> Self {
        match *step {
            Step::Open(link) => state.is_open[link] = true,
            Step::Close(link) => {
                state.is_open[link] = false;
                state.is_joined[link * NAMESPACES..][..NAMESPACES].fill(false);
            }
            Step::Join(slot) => state.is_joined[slot] |= state.is_open[slot / NAMESPACES],
            Step::Leave(slot) => state.is_joined[slot] = false,
            _ => {}
        }
        state
    }
}
