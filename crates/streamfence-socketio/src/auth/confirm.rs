//! Has a validator say again whether it stands by what it granted. Never when that is to be.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use streamfence_auth::{Access, Action};
use streamfence_core::{TopicEntry, TopicId, UnsubscribeReason};
use streamfence_runtime::Input;
use tokio::time::Instant;

use super::gate::{Refused, Shown};
use super::papers::{Identity, Permit};
use super::token::client_address;
use super::watch::evict;
use crate::connection::{Member, Shared};

/// How many tokens are confirmed at once, over all clients of an adapter.
pub(super) const CONFIRMED_AT_ONCE: usize = 32;
/// How long one that is to be confirmed gives way to those who come, and how often it looks.
const LONGEST_COURTESY: Duration = Duration::from_secs(2);
const COURTESY: Duration = Duration::from_millis(20);

/// Has the validator confirm tokens whose time has come, a few at once and none in the place of a newcomer.
pub(super) async fn confirm_all(shared: Arc<Shared>, tokens: Vec<(Weak<Member>, Arc<Shown>)>) {
    let confirming = stream::iter(tokens).for_each_concurrent(CONFIRMED_AT_ONCE, |(member, old)| {
        let shared = shared.clone();
        async move {
            // Those of all rounds share the turns.
            let Ok(_turn) = shared.watch.turns.acquire().await else { return };
            confirm(&shared, &member, &old).await;
        }
    });
    confirming.await;
}

/// Has the validator confirm one. Where nobody can say, it is tried again, as long as what was granted stands.
async fn confirm(shared: &Shared, member: &Weak<Member>, old: &Arc<Shown>) {
    if member.strong_count() == 0 {
        return;
    }
    wait_for_room(shared).await;
    let answer = shared.gate.ask(old.question.clone()).await;
    let Some(member) = member.upgrade() else { return };
    if !member.papers().shown().any(|shown| Arc::ptr_eq(shown, old)) {
        return;
    }
    match answer {
        Ok(new) => adopt(shared, &member, old, new).await,
        Err((Refused::Silence, why)) => match old.recheck.and_then(|recheck| recheck.put_off(Instant::now())) {
            Some(later) => member.papers().renew(old, &Arc::new(old.put_off(later))),
            None => evict(shared, &member, Some(&format!("nobody has confirmed the token for too long: {why}"))).await,
        },
        Err((_, why)) => evict(shared, &member, Some(&why)).await,
    }
}

/// Puts what the validator says of a token now in the place of what it said, and looks at what the client has by it.
pub(super) async fn adopt(shared: &Shared, member: &Arc<Member>, old: &Arc<Shown>, new: Shown) {
    if new.grant.principal != old.grant.principal {
        return evict(shared, member, Some("the token is somebody else's now")).await;
    }
    let new = Arc::new(new);
    member.papers().renew(old, &new);
    let is_identity = |identity: &Identity| identity.shown.as_ref().is_some_and(|shown| Arc::ptr_eq(shown, &new));
    let is_by_it = matches!(new.grant.access, Access::Ask) && member.papers().identity().is_some_and(is_identity);
    if !is_by_it {
        return;
    }
    for name in member.subscriptions() {
        if let Some(topic) = shared.fence.peek_topic(member.namespace, &name) {
            confirm_subscription(shared, member, topic).await;
        }
    }
}

/// Asks again about subscriptions of which nobody could say.
pub(super) async fn settle_doubts(shared: Arc<Shared>, doubts: Vec<(Weak<Member>, TopicId)>) {
    let settling = stream::iter(doubts).for_each_concurrent(CONFIRMED_AT_ONCE, |(member, topic)| {
        let shared = shared.clone();
        async move {
            let Ok(_turn) = shared.watch.turns.acquire().await else { return };
            let Some(member) = member.upgrade() else { return };
            let entries = member.subscriptions().into_iter();
            let mut entries = entries.filter_map(|name| shared.fence.peek_topic(member.namespace, &name));
            match entries.find(|entry| entry.id == topic) {
                Some(topic) => confirm_subscription(&shared, &member, topic).await,
                None => member.papers().doubts.remove(topic),
            }
        }
    });
    settling.await;
}

/// Has the validator say whether a client may go on hearing a topic by who it is, where it alone can say. One of which
/// nobody could say is in doubt: it is asked about again soon, and ends when that has lasted for too long.
async fn confirm_subscription(shared: &Shared, member: &Arc<Member>, topic: Arc<TopicEntry>) {
    let question = {
        let mut papers = member.papers();
        match papers.permit(&topic, Action::Subscribe, None) {
            Permit::Unknown(question) if !papers.is_lent(topic.id) => question,
            _ => return papers.doubts.remove(topic.id),
        }
    };
    wait_for_room(shared).await;
    let answer = shared.gate.ask(question).await;
    let why = {
        let mut papers = member.papers();
        let shown = papers.identity().and_then(|identity| identity.shown.as_ref());
        match (answer, shown.and_then(|shown| shown.grant.ask_again)) {
            (Err((Refused::Silence, why)), Some(time)) => {
                if papers.doubts.add(topic.id, time, Instant::now()) {
                    return;
                }
                format!("nobody has confirmed the subscription for too long: {why}").into()
            }
            (Err((Refused::Wrong | Refused::NotForThis, why)), _) => why,
            // Who is to be asked with wishes alone goes on until the next of them.
            (Ok(_) | Err(_), _) => return papers.doubts.remove(topic.id),
        }
    };
    member.papers().doubts.remove(topic.id);
    let Some(connection) = member.connection() else { return };
    shared.gate.tell(&topic.class.path, client_address(&connection.state), &why);
    let (namespace, reason) = (member.namespace, UnsubscribeReason::AuthRejected);
    member.push(Input::Unsubscribe { namespace, topic, reason, request: None });
}

/// Waits until the validator has a place to spare, for a while: those who come are asked about first.
async fn wait_for_room(shared: &Shared) {
    let until = Instant::now() + LONGEST_COURTESY;
    while shared.gate.spare() == 0 && Instant::now() < until {
        tokio::time::sleep(COURTESY).await;
    }
}
