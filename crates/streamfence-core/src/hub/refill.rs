//! How lanes that have spilled catch up: from memory at once, from what is read when it is there. Never what is published.

use std::hint::black_box;
use std::time::Instant;

use super::Hub;
use crate::lane::{Read, Source, Spilled};
use crate::link::Link;
use crate::message::{LinkKey, SessionKey, TopicId};
use crate::spill::{LogId, LogPosition, LostRecords, Record};
use crate::spill_log::Want;

impl Hub {
    /// Lets every lane of a session that has spilled take what there is for it, as far as it has place.
    pub(super) fn feed(&mut self, key: SessionKey) {
        self.for_each_spilled(key, |hub, place, topic, now| hub.feed_lane(key, place, topic, now));
    }

    /// The same for all sessions of a link, which get their turns with it. Says whether any has something to say that had
    /// nothing.
    pub(super) fn feed_link(&mut self, key: LinkKey) -> bool {
        let mut any = false;
        for index in 0..self.link(key).map_or(0, |link| link.sessions().len()) {
            let session = self.links[key.index as usize].value.sessions()[index];
            let state = &self.sessions[session.index as usize].value.session;
            if !state.has_spilled() {
                continue;
            }
            let was_ready = state.is_ready();
            self.feed(session);
            let is_ready = self.sessions[session.index as usize].value.session.is_ready();
            if is_ready && let Some(link) = self.link_mut(key) {
                link.queue_up(session);
                any |= !was_ready;
                self.file_deadline(session);
            }
        }
        if any {
            self.file_ready(key);
        }
        any && self.link(key).is_some_and(Link::is_ready)
    }

    /// Lets a lane that has spilled take what there is for it, as far as it has place.
    pub(super) fn feed_lane(&mut self, key: SessionKey, lane: u32, topic: TopicId, now: Instant) {
        let Some(place) = self.log_of(topic) else { return };
        if self.most_to_take(key, lane) == 0 {
            return;
        }
        self.refill(key, lane, place, topic, None, now);
        let state = self.sessions[key.index as usize].value.session.lane(lane);
        let Some(spilled) = state.spilled() else { return };
        let (at, (messages, bytes)) = (spilled.cursor.position, state.vacant());
        let is_to_wait = !spilled.is_waiting && !state.is_stalled();
        if is_to_wait && self.most_to_take(key, lane) > 0 && self.spills.log(place).slot(at).is_none() {
            self.spills.update(place, now, |log| log.reads.wait(at, key, Want { place: lane, messages, bytes }));
            if let Some(spilled) = self.spilled_mut(key, lane) {
                spilled.is_waiting = true;
            }
        }
    }

    /// How many messages a lane may take now: none while it is more than half full, and where memory is short one at a
    /// time, and only while it can be sent. A link that has no room for it is looked at again when it has.
    fn most_to_take(&mut self, key: SessionKey, lane: u32) -> u64 {
        let seated = &self.sessions[key.index as usize].value;
        let (link, state) = (seated.link, seated.session.lane(lane));
        let is_empty = state.is_empty();
        match (state.wants_refill(), self.is_tight()) {
            (false, _) => 0,
            (true, false) => u64::MAX,
            (true, true) if self.can_send_first(key, lane) => 1,
            (true, true) => {
                // One that is away takes it when it is back.
                if is_empty && self.link(link).is_some() {
                    self.strain.await_room(link);
                }
                0
            }
        }
    }

    /// Lets a lane take from what was read, if anything was, and then from memory; where nothing is left for it, it is hot
    /// again. Says whether it took anything.
    fn refill(
        &mut self,
        key: SessionKey,
        lane: u32,
        place: u32,
        topic: TopicId,
        source: Option<&Source>,
        now: Instant,
    ) -> bool {
        let most = self.most_to_take(key, lane);
        let Some(from) = self.spilled(key, lane).map(|spilled| spilled.cursor.position) else { return false };
        let (log, books) = (self.spills.log(place), &mut self.books);
        let session = &mut self.sessions[key.index as usize].value.session;
        let mut took = false;
        if let Some(source) = source {
            took = session.refill(lane, books, |lane, client| lane.refill_from_disk(log, source, client, most, now));
        }
        let most = if took { most.saturating_sub(1) } else { most };
        took |= session.refill(lane, books, |lane, client| lane.refill_from_memory(log, client, most, now));
        let has_caught_up = session.lane(lane).has_caught_up(log);
        let Some(spilled) = self.spilled_mut(key, lane) else { return took };
        let (to, was_waiting) = (spilled.cursor.position, spilled.is_waiting);
        if from != to {
            spilled.has_moved();
            self.spills.update(place, now, |log| {
                if was_waiting {
                    log.reads.forget(from, key);
                }
                log.move_cursor(from, to);
            });
        }
        if has_caught_up {
            self.land(key, lane, topic, place, now);
        } else if from != to {
            self.open_if_low(key, lane, topic, place, now);
        }
        took
    }

    /// A lane that was shut takes new messages again, if it has come down so far.
    pub(super) fn open_if_low(&mut self, key: SessionKey, lane: u32, topic: TopicId, place: u32, now: Instant) {
        let quota = self.rules(topic).max_bytes_per_client.map(std::num::NonZeroU64::get);
        let log = self.spills.log(place);
        let session = &mut self.sessions[key.index as usize].value.session;
        let Some(spilled) = session.lane_mut(lane).spilled_mut() else { return };
        if spilled.may_open(log, quota) {
            spilled.open(log);
            self.spills.update(place, now, |log| {
                log.shut -= 1;
                log.refusals.seal();
            });
            self.file_quota(key, lane, topic, place, now);
        }
    }

    /// A lane has caught up: it is hot again.
    fn land(&mut self, key: SessionKey, lane: u32, topic: TopicId, place: u32, now: Instant) {
        let was_shut = self.spilled(key, lane).is_some_and(Spilled::is_shut);
        let session = &mut self.sessions[key.index as usize].value.session;
        if let Some(spilled) = session.land(lane, self.spills.log(place), now, &mut self.books) {
            if was_shut {
                self.spills.update(place, now, |log| log.shut -= 1);
            }
            self.take_from_log(key, lane, topic, place, &spilled, now);
        }
    }

    /// Takes a lane off its log, and puts it among the others of its topic.
    pub(super) fn take_from_log(
        &mut self,
        key: SessionKey,
        lane: u32,
        topic: TopicId,
        place: u32,
        spilled: &Spilled,
        now: Instant,
    ) {
        let session = &mut self.sessions[key.index as usize].value.session;
        let seat = session.seat_of(lane) as usize;
        let moved = self.spills.update(place, now, |log| {
            let at = spilled.cursor.position;
            log.lanes.swap_remove(seat);
            if spilled.is_waiting {
                log.reads.forget(at, key);
            }
            if let Some(limit) = spilled.quota {
                log.quotas.remove(&(limit, key));
            }
            log.shut -= u32::from(spilled.is_shut());
            log.part(at, now);
            log.lanes.get(seat).copied()
        });
        if let Some((other, lane)) = moved {
            self.sessions[other.index as usize].value.session.seat(lane, seat as u32);
        }
        if let Some(seats) = self.topics.get_mut(topic) {
            self.sessions[key.index as usize].value.session.seat(lane, seats.lanes.len() as u32);
            seats.lanes.push((key, lane));
        }
    }

    /// Something was read: every lane that waits for it takes its part.
    pub(super) fn handle_records(
        &mut self,
        log: LogId,
        from: LogPosition,
        next: LogPosition,
        records: Vec<Record>,
        lost: Vec<LostRecords>,
        now: Instant,
    ) {
        let Some(place) = self.spills.find(log) else { return };
        let waiting = self.spills.update(place, now, |log| log.reads.answer(from, next));
        let (began, log) = (self.spills.began(now), self.spills.log(place));
        // Made once, for all the lanes that take them. Where nothing was appended lately, nobody is there to take any.
        let records = records.into_iter().filter_map(|record| {
            let topic = log.class_at(record.position)?.clone();
            Some(Read::new(record, topic, began))
        });
        let source = Source { next, records: records.collect(), lost };
        for (number, &(_, key, lane)) in waiting.iter().enumerate() {
            if number % LOOK_AHEAD == 0 {
                self.look_ahead(&waiting[number..waiting.len().min(number + LOOK_AHEAD)]);
            }
            let Some(spilled) = self.spilled_mut(key, lane) else { continue };
            spilled.is_waiting = false;
            let topic = self.sessions[key.index as usize].value.session.lane(lane).topic();
            let at = self.spilled(key, lane).map(|spilled| spilled.cursor.position);
            if self.most_to_take(key, lane) == 0 {
                continue;
            }
            self.refill(key, lane, place, topic, Some(&source), now);
            if self.spilled(key, lane).map(|spilled| spilled.cursor.position) == at {
                self.sessions[key.index as usize].value.session.lane_mut(lane).stall();
            }
            self.settle(key, false);
        }
    }

    /// Looks at what the next lanes will need: lanes at places of their own lie all over the memory, and one wait for it is
    /// for all of these and not for each.
    fn look_ahead(&self, lanes: &[(LogPosition, SessionKey, u32)]) {
        let seen = lanes.iter().filter_map(|&(_, key, lane)| {
            let session = self.session(key).filter(|session| session.has_spilled())?;
            let lane = session.lane(lane);
            Some(lane.bytes() ^ lane.spilled()?.cursor.position.0 ^ lane.newest_seen())
        });
        black_box(seen.fold(0, |seen, lane| seen ^ lane));
    }
}

/// How many lanes are looked at before the first of them is served.
const LOOK_AHEAD: usize = 16;
