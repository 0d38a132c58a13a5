//! What an adapter implements for one connection. Never a socket.

use std::net::IpAddr;

use streamfence_core::{Batch, CloseReason, NamespaceId, Room, Tier, TopicEntry, Transport};

/// One connection, called only by its shard.
///
/// A transport that said it had no room, or of which more was wanted, calls [`Link::wake`](crate::Link::wake) when there
/// is more, and so does one that became blocked or ceased to be; the shard then asks again. What is free beyond that it
/// sees with the next send.
pub trait Outlet: Send {
    /// Takes all of it and leaves the batch empty: the core hands out no more than there is [`Outlet::room`].
    fn send(&mut self, batch: &mut Batch);

    /// It is sent something soon, and so are a few others that hear this just before and after: a chance to look at its
    /// memory, so that the processor fetches what it has not got for all of them at once. Nothing comes of it beside.
    fn prepare(&self) {}

    /// What it takes now: a level, not a grant.
    fn room(&self) -> Room;

    /// The same, and a wake is owed when there is more: what is next needs more than there was. A transport that wakes
    /// the shard with every change of its room owes nothing beside.
    fn await_room(&mut self) -> Room {
        self.room()
    }

    /// How messages reach its stream now.
    fn tier(&self) -> Tier {
        Tier::Emit
    }

    /// How its client is connected now, where that may differ from how it joined.
    fn transport(&self) -> Option<Transport> {
        None
    }

    /// Where its client is, as far as that is known.
    fn address(&self) -> Option<IpAddr> {
        None
    }

    /// Whether it is the network that holds it up. A link without room that is not blocked is merely waiting for its
    /// turn on our CPU, and the shard takes no further publishes meanwhile; a blocked one holds nobody.
    fn is_blocked(&self) -> bool;

    /// Whether a client that has come back to its session keeps a subscription it had there: it may have come with other
    /// rights. Asked before anything of the session is sent; what it may not keep ends as `auth_rejected`.
    fn may_keep(&self, namespace: NamespaceId, topic: &TopicEntry) -> bool {
        let _everything = (namespace, topic);
        true
    }

    /// Ends one namespace of the connection, with a word to the client if there is room and by force if not.
    fn disconnect(&mut self, namespace: NamespaceId, why: CloseReason);

    /// Ends the connection, with a word to the client if there is room and by force if not.
    fn close(&mut self, why: CloseReason);
}
