//! What a hub of a scene is told of the memory there is.

use super::Stage;
use crate::{Pressure, PressureCost};

impl Stage {
    /// Has the hub shed so much, and tells it what is left when the next message has come.
    pub(super) fn feel(&mut self, mut shed_bytes: u64, body: u64) {
        let before = self.hub.resident();
        let mut pressure = Pressure { shed_bytes, ..Pressure::NONE };
        self.bear_cost();
        while self.hub.handle_pressure(pressure, self.instant()).is_more() {
            shed_bytes = shed_bytes.saturating_sub(self.bear_cost().freed_bytes);
            pressure = Pressure { shed_bytes, ..pressure };
        }
        if before > self.hub.resident() {
            self.note(&format!("shed {}", before - self.hub.resident()));
        }
        let Some(free) = self.memory else { return };
        let (free_bytes, owed_bytes) = (free.saturating_sub(body), body.saturating_sub(free));
        let _nothing = self.hub.handle_pressure(Pressure { free_bytes, owed_bytes, ..Pressure::NONE }, self.instant());
    }

    /// Tells what want of memory has cost up to now, if it has cost anything.
    pub(super) fn tell_cost(&mut self) {
        self.bear_cost();
        let PressureCost { rejected, displaced, freed_bytes } = self.cost;
        if self.cost != PressureCost::default() {
            self.note(&format!("memory cost: {rejected} rejected, {displaced} displaced, {freed_bytes} bytes shed"));
        }
    }

    /// Takes what it has cost since it was taken last.
    fn bear_cost(&mut self) -> PressureCost {
        let cost = self.hub.take_pressure_cost();
        self.cost.rejected += cost.rejected;
        self.cost.displaced += cost.displaced;
        self.cost.freed_bytes += cost.freed_bytes;
        cost
    }
}
