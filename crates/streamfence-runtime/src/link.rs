//! An adapter's end of one connection: what the client says goes in here, and the shard is woken.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use streamfence_core::{ClientId, CloseReason, LinkKey, NamespaceId, Transport};
use tokio::sync::Notify;

use crate::inbox::{Inbox, InboxFull, Input, Reading, SessionWish};
use crate::outlet::Outlet;

/// One connection, as its adapter sees it. Clones are the same connection.
///
/// What is pushed here is handled by one shard, in order. Nothing here waits.
#[derive(Clone, Debug)]
pub struct Link(pub(crate) Arc<LinkShared>);

pub(crate) struct LinkShared {
    inbox: Mutex<Inbox>,
    /// Whether it stands in the shard's ready list.
    is_filed: AtomicBool,
    ready: Arc<ReadyList>,
    /// Told whether to read from the client; called with the inbox locked, so that the last word is the right one.
    reading: Box<dyn Fn(bool) + Send + Sync>,
    /// Which shard serves it.
    shard: usize,
    /// Its place among the outlets of its shard; written and read by the shard alone.
    seat: Mutex<Option<LinkKey>>,
}

impl Link {
    pub(crate) fn new(shard: usize, ready: Arc<ReadyList>, reading: Box<dyn Fn(bool) + Send + Sync>) -> Self {
        Self(Arc::new(LinkShared {
            inbox: Mutex::default(),
            is_filed: AtomicBool::new(false),
            ready,
            reading,
            shard,
            seat: Mutex::new(None),
        }))
    }

    /// Which shard serves it.
    #[must_use]
    pub fn shard(&self) -> usize {
        self.0.shard
    }

    /// Begins: from now on the client hears through this outlet.
    pub fn start(&self, outlet: Box<dyn Outlet>) {
        self.push_vital(Input::Open(outlet));
    }

    /// A client enters a namespace and gets a name; one that resumes a session gets that session's name instead.
    ///
    /// `principal` is who the client is, where the application has said so. Only the same principal has its session back.
    pub fn join(
        &self,
        namespace: NamespaceId,
        transport: Transport,
        session: Option<SessionWish>,
        principal: Option<Arc<str>>,
    ) -> ClientId {
        let client = random_client_id();
        self.push_vital(Input::Join { namespace, client, transport, session, principal });
        client
    }

    /// A client leaves a namespace.
    pub fn leave(&self, namespace: NamespaceId, reason: CloseReason) {
        self.push_vital(Input::Leave { namespace, reason });
    }

    /// The connection is gone. What was pushed before is still handled.
    pub fn end(&self, reason: CloseReason) {
        self.push_vital(Input::End(reason));
    }

    /// Passes on what a client said.
    ///
    /// # Errors
    /// [`InboxFull`] when too much waits already. The client is told `BACK_PRESSURE`, in order.
    pub fn push(&self, input: Input) -> Result<(), InboxFull> {
        let taken = {
            let mut inbox = self.0.lock();
            let (taken, change) = inbox.push(input);
            self.0.tell_reading(change);
            taken
        };
        self.wake();
        taken
    }

    /// Tells the shard that the transport's room changed, or that it became blocked.
    pub fn wake(&self) {
        if !self.0.is_filed.swap(true, Ordering::AcqRel) {
            self.0.ready.push(self.clone());
        }
    }

    /// The key its shard knows it by, while it is open.
    pub(crate) fn seat(&self) -> Option<LinkKey> {
        *self.0.seat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_seat(&self, seat: Option<LinkKey>) {
        *self.0.seat.lock().unwrap_or_else(PoisonError::into_inner) = seat;
    }

    pub(crate) fn push_vital(&self, input: Input) {
        self.push(input).expect("vital inputs are always taken");
    }
}

impl LinkShared {
    /// Must come before a look at the inbox or the room: what happens after that files the link anew.
    pub(crate) fn unfile(&self) {
        self.is_filed.swap(false, Ordering::AcqRel);
    }

    pub(crate) fn pop(&self) -> Option<Input> {
        let mut inbox = self.lock();
        let (input, change) = inbox.pop();
        self.tell_reading(change);
        input
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell_reading(&self, change: Option<Reading>) {
        match change {
            Some(Reading::Pause) => (self.reading)(false),
            Some(Reading::Resume) => (self.reading)(true),
            None => {}
        }
    }
}

impl fmt::Debug for LinkShared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

/// The links of a shard that have news, each once. Bounded by the number of links.
#[derive(Debug, Default)]
pub(crate) struct ReadyList {
    links: Mutex<Vec<Link>>,
    pub(crate) wake: Notify,
}

impl ReadyList {
    pub(crate) fn push(&self, link: Link) {
        self.links.lock().unwrap_or_else(PoisonError::into_inner).push(link);
        self.wake.notify_one();
    }

    /// Swaps the list against an empty one, so that both keep their memory.
    pub(crate) fn swap(&self, with: &mut Vec<Link>) {
        std::mem::swap(&mut *self.links.lock().unwrap_or_else(PoisonError::into_inner), with);
    }
}

fn random_client_id() -> ClientId {
    let mut id = [0; 12];
    getrandom::fill(&mut id).expect("the system has randomness: it gave some when the fence was built");
    ClientId(id)
}
