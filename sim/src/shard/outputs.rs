//! What comes out of the hub, handed to those it is for.

use streamfence_core::{Batch, Event, LinkKey, Output, TopicId, Transmit, UnsubscribeReason};

use super::cuts::Cut;
use super::{Heard, Shard};
use crate::ledger::{Asks, Load};
use crate::peer::{Answer, Edge};

impl Shard {
    /// Takes all there is, and hands over what clients may react to.
    pub(crate) fn take_outputs(&mut self) -> Vec<Heard> {
        let now = self.time();
        while let Some(output) = self.hub.poll_output(now) {
            match output {
                Output::Event(event) => self.hear_event(&event),
                Output::Spill(command) => self.tell_disk(command),
                Output::Starved(link) => {
                    self.trace.count("links starved", 1);
                    let room = self.link(link).expect("keys: only an open link is starved").room;
                    assert!(room.is_some(), "starved: a link without room waits for any room");
                }
                Output::Transmit(link, batch) => self.hear_batch(link, batch),
                Output::GivenUp(given_up) => {
                    let kept = (given_up.client, given_up.message.id);
                    assert_eq!(self.given_up.pop_front(), Some(kept), "dead letters: what was given up, and in order");
                    self.trace.count("dead letters", 1);
                }
                Output::Disconnect { session, link, namespace, reason } => {
                    self.hear_cut(Cut { session, link, namespace, reason });
                }
            }
        }
        self.check_cuts();
        self.look_at_all_woken();
        assert!(self.given_up.is_empty(), "dead letters: {:?} were not handed out", self.given_up);
        std::mem::take(&mut self.heard)
    }

    fn hear_batch(&mut self, key: LinkKey, mut batch: Batch) {
        assert!(!batch.is_empty(), "batch: it says something");
        let link = self.link(key).expect("keys: nothing leaves on a closed link");
        let (mut room, clock, place) = (link.room, link.clock(self.seen), key.index());
        for what in batch.drain(..) {
            let (frames, bytes) = (what.frames(), what.size_bytes());
            assert!(room.takes(frames, bytes), "room: {frames} frames, {bytes} bytes left into {room:?}");
            room.take(frames, bytes);
            let peer = self.links[place].as_ref().and_then(|link| link.peer(what.namespace()));
            let peer = peer.expect("link: nothing is said in a namespace nobody joined on it");
            match what {
                Transmit::Message { message, attempt, .. } => {
                    let (topic, offset, size) = (message.topic.id, message.id.offset.0, message.size_bytes());
                    self.note(&[20, peer as u64, topic.index.into(), offset, attempt.into()], || {
                        format!("peer {peer} hears {offset} of topic {} (attempt {attempt})", topic.index)
                    });
                    assert!(!message.is_expired(self.start + self.seen), "time to live: {offset} is not worth sending");
                    let state = &mut self.peers[peer];
                    assert!(state.answers.is_empty(), "order: a message before {:?}", state.answers);
                    let seen = self.seen;
                    let ledger = state.lane(topic).expect("subscribe: nothing comes of what one is not subscribed to");
                    let asks = ledger.hear(offset, size, attempt, clock, seen);
                    if attempt == 1 {
                        state.standing.progress(seen);
                    }
                    let tally = &mut self.tallies[topic.index as usize];
                    tally.sent += 1;
                    tally.sent_bytes += size;
                    tally.retries += u64::from(attempt > 1);
                    tally.delivered += u64::from(asks != Asks::Ack);
                    self.trace.count(if attempt > 1 { "messages sent again" } else { "messages sent" }, 1);
                    self.trace.count("receipts wanted", u64::from(asks == Asks::Receipt));
                    if asks != Asks::Nothing {
                        self.heard.push(Heard::Message { link: place, peer, topic, offset });
                    }
                }
                Transmit::Gap { topic, gap, .. } => {
                    let topic = topic.id;
                    self.note(&[21, peer as u64, gap.from.0, gap.to.0, gap.count.into()], || {
                        format!("peer {peer} hears of {gap:?} of topic {}", topic.index)
                    });
                    self.trace.count("gaps told", 1);
                    let state = &mut self.peers[peer];
                    assert!(state.answers.is_empty(), "order: a gap before {:?}", state.answers);
                    let ledger = state.lane(topic).expect("subscribe: no gap of what one is not subscribed to");
                    ledger.hear_gap(gap);
                }
                Transmit::Subscribed { topic, position, client, .. } => {
                    assert_eq!(client, self.peers[peer].name, "answers: a client is told its own name");
                    self.hear_answer(peer, Answer::Subscribed { topic: topic.id, offset: position.offset.0 });
                }
                Transmit::Unsubscribed { topic, .. } => {
                    self.hear_answer(peer, Answer::Unsubscribed { topic: topic.id });
                }
                Transmit::Done { request, .. } => self.hear_answer(peer, Answer::Done { request: request.0 }),
                other => panic!("answers: nobody asked for {other:?}"),
            }
        }
        let seen = self.seen;
        self.link_at(place).set_room(room, seen);
        self.heard.push(Heard::Batch { link: place });
        self.touched.push(place);
        self.look_at_link(place);
        self.hub.recycle(batch);
    }

    fn hear_answer(&mut self, peer: usize, answer: Answer) {
        self.note(&[22, peer as u64], || format!("peer {peer} hears {answer:?}"));
        assert_eq!(self.peers[peer].answers.pop_front(), Some(answer), "answers: each wish is answered, in order");
    }

    fn hear_event(&mut self, event: &Event) {
        match event {
            Event::Connected { client, principal, .. } => {
                let peer = &self.peers[peer_of(*client)];
                assert_eq!(principal, &peer.principal, "principals: a client is announced as who it is");
                self.edge(*client, |edge| match edge {
                    Edge::Nothing => Some(Edge::Connected { again: false }),
                    Edge::Detached => Some(Edge::Connected { again: true }),
                    _ => None,
                });
            }
            Event::Disconnected { client, reason, .. } => {
                self.edge(*client, |edge| matches!(edge, Edge::Connected { .. }).then_some(Edge::Disconnected));
                self.hear_of_end(peer_of(*client), *reason);
            }
            Event::SessionDetached { client, .. } => {
                self.edge(*client, |edge| (edge == Edge::Disconnected).then_some(Edge::Detached));
            }
            Event::SessionResumed { client, .. } => self.edge(*client, |edge| {
                (edge == Edge::Connected { again: true }).then_some(Edge::Connected { again: false })
            }),
            Event::SessionExpired { client, .. } => {
                self.trace.count("sessions expired", 1);
                self.edge(*client, |edge| (edge == Edge::Detached).then_some(Edge::Expired));
            }
            Event::OverflowBegan { namespace, topic, client } => {
                self.trace.count("overflows", 1);
                let (peer, topic) = (peer_of(*client), self.topic(namespace, topic));
                if let Some(ledger) = self.peers[peer].lane(topic) {
                    assert!(!ledger.is_overflowing, "events: an overflow began twice");
                    ledger.is_overflowing = true;
                }
            }
            Event::OverflowEnded { namespace, topic, client, lost } => {
                let (peer, topic) = (peer_of(*client), self.topic(namespace, topic));
                if let Some(ledger) = self.peers[peer].lane(topic) {
                    assert!(ledger.is_overflowing, "events: an overflow ended that had not begun");
                    ledger.is_overflowing = false;
                    ledger.lost += lost;
                }
            }
            Event::SpillBegan { .. } => self.trace.count("spills", 1),
            Event::SlowClientBegan { client, messages, bytes, .. } => {
                self.hear_slow(peer_of(*client), Load { messages: *messages, bytes: *bytes });
            }
            Event::SlowClientEnded { client, lasted, .. } => self.hear_in_time(peer_of(*client), *lasted),
            Event::Unsubscribed { namespace, topic, client, reason: UnsubscribeReason::SlowClient } => {
                let topic = self.topic(namespace, topic);
                self.hear_eviction_of_lane(peer_of(*client), topic);
            }
            Event::Retried { namespace, topic, retry, .. } => {
                assert!(*retry > 0, "events: the first send is no retry");
                let topic = self.topic(namespace, topic);
                self.tallies[topic.index as usize].retried_events += 1;
            }
            Event::RetriesExhausted { namespace, topic, client, id, attempts } => {
                self.trace.count("messages exhausted", 1);
                let (peer, topic) = (peer_of(*client), self.topic(namespace, topic));
                self.note(&[23, peer as u64, id.offset.0], || {
                    format!("peer {peer} is given up: {} of topic {}", id.offset.0, topic.index)
                });
                self.tallies[topic.index as usize].exhausted += 1;
                self.given_up.push_back((*client, *id));
                assert!(self.peers[peer].link.is_some(), "exhaustion: while the client was away");
                let clock = self.clock_of(peer);
                let window = self.peers[peer].lane(topic).and_then(|ledger| ledger.window.as_mut());
                let window = window.expect("exhaustion: of what needs no ack");
                let letter = window.lose(id.offset.0, *attempts, clock);
                self.peers[peer].is_doomed |= letter.is_fatal;
            }
            _ => {}
        }
    }

    fn edge(&mut self, client: streamfence_core::ClientId, next: impl FnOnce(Edge) -> Option<Edge>) {
        let peer = &mut self.peers[peer_of(client)];
        let new = next(peer.edge);
        peer.edge = new.unwrap_or_else(|| panic!("events: an edge that does not follow {:?}", peer.edge));
    }

    fn topic(&self, namespace: &str, topic: &str) -> TopicId {
        self.directory.borrow().named(namespace, topic).expect("events: a topic there is or was")
    }
}

/// The world gives every session a name of its own, which ends in its place.
pub(crate) fn peer_of(client: streamfence_core::ClientId) -> usize {
    let [.., a, b, c, d] = client.0;
    u32::from_be_bytes([a, b, c, d]) as usize
}
