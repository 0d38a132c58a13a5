//! Lanes that have spilled: what is published to them, and how they catch up.
//!
//! A topic whose lanes spill has a log here, and the lanes that read it stand there instead of among the topic's others:
//! what is published costs the same however many they are. Never what lies in a log, and never what a lane takes.

use std::sync::Arc;
use std::time::Instant;

use super::{Fanout, Hub};
use crate::event::{CloseReason, Event};
use crate::gap::LossReason;
use crate::lane::{Admission, Rejection, Spilled, WayOut};
use crate::message::{ClientId, Message, SessionKey, TopicId};
use crate::policy::{SpillFull, SpillRules};
use crate::session::Verdict;
use crate::spill::{Audience, LogPosition, Record, SpillCompletion, SpillHealth, SpillRefusal, stored_bytes};
use crate::spill_log::{Cursor, SpillLimits, SpillLog};
use crate::topic::TopicEntry;

/// In how many steps what a topic may have on disk is counted as free again.
const QUOTA_STEPS: u64 = 16;

/// A lane: its session, and its place there.
type Place = (SessionKey, u32);

impl Hub {
    /// The same hub, as one shard of several: its logs have names that no other shard's have, and each topic may have its
    /// part of the disk.
    #[must_use]
    pub fn on_shard(mut self, shard: u16, shards: u16) -> Self {
        self.spills.on_shard(shard, shards);
        self
    }

    /// Goes by other limits for what has spilled and is in memory than the usual ones, in logs that are made from now on.
    pub fn limit_spills(&mut self, limits: SpillLimits) {
        self.spills.limits = limits;
    }

    /// Takes what became of a [command](crate::Output::Spill), or of the disk.
    pub fn handle_spill(&mut self, completion: SpillCompletion, now: Instant) {
        let now = self.advance(now);
        match completion {
            SpillCompletion::Granted { log, bytes } => {
                if let Some(place) = self.spills.find(log) {
                    self.spills.update(place, now, |log| log.handle_granted(bytes));
                }
            }
            SpillCompletion::Appended { log, upto } => {
                if let Some(place) = self.spills.find(log) {
                    let keeps_tail = self.spills.keeps_tails();
                    self.spills.update(place, now, |log| log.handle_appended(upto, keeps_tail));
                }
            }
            SpillCompletion::Records { log, from, next, records, lost } => {
                self.handle_records(log, from, next, records, lost, now);
            }
            SpillCompletion::Health { log, health } => {
                if self.spills.note_health(log.store, health) {
                    self.books.push_event(Event::SpillHealthChanged { store: log.store, health });
                }
            }
        }
    }

    /// Offers a message to all lanes of a topic some of which have spilled, or may.
    pub(super) fn publish_spilling(&mut self, message: &Arc<Message>, except: &[ClientId], now: Instant) -> Fanout {
        let mut fanout = Fanout::default();
        let vacancy = self.vacancy(message, except.len());
        let mut lanes = std::mem::take(&mut self.topics.open(&message.topic).lanes);
        let mut new = Vec::new();
        let mut seat = 0;
        while let Some(&(key, place)) = lanes.get(seat) {
            if self.is_left_out(except, key) {
                seat += 1;
                continue;
            }
            let admission = self.offer_hot(key, place, message, vacancy, false, now);
            fanout.add(admission);
            if admission != Admission::Spilled {
                seat += 1;
                continue;
            }
            new.push((key, place));
            lanes.swap_remove(seat);
            if let Some(&(moved, place)) = lanes.get(seat) {
                self.sessions[moved.index as usize].value.session.seat(place, seat as u32);
            }
        }
        self.topics.open(&message.topic).lanes = lanes;
        let doomed = self.publish_to_readers(message, except, vacancy, &new, &mut fanout, now);
        self.cut_off(&doomed, now);
        fanout
    }

    /// Offers a message to the lanes of these sessions, of a topic some of whose lanes have spilled, or may.
    pub(super) fn publish_private(&mut self, sessions: &[SessionKey], message: &Arc<Message>, now: Instant) -> Fanout {
        let (mut fanout, topic) = (Fanout::default(), message.topic.id);
        let vacancy = self.vacancy(message, sessions.len());
        let (mut new, mut old, mut refused, mut doomed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for &key in sessions {
            let Some(place) = self.session(key).and_then(|session| session.lane_of(topic)) else { continue };
            let lane = self.sessions[key.index as usize].value.session.lane(place);
            if !lane.has_spilled() {
                let admission = self.offer_hot(key, place, message, vacancy, true, now);
                fanout.add(admission);
                if admission == Admission::Spilled {
                    self.vacate(topic, self.sessions[key.index as usize].value.session.seat_of(place));
                    new.push((key, place));
                }
                continue;
            }
            if new.contains(&(key, place)) || old.contains(&(key, place)) {
                // Whoever is named twice gets it once.
                continue;
            }
            let answer = match (lane.refuses(message, now), vacancy) {
                (Some(why), _) => Err(why),
                (None, Err(why)) => Err(Rejection::NotSpilled(why)),
                (None, Ok(_)) => self.make_place(key, place, message, now).map_err(|is_doomed| {
                    doomed.extend(is_doomed.then_some(key));
                    Rejection::NotSpilled(SpillRefusal::ClientQuota)
                }),
            };
            let admission = answer.map_or_else(Admission::Rejected, |()| Admission::Spilled);
            self.books.offered(topic, admission);
            fanout.add(admission);
            match answer {
                Ok(()) => old.push((key, place)),
                // It is one more of those that it misses anyway.
                Err(_) if self.spilled(key, place).is_some_and(Spilled::is_shut) => {
                    if let Some(spilled) = self.spilled_mut(key, place) {
                        spilled.miss_private(message.id.offset);
                    }
                }
                Err(why) => refused.push((key, why)),
            }
        }
        self.settle_private(message, &new, &old, &refused, now);
        self.cut_off(&doomed, now);
        fanout
    }

    /// The lanes of a session give up what they have on disk: of one topic, or of all.
    pub(super) fn abandon_spilled(&mut self, key: SessionKey, only: Option<TopicId>) {
        self.for_each_spilled(key, |hub, place, topic, now| {
            let Some(log) = hub.log_of(topic).filter(|_| only.is_none_or(|only| only == topic)) else { return };
            let session = &mut hub.sessions[key.index as usize].value.session;
            if let Some(spilled) = session.abandon_spilled(place, hub.spills.log(log), now, &mut hub.books) {
                hub.take_from_log(key, place, topic, log, &spilled, now);
            }
        });
    }

    /// What a client may have on disk may be another thing than it was.
    pub(super) fn refile_quotas(&mut self, key: SessionKey) {
        self.for_each_spilled(key, |hub, place, topic, now| {
            if let Some(log) = hub.log_of(topic) {
                hub.open_if_low(key, place, topic, log, now);
                hub.file_quota(key, place, topic, log, now);
            }
        });
    }

    /// Does something to every lane of a session that has spilled.
    pub(super) fn for_each_spilled(&mut self, key: SessionKey, mut act: impl FnMut(&mut Self, u32, TopicId, Instant)) {
        let Some(now) = self.now else { return };
        let mut from = 0;
        while let Some((place, topic)) = self.sessions[key.index as usize].value.session.next_spilled(from) {
            from = place + 1;
            act(self, place, topic, now);
        }
    }

    /// Closes the logs that nobody has read for a while.
    pub(super) fn close_idle_logs(&mut self, now: Instant) {
        let idle = self.spills.close_idle(now);
        if !idle.is_empty() {
            self.topics.forget_logs(&idle);
        }
    }

    /// Where the next message of a topic would go, or why nowhere. It names so many clients at most.
    fn vacancy(&self, message: &Message, named: usize) -> Result<Cursor, SpillRefusal> {
        let rules = self.rules(message.topic.id);
        let cost = stored_bytes(message.key.as_ref(), &message.body, named);
        let (bytes, waiting) = (message.size_bytes(), self.spills.waiting());
        let most = rules.max_bytes_per_topic.map(|most| self.spills.part(most.get()));
        if cost > Record::MAX_STORED_BYTES {
            return Err(SpillRefusal::TooLarge);
        }
        if rules.max_bytes_per_client.is_some_and(|most| bytes > most.get()) {
            return Err(SpillRefusal::ClientQuota);
        }
        if named > 0 && self.spills.names() + named as u64 > self.spills.limits.names {
            return Err(SpillRefusal::Busy);
        }
        let log = self.log_of(message.topic.id).map(|place| self.spills.log(place));
        let short = match self.spills.health(log.map_or(rules.store, |log| log.id().store)) {
            SpillHealth::Failed => return Err(SpillRefusal::Failed),
            SpillHealth::Full => SpillRefusal::Full,
            SpillHealth::Healthy => SpillRefusal::Busy,
        };
        if most.is_some_and(|most| log.map_or(0, SpillLog::held_bytes) + bytes > most) {
            return Err(SpillRefusal::TopicQuota);
        }
        let is_room = match log {
            Some(log) => log.takes(cost, waiting),
            None => waiting.takes(cost, false, &self.spills.limits),
        };
        if is_room { Ok(log.map_or_else(Cursor::default, SpillLog::tail)) } else { Err(short) }
    }

    /// Offers a message to a lane that is hot.
    fn offer_hot(
        &mut self,
        key: SessionKey,
        place: u32,
        message: &Arc<Message>,
        vacancy: Result<Cursor, SpillRefusal>,
        is_private: bool,
        now: Instant,
    ) -> Admission {
        if self.is_tight() {
            let way_out = vacancy.ok().map(|vacancy| WayOut { vacancy, is_private });
            return self.offer_tight(key, place, message, way_out, now);
        }
        let session = &mut self.sessions[key.index as usize].value.session;
        let admission = session.offer_or_spill(place, message, vacancy, is_private, now, &mut self.books);
        if admission != Admission::Spilled {
            let is_crowded = session.lane(place).is_crowded();
            self.settle(key, is_crowded);
        }
        admission
    }

    /// Offers a message for everybody to the lanes that have spilled, and gives those their place that do with it. Hands
    /// out those that are to be cut off.
    fn publish_to_readers(
        &mut self,
        message: &Arc<Message>,
        except: &[ClientId],
        vacancy: Result<Cursor, SpillRefusal>,
        new: &[Place],
        fanout: &mut Fanout,
        now: Instant,
    ) -> Vec<SessionKey> {
        let (topic, offset, bytes) = (message.topic.id, message.id.offset, message.size_bytes());
        let Some(place) = self.log_of(topic).or_else(|| (!new.is_empty()).then(|| self.open_log(&message.topic)))
        else {
            return Vec::new();
        };
        let readers = &self.spills.log(place).lanes;
        let first = readers.first().map(|&(key, place)| self.sessions[key.index as usize].value.session.lane(place));
        let refusal = match (first.and_then(|lane| lane.refuses(message, now)), vacancy) {
            (Some(why), _) => Some(why),
            (None, Err(why)) => Some(Rejection::NotSpilled(why)),
            (None, Ok(_)) => None,
        };
        let excepted: Vec<_> = except.iter().filter_map(|client| self.reader(*client, topic)).collect();
        let all = self.spills.log(place).lanes.len() - excepted.len();
        let before = self.spills.log(place).offered.1;
        self.spills.update(place, now, |log| log.note_offered(offset));
        let doomed = match refusal {
            None => self.enforce_quotas(place, topic, message, now),
            Some(_) => Vec::new(),
        };
        for &(key, lane) in &excepted {
            if let Some(spilled) = self.spilled_mut(key, lane) {
                spilled.skip(offset, before);
            }
        }
        if let Some(why) = refusal {
            if all > 0 {
                self.note_refusal(place, message, why, self.all_but(&excepted));
                self.books.offered_to_all(topic, all as u64, Err(why));
                fanout.add_all(all as u32, Err(why));
            }
            return doomed;
        }
        let is_shut = |&(key, lane): &Place| self.spilled(key, lane).is_some_and(Spilled::is_shut);
        let (excepted_shut, spared): (Vec<_>, Vec<_>) = excepted.into_iter().partition(is_shut);
        let shut = self.spills.log(place).shut as usize - excepted_shut.len();
        let takers = all - shut;
        if shut > 0 {
            let why = Rejection::NotSpilled(SpillRefusal::ClientQuota);
            self.books.offered_to_all(topic, shut as u64, Err(why));
            fanout.add_all(shut as u32, Err(why));
        }
        if takers + new.len() == 0 {
            return doomed;
        }
        self.books.offered_to_all(topic, takers as u64, Ok(()));
        fanout.add_all(takers as u32, Ok(()));
        let at = self.append(place, message, self.all_but(&spared), now);
        for (key, lane) in spared {
            let Some(spilled) = self.spilled_mut(key, lane) else { continue };
            spilled.add_excepted(at, bytes);
            if !spilled.takes_deviations() {
                self.shut(key, lane, place, None, now);
            }
        }
        self.enter_log(new, place, at, now);
        doomed
    }

    /// Whether a lane that has spilled takes a message for it alone. If not, it is shut, and perhaps too far behind.
    fn make_place(&mut self, key: SessionKey, lane: u32, message: &Message, now: Instant) -> Result<(), bool> {
        let topic = message.topic.id;
        let rules = self.rules(topic);
        let (Some(log), Some(spilled)) = (self.log_of(topic), self.spilled(key, lane)) else { return Ok(()) };
        let backlog = spilled.backlog(self.spills.log(log));
        let quota = rules.max_bytes_per_client;
        let is_over = quota.is_some_and(|most| backlog.bytes + message.size_bytes() > most.get());
        let is_shut = spilled.is_shut();
        if !is_shut && !is_over && spilled.takes_deviations() {
            return Ok(());
        }
        if !is_shut {
            self.shut(key, lane, log, None, now);
        }
        Err(is_over && rules.on_full == SpillFull::Disconnect)
    }

    /// Appends a message for these lanes alone, and notes of those that were refused it why.
    fn settle_private(
        &mut self,
        message: &Arc<Message>,
        new: &[Place],
        old: &[Place],
        refused: &[(SessionKey, Rejection)],
        now: Instant,
    ) {
        if let (Some(&(_, why)), Some(log)) = (refused.first(), self.log_of(message.topic.id)) {
            // They were refused for one reason: the message's, or the log's.
            let clients = self.clients_of(refused.iter().map(|&(key, _)| key));
            self.note_refusal(log, message, why, Audience::Private(clients));
        }
        if new.is_empty() && old.is_empty() {
            return;
        }
        let topic = message.topic.id;
        let place = self.log_of(topic).unwrap_or_else(|| self.open_log(&message.topic));
        let clients = self.clients_of(new.iter().chain(old).map(|&(key, _)| key));
        let at = self.append(place, message, Audience::Private(clients), now);
        for &(key, lane) in old {
            if let Some(spilled) = self.spilled_mut(key, lane) {
                spilled.add_private(at, message.size_bytes());
            }
            self.file_quota(key, lane, topic, place, now);
        }
        self.enter_log(new, place, at, now);
    }

    fn append(&mut self, place: u32, message: &Arc<Message>, audience: Audience, now: Instant) -> LogPosition {
        let cost = stored_bytes(message.key.as_ref(), &message.body, audience.names());
        let most = self.rules(message.topic.id).max_bytes_per_topic;
        let step = most.map_or(u64::MAX, |most| self.spills.part(most.get()) / QUOTA_STEPS);
        let at = self.spills.log(place).tail().position;
        self.spills.update(place, now, |log| log.append(message, audience, cost, now, step));
        // What waits to be written should be, before more is published.
        self.is_crowded |= self.spills.log(place).is_queued;
        at
    }

    /// Gives lanes that have just spilled their places in a log, at a position.
    fn enter_log(&mut self, new: &[Place], place: u32, at: LogPosition, now: Instant) {
        for &(key, lane) in new {
            let seat = self.spills.update(place, now, |log| {
                log.join(at);
                log.refusals.seal();
                log.lanes.push((key, lane));
                log.lanes.len() as u32 - 1
            });
            let session = &mut self.sessions[key.index as usize].value.session;
            session.join_log(lane, seat);
            let topic = session.lane(lane).entry().clone();
            let is_empty = session.lane(lane).is_empty();
            self.books.spill_began(&topic, session.client());
            self.file_quota(key, lane, topic.id, place, now);
            if is_empty {
                // Nothing of it will leave and have it go on: for want of memory it has spilled before it was full.
                self.settle(key, false);
            }
        }
    }

    /// Shuts the lanes for which one message more for everybody is too much; hands out those that are to be cut off.
    fn enforce_quotas(&mut self, place: u32, topic: TopicId, message: &Message, now: Instant) -> Vec<SessionKey> {
        let mut doomed = Vec::new();
        let rules = self.rules(topic);
        while let Some((&(limit, key), &lane)) = self.spills.log(place).quotas.first_key_value() {
            let end = self.spills.log(place).tail().sums.bytes + message.size_bytes();
            if limit >= end {
                break;
            }
            self.spills.update(place, now, |log| log.quotas.remove(&(limit, key)));
            let Some(spilled) = self.spilled_mut(key, lane) else { continue };
            spilled.quota = None;
            let exact = rules.max_bytes_per_client.map_or(u64::MAX, |most| spilled.limit_at(most.get()));
            if exact >= end {
                self.file_quota(key, lane, topic, place, now);
                continue;
            }
            self.shut(key, lane, place, Some(message), now);
            if rules.on_full == SpillFull::Disconnect {
                doomed.push(key);
            }
        }
        doomed
    }

    /// A lane takes nothing more until it has less.
    fn shut(&mut self, key: SessionKey, lane: u32, place: u32, missed: Option<&Message>, now: Instant) {
        let Some(spilled) = self.sessions[key.index as usize].value.session.lane_mut(lane).spilled_mut() else {
            return;
        };
        if spilled.is_shut() {
            return;
        }
        spilled.shut(self.spills.log(place), missed.map(|message| message.id.offset));
        let quota = spilled.quota.take();
        self.spills.update(place, now, |log| {
            log.shut += 1;
            log.refusals.seal();
            quota.map(|limit| log.quotas.remove(&(limit, key)))
        });
    }

    /// Files anew at how many bytes a lane has all it may have.
    pub(super) fn file_quota(&mut self, key: SessionKey, lane: u32, topic: TopicId, place: u32, now: Instant) {
        let most = self.rules(topic).max_bytes_per_client;
        let Some(spilled) = self.spilled_mut(key, lane) else { return };
        let limit = most.filter(|_| !spilled.is_shut()).map(|most| spilled.limit_at(most.get()));
        let old = std::mem::replace(&mut spilled.quota, limit);
        if old != limit {
            self.spills.update(place, now, |log| {
                if let Some(old) = old {
                    log.quotas.remove(&(old, key));
                }
                if let Some(limit) = limit {
                    log.quotas.insert((limit, key), lane);
                }
            });
        }
    }

    /// Ends the sessions of clients that had as much on disk as they may have.
    fn cut_off(&mut self, doomed: &[SessionKey], now: Instant) {
        for &key in doomed {
            if self.link_of(key).is_some() {
                self.carry_out(key, Verdict::Disconnect(CloseReason::SpillFull), now);
            } else if self.session(key).is_some() {
                self.end_detached(key);
            }
        }
    }

    fn note_refusal(&mut self, place: u32, message: &Message, why: Rejection, audience: Audience) {
        let reason = if why == Rejection::Expired { LossReason::Expired } else { LossReason::Rejected };
        let (offset, now) = (message.id.offset, self.now.unwrap_or(message.published));
        let unplaced = matches!(why, Rejection::NotSpilled(_));
        self.spills.update(place, now, |log| {
            log.refusals.note(log.tail().position, offset, reason, unplaced, audience);
        });
    }

    fn open_log(&mut self, topic: &Arc<TopicEntry>) -> u32 {
        let place = self.spills.open(topic, self.rules(topic.id).store);
        self.topics.open(topic).log = Some(place);
        place
    }

    pub(super) fn log_of(&self, topic: TopicId) -> Option<u32> {
        self.topics.get(topic)?.log
    }

    pub(super) fn rules(&self, topic: TopicId) -> SpillRules {
        self.books.catalog().class(topic).spill
    }

    /// The lane of a client that has spilled, in a topic.
    fn reader(&self, client: ClientId, topic: TopicId) -> Option<Place> {
        let key = self.session_of(client)?;
        let session = self.session(key)?;
        let lane = session.lane_of(topic)?;
        session.lane(lane).has_spilled().then_some((key, lane)).filter(|_| session.has_spilled())
    }

    /// Everybody but the clients of these lanes.
    fn all_but(&self, lanes: &[Place]) -> Audience {
        let clients = self.clients_of(lanes.iter().map(|&(key, _)| key));
        if clients.is_empty() { Audience::All } else { Audience::Except(clients) }
    }

    /// The clients of these sessions, as an audience names them.
    fn clients_of(&self, sessions: impl Iterator<Item = SessionKey>) -> Box<[ClientId]> {
        let mut clients: Box<[_]> =
            sessions.map(|key| self.sessions[key.index as usize].value.session.client()).collect();
        clients.sort_unstable();
        clients
    }

    pub(super) fn spilled(&self, key: SessionKey, lane: u32) -> Option<&Spilled> {
        self.sessions[key.index as usize].value.session.lane(lane).spilled()
    }

    pub(super) fn spilled_mut(&mut self, key: SessionKey, lane: u32) -> Option<&mut Spilled> {
        self.sessions[key.index as usize].value.session.lane_mut(lane).spilled_mut()
    }
}
