//! What travels to a shard.
//!
//! Publishes have a channel of their own, so that a shard which holds them back still hears everything else.

use std::sync::Arc;

use streamfence_core::{ClientId, ClientQuery, CloseReason, Message, SpillBackend, StoreId, UnsubscribeReason};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::clients::{Client, ClientState, Counts};
use crate::report::Vote;
use crate::to::To;

/// How many publishes may wait for a shard; then publishers wait.
pub(crate) const PUBLISH_SLOTS: usize = 1_024;
/// How many commands may wait for a shard.
pub(crate) const CONTROL_SLOTS: usize = 64;

/// A message for the lanes of a shard.
#[derive(Debug)]
pub(crate) struct Publish {
    pub(crate) message: Arc<Message>,
    pub(crate) audience: Audience,
    pub(crate) vote: Vote,
}

/// Whom a message is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    Subscribers,
    AllBut(ClientId),
    Only(ClientId),
    /// A longer list, or a principal.
    Some(Arc<To>),
}

/// Anything else.
#[derive(Debug)]
pub(crate) enum Control {
    /// Hand the numbers to the observers now.
    Flush(oneshot::Sender<()>),
    /// Go on under the catalog there is now.
    CatchUp(oneshot::Sender<()>),
    /// End a client; answers whether it was here.
    Disconnect(ClientId, CloseReason, oneshot::Sender<bool>),
    /// Which clients there are, and how they stand.
    Clients(ClientQuery, oneshot::Sender<(Vec<Client>, u64)>),
    /// How one client stands; nothing where it is not here.
    Client(ClientId, oneshot::Sender<Option<ClientState>>),
    /// How much there is of everything.
    Count(oneshot::Sender<Counts>),
    /// End every session of a principal; answers how many there were.
    DisconnectAll(Arc<str>, CloseReason, oneshot::Sender<u64>),
    /// End a client's subscription to the topic of that name; answers whether the client is here, and had it.
    Unsubscribe(ClientId, Arc<str>, UnsubscribeReason, oneshot::Sender<Option<bool>>),
    /// Spill to one store more.
    AddStore(NewStore, oneshot::Sender<()>),
    /// Flush the lanes until the deadline, then end every connection.
    Drain(Instant, oneshot::Sender<()>),
}

/// A shard's part of a store.
pub(crate) struct NewStore {
    pub(crate) store: StoreId,
    pub(crate) backend: Box<dyn SpillBackend>,
}

impl std::fmt::Debug for NewStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewStore").field("store", &self.store).finish_non_exhaustive()
    }
}
