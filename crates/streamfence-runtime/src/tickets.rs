//! What clients come back with: the secrets of the sessions of one shard that survive their connection.
//!
//! A session's id is its shard and its client's name, which are no secrets. Never a session's content.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use streamfence_core::{ClientId, CloseReason, ErrorCode, NamespaceId, Secret, Ticket, TopicEntry};
use tokio::time::Instant;

/// How many sessions that were cut are remembered, with the reason; of more than that the client learns no reason.
const CUT_AT_ONCE: usize = 10_000;
/// How long such a reason is remembered at most, whatever the retention of the namespace.
const LONGEST_MEMORY: Duration = Duration::from_secs(24 * 60 * 60);

/// The secrets of a shard's sessions.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    kept: HashMap<ClientId, Secret>,
    /// Sessions that were cut: their clients could not be told why, or may not have read it.
    cut: HashMap<ClientId, Cut>,
}

#[derive(Debug)]
struct Cut {
    secret: Secret,
    namespace: NamespaceId,
    reason: CloseReason,
    until: Instant,
}

impl Tickets {
    /// Makes a secret for a session.
    pub(crate) fn issue(&mut self, client: ClientId) {
        let mut secret = [0; 16];
        getrandom::fill(&mut secret).expect("the system has randomness: it gave some when the fence was built");
        self.kept.insert(client, Secret(secret));
    }

    /// Whether this is the secret of that client's session.
    pub(crate) fn is_valid(&self, client: ClientId, secret: &Secret) -> bool {
        self.kept.get(&client).is_some_and(|kept| kept.matches(secret))
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
        let secret = *self.kept.get(&client)?;
        Some(Ticket { id: format!("{shard}.{client}"), secret, retention, resumed, topics })
    }

    /// Forgets the secret of a session that is gone.
    pub(crate) fn forget(&mut self, client: ClientId) {
        self.kept.remove(&client);
    }

    /// The same, but where the client is owed a reason, that is remembered for a while beside the secret.
    pub(crate) fn end(
        &mut self,
        client: ClientId,
        namespace: NamespaceId,
        reason: CloseReason,
        now: Instant,
        retention: Duration,
    ) {
        let Some(secret) = self.kept.remove(&client) else { return };
        let is_cut = matches!(reason, CloseReason::SlowClient | CloseReason::RetriesExhausted);
        debug_assert!(!is_cut || ErrorCode::of_close(reason).is_some(), "{reason:?} has a word for the client");
        if is_cut && self.cut.len() < CUT_AT_ONCE {
            let until = now + retention.min(LONGEST_MEMORY);
            self.cut.insert(client, Cut { secret, namespace, reason, until });
        }
    }

    /// Why the session was cut that a client asks for, if it was. It may ask again: the answer may get lost too.
    pub(crate) fn why(&self, client: ClientId, secret: &Secret, namespace: NamespaceId) -> Option<CloseReason> {
        let cut = self.cut.get(&client)?;
        (cut.namespace == namespace && cut.secret.matches(secret)).then_some(cut.reason)
    }

    /// Forgets why sessions were cut whose clients have had the time to ask.
    pub(crate) fn forget_old(&mut self, now: Instant) {
        self.cut.retain(|_, cut| cut.until > now);
    }
}

/// Which shard a session is on, and whose it is: a session's id taken apart.
#[must_use]
pub fn parse_session_id(id: &str) -> Option<(usize, ClientId)> {
    let (shard, client) = id.split_once('.')?;
    Some((shard.parse().ok()?, client.parse().ok()?))
}
