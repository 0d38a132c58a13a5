//! The disk of a scene, and what a script does to it.

use super::Stage;
use crate::testing::disk::SimDisk;
use crate::testing::script::{Command, fold_names, number};
use crate::{MessageId, SpillCommand, SpillCompletion, SpillLimits};

/// How much a scene's disk has, and makes room for at a time, unless the script says otherwise.
const CAPACITY_BYTES: u64 = 1 << 30;
const GRANT_BYTES: u64 = 16 << 20;

#[derive(Debug)]
pub(super) struct Disk {
    store: SimDisk,
    /// Whether it does nothing by itself.
    waits: bool,
    tells: bool,
}

impl Default for Disk {
    fn default() -> Self {
        Self { store: SimDisk::new(CAPACITY_BYTES, GRANT_BYTES), waits: false, tells: false }
    }
}

impl Stage {
    pub(super) fn turn_disk(&mut self, command: &Command<'_>) {
        match (command.number("size"), command.number("grant")) {
            (Some(size), Some(grant)) => return self.disk.store = SimDisk::new(size, grant),
            (Some(size), None) => {
                let answers = self.disk.store.resize(size);
                return self.hear_disk(answers);
            }
            _ => {}
        }
        match command.words[..] {
            ["waits"] => self.disk.waits = true,
            ["goes", "on"] => self.disk.waits = false,
            ["forgets"] => self.hub.limit_spills(SpillLimits { tail_bytes: 0, ..SpillLimits::default() }),
            ["tells"] => self.disk.tells = true,
            ["step"] => self.step_disk(0),
            ["step", which] => self.step_disk(number::<usize>(which) - 1),
            ["fails"] => {
                let answers = self.disk.store.fail();
                self.hear_disk(answers);
            }
            ["damages", from, to] => {
                let (from, to) = (self.id_of(from), self.id_of(to));
                let logs: Vec<_> = self.disk.store.logs().collect();
                for log in logs {
                    let places = |wanted: MessageId| {
                        let mut all = self.disk.store.records(log).filter(move |record| record.id == wanted);
                        all.next().map(|record| record.position)
                    };
                    if let (Some(from), Some(to)) = (places(from), places(to)) {
                        self.disk.store.damage(log, from, to);
                    }
                }
            }
            ref other => panic!("`{other:?}` is nothing a disk does"),
        }
    }

    pub(super) fn tell_disk(&mut self, command: SpillCommand) {
        if self.disk.tells {
            let text = match &command {
                SpillCommand::Open { topic, .. } => format!("disk: open {topic}"),
                SpillCommand::Append { records, .. } => {
                    let names = records.iter().map(|record| self.name_of_id(record.id).to_owned());
                    format!("disk: append {}", fold_names(names))
                }
                SpillCommand::Read { from, .. } => format!("disk: read from {}", from.0),
                SpillCommand::Release { upto, .. } => format!("disk: release up to {}", upto.0),
                SpillCommand::Close { .. } => "disk: close".to_owned(),
            };
            self.note(&text);
        }
        self.disk.store.submit(command);
    }

    /// Lets a disk that does not wait do everything; says whether there was anything.
    pub(super) fn run_disk(&mut self) -> bool {
        let mut any = false;
        while !self.disk.waits && self.disk.store.choices() > 0 {
            any = true;
            self.step_disk(0);
        }
        any
    }

    fn step_disk(&mut self, choice: usize) {
        assert!(choice < self.disk.store.choices(), "the disk has nothing like that to do");
        let answers = self.disk.store.carry_out(choice);
        self.hear_disk(answers);
    }

    fn hear_disk(&mut self, answers: Vec<SpillCompletion>) {
        for answer in answers {
            self.hub.handle_spill(answer, self.instant());
            self.hub.check();
        }
    }

    fn id_of(&self, name: &str) -> MessageId {
        let found = self.messages.iter().find(|(known, ..)| known == name);
        found.unwrap_or_else(|| panic!("`{name}` was never offered")).2
    }

    fn name_of_id(&self, id: MessageId) -> &str {
        let found = self.messages.iter().find(|(.., known)| *known == id);
        &found.expect("only what was offered is written").0
    }
}
