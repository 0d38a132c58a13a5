//! Looks after clients whose time may be over: who never said who it is, whose token has expired or was taken away.
//! Never a client's wishes.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use streamfence_core::{CloseReason, TopicEntry, TopicId, UnsubscribeReason};
use streamfence_runtime::Input;
use tokio::sync::Semaphore;
use tokio::time::{Instant, MissedTickBehavior};

use super::confirm::{CONFIRMED_AT_ONCE, adopt, confirm_all, settle_doubts};
use super::gate::{Denied, Refused, Shown, is_over};
use super::token::client_address;
use crate::connection::{Member, Shared};

/// The clients that are looked after, as many as there are. The task that does so begins with the first of them.
pub(crate) struct Watch {
    state: Mutex<State>,
    /// Those in which tokens are confirmed.
    pub(super) turns: Semaphore,
}

impl Default for Watch {
    fn default() -> Self {
        Self { state: Mutex::default(), turns: Semaphore::new(CONFIRMED_AT_ONCE) }
    }
}

#[derive(Default)]
struct State {
    members: Vec<Weak<Member>>,
    is_running: bool,
}

/// What is to be done about a client.
enum Look {
    Fine,
    /// It is to go, for a reason the operator is told the first time.
    Evict(Option<&'static str>),
    /// Its tokens are to be looked at again: at once, because another one may be believed, or because it is time.
    Ask {
        at_once: Vec<Arc<Shown>>,
        in_turn: Vec<Arc<Shown>>,
        /// And of these subscriptions nobody could say.
        in_doubt: Vec<TopicId>,
    },
}

/// How often the clients are looked at; a tenth of what a token may take to lose its sessions.
const TICK: Duration = Duration::from_millis(500);
/// How many tokens are looked at at once, when all are.
const ASKED_AT_ONCE: usize = 256;
/// How long nobody needs to know of a token whether it is still good, and how long to wait before asking again.
const LONGEST_DOUBT: Duration = Duration::from_secs(4);
const PAUSE: Duration = Duration::from_secs(1);
/// How often a client is asked to leave before its connection is cut.
const PATIENCE: u32 = 3;

impl Watch {
    /// Looks after one more client until it is gone.
    pub(crate) fn add(&self, member: &Arc<Member>, shared: &Arc<Shared>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.members.push(Arc::downgrade(member));
        if !std::mem::replace(&mut state.is_running, true) {
            tokio::spawn(run(Arc::downgrade(shared)));
        }
    }

    /// Takes all that are still there.
    fn take(&self) -> Vec<Arc<Member>> {
        let members = std::mem::take(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).members);
        members.iter().filter_map(Weak::upgrade).collect()
    }

    fn put_back(&self, members: &[Arc<Member>]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.members.extend(members.iter().map(Arc::downgrade));
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

/// Looks after the clients of an adapter until that is gone.
async fn run(shared: Weak<Shared>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(shared) = shared.upgrade() else { return };
        let catalog = shared.fence.catalog();
        let is_wanted = catalog.topics().any(|topic| catalog.class(topic).auth_required);
        let (mut evicted, mut asked, mut confirmed, mut doubted) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let members = shared.watch.take();
        for member in &members {
            if is_wanted {
                end_what_is_not_theirs(&shared, member);
            }
            match look(&shared, member) {
                Look::Fine => {}
                Look::Evict(reason) => evicted.push((member.clone(), reason)),
                Look::Ask { at_once, in_turn, in_doubt } => {
                    doubted.extend(in_doubt.into_iter().map(|topic| (Arc::downgrade(member), topic)));
                    let of_member = |shown| (Arc::downgrade(member), shown);
                    asked.extend(at_once.into_iter().map(of_member));
                    confirmed.extend(in_turn.into_iter().map(of_member));
                }
            }
        }
        shared.watch.put_back(&members);
        drop(members);
        if !asked.is_empty() {
            tokio::spawn(ask_again(shared.clone(), asked));
        }
        if !confirmed.is_empty() {
            tokio::spawn(confirm_all(shared.clone(), confirmed));
        }
        if !doubted.is_empty() {
            tokio::spawn(settle_doubts(shared.clone(), doubted));
        }
        for (member, reason) in evicted {
            evict(&shared, &member, reason).await;
        }
    }
}

/// Ends the subscriptions of a client that it would not get now: it has come back with another token, the one that it was
/// lent for a topic did not come with it, or another configuration wants to know who it is.
fn end_what_is_not_theirs(shared: &Shared, member: &Member) {
    for name in member.subscriptions() {
        let Some(topic) = shared.fence.peek_topic(member.namespace, &name) else { continue };
        if is_theirs(shared, member, &topic) {
            continue;
        }
        let (namespace, reason) = (member.namespace, UnsubscribeReason::AuthRejected);
        member.push(Input::Unsubscribe { namespace, topic, reason, request: None });
    }
}

/// Whether a client that has subscribed to a topic may go on hearing it.
pub(crate) fn is_theirs(shared: &Shared, member: &Member, topic: &TopicEntry) -> bool {
    if !topic.class.auth_required {
        return true;
    }
    let papers = member.papers();
    // Where it must say who it is, it has time to do so, and leaves after that.
    let is_awaited =
        papers.identity().is_none() && shared.fence.catalog().namespace_entry(member.namespace).auth_required;
    is_awaited || papers.stand_for(topic)
}

fn look(shared: &Shared, member: &Member) -> Look {
    let (now, revision) = (Instant::now(), shared.gate.revision());
    let is_required = shared.fence.catalog().namespace_entry(member.namespace).auth_required;
    let mut papers = member.papers();
    if papers.eviction.is_some() {
        return Look::Evict(None);
    }
    if is_required && papers.identity().is_none() {
        let since = *papers.nobody_since.get_or_insert(now);
        if now >= since + shared.options.now().auth_timeout {
            return Look::Evict(Some("no token in time"));
        }
    }
    if !shared.gate.takes_tokens() {
        return Look::Fine;
    }
    if papers.shown().any(|shown| is_over(&shown.grant)) {
        return Look::Evict(Some("the token has expired"));
    }
    let is_old =
        |shown: &&Arc<Shown>| shown.revision != revision && !shown.is_asked_again.swap(true, Ordering::Relaxed);
    let is_due = |shown: &&Arc<Shown>| {
        shown.recheck.is_some_and(|recheck| recheck.is_due(now))
            && !shown.is_being_confirmed.swap(true, Ordering::Relaxed)
    };
    let at_once: Vec<_> = papers.shown().filter(is_old).cloned().collect();
    let in_turn: Vec<_> = papers.shown().filter(is_due).cloned().collect();
    let in_doubt = papers.doubts.due(now);
    match at_once.is_empty() && in_turn.is_empty() && in_doubt.is_empty() {
        true => Look::Fine,
        false => Look::Ask { at_once, in_turn, in_doubt },
    }
}

/// Has the validator look again at tokens that it has accepted once. A client with one that is good no more is to go.
async fn ask_again(shared: Arc<Shared>, asked: Vec<(Weak<Member>, Arc<Shown>)>) {
    let asking = stream::iter(asked).for_each_concurrent(ASKED_AT_ONCE, |(member, old)| {
        let shared = shared.clone();
        async move {
            if member.strong_count() == 0 {
                return;
            }
            let answer = ask_patiently(&shared, &old).await;
            let Some(member) = member.upgrade() else { return };
            // It may have shown another one meanwhile.
            if !member.papers().shown().any(|shown| Arc::ptr_eq(shown, &old)) {
                return;
            }
            match answer {
                Ok(new) => adopt(&shared, &member, &old, new).await,
                Err((_, why)) => evict(&shared, &member, Some(&why)).await,
            }
        }
    });
    asking.await;
}

/// Asks again whoever could not say, as long as there is time: it may be busy, with so many tokens at once.
async fn ask_patiently(shared: &Shared, old: &Shown) -> Result<Shown, Denied> {
    let until = Instant::now() + LONGEST_DOUBT;
    loop {
        match tokio::time::timeout_at(until, shared.gate.ask(old.question.clone())).await {
            Ok(Err((Refused::Silence, _))) if Instant::now() + PAUSE < until => tokio::time::sleep(PAUSE).await,
            Ok(answer) => return answer,
            Err(_elapsed) => return Err((Refused::Silence, "nobody could say whether it is still good".into())),
        }
    }
}

/// Tells a client to go; the operator is told why the first time. The next tick tries again, should it still be there.
pub(super) async fn evict(shared: &Shared, member: &Member, reason: Option<&str>) {
    let tries = {
        let mut papers = member.papers();
        let tries = papers.eviction.map_or(0, |tries| tries + 1);
        papers.eviction = Some(tries);
        tries
    };
    let Some(connection) = member.connection() else { return };
    // It has left, and its name may be that of a connection it has come back on.
    if !connection.member(member.namespace).is_some_and(|there| std::ptr::eq(&*there, member)) {
        return;
    }
    if tries == 0
        && let Some(reason) = reason
    {
        let namespace = shared.fence.catalog().namespace_entry(member.namespace).path.clone();
        shared.gate.tell(&namespace, client_address(&connection.state), &reason.into());
    }
    let is_gone = match member.client() {
        Some(client) => shared.fence.disconnect_for(client, CloseReason::AuthRejected).await,
        None => false,
    };
    // It may go by another name, because it came back to a session and does not read that it has.
    if !is_gone && tries >= PATIENCE {
        connection.state.kill(CloseReason::AuthRejected);
    }
}
