//! The edges an operator wants to read later, as lines of the log. Never one line per message that went well.

use std::time::Duration;

use streamfence_runtime::core::UnsubscribeReason;
use streamfence_runtime::{ClientId, CloseReason, GiveUpReason, Listener, MessageId};

/// Writes down what the fence gave up, and whom.
pub(crate) struct EventLog;

impl Listener for EventLog {
    fn on_slow_client_began(&self, namespace: &str, client: ClientId, messages: u64, bytes: u64) {
        tracing::warn!(code = "slow_client_began", namespace, %client, messages, bytes, "a client stays behind");
    }

    fn on_slow_client_ended(&self, namespace: &str, client: ClientId, lasted: Duration, lost: u64) {
        let lasted_ms = lasted.as_millis() as u64;
        tracing::info!(code = "slow_client_ended", namespace, %client, lasted_ms, lost, "a slow client is one no more");
    }

    fn on_dead_lettered(&self, namespace: &str, topic: &str, client: ClientId, id: MessageId, reason: GiveUpReason) {
        let reason = reason.as_str();
        tracing::warn!(code = "dead_letter", namespace, topic, %client, %id, reason, "a message was given up");
    }

    fn on_unsubscribed(&self, namespace: &str, topic: &str, client: ClientId, reason: UnsubscribeReason) {
        if reason == UnsubscribeReason::SlowClient {
            let code = "slow_client_unsubscribed";
            tracing::warn!(code, namespace, topic, %client, "a client that does not drain has lost its fullest topic");
        }
    }

    fn on_disconnected(&self, namespace: &str, client: ClientId, reason: CloseReason) {
        if matches!(reason, CloseReason::SlowClient | CloseReason::RetriesExhausted) {
            let reason = reason.as_str();
            tracing::warn!(code = "client_evicted", namespace, %client, reason, "a client was disconnected");
        }
    }
}
