//! What a hub does that is about to stop: nothing waits for what will not come any more.

use std::time::Instant;

use super::Hub;

impl Hub {
    /// Sends what is held for its interval as soon as there is room, and holds nothing in its lanes any more: whoever
    /// reads gets the newest value of each key before the end.
    pub fn release_held(&mut self, now: Instant) {
        self.advance(now);
        let keys: Vec<_> = self.sessions.iter().map(|(index, entry)| entry.session_key(index)).collect();
        for key in keys {
            if self.sessions[key.index as usize].value.session.hold_no_more() {
                self.settle(key, false);
            }
        }
    }
}
