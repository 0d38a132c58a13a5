//! A store that keeps everything in memory and does what it is told when its driver says so: slow, full, failed, damaged.
//!
//! It believes no hub: whatever a hub may not ask of a store is a panic here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{LogId, LogPosition, LostRecords, Record, SpillCommand, SpillCompletion, SpillHealth};

/// A store for tests.
#[derive(Debug)]
pub struct SimDisk {
    logs: BTreeMap<LogId, DiskLog>,
    /// What was told and is not done.
    commands: VecDeque<SpillCommand>,
    /// The names of all logs there ever were.
    names: BTreeSet<LogId>,
    /// How many bytes it has, and how many it makes room for at a time.
    capacity_bytes: u64,
    grant_bytes: u64,
    health: SpillHealth,
    has_failed: bool,
    /// How many records it has been given, and how many reads it has answered.
    pub written: u64,
    /// How many reads it has answered.
    pub reads: u64,
}

#[derive(Debug, Default)]
struct DiskLog {
    records: BTreeMap<LogPosition, Record>,
    /// After the last record written, and after the last that it was told to write.
    appended: LogPosition,
    told: LogPosition,
    released: LogPosition,
    is_open: bool,
    /// What was granted and not used, as the store counts it, and as its user may.
    granted: u64,
    to_use: u64,
    damaged: Vec<(LogPosition, LogPosition)>,
}

impl SimDisk {
    /// An empty store of so many bytes, which makes room for so many at a time.
    #[must_use]
    pub fn new(capacity_bytes: u64, grant_bytes: u64) -> Self {
        Self {
            logs: BTreeMap::new(),
            commands: VecDeque::new(),
            names: BTreeSet::new(),
            capacity_bytes,
            grant_bytes,
            health: SpillHealth::Healthy,
            has_failed: false,
            written: 0,
            reads: 0,
        }
    }

    /// Takes a command, to be carried out later.
    ///
    /// # Panics
    /// When it is none that a hub may give.
    pub fn submit(&mut self, command: SpillCommand) {
        match &command {
            SpillCommand::Open { log, .. } => {
                assert!(self.names.insert(*log), "{log:?} is opened twice");
                self.logs.insert(*log, DiskLog::default());
            }
            SpillCommand::Append { log, records } => {
                let log = self.logs.get_mut(log).expect("what is appended to is open");
                assert!(!records.is_empty(), "an append is something");
                for record in records {
                    assert!(record.position >= log.told, "{:?} is appended twice", record.position);
                    log.told = LogPosition(record.position.0 + 1);
                    let cost = record.stored_bytes();
                    assert!(log.to_use >= cost, "{cost} bytes are appended, and {} were granted", log.to_use);
                    log.to_use -= cost;
                }
            }
            SpillCommand::Read { log, from, most_bytes } => {
                let log = &self.logs[log];
                assert!(*from < log.appended, "{from:?} is read, and {:?} is the end", log.appended);
                assert!(*from >= log.released, "{from:?} is read, and {:?} is the beginning", log.released);
                assert!(*most_bytes > 0, "a read asks for something");
            }
            SpillCommand::Release { log, upto } => {
                let log = self.logs.get_mut(log).expect("what is released is open");
                assert!(*upto >= log.released, "what is released stays so");
                log.released = *upto;
            }
            SpillCommand::Close { log } => {
                assert!(self.logs.contains_key(log), "what is closed is open");
            }
        }
        self.commands.push_back(command);
    }

    /// How many commands may be carried out next: the first that is no read, and every read.
    #[must_use]
    pub fn choices(&self) -> usize {
        self.eligible().count()
    }

    /// Carries out one of those, and says what became of it.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn carry_out(&mut self, choice: usize) -> Vec<SpillCompletion> {
        let place = self.eligible().nth(choice).expect("there are so many choices");
        let command = self.commands.remove(place).expect("it was found just now");
        let mut answers = Vec::new();
        match command {
            SpillCommand::Open { log, .. } => {
                self.logs.entry(log).or_default().is_open = true;
                if self.health != SpillHealth::Healthy {
                    answers.push(SpillCompletion::Health { log, health: self.health });
                }
            }
            SpillCommand::Append { log, records } if !self.has_failed => {
                let of = self.logs.get_mut(&log).expect("it is open");
                for record in records {
                    self.written += 1;
                    of.granted -= record.stored_bytes();
                    of.appended = LogPosition(record.position.0 + 1);
                    of.records.insert(record.position, record);
                }
                answers.push(SpillCompletion::Appended { log, upto: of.appended });
            }
            SpillCommand::Append { .. } => {}
            SpillCommand::Read { log, from, most_bytes } => {
                self.reads += 1;
                answers.push(self.read(log, from, most_bytes));
            }
            SpillCommand::Release { log, upto } => {
                let of = self.logs.get_mut(&log).expect("it is open");
                of.records = of.records.split_off(&upto);
            }
            SpillCommand::Close { log } => {
                self.logs.remove(&log);
            }
        }
        self.make_room(&mut answers);
        answers
    }

    /// Has another size from now on, and says what comes of it.
    pub fn resize(&mut self, capacity_bytes: u64) -> Vec<SpillCompletion> {
        self.capacity_bytes = capacity_bytes;
        let mut answers = Vec::new();
        self.make_room(&mut answers);
        answers
    }

    /// Writes no more, and says so.
    pub fn fail(&mut self) -> Vec<SpillCompletion> {
        self.has_failed = true;
        let mut answers = Vec::new();
        self.turn(SpillHealth::Failed, &mut answers);
        answers
    }

    /// Damages what lies between two records of a log, these among it.
    pub fn damage(&mut self, log: LogId, from: LogPosition, to: LogPosition) {
        if let Some(log) = self.logs.get_mut(&log) {
            log.damaged.push((from, LogPosition(to.0 + 1)));
        }
    }

    /// The logs there are.
    pub fn logs(&self) -> impl Iterator<Item = LogId> + '_ {
        self.logs.keys().copied()
    }

    /// What lies in a log.
    pub fn records(&self, log: LogId) -> impl Iterator<Item = &Record> {
        self.logs.get(&log).into_iter().flat_map(|log| log.records.values())
    }

    /// How many bytes are used or kept.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        let used = |log: &DiskLog| log.granted + log.records.values().map(Record::stored_bytes).sum::<u64>();
        self.logs.values().map(used).sum()
    }

    fn eligible(&self) -> impl Iterator<Item = usize> + '_ {
        let is_read = |command: &SpillCommand| matches!(command, SpillCommand::Read { .. });
        let first = self.commands.iter().position(|command| !is_read(command));
        let all = self.commands.iter().enumerate();
        all.filter(move |(place, command)| is_read(command) || Some(*place) == first).map(|(place, _)| place)
    }

    /// Makes room for every log that has used half of what it had, as long as there is some.
    fn make_room(&mut self, answers: &mut Vec<SpillCompletion>) {
        if self.has_failed {
            return;
        }
        let mut used = self.used_bytes();
        let mut is_short = false;
        for (&log, of) in &mut self.logs {
            while of.is_open && of.granted <= self.grant_bytes / 2 {
                if used + self.grant_bytes > self.capacity_bytes {
                    is_short = true;
                    break;
                }
                of.granted += self.grant_bytes;
                of.to_use += self.grant_bytes;
                used += self.grant_bytes;
                answers.push(SpillCompletion::Granted { log, bytes: self.grant_bytes });
            }
        }
        self.turn(if is_short { SpillHealth::Full } else { SpillHealth::Healthy }, answers);
    }

    fn turn(&mut self, health: SpillHealth, answers: &mut Vec<SpillCompletion>) {
        if std::mem::replace(&mut self.health, health) != health {
            let open = self.logs.iter().filter(|(_, of)| of.is_open);
            answers.extend(open.map(|(&log, _)| SpillCompletion::Health { log, health }));
        }
    }

    fn read(&self, log: LogId, from: LogPosition, most_bytes: u32) -> SpillCompletion {
        let (mut records, mut lost, mut next) = (Vec::new(), Vec::new(), from);
        let Some(of) = self.logs.get(&log) else {
            return SpillCompletion::Records { log, from, next, records, lost };
        };
        let mut bytes = 0;
        for record in of.records.range(from..).map(|(_, record)| record) {
            if record.position < next {
                continue;
            }
            if bytes > 0 && bytes + record.body.bytes.len() as u64 > u64::from(most_bytes) {
                break;
            }
            let damage = of.damaged.iter().find(|(start, end)| (*start..*end).contains(&record.position));
            if let Some(&(start, end)) = damage {
                let gone = of.records.range(start..end).map(|(_, record)| record);
                let gone = gone.filter(|record| record.audience.is_broadcast());
                let (messages, bytes) = gone
                    .fold((0, 0), |(messages, bytes), record| (messages + 1, bytes + record.body.bytes.len() as u64));
                lost.push(LostRecords { positions: start..end, messages, bytes });
                next = end;
                continue;
            }
            bytes += record.body.bytes.len() as u64;
            next = LogPosition(record.position.0 + 1);
            records.push(record.clone());
        }
        SpillCompletion::Records { log, from, next, records, lost }
    }
}
