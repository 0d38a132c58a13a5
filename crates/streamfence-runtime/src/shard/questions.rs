//! What a shard answers about its clients, without letting messages wait. Never a change of anything.

use streamfence_core::{Census, ClientId, ClientQuery};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Shard;
use crate::clients::{Client, ClientState, Counts};

/// How many clients are looked at in one turn.
const CLIENTS_PER_TURN: usize = 256;

/// A question about many clients, half answered.
pub(super) struct Question {
    census: Census,
    answer: oneshot::Sender<(Vec<Client>, u64)>,
}

impl Shard {
    /// Begins to look who is there.
    pub(super) fn ask(&mut self, query: ClientQuery, answer: oneshot::Sender<(Vec<Client>, u64)>) {
        self.questions.push_back(Question { census: Census::new(query), answer });
    }

    /// Goes on with the first question. `true` when there is more to look at.
    pub(super) fn look_around(&mut self, now: Instant) -> bool {
        let Some(mut question) = self.questions.pop_front() else { return false };
        if question.answer.is_closed() {
            // Whoever asked has gone.
        } else if self.hub.count_clients(&mut question.census, CLIENTS_PER_TURN, now.into_std()) {
            self.questions.push_front(question);
        } else {
            let (clients, total) = question.census.into_clients();
            let clients = clients.into_iter().map(|summary| {
                // The link may have closed since its client was looked at.
                let seat = summary.link.and_then(|key| self.seat_of(key));
                Client::new(summary, seat)
            });
            // It may have gone just now.
            let _ = question.answer.send((clients.collect(), total));
        }
        !self.questions.is_empty()
    }

    pub(super) fn describe(&self, client: ClientId, now: Instant) -> Option<ClientState> {
        let detail = self.hub.client(self.hub.session_of(client)?, now.into_std())?;
        let outlet = detail.summary.link.and_then(|key| self.seat_of(key));
        Some(ClientState::new(detail, outlet))
    }

    pub(super) fn count(&self) -> Counts {
        let (sessions, detached) = self.hub.session_count();
        Counts {
            connections: self.hub.links() as u64,
            sessions: sessions as u64,
            detached: detached as u64,
            slow: self.hub.slow_client_count(),
        }
    }
}
