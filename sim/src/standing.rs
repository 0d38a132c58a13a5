//! How far a client is behind, as far as that can be seen from outside, where there is a ladder for it.
//!
//! Nothing here decides. It says what may not be: that a client is called slow that was in time a moment ago, that one is
//! evicted that moves, and that one is neither though its time is up.

use std::time::Duration;

use streamfence_core::TopicId;

use crate::ledger::Load;
use crate::scene::Rungs;

#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// What each of its lanes held at the last look.
    loads: Vec<(TopicId, Load)>,
    /// When it was last seen in time, and when before that: it may be so again at the moment it was called slow.
    in_time: [Duration; 2],
    /// When it was first seen behind since.
    behind: Option<Duration>,
    /// When it last did something that sets its patience back, or was not pressing.
    moved: Duration,
    /// When it was first seen pressing since.
    pressing: Option<Duration>,
    /// Since when it may be behind, and for how long it was, where it was called slow.
    slow: Option<Slow>,
}

#[derive(Clone, Copy, Debug)]
struct Slow {
    in_time: Duration,
    patience: Duration,
}

impl Standing {
    /// Nobody has looked at it, or nobody does any more.
    pub(crate) fn begin_anew(&mut self, now: Duration) {
        self.loads.clear();
        self.see_in_time(now);
        self.progress(now);
    }

    /// Something of its lanes was sent for the first time, or acked.
    pub(crate) fn progress(&mut self, now: Duration) {
        self.moved = now;
        self.pressing = None;
    }

    /// Its lanes hold so much. Nobody is to blame for what is held for its interval, so whoever has such a lane may be
    /// evicted, or not.
    pub(crate) fn look(
        &mut self,
        rungs: &Rungs,
        loads: impl Iterator<Item = (TopicId, Load)>,
        has_intervals: bool,
        now: Duration,
    ) {
        self.loads.clear();
        self.loads.extend(loads);
        let held = sum(&self.loads);
        if rungs.is_behind(held) {
            self.behind.get_or_insert(now);
        } else {
            self.see_in_time(now);
        }
        if !rungs.is_pressing(held) {
            self.progress(now);
        } else if has_intervals {
            self.pressing = None;
        } else {
            self.pressing.get_or_insert(now);
        }
    }

    /// It was called slow.
    pub(crate) fn begin_slow(&mut self, rungs: &Rungs, held: Load, now: Duration) {
        assert!(self.slow.is_none(), "ladder: a client became slow twice");
        assert!(rungs.is_behind(held), "ladder: a client is slow that holds {held:?} of {rungs:?}");
        let [last, before] = self.in_time;
        let in_time = if last == now { before } else { last };
        let patience = rungs.patience;
        assert!(now - in_time >= patience, "ladder: slow at {now:?}, in time at {in_time:?}, wanted {patience:?}");
        self.slow = Some(Slow { in_time, patience });
    }

    /// It was called so no more.
    pub(crate) fn end_slow(&mut self, lasted: Duration, now: Duration) {
        let slow = self.slow.take().expect("ladder: a client ceased to be slow that was not");
        let (least, most) = (slow.patience, now - slow.in_time);
        assert!((least..=most).contains(&lasted), "ladder: slow for {lasted:?}, not {least:?} to {most:?}");
    }

    pub(crate) fn is_slow(&self) -> bool {
        self.slow.is_some()
    }

    /// It was evicted, or a lane of it.
    pub(crate) fn evict(&mut self, rungs: &Rungs, now: Duration) {
        let (moved, patience) = (self.moved, rungs.patience);
        assert!(now - moved >= patience, "ladder: evicted at {now:?}, moved at {moved:?}, patience of {patience:?}");
        let held = sum(&self.loads);
        assert!(rungs.is_pressing(held), "ladder: evicted with {held:?} of {rungs:?}");
        self.progress(now);
    }

    /// A lane of it was taken because it held the most, and the others hold so much.
    pub(crate) fn check_fullest(&self, topic: TopicId, others: impl Iterator<Item = (TopicId, Load)>) {
        let lost = self.loads.iter().find(|(of, _)| *of == topic).map_or(Load::default(), |(_, load)| *load);
        let others: Vec<(TopicId, Load)> = others.collect();
        let (messages, bytes) = (
            others.iter().map(|(_, load)| load.messages).max().unwrap_or(0),
            others.iter().map(|(_, load)| load.bytes).max().unwrap_or(0),
        );
        let is_fullest = lost.messages >= messages || lost.bytes >= bytes;
        assert!(is_fullest, "ladder: a lane with {lost:?} was ended, others hold {messages} messages, {bytes} bytes");
    }

    /// When it is to be called slow, and when it is to be evicted, if nothing happens.
    pub(crate) fn due(&self, rungs: &Rungs) -> [Option<Duration>; 2] {
        let slow = self.behind.filter(|_| self.slow.is_none());
        [slow, self.pressing].map(|since| Some(since?.saturating_add(rungs.patience)))
    }

    fn see_in_time(&mut self, now: Duration) {
        if self.in_time[0] < now {
            self.in_time = [now, self.in_time[0]];
        }
        self.behind = None;
    }
}

fn sum(loads: &[(TopicId, Load)]) -> Load {
    let load = |sum: Load, (_, load): &(TopicId, Load)| Load {
        messages: sum.messages + load.messages,
        bytes: sum.bytes + load.bytes,
    };
    loads.iter().fold(Load::default(), load)
}
