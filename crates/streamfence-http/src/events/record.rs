//! An event as an answer tells it: its kind, and what there is to say.

use serde_json::{Map, Value, json};
use streamfence_core::Event;
use streamfence_runtime::Told;

use crate::admin::dead_letters::millis;

/// Every kind there is, in the order of [`Event`].
pub const KINDS: [&str; 35] = [
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
    "auth_alarm",
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
        Event::TlsLoaded { server, expires } => {
            ("tls_loaded", json!({ "server": &**server, "expiresAt": millis(*expires) }))
        }
        Event::TlsReloadRefused { server, reason } => {
            ("tls_reload_refused", json!({ "server": &**server, "reason": &**reason }))
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
        Event::AuthAlarm { namespace, failures } => {
            ("auth_alarm", json!({ "namespace": &**namespace, "failures": failures }))
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

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::{Duration, SystemTime};

    use streamfence_core::{
        CloseReason, ErrorCode, GiveUpReason, HandshakeFailure, RefusalReason, SpillHealth, StoreId, Transport,
        UnsubscribeReason,
    };
    use streamfence_runtime::{ClientId, MessageId};

    use super::*;

    /// One of each, in the order of the kinds.
    fn one_of_each() -> Vec<Event> {
        let (namespace, topic, client) = (|| "/a".into(), || "t".into(), ClientId([7; 12]));
        let address = || "127.0.0.1:1".into();
        let id: MessageId = "0000000000007:9".parse().expect("it is an id");
        let (home, second) = (Some(IpAddr::from([127, 0, 0, 1])), Duration::from_secs(1));
        vec![
            Event::ServerStarting { address: address() },
            Event::ServerStarted { address: address() },
            Event::ServerStopping { address: address() },
            Event::ServerStopped { address: address() },
            Event::TlsLoaded { server: "feed".into(), expires: SystemTime::UNIX_EPOCH + second },
            Event::TlsReloadRefused { server: "feed".into(), reason: "no".into() },
            Event::HandshakeFailed { address: address(), peer: None, reason: HandshakeFailure::Timeout },
            Event::Refused { reason: RefusalReason::Veto, client: home, count: 3 },
            Event::Reloaded,
            Event::ReloadRefused { reason: "no".into() },
            Event::Connected {
                namespace: namespace(),
                client,
                transport: Transport::WebSocket,
                principal: Some("ann".into()),
            },
            Event::Authenticated { namespace: namespace(), client, principal: "ann".into() },
            Event::AuthRejected { namespace: namespace(), address: home, reason: "no".into() },
            Event::AuthRateLimited { namespace: namespace(), address: IpAddr::from([127, 0, 0, 1]) },
            Event::AuthAlarm { namespace: namespace(), failures: 300 },
            Event::Disconnected { namespace: namespace(), client, reason: CloseReason::Client },
            Event::SessionDetached { namespace: namespace(), client },
            Event::SessionResumed { namespace: namespace(), client },
            Event::SessionExpired { namespace: namespace(), client },
            Event::Subscribed { namespace: namespace(), topic: topic(), client },
            Event::Unsubscribed { namespace: namespace(), topic: topic(), client, reason: UnsubscribeReason::Admin },
            Event::PublishAccepted { namespace: namespace(), topic: topic(), client },
            Event::PublishRejected {
                namespace: namespace(),
                topic: topic(),
                client,
                code: ErrorCode::BackPressure,
                reason: "no".into(),
            },
            Event::OverflowBegan { namespace: namespace(), topic: topic(), client },
            Event::OverflowEnded { namespace: namespace(), topic: topic(), client, lost: 5 },
            Event::SpillBegan { namespace: namespace(), topic: topic(), client },
            Event::SpillEnded { namespace: namespace(), topic: topic(), client, messages: 5, lasted: second },
            Event::SpillHealthChanged { store: StoreId(0), health: SpillHealth::Full },
            Event::PressureBegan { budget_bytes: 9 },
            Event::PressureEnded { rejected: 1, displaced: 2 },
            Event::Retried { namespace: namespace(), topic: topic(), client, id, retry: 1 },
            Event::RetriesExhausted { namespace: namespace(), topic: topic(), client, id, attempts: 2 },
            Event::SlowClientBegan { namespace: namespace(), client, messages: 5, bytes: 6 },
            Event::SlowClientEnded { namespace: namespace(), client, lasted: second, lost: 5 },
            Event::DeadLettered { namespace: namespace(), topic: topic(), client, id, reason: GiveUpReason::Nacked },
        ]
    }

    fn record(event: Event) -> Record {
        Record::new(&Told { number: 1, at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_234), event })
    }

    #[test]
    fn every_event_has_its_kind_and_the_kinds_are_all_listed() {
        let kinds: Vec<_> = one_of_each().into_iter().map(|event| record(event).kind).collect();
        assert_eq!(kinds, KINDS);
    }

    #[test]
    fn a_kind_is_named_as_the_event_is_and_says_what_it_says() {
        for event in one_of_each() {
            let name = format!("{event:?}");
            let name = name.split([' ', '{']).next().expect("it has a name").to_owned();
            let record = record(event);
            assert_eq!(record.kind.replace('_', ""), name.to_lowercase());
            assert_eq!((record.text("kind"), &record.fields["at"]), (Some(record.kind), &json!(1_234)));
            let has_client = name.starts_with("Session") || name.starts_with("SlowClient") || name.contains("Overflow");
            assert!(!has_client || record.text("client") == Some("BwcHBwcHBwcHBwcH"), "{}", record.to_json());
            assert!(record.fields.values().all(|value| !value.is_null()), "{}", record.to_json());
        }
        let told = record(Event::Refused { reason: RefusalReason::Veto, client: None, count: 3 }).to_json();
        assert_eq!(told, r#"{"at":1234,"count":3,"kind":"refused","reason":"veto"}"#);
    }
}
