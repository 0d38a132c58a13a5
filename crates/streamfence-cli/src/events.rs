//! The edges an operator wants to read later, as lines of the log. Never one line per message that went well.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use streamfence_runtime::core::{RefusalReason, SpillHealth, StoreId, UnsubscribeReason};
use streamfence_runtime::{ClientId, CloseReason, GiveUpReason, Listener, MessageId};

use crate::flood::Flood;
use crate::seldom::Seldom;
use crate::spill::Names;

/// Writes down what the fence gave up, and whom, and what went over disk.
pub(crate) struct EventLog {
    /// What stores are called.
    pub(crate) stores: Names,
    pub(crate) floods: Floods,
    /// Wrong tokens: anybody may offer as many as the CPU can look at, from as many addresses as there are.
    pub(crate) rejected: Seldom,
}

/// A namespace, a topic, and the client whose lane of it that is.
type Whose = (Arc<str>, Arc<str>, ClientId);

/// What there may be one of for every client, or for every message: when a network breaks, for all of them at once.
#[derive(Default)]
pub(crate) struct Floods {
    slow_began: Flood<(Arc<str>, ClientId, u64, u64)>,
    slow_ended: Flood<(Arc<str>, ClientId, u64, u64)>,
    spill_began: Flood<Whose>,
    spill_ended: Flood<(Whose, u64, u64)>,
    dead_letters: Flood<(Whose, MessageId, &'static str)>,
    unsubscribed: Flood<Whose>,
    evicted: Flood<(Arc<str>, ClientId, &'static str)>,
}

impl Listener for EventLog {
    fn on_slow_client_began(&self, namespace: &str, client: ClientId, messages: u64, bytes: u64) {
        self.floods.slow_began.note(
            (namespace.into(), client, messages, bytes),
            |(namespace, client, messages, bytes), count| {
                let what = told("a client stays behind", count);
                tracing::warn!(code = "slow_client_began", count, %namespace, %client, messages, bytes, "{what}");
            },
        );
    }

    fn on_slow_client_ended(&self, namespace: &str, client: ClientId, lasted: Duration, lost: u64) {
        let lasted_ms = lasted.as_millis() as u64;
        self.floods.slow_ended.note(
            (namespace.into(), client, lasted_ms, lost),
            |(namespace, client, lasted_ms, lost), count| {
                let what = told("a slow client is one no more", count);
                tracing::info!(code = "slow_client_ended", count, %namespace, %client, lasted_ms, lost, "{what}");
            },
        );
    }

    fn on_spill_began(&self, namespace: &str, topic: &str, client: ClientId) {
        self.floods.spill_began.note((namespace.into(), topic.into(), client), |(namespace, topic, client), count| {
            let what = told("a client is so far behind that it goes on on disk", count);
            tracing::warn!(code = "spill_began", count, %namespace, %topic, %client, "{what}");
        });
    }

    fn on_spill_ended(&self, namespace: &str, topic: &str, client: ClientId, messages: u64, lasted: Duration) {
        let ended = ((namespace.into(), topic.into(), client), messages, lasted.as_millis() as u64);
        self.floods.spill_ended.note(ended, |((namespace, topic, client), messages, lasted_ms), count| {
            let what = told("a client that went on on disk has caught up, or is gone", count);
            tracing::info!(code = "spill_ended", count, %namespace, %topic, %client, messages, lasted_ms, "{what}");
        });
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
        let letter = ((namespace.into(), topic.into(), client), id, reason.as_str());
        self.floods.dead_letters.note(letter, |((namespace, topic, client), id, reason), count| {
            let what = told("a message was given up", count);
            tracing::warn!(code = "dead_letter", count, %namespace, %topic, %client, %id, reason, "{what}");
        });
    }

    fn on_unsubscribed(&self, namespace: &str, topic: &str, client: ClientId, reason: UnsubscribeReason) {
        if reason == UnsubscribeReason::SlowClient {
            self.floods.unsubscribed.note(
                (namespace.into(), topic.into(), client),
                |(namespace, topic, client), count| {
                    let what = told("a client that does not drain has lost its fullest topic", count);
                    tracing::warn!(code = "slow_client_unsubscribed", count, %namespace, %topic, %client, "{what}");
                },
            );
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
            self.floods.evicted.note(
                (namespace.into(), client, reason.as_str()),
                |(namespace, client, reason), count| {
                    let what = told("a client was disconnected", count);
                    tracing::warn!(code = "client_evicted", count, %namespace, %client, reason, "{what}");
                },
            );
        }
    }
}

/// What is said of one, or of several of which the last is told.
fn told(what: &'static str, count: u64) -> Cow<'static, str> {
    if count == 1 { what.into() } else { format!("{what}: the last of {count} within a second").into() }
}
