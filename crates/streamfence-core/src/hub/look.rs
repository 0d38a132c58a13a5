//! What a hub can be asked. Never a change of anything that is delivered.

use std::sync::Arc;
use std::time::Instant;

use super::Hub;
use crate::catalog::Catalog;
use crate::message::{ClientId, LinkKey, SessionKey, TopicId};
use crate::session::Session;
use crate::stats::{LaneSurvey, TopicStats};

impl Hub {
    /// The catalog it serves.
    #[must_use]
    pub fn catalog(&self) -> &Arc<Catalog> {
        self.books.catalog()
    }

    /// The totals of a topic.
    #[must_use]
    pub fn stats(&self, topic: TopicId) -> &TopicStats {
        self.books.stats(topic)
    }

    /// The totals of a topic, to be taken or written on.
    pub fn stats_mut(&mut self, topic: TopicId) -> &mut TopicStats {
        self.books.stats_mut(topic)
    }

    /// How the lanes of a topic stand, or of all topics made from a pattern. Walks them: once per tick, not once per
    /// message.
    #[must_use]
    pub fn survey(&self, topic: TopicId, now: Instant) -> LaneSurvey {
        let mut survey = LaneSurvey::default();
        for seats in self.topics.of_class(topic.index) {
            let log = seats.log.map(|place| self.spills.log(place));
            let spilled = log.iter().flat_map(|log| &log.lanes);
            for &(key, place) in seats.lanes.iter().chain(spilled) {
                let lane = self.sessions[key.index as usize].value.session.lane(place);
                let (mut messages, mut bytes) = (lane.len() as u64, lane.bytes());
                if let (Some(spilled), Some(log)) = (lane.spilled(), log) {
                    let backlog = spilled.backlog(log);
                    survey.spilled_lanes += 1;
                    survey.spilled_messages += backlog.messages;
                    survey.spilled_bytes += backlog.bytes;
                    (messages, bytes) = (messages + backlog.messages, bytes + backlog.bytes);
                }
                survey.lanes += 1;
                survey.depth_max = survey.depth_max.max(messages);
                survey.bytes_max = survey.bytes_max.max(bytes);
                if let Some(published) = lane.oldest_published() {
                    survey.oldest = survey.oldest.max(now.saturating_duration_since(published));
                }
            }
        }
        survey
    }

    /// How many messages, and bytes of them, lie on disk for a client, or are about to, in a topic in which its lane has
    /// spilled. `None` where it has not.
    #[must_use]
    pub fn spilled_of(&self, key: SessionKey, topic: TopicId) -> Option<(u64, u64)> {
        let session = self.session(key)?;
        let spilled = session.lane(session.lane_of(topic)?).spilled()?;
        let backlog = spilled.backlog(self.spills.log(self.log_of(topic)?));
        Some((backlog.messages, backlog.bytes))
    }

    /// Messages held by lanes now: queued, in flight and spilled, each counted once per lane.
    #[must_use]
    pub fn resident(&self) -> u64 {
        self.books.resident()
    }

    /// Of those, messages that lanes hold themselves, in memory: what a budget for memory counts.
    #[must_use]
    pub fn in_memory(&self) -> u64 {
        self.books.in_memory()
    }

    /// Whether, since the last output, a lane has become more than half full that could be drained right now: time to
    /// send before more is published.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.is_crowded
    }

    /// The session of a client.
    #[must_use]
    pub fn session_of(&self, client: ClientId) -> Option<SessionKey> {
        self.by_client.get(&client).copied()
    }

    /// A session, to look at.
    #[must_use]
    pub fn session(&self, key: SessionKey) -> Option<&Session> {
        let entry = self.sessions.get(key.index as usize)?;
        (entry.generation == key.generation).then_some(&entry.value.session)
    }

    /// All sessions, detached ones too.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter().map(|(_, entry)| &entry.value.session)
    }

    /// The link a session is on; `None` while it is detached.
    #[must_use]
    pub fn link_of(&self, key: SessionKey) -> Option<LinkKey> {
        self.session(key)?;
        let link = self.sessions[key.index as usize].value.link;
        self.link(link).map(|_| link)
    }

    /// How many answers the sessions of a link have waiting: take no further wishes from a client that does not read
    /// the answers to its last ones.
    #[must_use]
    pub fn control_backlog(&self, key: LinkKey) -> usize {
        self.link(key).map_or(0, |link| link.control_backlog)
    }

    /// How many links are open.
    #[must_use]
    pub fn links(&self) -> usize {
        self.links.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant will do: none passes")]
    fn links_are_counted_up_and_the_place_of_a_closed_one_is_given_anew() {
        let catalog = Catalog::builder().namespace(Namespace::new("/a").topic("t")).build().expect("it is valid");
        let (mut hub, now) = (Hub::new(Arc::new(catalog), Epoch(7)), Instant::now());
        let links = [(); 3].map(|()| hub.open(now));
        assert_eq!(links.map(LinkKey::index), [0, 1, 2]);
        hub.close(links[1], CloseReason::Transport, now);
        let next = hub.open(now);
        assert_eq!((next.index(), next == links[1]), (1, false));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant will do: none passes")]
    fn a_client_that_came_back_is_found_after_its_old_session_has_left() {
        let catalog = Catalog::builder().namespace(Namespace::new("/a").topic("t")).build().expect("it is valid");
        let mut hub = Hub::new(Arc::new(catalog), Epoch(7));
        let (now, client) = (Instant::now(), ClientId([1; 12]));
        let [old, new] = [(); 2].map(|()| {
            let link = hub.open(now);
            hub.join(link, NamespaceId(0), client, Transport::Other, now).expect("the link is open")
        });
        hub.leave(old, CloseReason::Transport, now);
        assert_eq!(hub.session_of(client), Some(new));
        hub.leave(new, CloseReason::Transport, now);
        assert_eq!(hub.session_of(client), None);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test begins at some instant; only differences show")]
    fn a_survey_tells_of_the_fullest_lane_and_the_oldest_message() {
        let namespace = Namespace::new("/a").topic("t");
        let catalog = Arc::new(Catalog::builder().namespace(namespace).build().expect("it is valid"));
        let entry = catalog.entry(catalog.topics().next().expect("there is one")).clone();
        let topic = entry.id;
        let (mut hub, start) = (Hub::new(catalog, Epoch(7)), Instant::now());
        let sessions = [1, 2].map(|name| {
            let link = hub.open(start);
            let joined = hub.join(link, NamespaceId(0), ClientId([name; 12]), Transport::Other, start);
            let session = joined.expect("the link is open");
            hub.subscribe(session, &entry, Wishes::default(), None, start);
            session
        });
        assert_eq!(hub.survey(topic, start), LaneSurvey { lanes: 2, ..LaneSurvey::default() });
        for (offset, size, to) in [(1, 4, 0), (2, 30, 0), (3, 40, 1)] {
            let published = start + Duration::from_secs(offset);
            let id = MessageId { epoch: Epoch(7), offset: Offset(offset) };
            let body = Body::plain(vec![0; size].into());
            let message =
                Arc::new(Message { topic: entry.clone(), id, key: None, published, expires: None, trace: None, body });
            let _ = hub.publish_to(sessions[to], &message, published);
        }
        let survey = hub.survey(topic, start + Duration::from_secs(9));
        assert_eq!(
            survey,
            LaneSurvey {
                lanes: 2,
                depth_max: 2,
                bytes_max: 40,
                oldest: Duration::from_secs(8),
                ..LaneSurvey::default()
            }
        );
        let taken = std::mem::take(hub.stats_mut(topic));
        assert_eq!((taken.offered, hub.stats(topic).offered), (3, 0), "totals are counted from when they were taken");
    }
}
