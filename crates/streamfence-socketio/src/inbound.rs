//! How much a client may want in a while, and how deep what it says may nest. Acks are never counted.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use streamfence_core::{CloseReason, ErrorCode, RefusalReason};
use streamfence_runtime::{MAX_DEPTH, nests_deeper_than};
use tokio::time::Instant;

use crate::admission::{Bucket, Clock, Rate};
use crate::connection::{Member, Shared};

/// How often a client may subscribe, unsubscribe, publish and say who it is. Acks and nacks are not counted: what a client has in flight
/// bounds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboundRate {
    /// All of them together, but for those that have a rate of their own.
    pub all: Rate,
    /// `subscribe`, on its own.
    pub subscribe: Option<Rate>,
    /// `unsubscribe`, on its own.
    pub unsubscribe: Option<Rate>,
    /// `publish`, on its own.
    pub publish: Option<Rate>,
    /// Everything a principal wants, in place of the rates above.
    pub principals: BTreeMap<String, Rate>,
    /// How many wishes may be refused for their rate within a minute before that costs the connection.
    pub max_refused: Option<NonZeroU32>,
}

impl InboundRate {
    /// One rate for everything, which never costs the connection.
    #[must_use]
    pub fn new(all: Rate) -> Self {
        let (subscribe, unsubscribe, publish) = (None, None, None);
        Self { all, subscribe, unsubscribe, publish, principals: BTreeMap::new(), max_refused: None }
    }

    /// The rate for a wish, and where it is counted.
    fn of(&self, what: Counted, principal: Option<&str>) -> (&Rate, usize) {
        if let Some(rate) = principal.and_then(|principal| self.principals.get(principal)) {
            return (rate, SHARED);
        }
        let own = match what {
            Counted::Subscribe => &self.subscribe,
            Counted::Unsubscribe => &self.unsubscribe,
            Counted::Publish => &self.publish,
            // Its own limit is that of wrong tokens.
            Counted::Authenticate => &None,
        };
        own.as_ref().map_or((&self.all, SHARED), |rate| (rate, 1 + what as usize))
    }
}

impl fmt::Display for InboundRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.all)?;
        for (event, rate) in
            [("subscribe", &self.subscribe), ("unsubscribe", &self.unsubscribe), ("publish", &self.publish)]
        {
            if let Some(rate) = rate {
                write!(f, "; {event}: {rate}")?;
            }
        }
        for (principal, rate) in &self.principals {
            write!(f, "; {principal:?}: {rate}")?;
        }
        match self.max_refused {
            Some(most) => write!(f, "; cut after {most} a minute"),
            None => Ok(()),
        }
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Counted {
    Subscribe,
    Unsubscribe,
    Publish,
    Authenticate,
}

/// Which of a connection's buckets is for everything that has none of its own.
const SHARED: usize = 0;

/// What a connection has wanted of late.
#[derive(Debug)]
pub(crate) struct Inbound {
    clock: Clock,
    wanted: Mutex<Wanted>,
}

#[derive(Debug, Default)]
struct Wanted {
    buckets: [Bucket; 4],
    /// How many wishes were refused in the minute that began then, in nanoseconds.
    refused: u32,
    minute: u64,
}

/// A wish too many.
#[derive(Debug, PartialEq, Eq)]
struct TooMuch {
    /// How long until there is room for another.
    wait: Duration,
    /// Whether it costs the connection.
    is_last: bool,
}

impl Inbound {
    pub(crate) fn new() -> Self {
        Self { clock: Clock::new(Instant::now()), wanted: Mutex::default() }
    }

    fn take(&self, rates: &InboundRate, what: Counted, principal: Option<&str>, now: Instant) -> Result<(), TooMuch> {
        let now = self.clock.nanos(now);
        let (rate, bucket) = rates.of(what, principal);
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let Err(wait) = wanted.buckets[bucket].take(rate, now) else { return Ok(()) };
        if now - wanted.minute.min(now) >= MINUTE_NANOS {
            (wanted.minute, wanted.refused) = (now, 0);
        }
        wanted.refused = wanted.refused.saturating_add(1);
        let is_last = rates.max_refused.is_some_and(|most| wanted.refused > most.get());
        Err(TooMuch { wait, is_last })
    }
}

const MINUTE_NANOS: u64 = 60_000_000_000;

/// Why a client's wish is not even read, for its client.
///
/// `what` is `None` for acks and nacks.
pub(crate) fn refusal(
    member: &Member,
    shared: &Shared,
    what: Option<Counted>,
    text: &str,
) -> Option<(ErrorCode, String)> {
    let connection = member.connection()?;
    let client = connection.state.client();
    let options = shared.options.now();
    if let (Some(rates), Some(what)) = (&options.inbound_rate, what)
        && let Err(TooMuch { wait, is_last }) =
            connection.inbound.take(rates, what, member.principal().as_deref(), Instant::now())
    {
        shared.refusals.count(RefusalReason::Rate, client);
        if is_last {
            connection.state.kill(CloseReason::RateLimited);
        }
        let wait = wait.as_millis() + 1;
        return Some((ErrorCode::RateLimited, format!("this is more than you may want in a while; wait {wait} ms")));
    }
    // The array of the event is one of them.
    if nests_deeper_than(text.as_bytes(), MAX_DEPTH) {
        shared.refusals.count(RefusalReason::TooDeep, client);
        let why = format!("the event nests deeper than {MAX_DEPTH} levels");
        return Some((ErrorCode::BadRequest, why));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn each_wish_has_its_rate_and_a_principal_its_own() {
        let mut rates = InboundRate::new(Rate::new(2, SECOND));
        rates.publish = Some(Rate::new(1, SECOND));
        rates.principals.insert("ann".into(), Rate::new(4, SECOND));
        let inbound = Inbound::new();
        let take = |what, who| inbound.take(&rates, what, who, Instant::now()).is_ok();
        assert!(take(Counted::Publish, None));
        assert!(!take(Counted::Publish, None));
        assert!(take(Counted::Subscribe, None) && take(Counted::Unsubscribe, Some("bob")));
        assert!(!take(Counted::Subscribe, None));
        tokio::time::advance(Duration::from_millis(500)).await;
        assert!(take(Counted::Subscribe, None) && !take(Counted::Publish, None));
        let ann = Inbound::new();
        let taken = (0..9).filter(|_| ann.take(&rates, Counted::Publish, Some("ann"), Instant::now()).is_ok());
        assert_eq!(taken.count(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn what_costs_the_connection_is_counted_by_the_minute() {
        let mut rates = InboundRate::new(Rate::new(1, 3600 * SECOND));
        rates.max_refused = NonZeroU32::new(2);
        let inbound = Inbound::new();
        let is_last =
            || inbound.take(&rates, Counted::Publish, None, Instant::now()).map_err(|too_much| too_much.is_last);
        assert_eq!([is_last(), is_last(), is_last()], [Ok(()), Err(false), Err(false)]);
        tokio::time::advance(60 * SECOND).await;
        assert_eq!([is_last(), is_last(), is_last()], [Err(false), Err(false), Err(true)]);
    }
}
