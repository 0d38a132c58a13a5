//! What a shard does when it is told to. Never a message, and nothing a client says.

use tokio::time::Instant;

use super::{Drain, Shard};
use crate::command::{Control, NewStore};

impl Shard {
    pub(super) fn take_commands(&mut self, now: Instant) {
        while let Ok(command) = self.parts.control.try_recv() {
            self.command(command, now);
        }
    }

    pub(super) fn command(&mut self, command: Control, now: Instant) {
        match command {
            Control::Flush(done) => {
                self.hand_over_numbers(now);
                // Whoever asked may have gone; the numbers are handed over all the same.
                let _ = done.send(());
            }
            Control::CatchUp(done) => {
                self.catch_up(now);
                let _ = done.send(());
            }
            Control::Disconnect(client, reason, answer) => {
                let was_here = self.disconnect(client, reason, now);
                let _ = answer.send(was_here);
            }
            Control::Clients(query, answer) => self.ask(query, answer),
            Control::Client(client, answer) => {
                let _ = answer.send(self.describe(client, now));
            }
            Control::Count(answer) => {
                let _ = answer.send(self.count());
            }
            Control::DisconnectAll(principal, reason, answer) => {
                let _ = answer.send(self.disconnect_all(&principal, reason, now));
            }
            Control::Unsubscribe(client, topic, reason, answer) => {
                let _ = answer.send(self.unsubscribe(client, &topic, reason, now));
            }
            Control::AddStore(NewStore { store, backend }, done) => {
                self.parts.spill.add(store, backend);
                let _ = done.send(());
            }
            Control::Drain(deadline, done) => {
                // Nobody can come back any more, so nothing waits for them.
                let abandoned = self.hub.expire_detached(now.into_std());
                if abandoned > 0 {
                    tracing::warn!(code = "sessions_lost", abandoned, "messages of clients that were away are lost");
                }
                self.hub.release_held(now.into_std());
                let drain = self.drain.get_or_insert(Drain { deadline, done: Vec::new() });
                // A second wish may only make it sooner.
                drain.deadline = drain.deadline.min(deadline);
                drain.done.push(done);
            }
        }
    }
}
