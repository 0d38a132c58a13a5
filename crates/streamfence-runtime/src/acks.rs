//! Publishers that wait until clients have acked their message. Never a lane: who has acked what is told by the shards.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use streamfence_core::{AckNews, ClientId, Hub, Message, MessageId, TopicId};
use tokio::sync::Notify;

use crate::report::{Ballot, PublishReport};

/// How many publishers may wait for acks at once; the next is refused.
pub(crate) const MOST_WAITS: usize = 1_024;

/// For how many acks a publisher waits, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckWait {
    /// Of how many clients; `None` is of all that admitted the message.
    pub count: Option<NonZeroU32>,
    /// How long, from the call on.
    pub timeout: Duration,
}

/// What became of a message, and who had acked it when the wait was over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acked {
    /// What became of it in the lanes.
    pub report: PublishReport,
    /// Of how many clients the acks were waited for.
    pub wanted: u32,
    /// Who has acked it, in that order; more than were wanted where they were as quick.
    pub clients: Vec<ClientId>,
    /// Whether the time was over before so many had. Otherwise, if they are fewer than wanted, no more will: the message
    /// was given up for the others, or they are gone.
    pub timed_out: bool,
}

/// What the shards have heard of one message.
#[derive(Debug, Default)]
pub(crate) struct Acks {
    heard: Mutex<Heard>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Heard {
    clients: Vec<ClientId>,
    /// How many never will.
    gone: u32,
}

impl Acks {
    /// Waits until so many have acked, or all that still may have, of so many that admitted the message.
    pub(crate) async fn wait_for(&self, wanted: u32, admitted: u32) {
        loop {
            let news = self.news.notified();
            {
                let heard = self.lock();
                let acked = heard.clients.len() as u32;
                if acked >= wanted || acked + heard.gone >= admitted {
                    return;
                }
            }
            news.await;
        }
    }

    pub(crate) fn clients(&self) -> Vec<ClientId> {
        self.lock().clients.clone()
    }

    fn note(&self, client: ClientId, is_acked: bool) {
        let mut heard = self.lock();
        if is_acked {
            heard.clients.push(client);
        } else {
            heard.gone += 1;
        }
        drop(heard);
        // One waits, and it may not be waiting yet.
        self.news.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The messages of one shard whose acks are waited for. Bounded by the publishers that may wait, and by those whose wait
/// ended since the last look, which is taken when there are as many.
#[derive(Debug, Default)]
pub(crate) struct Waits(HashMap<(TopicId, MessageId), Weak<Ballot>>);

impl Waits {
    /// Has the hub tell of a message, before it is published.
    pub(crate) fn begin(&mut self, ballot: &Arc<Ballot>, message: &Message, hub: &mut Hub) {
        if self.0.len() >= 2 * MOST_WAITS {
            self.forget_ended(hub);
        }
        hub.await_acks(message);
        self.0.insert((message.topic.id, message.id), Arc::downgrade(ballot));
    }

    /// Passes on what the hub has to tell.
    pub(crate) fn pass_on(&mut self, hub: &mut Hub) {
        if self.0.is_empty() {
            return;
        }
        while let Some(AckNews { topic, id, client, is_acked }) = hub.poll_ack_news() {
            let waiting = self.0.get(&(topic, id)).and_then(Weak::upgrade);
            if let Some(acks) = waiting.as_ref().and_then(|ballot| ballot.acks()) {
                acks.note(client, is_acked);
            }
        }
    }

    /// Forgets whatever nobody waits for any more.
    pub(crate) fn forget_ended(&mut self, hub: &mut Hub) {
        self.0.retain(|&(topic, id), ballot| {
            let is_waiting = ballot.strong_count() > 0;
            if !is_waiting {
                hub.forget_acks(topic, id);
            }
            is_waiting
        });
    }
}
