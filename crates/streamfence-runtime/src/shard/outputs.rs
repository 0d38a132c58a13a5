//! How a shard hands out what its hub has to say. Never what that is.

use std::time::Duration;

use streamfence_core::Output;
use tokio::time::Instant;

use super::Shard;

/// Batches and events handed out in one turn. A batch may be a call to the kernel, and whoever reads or connects waits
/// meanwhile.
const OUTPUTS_PER_TURN: usize = 256;
/// How long they may take, looked at now and then.
const LONGEST_TURN: Duration = Duration::from_millis(1);
/// How many of them are asked for before the first is handed out.
const OUTPUTS_AT_ONCE: usize = 16;

impl Shard {
    /// Hands out what the hub has to say. `true` when there is more.
    ///
    /// A few at a time: first the hub says what they are, then the outlets are told, and only then they are written. A
    /// call to the kernel leaves nothing of ours in the caches, and with very many links it is their memory that costs.
    pub(super) fn drain_outputs(&mut self, now: Instant) -> bool {
        // What was published since the turn began is not sent before that: how long messages wait is counted.
        let mut at = Instant::now();
        for _ in 0..OUTPUTS_PER_TURN / OUTPUTS_AT_ONCE {
            let mut outputs = std::mem::take(&mut self.outputs);
            outputs.extend(std::iter::from_fn(|| self.hub.poll_output(at.into_std())).take(OUTPUTS_AT_ONCE));
            let is_done = outputs.is_empty();
            for output in &outputs {
                if let Output::Transmit(key, _) = output
                    && let Some(seat) = self.seat_mut(*key)
                {
                    seat.outlet.prepare();
                }
            }
            for output in outputs.drain(..) {
                self.hand_out(output, at);
            }
            self.outputs = outputs;
            if is_done {
                return false;
            }
            at = Instant::now();
            if at.saturating_duration_since(now) >= LONGEST_TURN {
                break;
            }
        }
        true
    }

    fn hand_out(&mut self, output: Output, now: Instant) {
        match output {
            Output::Event(event) => self.witness(&event, now),
            Output::GivenUp(given_up) => self.bury(*given_up),
            Output::Spill(command) => self.parts.spill.submit(command),
            Output::Disconnect { session, link, namespace, reason } => {
                self.cut(session, link, namespace, reason);
            }
            Output::Starved(key) => {
                // What the hub knows may be old: more may be there already.
                let rooms = self.seat_mut(key).map(|seat| (seat.room, seat.outlet.await_room()));
                if let Some((_, room)) = rooms.filter(|(old, new)| old != new) {
                    self.take_room(key, room, now);
                }
            }
            Output::Transmit(key, mut batch) => {
                if let Some(seat) = self.seat_mut(key) {
                    seat.outlet.send(&mut batch);
                    if std::mem::take(&mut seat.is_parked) {
                        seat.link.wake();
                    }
                }
                self.hub.recycle(batch);
                self.look_at_room(key, now);
            }
        }
    }
}
