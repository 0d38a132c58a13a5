//! What a client has heard and not yet settled, where acks are wanted.
//!
//! A message whose time is over may be gone from the server's window without a word, so it counts only in doubt.

use std::time::Duration;

use streamfence_core::AckOutcome;

use super::Letter;
use crate::scene::Patience;

#[derive(Debug)]
pub(crate) struct Window {
    most: usize,
    /// How often a message is sent.
    attempts: u32,
    /// Whether that was more before a reload.
    was_lowered: bool,
    patience: Patience,
    /// By offset.
    sent: Vec<Sent>,
    /// The highest offset heard.
    newest: u64,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    letter: Letter,
    attempts: u32,
    /// How often it may be sent by a promise that a reload has lowered since, when it was due already.
    granted: u32,
    /// When it may be sent again, and when it must be, on the link's clock.
    earliest: Duration,
    latest: Duration,
    /// The client came back: it is sent again before anything new.
    comes_first: bool,
}

impl Window {
    pub(crate) fn new(most: usize, attempts: u32, patience: Patience) -> Self {
        Self { most, attempts, was_lowered: false, patience, sent: Vec::new(), newest: 0 }
    }

    /// Goes on under another promise. What is due stays due when it was.
    pub(crate) fn reload(&mut self, most: usize, attempts: u32, patience: Patience, clock: Duration) {
        for sent in self.sent.iter_mut().filter(|sent| sent.earliest <= clock) {
            sent.granted = sent.attempts + 1;
        }
        self.was_lowered |= attempts < self.attempts;
        (self.most, self.attempts, self.patience) = (most, attempts, patience);
    }

    pub(crate) fn hear_first(&mut self, letter: Letter, clock: Duration, now: Duration) {
        let certain = self.sent.iter().filter(|sent| !sent.letter.is_expired(now)).count();
        assert!(certain < self.most, "window: {certain} are unacked, one more was sent, {} may be", self.most);
        assert!(
            !self.sent.iter().any(|sent| sent.comes_first && !sent.letter.is_expired(now)),
            "order: something new was sent before what a client that came back has to hear again"
        );
        let (earliest, latest) = self.due(1, clock);
        self.newest = self.newest.max(letter.offset);
        // Of what was published before a reload, a newer value may come before an older one of another key.
        let place = self.sent.partition_point(|sent| sent.letter.offset < letter.offset);
        let sent = Sent { letter, attempts: 1, granted: 0, earliest, latest, comes_first: false };
        self.sent.insert(place, sent);
    }

    pub(crate) fn hear_again(&mut self, offset: u64, size: u64, attempt: u32, clock: Duration, now: Duration) {
        let place = self.place(offset).unwrap_or_else(|| panic!("retry: {offset} was sent again, settled or unsent"));
        let first = self.sent.iter().position(|sent| sent.comes_first && !sent.letter.is_expired(now));
        let sent = &self.sent[place];
        assert_eq!(sent.letter.size, size, "retry: {offset} has another size than at first");
        assert_eq!(attempt, sent.attempts + 1, "retry: the attempts of {offset} are not counted one by one");
        assert!(attempt <= self.attempts.max(sent.granted), "retry: {offset} was sent {attempt} times");
        assert!(
            clock >= sent.earliest,
            "retry: {offset} was sent again at {clock:?} of its link, {:?} is the earliest",
            sent.earliest
        );
        assert!(!sent.comes_first || first == Some(place), "order: {offset} was sent again before an older one");
        let (earliest, latest) = self.due(attempt, clock);
        let sent = &mut self.sent[place];
        (sent.attempts, sent.earliest, sent.latest, sent.comes_first) = (attempt, earliest, latest, false);
    }

    /// The server has given it up.
    pub(crate) fn lose(&mut self, offset: u64, attempts: u32, clock: Duration) -> Letter {
        let place = self.place(offset).unwrap_or_else(|| panic!("exhaustion: {offset} was settled or never sent"));
        let sent = self.sent.remove(place);
        assert_eq!(attempts, sent.attempts, "exhaustion: {offset} was not sent so often");
        // A reload may have lowered how often it may be sent below how often it was.
        assert!(attempts >= self.attempts, "exhaustion: {offset} has attempts left");
        assert!(attempts == self.attempts || self.was_lowered, "exhaustion: {offset} was sent too often");
        assert!(clock >= sent.earliest, "exhaustion: {offset} was given up at {clock:?}, before {:?}", sent.earliest);
        sent.letter
    }

    pub(crate) fn resume(&mut self, clock: Duration) {
        for sent in &mut self.sent {
            if sent.attempts >= self.attempts {
                sent.earliest = clock + self.patience.ack_timeout();
                sent.latest = sent.earliest;
                sent.comes_first = false;
            } else {
                (sent.earliest, sent.latest, sent.comes_first) = (clock, clock, true);
            }
        }
    }

    /// What an ack of `offset` may be answered with; whatever it is, the message is settled then.
    pub(crate) fn ack(&mut self, offset: u64, now: Duration) -> &'static [AckOutcome] {
        match self.place(offset) {
            Some(place) if self.sent.remove(place).letter.is_expired(now) => &[AckOutcome::Released, AckOutcome::Late],
            Some(_) => &[AckOutcome::Released],
            None if self.newest > 0 && offset <= self.newest => &[AckOutcome::Late],
            None => &[AckOutcome::Unknown],
        }
    }

    /// How many messages an ack of all up to `offset` releases, at least and at most; `None` where it is of nothing.
    pub(crate) fn ack_up_to(&mut self, offset: u64, now: Duration) -> Option<(u64, u64)> {
        if self.newest == 0 || offset > self.newest {
            return None;
        }
        let (mut least, mut most) = (0, 0);
        self.sent.retain(|sent| {
            let is_released = sent.letter.offset <= offset;
            most += u64::from(is_released);
            least += u64::from(is_released && !sent.letter.is_expired(now));
            !is_released
        });
        Some((least, most))
    }

    pub(crate) fn nack(
        &mut self,
        offset: u64,
        delay: Duration,
        clock: Duration,
        now: Duration,
    ) -> &'static [AckOutcome] {
        let Some(place) = self.place(offset) else {
            return if self.newest > 0 && offset <= self.newest { &[AckOutcome::Late] } else { &[AckOutcome::Unknown] };
        };
        let sent = &mut self.sent[place];
        sent.earliest = clock + delay;
        (sent.latest, sent.comes_first) = (sent.earliest, false);
        if sent.letter.is_expired(now) { &[AckOutcome::Nacked, AckOutcome::Late] } else { &[AckOutcome::Nacked] }
    }

    /// How many the server holds, at least and at most.
    pub(crate) fn held(&self, now: Duration) -> (usize, usize) {
        (self.sent.iter().filter(|sent| !sent.letter.is_expired(now)).count(), self.sent.len())
    }

    /// What waits to be acked.
    pub(crate) fn unacked(&self) -> impl DoubleEndedIterator<Item = u64> + '_ {
        self.sent.iter().map(|sent| sent.letter.offset)
    }

    pub(crate) fn newest(&self) -> u64 {
        self.newest
    }

    /// When something must be sent again or given up next, if nothing is late.
    pub(crate) fn next_due(&self, clock: Duration, now: Duration) -> Option<Duration> {
        let certain = self.sent.iter().filter(|sent| !sent.letter.is_expired(now));
        certain.filter(|sent| sent.latest > clock).map(|sent| sent.latest).min()
    }

    /// A message that should have been sent again or given up by now.
    pub(crate) fn late(&self, clock: Duration, now: Duration) -> Option<u64> {
        let mut certain = self.sent.iter().filter(|sent| !sent.letter.is_expired(now));
        certain.find(|sent| sent.latest <= clock).map(|sent| sent.letter.offset)
    }

    fn place(&self, offset: u64) -> Option<usize> {
        self.sent.binary_search_by_key(&offset, |sent| sent.letter.offset).ok()
    }

    fn due(&self, attempt: u32, clock: Duration) -> (Duration, Duration) {
        let (earliest, latest) = self.patience.of_attempt(attempt);
        (clock + earliest, clock + latest)
    }
}
