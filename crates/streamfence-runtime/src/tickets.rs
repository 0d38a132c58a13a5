//! What clients come back with: the secrets of the sessions of one shard that survive their connection.
//!
//! A session's id is its shard and its client's name, which are no secrets. Never a session's content.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use streamfence_core::{ClientId, Secret, Ticket, TopicEntry};

/// The secrets of a shard's sessions.
#[derive(Debug, Default)]
pub(crate) struct Tickets(HashMap<ClientId, Secret>);

impl Tickets {
    /// Makes a secret for a session.
    pub(crate) fn issue(&mut self, client: ClientId) {
        let mut secret = [0; 16];
        getrandom::fill(&mut secret).expect("the system has randomness: it gave some when the fence was built");
        self.0.insert(client, Secret(secret));
    }

    /// Whether this is the secret of that client's session.
    pub(crate) fn is_valid(&self, client: ClientId, secret: &Secret) -> bool {
        self.0.get(&client).is_some_and(|kept| kept.matches(secret))
    }

    /// What the client is told of its session.
    pub(crate) fn ticket(
        &self,
        shard: usize,
        client: ClientId,
        retention: Duration,
        resumed: bool,
        topics: Vec<Arc<TopicEntry>>,
    ) -> Option<Ticket> {
        let secret = *self.0.get(&client)?;
        Some(Ticket { id: format!("{shard}.{client}"), secret, retention, resumed, topics })
    }

    /// Forgets the secret of a session that is gone.
    pub(crate) fn forget(&mut self, client: ClientId) {
        self.0.remove(&client);
    }
}

/// Which shard a session is on, and whose it is: a session's id taken apart.
#[must_use]
pub fn parse_session_id(id: &str) -> Option<(usize, ClientId)> {
    let (shard, client) = id.split_once('.')?;
    Some((shard.parse().ok()?, client.parse().ok()?))
}
