//! An event as an answer tells it: its kind, and what there is to say.

use serde_json::{Map, Value, json};
use streamfence_core::Event;
use streamfence_runtime::Told;

use crate::admin::dead_letters::millis;

/// Every kind there is, in the order of [`Event`].
pub(super) const KINDS: [&str; 34] = [
    "server_starting",
    "server_started",
    "server_stopping",
    "server_stopped",
    "tls_loaded",
    "tls_reload_refused",
    "handshake_failed",
    "refused",
    "reloaded",
    "reload_refused",
    "connected",
    "authenticated",
    "auth_rejected",
    "auth_rate_limited",
    "disconnected",
    "session_detached",
    "session_resumed",
    "session_expired",
    "subscribed",
    "unsubscribed",
    "publish_accepted",
    "publish_rejected",
    "overflow_began",
    "overflow_ended",
    "spill_began",
    "spill_ended",
    "spill_health_changed",
    "pressure_began",
    "pressure_ended",
    "retried",
    "retries_exhausted",
    "slow_client_began",
    "slow_client_ended",
    "dead_lettered",
];

/// What is told.
pub(super) struct Record {
    pub(super) kind: &'static str,
    fields: Map<String, Value>,
}

impl Record {
    pub(super) fn new(told: &Told) -> Self {
        let (kind, fields) = describe(&told.event);
        let Value::Object(mut all) = json!({ "kind": kind, "at": millis(told.at) }) else {
            unreachable!("it is an object")
        };
        if let Value::Object(fields) = fields {
            // What is not known is not said.
            all.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
        }
        Self { kind, fields: all }
    }

    /// What is said under a key, where that is text.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.fields.get(key)?.as_str()
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(&self.fields).expect("text and numbers have a JSON form")
    }
}

fn describe(event: &Event) -> (&'static str, Value) {
    // Of a client in a namespace, and of one of its topics.
    macro_rules! of_client {
        ($namespace:expr, $client:expr $(, $key:literal: $value:expr)*) => {
            json!({ "namespace": &**$namespace, "client": $client.to_string() $(, $key: $value)* })
        };
    }
    macro_rules! of_topic {
        ($namespace:expr, $topic:expr, $client:expr $(, $key:literal: $value:expr)*) => {
            json!({ "namespace": &**$namespace, "topic": &**$topic, "client": $client.to_string() $(, $key: $value)* })
        };
    }
    match event {
        Event::ServerStarting { address } => ("server_starting", json!({ "address": &**address })),
        Event::ServerStarted { address } => ("server_started", json!({ "address": &**address })),
        Event::ServerStopping { address } => ("server_stopping", json!({ "address": &**address })),
        Event::ServerStopped { address } => ("server_stopped", json!({ "address": &**address })),
        Event::TlsLoaded { address, expires } => {
            ("tls_loaded", json!({ "address": &**address, "expiresAt": millis(*expires) }))
        }
        Event::TlsReloadRefused { address, reason } => {
            ("tls_reload_refused", json!({ "address": &**address, "reason": &**reason }))
        }
        Event::HandshakeFailed { address, peer, reason } => (
            "handshake_failed",
            json!({ "address": &**address, "peer": peer.map(|peer| peer.to_string()), "reason": reason.as_str() }),
        ),
        Event::Refused { reason, client, count } => {
            // Where it came from; it has no name yet.
            let address = client.map(|client| client.to_string());
            ("refused", json!({ "reason": reason.as_str(), "address": address, "count": count }))
        }
        Event::Reloaded => ("reloaded", json!({})),
        Event::ReloadRefused { reason } => ("reload_refused", json!({ "reason": &**reason })),
        Event::Connected { namespace, client, transport, principal } => (
            "connected",
            of_client!(namespace, client, "transport": transport.as_str(), "principal": principal.as_deref()),
        ),
        Event::Authenticated { namespace, client, principal } => {
            ("authenticated", of_client!(namespace, client, "principal": &**principal))
        }
        Event::AuthRejected { namespace, address, reason } => (
            "auth_rejected",
            json!({
                "namespace": &**namespace,
                "address": address.map(|address| address.to_string()),
                "reason": &**reason,
            }),
        ),
        Event::AuthRateLimited { namespace, address } => {
            ("auth_rate_limited", json!({ "namespace": &**namespace, "address": address.to_string() }))
        }
        Event::Disconnected { namespace, client, reason } => {
            ("disconnected", of_client!(namespace, client, "reason": reason.as_str()))
        }
        Event::SessionDetached { namespace, client } => ("session_detached", of_client!(namespace, client)),
        Event::SessionResumed { namespace, client } => ("session_resumed", of_client!(namespace, client)),
        Event::SessionExpired { namespace, client } => ("session_expired", of_client!(namespace, client)),
        Event::Subscribed { namespace, topic, client } => ("subscribed", of_topic!(namespace, topic, client)),
        Event::Unsubscribed { namespace, topic, client, reason } => {
            ("unsubscribed", of_topic!(namespace, topic, client, "reason": reason.as_str()))
        }
        Event::PublishAccepted { namespace, topic, client } => {
            ("publish_accepted", of_topic!(namespace, topic, client))
        }
        Event::PublishRejected { namespace, topic, client, code, reason } => {
            ("publish_rejected", of_topic!(namespace, topic, client, "code": code.as_str(), "reason": &**reason))
        }
        Event::OverflowBegan { namespace, topic, client } => ("overflow_began", of_topic!(namespace, topic, client)),
        Event::OverflowEnded { namespace, topic, client, lost } => {
            ("overflow_ended", of_topic!(namespace, topic, client, "lost": lost))
        }
        Event::SpillBegan { namespace, topic, client } => ("spill_began", of_topic!(namespace, topic, client)),
        Event::SpillEnded { namespace, topic, client, messages, lasted } => {
            let lasted = lasted.as_millis() as u64;
            ("spill_ended", of_topic!(namespace, topic, client, "messages": messages, "lastedMs": lasted))
        }
        Event::SpillHealthChanged { store, health } => {
            ("spill_health_changed", json!({ "store": store.0, "health": health.as_str() }))
        }
        Event::PressureBegan { budget_bytes } => ("pressure_began", json!({ "budgetBytes": budget_bytes })),
        Event::PressureEnded { rejected, displaced } => {
            ("pressure_ended", json!({ "rejected": rejected, "displaced": displaced }))
        }
        Event::Retried { namespace, topic, client, id, retry } => {
            ("retried", of_topic!(namespace, topic, client, "id": id.to_string(), "retry": retry))
        }
        Event::RetriesExhausted { namespace, topic, client, id, attempts } => {
            ("retries_exhausted", of_topic!(namespace, topic, client, "id": id.to_string(), "attempts": attempts))
        }
        Event::SlowClientBegan { namespace, client, messages, bytes } => {
            ("slow_client_began", of_client!(namespace, client, "messages": messages, "bytes": bytes))
        }
        Event::SlowClientEnded { namespace, client, lasted, lost } => {
            let lasted = lasted.as_millis() as u64;
            ("slow_client_ended", of_client!(namespace, client, "lastedMs": lasted, "lost": lost))
        }
        Event::DeadLettered { namespace, topic, client, id, reason } => {
            ("dead_lettered", of_topic!(namespace, topic, client, "id": id.to_string(), "reason": reason.as_str()))
        }
        // `Event` grows with the core; this grows with it.
        _ => ("other", json!({})),
    }
}
