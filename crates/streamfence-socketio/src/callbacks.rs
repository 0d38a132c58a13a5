//! The callbacks that Socket.IO gives a client with a message, and that it acks by.
//!
//! The library hands out a future for each and would have it awaited by a task. None is needed: the client's answer wakes
//! the future from inside the library's reader, and whoever is woken there looks at it at once and passes the ack on, in
//! order with everything else the client says. The ids are the library's own, so they never meet the application's.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};

use serde::de::IgnoredAny;
use socketioxide::AckError;
use socketioxide::ack::AckStream;
use streamfence_core::{Delivery, MessageId, Policy, TopicId};
use tokio::runtime::Handle;
use tokio::task::coop::unconstrained;

use crate::connection::Member;

/// What the library promises of one callback.
pub(crate) type Answer = AckStream<IgnoredAny>;

/// The callbacks a client has not used yet, of one namespace.
#[derive(Default)]
pub(crate) struct Callbacks {
    by_topic: HashMap<TopicId, VecDeque<Callback>>,
    next: u64,
}

struct Callback {
    number: u64,
    answer: Pin<Box<Answer>>,
}

/// Who is woken by a callback.
pub(crate) struct Bell {
    member: Weak<Member>,
    topic: TopicId,
    id: MessageId,
    number: u64,
}

impl Callbacks {
    /// Keeps a callback, and looks at it for the first time: `true` if the client was quicker.
    ///
    /// The adapter is not told when a lane lets go of a message, so the oldest give way: only the newest attempts count,
    /// and twice the window of them is more than a client that acks at all has open.
    pub(crate) fn keep(
        &mut self,
        member: Weak<Member>,
        topic: TopicId,
        id: MessageId,
        policy: &Policy,
        answer: Answer,
    ) -> bool {
        self.next += 1;
        let number = self.next;
        let kept = self.by_topic.entry(topic).or_default();
        while kept.len() >= most_kept(policy) {
            kept.pop_front();
        }
        kept.push_back(Callback { number, answer: Box::pin(answer) });
        self.look(&Arc::new(Bell { member, topic, id, number }))
    }

    /// Looks whether a callback was used, which it is once.
    fn look(&mut self, bell: &Arc<Bell>) -> bool {
        let Some(kept) = self.by_topic.get_mut(&bell.topic) else { return false };
        let Ok(place) = kept.binary_search_by_key(&bell.number, |callback| callback.number) else { return false };
        let waker = Waker::from(bell.clone());
        // Not with the budget of the task this happens in: it would say no and wake us from inside our own look.
        let look = unconstrained(kept[place].answer.as_mut());
        match std::pin::pin!(look).poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => false,
            Poll::Ready(answer) => {
                kept.remove(place);
                // Whatever the client put into its answer, it is one.
                matches!(answer, Ok(_) | Err(AckError::Decode(_)))
            }
        }
    }
}

fn most_kept(policy: &Policy) -> usize {
    const FEWEST: usize = 16;
    let window = match policy.delivery {
        Delivery::AtLeastOnce { window, .. } => Some(window),
        Delivery::BestEffort { .. } => policy.receipt_window,
    };
    FEWEST.max(2 * window.map_or(0, |window| usize::from(window.get())))
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        if tokio::task::try_id().is_some() {
            self.answer();
        } else if let Ok(runtime) = Handle::try_current() {
            // An answer comes inside a task. Outside of one it is the library's timer that rings, which never runs out and
            // does so only when the runtime ends: to look at a timer then is a panic, and a task is simply not run.
            runtime.spawn(async move { self.answer() });
        }
    }
}

impl Bell {
    fn answer(self: Arc<Self>) {
        let Some(member) = self.member.upgrade() else { return };
        // Not in the condition, which would keep the callbacks locked.
        let is_used = member.callbacks().look(&self);
        if is_used {
            member.push_ack(self.topic, self.id);
        }
    }
}
