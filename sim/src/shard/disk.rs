//! The disk of a shard: what it is told, and what it does when it is its turn.

use streamfence_core::{SpillCommand, SpillCompletion, SpillLimits};

use super::Shard;
use crate::dice::Dice;
use crate::scene::Scene;

/// Small limits, so that little is much.
pub(super) fn limits(scene: &Scene) -> SpillLimits {
    SpillLimits {
        allowance_bytes: 4_000,
        unwritten_bytes: 20_000,
        open_bytes: 500,
        append_bytes: 1_000,
        tail_bytes: if scene.keeps_tails { 4_000 } else { 0 },
        tails_bytes: 20_000,
        ..SpillLimits::default()
    }
}

impl Shard {
    pub(super) fn tell_disk(&mut self, command: SpillCommand) {
        self.trace.count("commands to a disk", 1);
        self.disk.submit(command);
    }

    /// The disk does one of the things it might do next. Says whether there was any.
    pub(crate) fn work_disk(&mut self, dice: &mut Dice) -> bool {
        let choices = self.disk.choices();
        if choices == 0 {
            return false;
        }
        let now = self.time();
        for answer in self.disk.carry_out(dice.below(choices as u64) as usize) {
            self.note(&[29], || format!("disk {}: {}", self.number, words(&answer)));
            self.hub.handle_spill(answer, now);
        }
        self.touch_all();
        true
    }

    /// Its disk has room for everything from now on.
    pub(crate) fn mend_disk(&mut self) {
        let now = self.time();
        for answer in self.disk.resize(1 << 40) {
            self.hub.handle_spill(answer, now);
        }
    }
}

/// An answer without what lies in the records.
fn words(answer: &SpillCompletion) -> String {
    match answer {
        SpillCompletion::Records { from, next, records, .. } => {
            format!("{} records from {} to {}", records.len(), from.0, next.0)
        }
        other => format!("{other:?}"),
    }
}
