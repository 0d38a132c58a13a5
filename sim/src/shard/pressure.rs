//! A shard that is short of memory: what it sheds, and that its lanes take no more than is left.

use streamfence_core::{ENTRY_BYTES, MESSAGE_BYTES, Pressure, Relief, SessionKey, TopicId};

use super::{Command, Shard};
use crate::ledger::Load;
use crate::memory::footprint;

/// How many steps of shedding a shard takes before it goes on with what there is.
const STEPS_OF_SHEDDING: usize = 4;

impl Shard {
    /// Tells the hub what is left, and has it shed where that is too little, unless it has just said that it has nothing
    /// to shed. Says whether it has.
    pub(crate) fn relieve(&mut self, mut is_dry: bool) -> bool {
        let Some(budget) = self.memory.budget() else {
            self.relax();
            return false;
        };
        self.memory.set_entries(self.number, self.hub.in_memory());
        let (high, low) = (budget - budget / 32, budget - budget / 10);
        if self.memory.used() > high && !is_dry {
            self.trace.count("times memory was short", 1);
            for _ in 0..STEPS_OF_SHEDDING {
                let wanted = self.memory.used().saturating_sub(low);
                if wanted == 0 {
                    break;
                }
                let relief = self.shed(wanted);
                is_dry = relief == Relief::Nothing;
                if !relief.is_more() {
                    break;
                }
            }
        }
        let used = self.memory.used();
        let free_bytes = self.memory.share_of(budget.saturating_sub(used));
        let pressure = Pressure { free_bytes, owed_bytes: used.saturating_sub(budget), ..Pressure::NONE };
        let now = self.time();
        assert_eq!(self.hub.handle_pressure(pressure, now), Relief::Enough, "memory: nothing was wanted");
        self.ceiling = self.hub.in_memory() + free_bytes / ENTRY_BYTES;
        self.is_tight = pressure.owed_bytes > 0;
        is_dry
    }

    fn relax(&mut self) {
        if self.ceiling != u64::MAX {
            let now = self.time();
            assert_eq!(self.hub.handle_pressure(Pressure::NONE, now), Relief::Enough, "memory: nothing was wanted");
            (self.ceiling, self.is_tight) = (u64::MAX, false);
        }
    }

    /// Whether so many offers may meet a lack of memory. Where one has, what it has paid with is not there for the next.
    pub(super) fn may_be_tight(&mut self, offers: usize) -> bool {
        self.is_tight |= self.hub.in_memory() + offers as u64 >= self.ceiling;
        self.is_tight
    }

    /// One step of the shedding: only lanes shed that let older messages give way, and all they shed is told.
    fn shed(&mut self, wanted: u64) -> Relief {
        let before = self.all_loads();
        let stats: Vec<u64> = self.scene.rules.iter().map(|rule| self.hub.stats(rule.topic).displaced).collect();
        let used = self.memory.used();
        let highest_bytes = self.memory.highest_but(self.number);
        let now = self.time();
        let pressure = Pressure { free_bytes: 0, owed_bytes: 0, shed_bytes: wanted, highest_bytes };
        let relief = self.hub.handle_pressure(pressure, now);
        self.memory.set_entries(self.number, self.hub.in_memory());
        self.note(&[28, wanted], || format!("shard {} sheds {wanted}: {relief:?}", self.number));
        let mut shed = vec![0; self.scene.rules.len()];
        for (peer, topic, before) in before {
            let after = self.load(peer, topic);
            if after != before {
                assert!(after.messages < before.messages && after.bytes <= before.bytes, "memory: shed to hold more");
                shed[topic.index as usize] += before.messages - after.messages;
                let ledger = self.peers[peer].lane(topic).expect("it has just been looked at");
                assert!(ledger.rule.policy.gives_way(), "memory: a lane shed that keeps what it has");
                ledger.strain();
                self.touch(peer);
            }
        }
        for ((rule, shed), before) in self.scene.rules.iter().zip(&shed).zip(stats) {
            let told = self.hub.stats(rule.topic).displaced - before;
            assert_eq!(told, *shed, "memory: what was shed of topic {} is told", rule.topic.index);
            self.tallies[rule.topic.index as usize].displaced += shed;
            self.trace.count("messages shed", *shed);
        }
        let freed = used - self.memory.used();
        match relief {
            Relief::Enough => assert!(freed >= wanted, "memory: {freed} are free, {wanted} were wanted"),
            Relief::Nothing => self.check_nothing_to_shed(),
            Relief::Round { .. } | Relief::Unfinished => {}
        }
        self.memory
            .set_highest(self.number, if let Relief::Round { highest_bytes } = relief { highest_bytes } else { 0 });
        relief
    }

    fn check_nothing_to_shed(&self) {
        for (peer, topic, load) in self.all_loads() {
            let lane = self.peers[peer].lanes.iter().find(|(of, _)| *of == topic);
            let may_shed = lane.is_some_and(|(_, ledger)| ledger.gives_way());
            assert!(!may_shed || load.messages == 0, "memory: {load:?} of topic {} could be shed", topic.index);
        }
    }

    /// The lanes hold no more than there was place for. Says how much memory messages take that no lane has asked for:
    /// those on their way, and those that topics remember.
    pub(crate) fn check_entries(&self) -> u64 {
        let entries = self.hub.in_memory();
        self.memory.set_entries(self.number, entries);
        assert!(entries <= self.ceiling, "memory: lanes hold {entries} messages, {} fit", self.ceiling);
        let waiting = |command: &Command| match command {
            Command::Publish { message, .. } | Command::PublishTo { message, .. } => footprint(message),
        };
        let waiting: u64 = self.inbox.iter().map(waiting).sum();
        waiting + self.remembered().map(|(_, letter)| MESSAGE_BYTES + letter.size).sum::<u64>()
    }

    fn all_loads(&self) -> Vec<(usize, TopicId, Load)> {
        let there = |peer: &usize| self.hub.session(self.key_of(*peer)).is_some();
        let peers = (0..self.peers.len()).filter(|&peer| !self.peers[peer].is_gone).filter(there);
        let lanes = peers.flat_map(|peer| self.peers[peer].lanes.iter().map(move |(topic, _)| (peer, *topic)));
        lanes.map(|(peer, topic)| (peer, topic, self.load(peer, topic))).collect()
    }

    fn key_of(&self, peer: usize) -> SessionKey {
        self.peers[peer].key
    }
}
