//! One subscription, from the client's side: what was meant for it, what it heard, and what it was told it missed.
//!
//! Nothing here copies how a lane works. It says what may not happen: a message out of order, twice, unasked for, lost
//! without a reason, or told of wrongly.

mod acks;
mod receipts;
mod rest;
mod rhythm;
mod window;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use streamfence_core::{Gap, LossReason, Wishes};

use crate::scene::{Order, Rule};
use receipts::Receipts;
use rhythm::Rhythm;
pub(crate) use window::Window;

/// A message, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Letter {
    pub(crate) offset: u64,
    pub(crate) size: u64,
    /// Its number among the keys of its topic.
    pub(crate) key: usize,
    pub(crate) expires: Option<Duration>,
    /// Whether it was published to be acked, which it is where the lane has a window.
    pub(crate) is_promised: bool,
    /// Whether a client that never acks it is cut.
    pub(crate) is_fatal: bool,
    /// Whether it was published to be acked or confirmed: a lane without a window for the one has it for the other.
    pub(crate) wants_receipt: bool,
}

/// What a client is asked to say of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// Nothing: it was delivered with this.
    Nothing,
    /// That it has it, so that another may be sent.
    Receipt,
    /// That it has it, and until then it is sent again.
    Ack,
}

impl Letter {
    pub(crate) fn is_expired(&self, now: Duration) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }
}

/// How much a lane holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

/// What an offer did to a lane, where that follows from its load.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) refused: u64,
    pub(crate) displaced: u64,
}

#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) rule: Arc<Rule>,
    /// Offered and not yet heard, by offset.
    waiting: VecDeque<(Letter, Fate)>,
    pub(crate) window: Option<Window>,
    receipts: Option<Receipts>,
    wishes: Wishes,
    /// Whether its lane holds, or held, values for their interval.
    has_held: bool,
    /// When it heard the last value of each key.
    rhythm: Rhythm,
    /// Whether it holds, or held, messages under another rule than the one it has now. Of those it is only known that
    /// none comes twice, none that was lost, and none after a newer value of its key.
    is_mixed: bool,
    /// Whether it holds messages of which it is not known whether they had to make way for want of memory, and whether
    /// it ever did.
    is_strained: bool,
    was_strained: bool,
    /// What it held when its limits were lowered: it may hold that much, and never more.
    excess: Load,
    /// The highest offset heard, and of each key; 0 before the first.
    newest: u64,
    newest_of_key: Vec<u64>,
    /// The newest offered of each key that the lane must have taken.
    newest_offered: Vec<u64>,
    /// What was told missed since the last new message.
    told: Vec<Gap>,
    /// What was ever told, and which of it may come once more since the client has come back: it may have been lost
    /// with its connection.
    told_before: Vec<Gap>,
    may_come_again: Vec<Gap>,
    pub(crate) is_overflowing: bool,
    /// What the ends of its overflows say it lost.
    pub(crate) lost: u64,
    totals: Totals,
}

/// What is known of a message that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is queued.
    Queued,
    /// It is lost, or a newer value has taken its place.
    Lost,
    /// Its lane holds messages in doubt, and so it may be either.
    Unsure,
}

#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    offered: u64,
    heard: u64,
    too_large: u64,
    /// Missed, and none the worse for it: a newer value took its place.
    superseded: u64,
    missed: u64,
    /// Of those missed, how many may be so because their time was over.
    expired: u64,
    /// The counts of all notices.
    told: u64,
}

impl Ledger {
    pub(crate) fn new(rule: &Arc<Rule>, wishes: Wishes) -> Self {
        let rule = rule.for_wishes(wishes);
        let window =
            rule.promise().map(|(widest, attempts)| Window::new(at_most(widest, wishes), attempts, rule.patience));
        let receipts = rule.receipt_window().map(|widest| Receipts::new(at_most(widest, wishes)));
        let keys = rule.keys as usize + 1;
        let has_held = rule.interval().is_some();
        Self {
            rule,
            waiting: VecDeque::new(),
            window,
            receipts,
            wishes,
            has_held,
            rhythm: Rhythm::new(keys),
            is_mixed: false,
            is_strained: false,
            was_strained: false,
            excess: Load::default(),
            newest: 0,
            newest_of_key: vec![0; keys],
            newest_offered: vec![0; keys],
            told: Vec::new(),
            told_before: Vec::new(),
            may_come_again: Vec::new(),
            is_overflowing: false,
            lost: 0,
            totals: Totals::default(),
        }
    }

    /// The message was offered to the lane, which held so much before and after.
    pub(crate) fn offer(&mut self, letter: Letter, before: Load, after: Load, now: Duration) -> Taken {
        let limits = self.rule.policy.limits;
        let (most, most_bytes) = (u64::from(limits.messages.get()), limits.bytes.get());
        self.check_limits(before, after);
        self.totals.offered += 1;
        let is_late = letter.is_expired(now);
        let is_too_large = letter.size > most_bytes;
        self.totals.too_large += u64::from(is_too_large && !is_late);
        if is_late || is_too_large {
            self.waiting.push_back((letter, Fate::Lost));
            assert!(!self.is_plain() || before == after, "admission: a lane changed for what it cannot take");
            return Taken { refused: 1, displaced: 0 };
        }
        self.newest_offered[letter.key] = letter.offset;
        if self.rule.policy.spills() {
            // It lies in the lane or on disk, or there was no place for it.
            self.waiting.push_back((letter, Fate::Unsure));
            return Taken::default();
        }
        // What has expired may still be counted in `before`: there may be more room than it seems, never less.
        let fits = before.messages < most && before.bytes + letter.size <= most_bytes;
        match self.rule.order() {
            _ if self.is_mixed || self.is_strained => {
                self.waiting.push_back((letter, Fate::Unsure));
                Taken::default()
            }
            Order::Newest => self.offer_newest(letter, after, now),
            Order::ByKey => {
                // Only for want of bytes may an older value stay where a newer one is to be.
                if self.rule.displaces() || before.bytes + letter.size <= most_bytes {
                    for (_, fate) in self.waiting.iter_mut().filter(|(older, _)| older.key == letter.key) {
                        *fate = Fate::Lost;
                    }
                }
                self.waiting.push_back((letter, Fate::Unsure));
                Taken::default()
            }
            Order::Kept if fits => {
                let grown = Load { messages: before.messages + 1, bytes: before.bytes + letter.size };
                assert!(!self.is_plain() || after == grown, "admission: {letter:?} fits {before:?}, got {after:?}");
                self.waiting.push_back((letter, Fate::Queued));
                Taken::default()
            }
            Order::Kept if self.rule.displaces() => self.offer_to_full(letter, before, after),
            Order::Kept if self.is_plain() => {
                assert_eq!(before, after, "admission: a full lane took {letter:?}");
                self.waiting.push_back((letter, Fate::Lost));
                Taken { refused: 1, displaced: 0 }
            }
            Order::Kept => {
                self.waiting.push_back((letter, Fate::Unsure));
                Taken::default()
            }
        }
    }

    /// The same, while memory was short: it may be refused, and others may have made way for it.
    pub(crate) fn offer_tight(&mut self, letter: Letter, before: Load, after: Load, now: Duration) -> Taken {
        if self.is_refused(letter, now) {
            return self.offer(letter, before, after, now);
        }
        self.strain();
        self.check_limits(before, after);
        self.totals.offered += 1;
        self.waiting.push_back((letter, Fate::Unsure));
        Taken::default()
    }

    /// What it holds may have made way for want of memory.
    pub(crate) fn strain(&mut self) {
        (self.is_strained, self.was_strained) = (true, true);
        for (_, fate) in self.waiting.iter_mut().filter(|(_, fate)| *fate == Fate::Queued) {
            *fate = Fate::Unsure;
        }
    }

    /// Whether all it holds may make way for want of memory: nothing of it was promised to be sent until it is acked.
    pub(crate) fn gives_way(&self) -> bool {
        let is_promised = self.waiting.iter().any(|(letter, _)| letter.is_promised);
        self.rule.policy.gives_way() && !self.is_mixed && !is_promised
    }

    /// Whether no lane of its rule takes the message.
    fn is_refused(&self, letter: Letter, now: Duration) -> bool {
        letter.is_expired(now) || letter.size > self.rule.policy.limits.bytes.get()
    }

    fn check_limits(&mut self, before: Load, after: Load) {
        let limits = self.rule.policy.limits;
        let (most, most_bytes) = (u64::from(limits.messages.get()), limits.bytes.get());
        let may_hold = Load { messages: most.max(before.messages), bytes: most_bytes.max(before.bytes) };
        assert!(
            after.messages <= may_hold.messages && after.bytes <= may_hold.bytes,
            "limits: a lane of {limits:?} went from {before:?} to {after:?}"
        );
        self.excess.messages = self.excess.messages.min(after.messages);
        self.excess.bytes = self.excess.bytes.min(after.bytes);
        assert!(after.messages <= before.messages + 1, "admission: one message became more");
    }

    /// The lane has just opened, and was offered these values, one a key. It holds so much now; so many gave way, and
    /// so many were refused because it was full. Says how many were refused because they are too large.
    pub(crate) fn offer_last(
        &mut self,
        values: &[Letter],
        load: Load,
        gone: [u64; 2],
        is_tight: bool,
        now: Duration,
    ) -> u64 {
        if is_tight {
            self.strain();
        } else if let [value] = values {
            return self.offer(*value, Load::default(), load, now).refused;
        }
        let limits = self.rule.policy.limits;
        let (large, fitting): (Vec<Letter>, Vec<Letter>) =
            values.iter().partition(|value| value.size > limits.bytes.get());
        for value in values {
            let is_large = value.size > limits.bytes.get();
            self.waiting.push_back((*value, if is_large { Fate::Lost } else { Fate::Unsure }));
            if !is_large {
                self.newest_offered[value.key] = value.offset;
            }
        }
        let all = Load { messages: fitting.len() as u64, bytes: fitting.iter().map(|value| value.size).sum() };
        if !is_tight && all.messages <= u64::from(limits.messages.get()) && all.bytes <= limits.bytes.get() {
            assert_eq!(load, all, "last values: a newcomer gets all that fit");
        }
        assert_eq!(load.messages + gone[0] + gone[1], all.messages, "last values: each is held or told of");
        self.totals.offered += values.len() as u64;
        self.totals.too_large += large.len() as u64;
        large.len() as u64
    }

    fn offer_newest(&mut self, letter: Letter, after: Load, now: Duration) -> Taken {
        let totals = &mut self.totals;
        self.waiting.retain_mut(|(older, fate)| {
            if *fate == Fate::Queued && older.is_expired(now) {
                *fate = Fate::Lost;
            }
            totals.superseded += u64::from(*fate == Fate::Queued);
            *fate != Fate::Queued
        });
        self.waiting.push_back((letter, Fate::Queued));
        assert_eq!(after, Load { messages: 1, bytes: letter.size }, "admission: the newest value is all there is");
        Taken::default()
    }

    /// The oldest give way, and no more of them than must.
    fn offer_to_full(&mut self, letter: Letter, before: Load, after: Load) -> Taken {
        if !self.is_plain() {
            // Which gave way is not known: each message that waits may have.
            for (_, fate) in self.waiting.iter_mut().filter(|(_, fate)| *fate == Fate::Queued) {
                *fate = Fate::Unsure;
            }
            self.waiting.push_back((letter, Fate::Queued));
            return Taken::default();
        }
        let limits = self.rule.policy.limits;
        let displaced = before.messages + 1 - after.messages;
        let mut left = before;
        for (older, fate) in self.waiting.iter_mut().filter(|(_, fate)| *fate == Fate::Queued).take(displaced as usize)
        {
            let fits =
                left.messages < u64::from(limits.messages.get()) && left.bytes + letter.size <= limits.bytes.get();
            assert!(!fits, "admission: {displaced} gave way where fewer would have done");
            *fate = Fate::Lost;
            left = Load { messages: left.messages - 1, bytes: left.bytes - older.size };
        }
        let grown = Load { messages: left.messages + 1, bytes: left.bytes + letter.size };
        assert_eq!(grown, after, "admission: not the oldest gave way");
        self.waiting.push_back((letter, Fate::Queued));
        Taken { refused: 0, displaced }
    }

    /// Its topic has another rule now, and this is what the lane holds.
    pub(crate) fn reload(&mut self, rule: &Arc<Rule>, load: Load, clock: Duration, now: Duration) {
        let rule = rule.for_wishes(self.wishes);
        if !rule.continues(&self.rule) && !self.is_mixed {
            self.is_mixed = true;
            for (_, fate) in self.waiting.iter_mut().filter(|(_, fate)| *fate == Fate::Queued) {
                *fate = Fate::Unsure;
            }
        }
        self.rhythm.reload(self.rule.interval(), now);
        self.has_held |= rule.interval().is_some();
        self.rule = rule.clone();
        self.excess = load;
        // A window that no message needs any more is still there for those that are in it.
        if let Some((widest, attempts)) = rule.promise() {
            let most = at_most(widest, self.wishes);
            match &mut self.window {
                Some(window) => window.reload(most, attempts, rule.patience, clock),
                None => self.window = Some(Window::new(most, attempts, rule.patience)),
            }
        }
        let most = rule.receipt_window().map(|widest| at_most(widest, self.wishes));
        match (&mut self.receipts, most) {
            (Some(receipts), Some(most)) => receipts.reload(most),
            (receipts, most) => *receipts = most.map(Receipts::new),
        }
    }

    /// When a value that is held for its interval is to leave, where there is nothing else to send.
    pub(crate) fn next_value(&self) -> Option<Duration> {
        let interval = self.rule.interval()?;
        // What is lost, or in doubt, is not to be waited for.
        let is_certain = !self.is_mixed
            && !self.was_strained
            && self.rule.ttl_ms.is_none()
            && self.lost == 0
            && !self.is_overflowing;
        let is_shut = self.receipts.as_ref().is_some_and(Receipts::is_full);
        if !is_certain || is_shut || self.rule.order() != Order::ByKey {
            return None;
        }
        let keys = 0..self.newest_offered.len();
        let held = keys.filter(|&key| self.newest_offered[key] > self.newest_of_key[key]);
        held.filter_map(|key| self.rhythm.next(key, interval)).min()
    }

    /// Whether what becomes of an offer follows from its load.
    pub(crate) fn is_plain(&self) -> bool {
        self.rule.is_plain() && !self.is_mixed && !self.is_strained
    }

    /// The client heard a message, and this is what it is asked to say of it.
    pub(crate) fn hear(&mut self, offset: u64, size: u64, attempt: u32, clock: Duration, now: Duration) -> Asks {
        if attempt > 1 {
            let window = self.window.as_mut().expect("retry: a message that needs no ack was sent again");
            window.hear_again(offset, size, attempt, clock, now);
            return Asks::Ack;
        }
        let letter = match self.rule.order() {
            _ if self.is_mixed => self.take_by_key(offset),
            Order::ByKey => self.take_by_key(offset),
            Order::Kept | Order::Newest => self.take_in_order(offset, now),
        };
        assert_eq!(letter.offset, offset, "order: {offset} was sent, {} was next", letter.offset);
        assert_eq!(letter.size, size, "content: {offset} has another size than what was published");
        self.totals.heard += 1;
        self.newest = self.newest.max(offset);
        self.newest_of_key[letter.key] = offset;
        if let Some(interval) = self.rule.interval().filter(|_| !self.is_mixed) {
            // A lane that holds one value has one rhythm, whatever the key.
            let key = if self.rule.order() == Order::Newest { 0 } else { letter.key };
            self.rhythm.hear(key, interval, now);
        }
        match (&mut self.window, &mut self.receipts) {
            (Some(window), _) if letter.is_promised => {
                window.hear_first(letter, clock, now);
                Asks::Ack
            }
            (_, Some(receipts)) if letter.wants_receipt => {
                receipts.hear(offset);
                Asks::Receipt
            }
            _ => Asks::Nothing,
        }
    }

    fn take_in_order(&mut self, offset: u64, now: Duration) -> Letter {
        assert!(offset > self.newest, "order: {offset} was sent after {}", self.newest);
        let mut missed = Vec::new();
        let letter = loop {
            let next = self.waiting.pop_front();
            let (letter, fate) =
                next.unwrap_or_else(|| panic!("{offset} was sent, which was not meant for this client"));
            if letter.offset >= offset {
                assert!(fate != Fate::Lost, "loss: {offset} was sent after it had been counted as lost");
                break letter;
            }
            let is_expired = letter.is_expired(now);
            assert!(is_expired || fate != Fate::Queued, "loss: {} was admitted, and {offset} was sent", letter.offset);
            self.totals.missed += 1;
            self.totals.expired += u64::from(is_expired);
            missed.push(letter.offset);
        };
        self.check_told(&missed);
        letter
    }

    fn take_by_key(&mut self, offset: u64) -> Letter {
        let place = self.waiting.binary_search_by_key(&offset, |(letter, _)| letter.offset);
        let place =
            place.unwrap_or_else(|_| panic!("{offset} was sent, which was not meant for this client, or twice"));
        let (letter, fate) = self.waiting[place];
        assert!(fate != Fate::Lost, "loss: {offset} was sent after it had been counted as lost");
        let newest = self.newest_of_key[letter.key];
        assert!(offset > newest, "order: {offset} was sent after {newest}, a newer value of its key");
        let before = self.waiting.len();
        self.waiting.retain(|(other, _)| other.key != letter.key || other.offset > offset);
        self.totals.missed += (before - self.waiting.len()) as u64 - 1;
        self.told.clear();
        letter
    }

    /// The client was told that it missed something.
    pub(crate) fn hear_gap(&mut self, gap: Gap) {
        let Gap { from, to, count, reason } = gap;
        assert!(self.rule.policy.gap_notices || self.is_mixed, "gaps: told of a gap where none was asked for");
        assert!(count > 0 && from <= to && u64::from(count) <= to.0 - from.0 + 1, "gaps: {gap:?} cannot be");
        let may_be = match reason {
            LossReason::Displaced => self.rule.displaces() || self.is_mixed || self.was_strained,
            LossReason::Expired => self.rule.ttl_ms.is_some(),
            LossReason::Damaged => false,
            // What is too large is refused everywhere.
            LossReason::Rejected => true,
        };
        assert!(may_be, "gaps: {gap:?} has a reason this topic does not know");
        if self.may_come_again.iter().any(|told| told.from == from) {
            // Several may be told again as one, where there are too many.
            let within = self.told_before.iter().filter(|told| from <= told.from && told.to <= to);
            let most = within.map(|told| told.count).sum::<u32>();
            assert!(count <= most, "gaps: {gap:?} was told again, of {most} told before");
            self.may_come_again.retain(|told| told.from != from);
            return;
        }
        self.told_before.push(gap);
        self.totals.told += u64::from(count);
        self.told.push(gap);
    }

    /// Where order is kept, what was told is exactly what was missed.
    fn check_told(&mut self, missed: &[u64]) {
        let told = std::mem::take(&mut self.told);
        // A value that is held for its interval may come after a notice of what was missed behind it. That all is told
        // in the end is checked at rest.
        let is_unsure = self.was_strained && self.rule.order() == Order::Newest;
        if !self.rule.policy.gap_notices || self.is_mixed || self.has_held || is_unsure {
            return;
        }
        let mut rest = missed;
        for gap in &told {
            let (mine, later) = rest.split_at(rest.partition_point(|&offset| offset <= gap.to.0));
            let found = (mine.first().copied(), mine.last().copied(), mine.len());
            let wanted = (Some(gap.from.0), Some(gap.to.0), gap.count as usize);
            assert_eq!(found, wanted, "gaps: {told:?} was told, {missed:?} was missed");
            rest = later;
        }
        assert!(rest.is_empty(), "gaps: {missed:?} was missed, {told:?} was told");
    }

    pub(crate) fn resume(&mut self, clock: Duration) {
        if let Some(window) = &mut self.window {
            window.resume(clock);
            self.may_come_again = self.told_before.clone();
        }
        if let Some(receipts) = &mut self.receipts {
            receipts.resume();
        }
    }

    /// The lane holds what follows from what was offered, heard and acked.
    pub(crate) fn check_load(&self, load: Load, now: Duration) {
        let is_shed = self.was_strained;
        let limits = self.rule.policy.limits;
        let most = u64::from(limits.messages.get()).max(self.excess.messages);
        // A message from disk that is larger than a lane has become is taken alone.
        let is_alone = load.messages == 1 && (self.rule.policy.spills() || self.is_mixed);
        assert!(
            is_alone || load.messages <= most && load.bytes <= limits.bytes.get().max(self.excess.bytes),
            "limits: a lane holds {load:?} of {limits:?}, or {:?} from before",
            self.excess
        );
        let is_shut = self.receipts.as_ref().is_some_and(Receipts::is_full);
        assert!(
            load.messages > 0
                || is_shut
                || is_shed
                || !self.is_overflowing
                || self.rule.policy.spills()
                || self.is_mixed,
            "events: an overflow goes on in an empty lane"
        );
        let unacked = self.window.as_ref().map_or((0, 0), |window| window.held(now));
        assert!(load.messages >= unacked.0 as u64, "window: a lane forgot what is in flight");
        if self.is_plain() {
            let queued = self.waiting.iter().filter(|(_, fate)| *fate == Fate::Queued).count();
            assert_eq!(load.messages, (queued + unacked.1) as u64, "a lane holds what was admitted and not settled");
        }
    }

    /// How much its lane may have held when it ended unseen, at least and at most.
    pub(crate) fn may_hold(&self, now: Duration) -> (u64, u64) {
        let unacked = self.window.as_ref().map_or((0, 0), |window| window.held(now));
        if self.is_plain() {
            let queued = self.waiting.iter().filter(|(_, fate)| *fate == Fate::Queued).count();
            return ((queued + unacked.1) as u64, (queued + unacked.1) as u64);
        }
        let in_lane = u64::from(self.rule.policy.limits.messages.get()).max(self.excess.messages);
        let in_all = if self.rule.policy.spills() || self.is_mixed { self.waiting.len() as u64 } else { 0 };
        (unacked.0 as u64, unacked.1 as u64 + in_lane.max(in_all))
    }
}

/// The window of a client that may have wished for a smaller one.
fn at_most(widest: usize, wishes: Wishes) -> usize {
    wishes.window.map_or(widest, |wanted| usize::from(wanted.get()).min(widest))
}
