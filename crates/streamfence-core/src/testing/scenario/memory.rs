//! What a hub of a scene is told of the memory there is.

use super::Stage;
use crate::Pressure;

impl Stage {
    /// Has the hub shed so much, and tells it what is left when the next message has come.
    pub(super) fn feel(&mut self, mut shed_bytes: u64, body: u64) {
        let before = self.hub.resident();
        let mut pressure = Pressure { shed_bytes, ..Pressure::NONE };
        let _earlier = self.hub.take_pressure_cost();
        while self.hub.handle_pressure(pressure, self.instant()).is_more() {
            shed_bytes = shed_bytes.saturating_sub(self.hub.take_pressure_cost().freed_bytes);
            pressure = Pressure { shed_bytes, ..pressure };
        }
        if before > self.hub.resident() {
            self.note(&format!("shed {}", before - self.hub.resident()));
        }
        let Some(free) = self.memory else { return };
        let (free_bytes, owed_bytes) = (free.saturating_sub(body), body.saturating_sub(free));
        let _nothing = self.hub.handle_pressure(Pressure { free_bytes, owed_bytes, ..Pressure::NONE }, self.instant());
    }
}
