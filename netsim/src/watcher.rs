//! What the server says of itself: its events and its numbers, as an operator would hear them.

use std::sync::{Arc, Mutex, PoisonError};

use streamfence_core::{Event, LaneSurvey, Observer, TopicId, TopicStats};

use crate::books::Books;
use crate::log::Log;

/// Writes down what the fence tells.
pub(crate) struct Watcher {
    pub(crate) log: Log,
    pub(crate) books: Arc<Mutex<Books>>,
}

impl Watcher {
    fn with_books<T>(&self, look: impl FnOnce(&mut Books) -> T) -> T {
        look(&mut self.books.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Observer for Watcher {
    fn on_stats(&self, topic: TopicId, since_last: &TopicStats) {
        self.with_books(|books| books.add(topic, since_last));
    }

    fn on_survey(&self, shard: usize, topic: TopicId, survey: &LaneSurvey) {
        self.with_books(|books| books.survey(shard, topic, survey.lanes));
    }

    fn on_event(&self, event: &Event) {
        let now = self.log.now();
        let what = match event {
            Event::Connected { namespace, client, transport, .. } => {
                self.log.count("namespaces joined", 1);
                format!("{client} joins {namespace} by {}", transport.as_str())
            }
            Event::Disconnected { namespace, client, reason } => {
                self.with_books(|books| books.disconnected(client.to_string()));
                let counted = match reason.as_str() {
                    "stalled" => "cut for a stall",
                    "heartbeat" => "cut for want of a pong",
                    _ => "ended for other reasons",
                };
                self.log.count(counted, 1);
                format!("{client} leaves {namespace}: {}", reason.as_str())
            }
            Event::SessionDetached { client, .. } => {
                self.with_books(|books| books.detached(client.to_string(), now));
                format!("{client} is waited for")
            }
            Event::SessionResumed { client, .. } => {
                self.with_books(|books| books.resumed(&client.to_string()));
                self.log.count("sessions resumed", 1);
                format!("{client} is back")
            }
            Event::SessionExpired { client, .. } => {
                if let Err(what) = self.with_books(|books| books.expired(client.to_string(), now)) {
                    self.log.fail(format!("{client}: {what}"));
                }
                self.log.count("sessions expired", 1);
                format!("{client} is waited for no more")
            }
            Event::RetriesExhausted { client, id, .. } => {
                self.with_books(|books| books.give_up(client.to_string(), id.offset.0));
                self.log.count("messages given up", 1);
                format!("{client} never acked {}", id.offset.0)
            }
            other => format!("{other:?}"),
        };
        self.log.say("fence", &what);
    }
}
