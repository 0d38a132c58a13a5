//! What a fence answers about its clients and topics, for whoever operates it. Never a change of anything.

use streamfence_core::{Census, ClientId, ClientOrder, ClientQuery, NamespaceId};

use super::Fence;
use crate::clients::{Client, ClientState, Counts, TopicState};
use crate::command::Control;
use crate::events::Events;

/// How many questions that look at everybody are worked on at once; others wait for their turn.
pub(super) const QUESTIONS_AT_ONCE: usize = 4;

/// Which clients are asked for; the default asks for the hundred that have the most messages waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFilter {
    /// Those of a namespace only, by its path.
    pub namespace: Option<String>,
    /// Those subscribed to a topic of this name only, or to one made from the pattern of this name.
    pub topic: Option<String>,
    /// Those that are slow only.
    pub is_slow: bool,
    /// Which come first.
    pub order: ClientOrder,
    /// How many are wanted at most.
    pub limit: usize,
}

impl Default for ClientFilter {
    fn default() -> Self {
        Self { namespace: None, topic: None, is_slow: false, order: ClientOrder::default(), limit: 100 }
    }
}

impl Fence {
    /// The first clients by what is asked for, and how many there are in all. None, where there is no such namespace.
    ///
    /// Shards look at a few hundred clients at a time and deliver messages in between; what changes meanwhile may be in
    /// the answer or not.
    ///
    /// ```
    /// use streamfence_runtime::{ClientFilter, Fence, Namespace};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let fence = Fence::builder().namespace(Namespace::new("/feed").topic("tick")).build()?;
    /// let (slow, total) = fence.clients(ClientFilter { is_slow: true, ..ClientFilter::default() }).await;
    /// assert!(slow.is_empty() && total == 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn clients(&self, filter: ClientFilter) -> (Vec<Client>, u64) {
        let ClientFilter { namespace, topic, is_slow, order, limit } = filter;
        let namespace: Option<NamespaceId> = match namespace.map(|path| self.0.directory.namespace(&path)) {
            Some(None) => return (Vec::new(), 0),
            Some(found) => found,
            None => None,
        };
        let query = ClientQuery { namespace, topic: topic.map(Into::into), is_slow, order, limit };
        let _turn = self.0.questions.acquire().await.expect("nobody closes it");
        let answers = self.ask_all(|answer| Control::Clients(query.clone(), answer)).await;
        merge(order, limit, answers)
    }

    /// One client with all its lanes. `None` when there is no such client.
    pub async fn client(&self, client: ClientId) -> Option<ClientState> {
        self.ask_all(|answer| Control::Client(client, answer)).await.into_iter().flatten().next()
    }

    /// Every topic of the catalog, those made from a pattern together, with what has become of their messages until now.
    ///
    /// The shards walk their lanes for it; who looks again and again may take what they said last, [`Fence::topics_at_tick`].
    pub async fn topics(&self) -> Vec<TopicState> {
        {
            let _turn = self.0.questions.acquire().await.expect("nobody closes it");
            self.flush_stats().await;
        }
        self.topics_at_tick()
    }

    /// The same as each shard said last: with its tick, which comes once a second, or when somebody asked since. Asks nobody.
    ///
    /// ```
    /// use streamfence_runtime::{Fence, Namespace};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let fence = Fence::builder().namespace(Namespace::new("/feed").topic("tick")).build()?;
    /// assert_eq!(fence.topics_at_tick()[0].totals.published, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn topics_at_tick(&self) -> Vec<TopicState> {
        let catalog = self.catalog();
        let state = |topic| {
            let (totals, lanes) = self.0.watchers.totals(topic);
            TopicState { class: catalog.entry(topic).class.clone(), totals, lanes }
        };
        catalog.topics().map(state).filter(|topic| !topic.class.is_removed).collect()
    }

    /// Reads events along, from now on. A reader that is more than a thousand behind misses some, and is told how many.
    #[must_use]
    pub fn events(&self) -> Events {
        self.0.watchers.read_along()
    }

    /// How many connections and sessions there are, and how many clients are slow.
    pub async fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for Counts { connections, sessions, detached, slow } in self.ask_all(Control::Count).await {
            counts.connections += connections;
            counts.sessions += sessions;
            counts.detached += detached;
            counts.slow += slow;
        }
        counts
    }
}

/// The first of what each shard found to be the first.
fn merge(order: ClientOrder, limit: usize, answers: Vec<(Vec<Client>, u64)>) -> (Vec<Client>, u64) {
    let total = answers.iter().map(|(_, total)| total).sum();
    let mut clients: Vec<_> = answers.into_iter().flat_map(|(clients, _)| clients).collect();
    clients.sort_by(|a, b| Census::compare(order, &a.summary, &b.summary));
    clients.truncate(limit);
    (clients, total)
}
