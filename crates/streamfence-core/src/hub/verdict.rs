//! What is done about a client that its own session found wanting. Never the finding itself.

use std::time::Instant;

use super::Hub;
use crate::event::UnsubscribeReason;
use crate::message::SessionKey;
use crate::output::Output;
use crate::session::Verdict;

impl Hub {
    /// Does what a session says has to be done about its client.
    pub(super) fn carry_out(&mut self, key: SessionKey, verdict: Verdict, now: Instant) {
        match verdict {
            Verdict::Unsubscribe(topic) => {
                self.unsubscribe(key, &topic, UnsubscribeReason::SlowClient, None, now);
            }
            Verdict::Disconnect(reason) => {
                let (Some(link), Some(session)) = (self.link_of(key), self.session(key)) else { return };
                let namespace = session.namespace();
                self.leave(key, reason, now);
                self.disconnects.push_back(Output::Disconnect { session: key, link, namespace, reason });
            }
        }
    }
}
