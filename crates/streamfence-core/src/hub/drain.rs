//! What a hub does that is about to stop: nothing waits for what will not come any more.

use std::time::Instant;

use super::Hub;
use crate::message::SessionKey;

impl Hub {
    /// Sends what is held for its interval as soon as there is room, and holds nothing in its lanes any more: whoever
    /// reads gets the newest value of each key before the end.
    pub fn release_held(&mut self, now: Instant) {
        self.advance(now);
        let sessions = self.sessions.iter();
        let keys: Vec<_> =
            sessions.map(|(index, entry)| SessionKey { index: index as u32, generation: entry.generation }).collect();
        for key in keys {
            let seated = &mut self.sessions[key.index as usize].value;
            if seated.session.hold_no_more() {
                let link = seated.link;
                self.settle(key, false);
                self.file_ready(link);
            }
        }
    }
}
