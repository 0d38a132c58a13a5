//! The edges an operator wants to read later, as lines of the log. Never one line per message that went well.

use std::net::IpAddr;
use std::time::Duration;

use streamfence_runtime::core::{RefusalReason, SpillHealth, StoreId, UnsubscribeReason};
use streamfence_runtime::{ClientId, CloseReason, GiveUpReason, Listener, MessageId};

use crate::seldom::Seldom;
use crate::spill::Names;

/// Writes down what the fence gave up, and whom, and what went over disk.
pub(crate) struct EventLog {
    /// What stores are called.
    pub(crate) stores: Names,
    /// Wrong tokens: anybody may offer as many as the CPU can look at, from as many addresses as there are.
    pub(crate) rejected: Seldom,
}

impl Listener for EventLog {
    fn on_slow_client_began(&self, namespace: &str, client: ClientId, messages: u64, bytes: u64) {
        tracing::warn!(code = "slow_client_began", namespace, %client, messages, bytes, "a client stays behind");
    }

    fn on_slow_client_ended(&self, namespace: &str, client: ClientId, lasted: Duration, lost: u64) {
        let lasted_ms = lasted.as_millis() as u64;
        tracing::info!(code = "slow_client_ended", namespace, %client, lasted_ms, lost, "a slow client is one no more");
    }

    fn on_spill_began(&self, namespace: &str, topic: &str, client: ClientId) {
        tracing::warn!(code = "spill_began", namespace, topic, %client, "a client is so far behind that it goes on on disk");
    }

    fn on_spill_ended(&self, namespace: &str, topic: &str, client: ClientId, messages: u64, lasted: Duration) {
        let lasted_ms = lasted.as_millis() as u64;
        let what = "a client that went on on disk has caught up, or is gone";
        tracing::info!(code = "spill_ended", namespace, topic, %client, messages, lasted_ms, "{what}");
    }

    fn on_spill_health_changed(&self, store: StoreId, health: SpillHealth) {
        let root = self.stores.of(store);
        match health {
            SpillHealth::Healthy => {
                tracing::info!(code = "spill_recovered", root, "there is room on disk again, and messages are taken");
            }
            SpillHealth::Full => {
                let what = "no room on disk: messages for clients that are behind are refused until there is";
                tracing::warn!(code = "spill_full", root, "{what}");
            }
            SpillHealth::Failed => {
                let what = "the disk fails: nothing more is written there, and messages for clients that are behind are refused";
                tracing::error!(code = "spill_failed", root, "{what}");
            }
        }
    }

    fn on_refused(&self, reason: RefusalReason, client: Option<IpAddr>, count: u64) {
        let (reason, address) = (reason.as_str(), client.map(|client| client.to_string()));
        tracing::info!(code = "refused", reason, address, count, "a limit did not let something in");
    }

    fn on_auth_rejected(&self, namespace: &str, address: Option<IpAddr>, reason: &str) {
        let address = address.map_or("unknown".to_owned(), |address| address.to_string());
        let is_said = self.rejected.is_said(|count| {
            tracing::info!(code = "auth_rejected_more", count, "so many more clients were refused within a second");
        });
        if is_said {
            tracing::info!(code = "auth_rejected", namespace, address, reason, "a client was refused");
        } else {
            tracing::debug!(code = "auth_rejected", namespace, address, reason, "a client was refused");
        }
    }

    fn on_auth_rate_limited(&self, namespace: &str, address: IpAddr) {
        tracing::debug!(code = "auth_rate_limited", namespace, %address, "a token was not looked at");
    }

    fn on_auth_alarm(&self, namespace: &str, failures: u32) {
        let what = "so many wrong tokens came within a minute, from all addresses together";
        tracing::warn!(code = "auth_alarm", namespace, failures, "{what}");
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
        if matches!(
            reason,
            CloseReason::SlowClient
                | CloseReason::RetriesExhausted
                | CloseReason::SpillFull
                | CloseReason::RateLimited
                | CloseReason::UnknownAcks
        ) {
            let reason = reason.as_str();
            tracing::warn!(code = "client_evicted", namespace, %client, reason, "a client was disconnected");
        }
    }
}
