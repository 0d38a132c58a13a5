//! Messages whose acks somebody waits for, and what has become of them client by client.
//!
//! Few messages are awaited, and while none is this costs one comparison an ack. Never how long anybody waits, and never
//! whom a message was admitted by: whoever waits knows from its fanout how many those are.

use std::collections::{BTreeMap, HashSet, VecDeque};

use crate::lane::Lane;
use crate::message::{ClientId, MessageId, TopicId};

/// What became of an awaited message at one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckNews {
    /// The topic it was published to.
    pub topic: TopicId,
    /// Which message.
    pub id: MessageId,
    /// Whose lane has it no more.
    pub client: ClientId,
    /// Whether the client has acked it. Otherwise it never will: the message was given up or came too late, or the client
    /// is gone.
    pub is_acked: bool,
}

/// The messages that are awaited, and what was not told yet.
#[derive(Debug, Default)]
pub(crate) struct Awaited {
    /// With the clients that were told of: each is told of once.
    messages: BTreeMap<(TopicId, MessageId), HashSet<ClientId>>,
    news: VecDeque<AckNews>,
}

impl Awaited {
    pub(crate) fn insert(&mut self, topic: TopicId, id: MessageId) {
        self.messages.entry((topic, id)).or_default();
    }

    pub(crate) fn remove(&mut self, topic: TopicId, id: MessageId) {
        self.messages.remove(&(topic, id));
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The awaited messages that a lane holds in memory.
    pub(crate) fn held_by(&self, lane: &Lane) -> Vec<MessageId> {
        self.of(lane.topic()).filter(|id| lane.holds(*id)).collect()
    }

    /// The awaited messages of a topic that a lane may have had on disk: all but those it holds in memory.
    pub(crate) fn not_held_by(&self, lane: &Lane) -> Vec<MessageId> {
        self.of(lane.topic()).filter(|id| !lane.holds(*id)).collect()
    }

    /// A client has a message no more.
    pub(crate) fn settle(&mut self, topic: TopicId, id: MessageId, client: ClientId, is_acked: bool) {
        if let Some(told) = self.messages.get_mut(&(topic, id))
            && told.insert(client)
        {
            self.news.push_back(AckNews { topic, id, client, is_acked });
        }
    }

    /// The same for those of these messages that a lane holds no more.
    pub(crate) fn settle_gone(&mut self, held: Vec<MessageId>, lane: &Lane, client: ClientId, is_acked: bool) {
        for id in held.into_iter().filter(|id| !lane.holds(*id)) {
            self.settle(lane.topic(), id, client, is_acked);
        }
    }

    pub(crate) fn pop_news(&mut self) -> Option<AckNews> {
        self.news.pop_front()
    }

    fn of(&self, topic: TopicId) -> impl Iterator<Item = MessageId> {
        let first = MessageId { epoch: crate::Epoch(0), offset: crate::Offset(0) };
        let from = self.messages.range((topic, first)..);
        from.take_while(move |((of, _), _)| *of == topic).map(|((_, id), _)| *id)
    }
}
