//! What somebody who operates a fence does to a client.

use std::sync::Arc;

use streamfence_core::{ClientId, CloseReason, UnsubscribeReason};

use super::Fence;
use crate::command::Control;

impl Fence {
    /// Ends every session of a principal, over all namespaces, and says how many there were.
    pub async fn disconnect_principal(&self, principal: &str) -> u64 {
        let principal: Arc<str> = principal.into();
        let answers = self.ask_all(|answer| Control::DisconnectAll(principal.clone(), CloseReason::Server, answer));
        answers.await.into_iter().sum()
    }

    /// Ends a client's subscription to the topic of that name, and tells it so. Whether it had one; `None` when there is no
    /// such client.
    pub async fn unsubscribe(&self, client: ClientId, topic: &str, reason: UnsubscribeReason) -> Option<bool> {
        let topic: Arc<str> = topic.into();
        let answers = self.ask_all(|answer| Control::Unsubscribe(client, topic.clone(), reason, answer));
        answers.await.into_iter().flatten().next()
    }
}
