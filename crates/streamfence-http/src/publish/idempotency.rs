//! Requests that are made twice and carried out once: what was answered to them is kept for a while.
//!
//! Bounded: a key that would be one too many is refused, and where answers take too much memory the oldest are forgotten.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use tokio::time::Instant;

use super::answer::Answer;
use crate::keys::Caller;
use crate::problem::{Code, Problem};

/// How long an answer is kept.
const KEPT_FOR: Duration = Duration::from_secs(300);
/// How many keys are remembered at once.
const MOST_KEYS: usize = 65_536;
/// How many of them are of one caller, where callers are told apart: the others have theirs.
const MOST_KEYS_OF_ONE: usize = MOST_KEYS / 4;
/// How many bytes of answers are kept at once.
const MOST_BYTES: usize = 16 << 20;
/// The most bytes of a key.
const MAX_KEY_BYTES: usize = 255;

/// The header of a key.
pub(super) const HEADER: &str = "idempotency-key";

/// What was answered to requests that name themselves. Clones are the same memory.
#[derive(Clone, Default)]
pub(crate) struct Idempotency(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Of this process alone: what it makes of a request tells nobody else anything.
    hasher: RandomState,
}

#[derive(Default)]
struct State {
    requests: HashMap<Key, Request>,
    /// How many of those are of each caller that has any.
    of_callers: HashMap<Option<Arc<str>>, usize>,
    /// What is answered, the oldest first.
    answered: VecDeque<(Instant, Key)>,
    /// Of all answers.
    bytes: usize,
}

/// Whose request it is, and what it calls it: two callers may use the same word.
type Key = (Option<Arc<str>>, Arc<str>);

struct Request {
    fingerprint: u64,
    /// `None` while it is carried out.
    answer: Option<Answer>,
}

/// What a request has to say of itself.
pub(super) struct Name {
    key: Key,
    fingerprint: u64,
}

/// A request that is being carried out. Dropped without an answer, it was never made.
struct Ticket {
    memory: Idempotency,
    key: Key,
}

enum Begun {
    New(Ticket),
    Known(Answer),
}

impl Idempotency {
    /// What a request is called, by its header or by its `id`; `None` where neither is there.
    pub(super) fn name(
        &self,
        caller: &Caller,
        headers: &HeaderMap,
        id: Option<&str>,
        request: impl Hash,
    ) -> Result<Option<Name>, Problem> {
        let mut given = headers.get_all(HEADER).iter();
        let header = given.next();
        if given.any(|other| Some(other) != header) {
            return Err(Problem::bad_request("there are two idempotency-keys that differ; wanted one"));
        }
        let header = header.map(|header| header.to_str());
        let header = header.transpose().map_err(|_| Problem::bad_request("idempotency-key is not readable text"))?;
        let word = match (header, id) {
            (Some(header), Some(id)) if header != id => {
                return Err(Problem::bad_request("idempotency-key and id differ; wanted one of them, or the same"));
            }
            (header, id) => header.or(id),
        };
        let Some(word) = word else { return Ok(None) };
        if word.is_empty() || word.len() > MAX_KEY_BYTES {
            let found = word.len();
            return Err(Problem::bad_request(format!("the idempotency key has {found} bytes; wanted 1 to 255")));
        }
        let fingerprint = self.0.hasher.hash_one(request);
        Ok(Some(Name { key: (caller.name().cloned(), word.into()), fingerprint }))
    }

    /// Carries a request out, unless that was done already. One that has no name is carried out each time.
    ///
    /// One that has is carried out to its end even if whoever made it hangs up, so that its answer is there to be asked
    /// for.
    pub(super) async fn once(
        &self,
        name: Option<Name>,
        work: impl Future<Output = Answer> + Send + 'static,
    ) -> Response {
        match self.answer(name, work).await {
            (answer, false) => answer.into_response(),
            (answer, true) => answer.replayed(),
        }
    }

    /// The same, as one of several: the answer, and whether it is an old one.
    pub(super) async fn answer(
        &self,
        name: Option<Name>,
        work: impl Future<Output = Answer> + Send + 'static,
    ) -> (Answer, bool) {
        let Some(name) = name else { return (work.await, false) };
        let ticket = match self.begin(name) {
            Ok(Begun::New(ticket)) => ticket,
            Ok(Begun::Known(answer)) => return (answer, true),
            Err(problem) => return (problem.into(), false),
        };
        let carried_out = tokio::spawn(async move {
            let answer = work.await;
            ticket.finish(&answer);
            answer
        });
        let answer = carried_out.await.unwrap_or_else(|_| {
            Problem::new(Code::Internal, "the request was not carried out to its end; the log says why").into()
        });
        (answer, false)
    }

    fn begin(&self, Name { key, fingerprint }: Name) -> Result<Begun, Problem> {
        let mut state = self.lock();
        state.forget_old(Instant::now());
        match state.requests.get(&key) {
            Some(request) if request.fingerprint != fingerprint => {
                let detail = format!("{:?} came with another request before; wanted a key of its own", key.1);
                Err(Problem::new(Code::IdempotencyConflict, detail))
            }
            Some(Request { answer: Some(answer), .. }) => Ok(Begun::Known(answer.clone())),
            Some(Request { answer: None, .. }) => {
                let detail = format!("the first request with {:?} is not answered yet", key.1);
                Err(Problem::new(Code::IdempotencyInFlight, detail))
            }
            None if state.requests.len() >= MOST_KEYS => {
                let detail = format!("{MOST_KEYS} idempotency keys are the most that are remembered at once");
                Err(Problem::new(Code::LimitExceeded, detail))
            }
            None if key.0.is_some() && state.of_callers.get(&key.0).is_some_and(|of| *of >= MOST_KEYS_OF_ONE) => {
                let detail =
                    format!("{MOST_KEYS_OF_ONE} idempotency keys are the most that are remembered of one caller");
                Err(Problem::new(Code::LimitExceeded, detail))
            }
            None => {
                state.insert(key.clone(), Request { fingerprint, answer: None });
                Ok(Begun::New(Ticket { memory: self.clone(), key }))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// Keeps the answer, if doing it again would be doing it twice.
    fn finish(self, answer: &Answer) {
        if !answer.is_final {
            return;
        }
        let mut state = self.memory.lock();
        let now = Instant::now();
        if let Some(request) = state.requests.get_mut(&self.key) {
            request.answer = Some(answer.clone());
            state.bytes += answer.size();
            state.answered.push_back((now, self.key.clone()));
            state.forget_old(now);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.memory.lock();
        if state.requests.get(&self.key).is_some_and(|request| request.answer.is_none()) {
            state.remove(&self.key);
        }
    }
}

impl State {
    /// Remembers one that is not there yet.
    fn insert(&mut self, key: Key, request: Request) {
        *self.of_callers.entry(key.0.clone()).or_default() += 1;
        self.requests.insert(key, request);
    }

    fn remove(&mut self, key: &Key) -> Option<Request> {
        let removed = self.requests.remove(key)?;
        if let Some(of) = self.of_callers.get_mut(&key.0) {
            *of -= 1;
            if *of == 0 {
                self.of_callers.remove(&key.0);
            }
        }
        Some(removed)
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some((at, _)) = self.answered.front() {
            if self.bytes <= MOST_BYTES && now.duration_since(*at) < KEPT_FOR {
                return;
            }
            let Some((_, key)) = self.answered.pop_front() else { return };
            let forgotten = self.remove(&key).and_then(|request| request.answer);
            self.bytes -= forgotten.map_or(0, |answer| answer.size());
        }
    }
}

#[cfg(test)]
mod tests;
