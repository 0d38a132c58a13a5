//! What becomes of a message that a client publishes, until somebody works on it. Never the work itself.

use streamfence_core::{
    ClientPublish, ErrorCode, Event, InboundAck, LinkKey, NamespaceId, RequestId, TopicEntry, Transmit,
};
use tokio::time::Instant;

use super::Shard;
use crate::handler::{ClientMessage, Job, Task, Worker};
use crate::payload::Payload;

impl Shard {
    pub(super) fn client_publish(
        &mut self,
        key: LinkKey,
        namespace: NamespaceId,
        topic: &TopicEntry,
        payload: Payload,
        request: Option<RequestId>,
        now: Instant,
    ) {
        let Some(session) = self.session(key, namespace) else { return };
        let Some(client) = self.hub.session(session).map(streamfence_core::Session::client) else { return };
        let class = &topic.class;
        let (path, name) = (class.path.clone(), topic.name.clone());
        let answer_when = class.inbound_ack;
        let stats = self.hub.stats_mut(topic.id);
        stats.received += 1;
        stats.received_bytes += payload.size_bytes();
        let task = match class.client_publish {
            ClientPublish::Deny => Err((ErrorCode::PublishRejected, "this topic takes no messages from clients")),
            ClientPublish::Handler => self
                .parts
                .handlers
                .of(class.id)
                .map(Task::Handle)
                .ok_or((ErrorCode::PublishRejected, "this topic has no handler")),
            ClientPublish::Relay => Ok(Task::Relay { fence: self.parts.fence.clone(), echo: class.echo }),
        };
        let message = ClientMessage { namespace: path.clone(), topic: name.clone(), client, payload };
        let queued = task.and_then(|task| {
            let (watchers, seat) = (self.parts.watchers.clone(), self.seats[key.index()].as_mut());
            let seat = seat.expect("a session's link has a seat");
            let link = seat.link.clone();
            let joined = seat.joined(namespace).expect("the session was found there");
            let worker = joined
                .workers
                .entry(class.id)
                .or_insert_with(|| Worker { link, namespace, answer_when, watchers }.spawn());
            worker.try_send(Job { task, message, request }).map_err(|_| {
                (ErrorCode::BackPressure, "too many messages wait for this topic's handler; slow down and try again")
            })
        });
        match (queued, request) {
            (Ok(()), Some(request)) if answer_when == InboundAck::OnReceipt => {
                self.hub.tell(session, Transmit::Done { namespace, request }, now.into_std());
            }
            (Ok(()), _) => {}
            (Err((code, reason)), _) => {
                self.parts.watchers.event(&Event::PublishRejected {
                    namespace: path,
                    topic: name.clone(),
                    client,
                    code,
                    reason: reason.into(),
                });
                let topic = Some((*name).into());
                let what = Transmit::Error { namespace, code, message: reason.into(), topic, request };
                self.hub.tell(session, what, now.into_std());
            }
        }
    }
}
