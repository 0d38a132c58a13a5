//! Looks at a hub from outside: what must hold after every step, from time to time, and at the end.

use std::collections::BTreeMap;
use std::time::Duration;

use streamfence_core::{Session, TopicId};

use super::Shard;
use crate::ledger::Load;
use crate::peer::Edge;

impl Shard {
    /// What may have changed is as it should be. Call when there is no more output.
    pub(crate) fn check_touched(&mut self) {
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        for &place in &touched {
            // A lane that had its turn and no room may have given up what was not worth sending any more.
            self.look_at_link(place);
            self.check_link(place);
        }
        touched.clear();
        self.touched = touched;
    }

    /// Limits hold, and a link falls silent only when nobody on it has anything to say, or not all of it has room.
    fn check_link(&self, place: usize) {
        let Some(link) = self.links[place].as_ref() else { return };
        let is_at_work = |peer: usize| {
            let session = self.hub.session(self.peers[peer].key).expect("keys: who is on a link is there");
            self.check_loads(peer, session);
            // A value whose interval is over is let go by any look at its lane, and has its turn when the shard wakes up,
            // which is now.
            let wakes = session.poll_alarm().is_some_and(|at| at <= self.start + self.seen) && self.is_due_by_seen();
            session.is_ready() || (!wakes && session.lanes().any(|lane| lane.next().is_some()))
        };
        let mut backlog = 0;
        let (mut waits, mut starves) = (false, false);
        for &(_, peer) in &link.peers {
            let session = self.hub.session(self.peers[peer].key).expect("keys: who is on a link is there");
            assert_eq!(session.control_backlog(), self.peers[peer].answers.len(), "answers: each waits, and no other");
            backlog += session.control_backlog();
            waits |= is_at_work(peer);
            // Two frames and 256 bytes are what an answer or a gap takes at most.
            starves |= session.control_backlog() > 0 && !link.room.takes(2, 256);
            for lane in session.lanes() {
                starves |= lane.has_gap() && !link.room.takes(1, 256);
                starves |= lane.next().is_some_and(|next| !link.room.takes(next.frames(), next.size_bytes()));
            }
        }
        assert_eq!(self.hub.control_backlog(link.key), backlog, "answers: a link counts those that wait");
        assert!(!waits || starves || !link.room.is_some(), "silence: there is room in {:?} for what waits", link.room);
        if !waits && link.room.is_some() {
            let clock = link.clock(self.seen);
            for &(_, peer) in &link.peers {
                for (topic, ledger) in &self.peers[peer].lanes {
                    let late = ledger.window.as_ref().and_then(|window| window.late(clock, self.seen));
                    // What became due a moment ago is done when the shard wakes up.
                    let sleeps = self.is_due_by_seen();
                    assert!(
                        late.is_none() || sleeps,
                        "deadlines: {late:?} of topic {} should have been sent again or given up",
                        topic.index
                    );
                }
            }
        }
    }

    /// Whether the shard's task would wake up at the newest time the hub was told of.
    fn is_due_by_seen(&self) -> bool {
        self.hub.poll_timeout().is_some_and(|due| due <= self.start + self.seen)
    }

    fn check_loads(&self, peer: usize, session: &Session) {
        let lanes = &self.peers[peer].lanes;
        assert_eq!(session.lanes().count(), lanes.len(), "subscribe: a lane for each subscription");
        for lane in session.lanes() {
            let ledger = lanes.iter().find(|(topic, _)| *topic == lane.topic());
            let (_, ledger) = ledger.expect("subscribe: a lane nobody asked for");
            ledger.check_load(Load { messages: lane.len() as u64, bytes: lane.bytes() }, self.seen);
        }
    }

    /// The whole hub: who is there, what is filed, and the books.
    pub(crate) fn check_all(&self) {
        assert_eq!(self.hub.links(), self.links.iter().flatten().count(), "keys: the links that are open");
        let mut resident = vec![0; self.scene.rules.len()];
        let mut sessions_of: BTreeMap<&str, usize> = BTreeMap::new();
        let mut wakes: Option<(Duration, usize)> = None;
        for (number, peer) in self.peers.iter().enumerate() {
            let session = self.hub.session(peer.key);
            assert_eq!(session.is_some(), !peer.is_gone, "keys: peer {number} is there until it leaves");
            let Some(session) = session else { continue };
            let link = peer.link.and_then(|place| self.links[place].as_ref());
            assert_eq!(self.hub.principal_of(peer.key), peer.principal.as_ref(), "principals: who peer {number} is");
            if let Some(principal) = &peer.principal {
                *sessions_of.entry(principal).or_insert(0) += 1;
                assert!(self.hub.sessions_of(principal).contains(&peer.key), "principals: peer {number} is found");
            }
            assert_eq!(self.hub.link_of(peer.key), link.map(|link| link.key), "keys: the link of peer {number}");
            self.check_loads(number, session);
            for lane in session.lanes() {
                resident[lane.topic().index as usize] += lane.len() as u64;
            }
            let due = match (peer.away_until, link) {
                (Some(until), _) => Some(until),
                (None, Some(link)) if link.runs() => {
                    let clock = link.clock(self.seen);
                    // A lane that has something to send may wait for room with just that.
                    let sleeps = |topic: TopicId| session.lanes().any(|l| l.topic() == topic && l.next().is_none());
                    let lanes = peer.lanes.iter().filter(|(topic, _)| sleeps(*topic));
                    let windows = lanes.filter_map(|(_, ledger)| ledger.window.as_ref());
                    let next = windows.filter_map(|window| window.next_due(clock, self.seen)).min();
                    next.map(|due| self.seen.saturating_add(due - clock))
                }
                _ => None,
            };
            let sleeps = |topic: TopicId| session.lanes().any(|l| l.topic() == topic && l.next().is_none());
            let lanes = peer.lanes.iter().filter(|(topic, _)| peer.link.is_some() && sleeps(*topic));
            let held = lanes.filter_map(|(_, ledger)| ledger.next_value()).min();
            self.trace.count("values waited for", u64::from(held.is_some()));
            let ladder = self.scene.rungs(peer.namespace).filter(|_| peer.link.is_some());
            let [slow, evicted] = ladder.map_or([None, None], |rungs| peer.standing.due(rungs));
            let due = due.into_iter().chain(held).chain(slow).chain(evicted).min();
            wakes = wakes.into_iter().chain(due.map(|due| (due, number))).min();
        }
        // What is due later than time can tell is due never.
        if let Some((due, peer)) = wakes.filter(|(due, _)| self.start.checked_add(*due).is_some()) {
            let filed = self.next_due();
            assert!(
                filed.is_some_and(|filed| filed <= due),
                "deadlines: something of peer {peer} is due at {due:?}, the shard would sleep until {filed:?}"
            );
        }
        for (principal, sessions) in sessions_of {
            assert_eq!(self.hub.sessions_of(principal).len(), sessions, "principals: the sessions of {principal}");
        }
        self.hub.check();
        for (topic, resident) in self.scene.catalog.topics().zip(&mut resident) {
            *resident += self.hub.survey(topic, self.start + self.seen).spilled_messages;
        }
        assert_eq!(self.hub.resident(), resident.iter().sum::<u64>(), "books: what all lanes hold, and the disk");
        for (rule, &resident) in self.scene.rules.iter().zip(&resident) {
            let topic: TopicId = rule.topic;
            self.tallies[topic.index as usize].check(self.hub.stats(topic), resident, rule);
            let lanes = self.hub.survey(topic, self.start + self.seen).lanes as usize;
            let seats = self.subscribers.iter().filter(|(of, _)| of.index == topic.index);
            let seats: usize = seats.map(|(_, subscribers)| subscribers.len()).sum();
            assert_eq!(lanes, seats, "subscribe: every seat is somebody's");
        }
    }

    /// All is read and acked: nothing is held, and nothing will happen by itself.
    pub(crate) fn check_rest(&mut self) {
        self.check_all();
        assert_eq!(self.hub.resident(), 0, "rest: messages are left");
        assert_eq!(self.hub.poll_timeout(), None, "rest: a deadline is left");
        assert_eq!(self.disk.choices(), 0, "rest: the disk has something to do");
        assert!(self.inbox.is_empty(), "rest: all was taken");
        for peer in self.peers.iter_mut().filter(|peer| !peer.is_gone) {
            assert!(!peer.standing.is_slow(), "rest: a client that has all it wants is slow");
            for (_, ledger) in &mut peer.lanes {
                ledger.check_rest(self.seen);
            }
        }
    }

    /// Everybody has left: nothing of them is there.
    pub(crate) fn check_end(&self) {
        self.check_all();
        assert_eq!(self.hub.links(), 0, "end: a link is left");
        assert_eq!(self.hub.resident(), 0, "end: messages are left");
        for peer in &self.peers {
            assert!(peer.is_gone, "end: a session is left");
            assert!(!peer.standing.is_slow(), "end: a slow client was never said to be gone");
            assert_eq!(self.hub.session_of(peer.name), None, "end: a name is left");
            let principal = peer.principal.as_deref().unwrap_or_default();
            assert!(self.hub.sessions_of(principal).is_empty(), "end: a session of {principal} is left");
            assert!(
                matches!(peer.edge, Edge::Disconnected | Edge::Expired),
                "end: the last that was heard of a client is {:?}",
                peer.edge
            );
        }
        assert!(self.subscribers.is_empty(), "end: a seat is left");
    }
}
