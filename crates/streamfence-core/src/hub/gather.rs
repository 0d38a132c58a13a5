//! What one link has to say, taken from its sessions in turn. Never what a session says next: that it decides itself.

use std::time::Instant;

use super::{BATCH_LENGTH, Hub};
use crate::message::LinkKey;
use crate::output::Batch;

impl Hub {
    /// Gathers what a link whose turn it is has to say and has room for, a session at a time. `None` when it is gone.
    ///
    /// The hot path of a fan-out: with very many clients it costs the memory it looks at, so it looks at each thing once.
    #[inline]
    pub(super) fn gather(&mut self, key: LinkKey, now: Instant) -> Option<Batch> {
        let entry = self.links.get_mut(key.index as usize).filter(|entry| entry.generation == key.generation)?;
        let link = &mut entry.value;
        link.is_filed = false;
        let mut batch = self.spare.pop().unwrap_or_default();
        let mut room = link.room();
        let no_logs = self.spills.is_empty();
        let (is_alone, mut is_timeless, mut has_spilled) = (link.sessions().len() == 1, false, false);
        while batch.len() < BATCH_LENGTH {
            let Some(turn) = link.next_turn() else { break };
            let session = &mut self.sessions[turn.index as usize].value.session;
            if batch.is_empty() {
                session.look_ahead(room.frames.min(BATCH_LENGTH as u32) as usize);
            }
            let said = session.poll_transmit(&mut room, || link.clock().now(now), now, &mut self.books);
            is_timeless = is_alone && !session.has_timers();
            has_spilled |= !no_logs && session.has_spilled();
            let Some(what) = said else {
                if session.is_ready() {
                    link.keep_turn(turn);
                    break;
                }
                continue;
            };
            link.control_backlog -= usize::from(what.is_answer());
            batch.push(what);
            if session.is_ready() {
                link.queue_up(turn);
            }
        }
        link.use_room(room, now);
        if !batch.is_empty() && link.is_ready() {
            link.is_filed = true;
            self.ready.push_back(key);
        }
        if has_spilled && !batch.is_empty() {
            // What has left has made place for what lies on disk.
            is_timeless &= !self.feed_link(key);
        }
        // Most links have one session, and most sessions nothing that is ever due: those are not looked at again.
        if !is_timeless {
            self.file_deadlines(key);
        }
        Some(batch)
    }
}
