//! What a shard has not heard yet.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use streamfence_core::{LogId, LogPosition, SpillCompletion, SpillHealth};

/// Wraps a block that was read.
pub(super) type Own = Arc<dyn Fn(Bytes) -> Bytes + Send + Sync>;

/// The completions of one shard. Bounded: news of a log are merged, and there are no more answers than reads.
pub(super) struct Outbox {
    own: Option<Own>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    line: VecDeque<Next>,
    news: BTreeMap<LogId, News>,
    waker: Option<Waker>,
}

enum Next {
    /// What there is new of a log.
    News(LogId),
    Records(SpillCompletion),
}

/// What there is to say of a log.
#[derive(Default)]
struct News {
    granted: u64,
    appended: Option<LogPosition>,
    health: Option<SpillHealth>,
}

impl Outbox {
    pub(super) fn new(own: Option<Own>) -> Self {
        Self { own, state: Mutex::default() }
    }

    /// Wraps a block for the one who gets its records.
    pub(super) fn own(&self, block: Bytes) -> Bytes {
        match &self.own {
            Some(own) => own(block),
            None => block,
        }
    }

    /// Adds a completion, and says whom to wake.
    pub(super) fn push(&self, completion: SpillCompletion) -> Option<Waker> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { line, news, waker } = &mut *state;
        if let SpillCompletion::Records { .. } = completion {
            line.push_back(Next::Records(completion));
            return waker.take();
        }
        let log = completion.log();
        let news = news.entry(log).or_insert_with(|| {
            line.push_back(Next::News(log));
            News::default()
        });
        match completion {
            SpillCompletion::Granted { bytes, .. } => news.granted += bytes,
            SpillCompletion::Appended { upto, .. } => news.appended = Some(upto),
            SpillCompletion::Health { health, .. } => news.health = Some(health),
            SpillCompletion::Records { .. } => {}
        }
        waker.take()
    }

    /// Takes the oldest completion, or remembers whom to wake.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<SpillCompletion> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let log = match state.line.front() {
                None => {
                    state.waker = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                Some(Next::News(log)) => *log,
                Some(Next::Records(_)) => match state.line.pop_front() {
                    Some(Next::Records(records)) => return Poll::Ready(records),
                    _ => continue,
                },
            };
            if let Some(completion) = state.news.get_mut(&log).and_then(|news| news.next(log)) {
                return Poll::Ready(completion);
            }
            state.news.remove(&log);
            state.line.pop_front();
        }
    }
}

impl News {
    /// What was written before how it stands, so that a failure is heard after what went well.
    fn next(&mut self, log: LogId) -> Option<SpillCompletion> {
        if let Some(upto) = self.appended.take() {
            return Some(SpillCompletion::Appended { log, upto });
        }
        if let Some(health) = self.health.take() {
            return Some(SpillCompletion::Health { log, health });
        }
        let bytes = std::mem::take(&mut self.granted);
        (bytes > 0).then_some(SpillCompletion::Granted { log, bytes })
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").finish_non_exhaustive()
    }
}
