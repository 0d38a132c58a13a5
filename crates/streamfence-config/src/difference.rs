//! What one catalog has another value for than another: namespaces, topics and their policies, key by key.
//!
//! Never what becomes of it: all of it is live.

use std::fmt::Debug;

use streamfence_core::{Catalog, Class, Delivery, Limits, NamespaceEntry, Policy, Retry, SpillRules, TopicId};

/// One thing of a catalog that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it is: the path of a namespace, with the name of a topic and the key of a policy where it is about these.
    pub key: String,
    /// What it was, in short; `None` where it was not there.
    pub from: Option<String>,
    /// What it is; `None` where it is no more.
    pub to: Option<String>,
}

/// What `new` has another value for than `old`, in the order of the old one and then of the new one.
#[must_use]
pub fn differences(old: &Catalog, new: &Catalog) -> Vec<Difference> {
    let mut found = Differences(Vec::new());
    for entry in living(old) {
        match living(new).find(|other| other.path == entry.path) {
            Some(other) => found.of_namespace(old, entry, new, other),
            None => found.add(&entry.path, Some("namespace"), None),
        }
    }
    for entry in living(new).filter(|entry| !living(old).any(|other| other.path == entry.path)) {
        found.add(&entry.path, None, Some("namespace"));
    }
    found.0
}

fn living(catalog: &Catalog) -> impl Iterator<Item = &NamespaceEntry> {
    catalog.namespaces().map(|(_, entry)| entry).filter(|entry| !entry.is_removed)
}

fn classes<'a>(catalog: &'a Catalog, entry: &'a NamespaceEntry) -> impl Iterator<Item = &'a Class> {
    let class = |topic: &TopicId| catalog.class(*topic);
    entry.topics().iter().map(class).filter(|class| !class.is_removed)
}

struct Differences(Vec<Difference>);

impl Differences {
    fn add(&mut self, key: &str, from: Option<&str>, to: Option<&str>) {
        self.0.push(Difference { key: key.to_owned(), from: from.map(str::to_owned), to: to.map(str::to_owned) });
    }

    fn compare<T: Debug + PartialEq>(&mut self, part: &str, key: &str, old: &T, new: &T) {
        if old != new {
            let (from, to) = (Some(format!("{old:?}")), Some(format!("{new:?}")));
            self.0.push(Difference { key: format!("{part} {key}"), from, to });
        }
    }

    fn of_namespace(&mut self, old: &Catalog, was: &NamespaceEntry, new: &Catalog, is: &NamespaceEntry) {
        self.compare(
            &was.path,
            "sessionRetentionMs",
            &was.session_retention.as_millis(),
            &is.session_retention.as_millis(),
        );
        self.compare(&was.path, "slowClient", &was.slow_client, &is.slow_client);
        self.compare(&was.path, "authRequired", &was.auth_required, &is.auth_required);
        for class in classes(old, was) {
            match classes(new, is).find(|other| other.name == class.name) {
                Some(other) => self.of_class(class, other),
                None => self.add(&part(class), Some("topic"), None),
            }
        }
        for class in classes(new, is).filter(|class| !classes(old, was).any(|other| other.name == class.name)) {
            self.add(&part(class), None, Some("topic"));
        }
    }

    fn of_class(&mut self, was: &Class, is: &Class) {
        // Taken apart, so that what is added to a topic cannot be left out here.
        let Class {
            id: _,
            namespace: _,
            path: _,
            name: _,
            policy: Policy { delivery, limits: Limits { messages, bytes }, gap_notices, receipt_window },
            coalesce_key,
            on_subscribe,
            ttl,
            exhaustion,
            dead_letters,
            spill: SpillRules { store: _, max_bytes_per_client, max_bytes_per_topic, on_full },
            ack,
            wire,
            metadata,
            client_publish,
            inbound_ack,
            allow_polling,
            auth_required,
            echo,
            max_topics,
            is_removed: _,
        } = is;
        let part = &part(was);
        self.of_delivery(part, &was.policy.delivery, delivery);
        self.compare(part, "maxQueuedMessagesPerClient", &was.policy.limits.messages, messages);
        self.compare(part, "maxQueuedBytesPerClient", &was.policy.limits.bytes, bytes);
        self.compare(part, "gapNotices", &was.policy.gap_notices, gap_notices);
        self.compare(part, "receiptWindow", &was.policy.receipt_window, receipt_window);
        self.compare(part, "coalesceKey", &was.coalesce_key, coalesce_key);
        self.compare(part, "onSubscribe", &was.on_subscribe, on_subscribe);
        self.compare(part, "ttlMs", &was.ttl.map(|ttl| ttl.as_millis()), &ttl.map(|ttl| ttl.as_millis()));
        self.compare(part, "onRetryExhausted", &was.exhaustion, exhaustion);
        self.compare(part, "deadLetterCapacity", &was.dead_letters, dead_letters);
        self.compare(part, "spill.maxBytesPerClient", &was.spill.max_bytes_per_client, max_bytes_per_client);
        self.compare(part, "spill.maxBytesPerTopic", &was.spill.max_bytes_per_topic, max_bytes_per_topic);
        self.compare(part, "spill.onFull", &was.spill.on_full, on_full);
        self.compare(part, "ack", &was.ack, ack);
        self.compare(part, "wire", &was.wire, wire);
        self.compare(part, "metadata", &was.metadata, metadata);
        self.compare(part, "clientPublish", &was.client_publish, client_publish);
        self.compare(part, "inboundAckPolicy", &was.inbound_ack, inbound_ack);
        self.compare(part, "allowPolling", &was.allow_polling, allow_polling);
        self.compare(part, "authRequired", &was.auth_required, auth_required);
        self.compare(part, "echo", &was.echo, echo);
        self.compare(part, "maxTopics", &was.max_topics, max_topics);
    }

    fn of_delivery(&mut self, part: &str, was: &Delivery, is: &Delivery) {
        match (was, is) {
            (
                Delivery::BestEffort { overflow: was_overflow, coalesce: was_coalesce, max_frequency: was_frequency },
                Delivery::BestEffort { overflow, coalesce, max_frequency },
            ) => {
                self.compare(part, "overflowAction", was_overflow, overflow);
                self.compare(part, "coalesce", was_coalesce, coalesce);
                self.compare(part, "maxFrequency", was_frequency, max_frequency);
            }
            (
                Delivery::AtLeastOnce { window: was_window, retry: was_retry, overflow: was_overflow },
                Delivery::AtLeastOnce { window, retry, overflow },
            ) => {
                let Retry { ack_timeout, max_retries, backoff } = retry;
                self.compare(part, "overflowAction", was_overflow, overflow);
                self.compare(part, "maxInFlight", was_window, window);
                self.compare(part, "ackTimeoutMs", &was_retry.ack_timeout.as_millis(), &ack_timeout.as_millis());
                self.compare(part, "maxRetries", &was_retry.max_retries, max_retries);
                self.compare(part, "retryBackoff", &was_retry.backoff, backoff);
            }
            (was, is) => {
                let mode = |delivery: &Delivery| match delivery {
                    Delivery::BestEffort { .. } => "BEST_EFFORT",
                    Delivery::AtLeastOnce { .. } => "AT_LEAST_ONCE",
                };
                self.add(&format!("{part} deliveryMode"), Some(mode(was)), Some(mode(is)));
            }
        }
    }
}

/// What of a catalog a class is.
fn part(class: &Class) -> String {
    format!("{} {}", class.path, class.name)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::resolve::{Format, parse};

    fn check(old: &str, new: &str, expected: &Expect) {
        let catalog = |namespaces: &str| {
            let file =
                format!("servers: {{s: {{port: 0, auth: TOKEN, staticTokens: {{a: b}}, namespaces: [{namespaces}]}}}}");
            parse(&file, Format::Yaml, "f.yaml", &|_| Err("no references".to_owned())).expect("it is valid").catalog
        };
        let told = differences(&catalog(old), &catalog(new));
        let line = |difference: Difference| {
            let or_none = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
            format!("{}: {} -> {}\n", difference.key, or_none(difference.from), or_none(difference.to))
        };
        expected.assert_eq(&told.into_iter().map(line).collect::<String>());
        assert_eq!(differences(&catalog(new), &catalog(new)), []);
    }

    #[test]
    fn namespaces_and_topics_come_and_go() {
        check(
            "{path: /a, topics: [x, y]}, {path: /b, topics: [x]}",
            "{path: /a, topics: [y, z]}, {path: /c, topics: [x]}",
            &expect![[r#"
                /a x: topic -> none
                /a z: none -> topic
                /b: namespace -> none
                /c: none -> namespace
            "#]],
        );
    }

    #[test]
    fn each_key_of_a_policy_is_told_by_its_name() {
        check(
            "{path: /a, topics: [x, {name: y, deliveryMode: AT_LEAST_ONCE, maxRetries: 1}]}",
            "{path: /a, topics: [{name: x, overflowAction: DROP_OLDEST, coalesce: true, coalesceKey: /id, ttlMs: 5, \
             maxQueuedMessagesPerClient: 7, maxQueuedBytesPerClient: 9, gapNotices: true, receiptWindow: 3, wire: envelope, \
             metadata: full, clientPublish: relay, allowPolling: false, echo: false, onSubscribe: last, maxFrequency: 2}, \
             {name: y, deliveryMode: AT_LEAST_ONCE, maxRetries: 2, maxInFlight: 8, ackTimeoutMs: 9, deadLetterCapacity: 4, \
             retryBackoff: {multiplier: 2, maxMs: 90, jitter: 0.5}, onRetryExhausted: disconnect, ack: native, \
             overflowAction: SPILL_TO_DISK, spill: {maxBytesPerClient: 10, maxBytesPerTopic: 20, onFull: disconnect}}], \
             sessionRetentionMs: 1, slowClient: {softMessages: 2}, authRequired: true}",
            &expect![[r#"
                /a sessionRetentionMs: 30000 -> 1
                /a slowClient: None -> Some(SlowClient { soft: Step { messages: Some(2), bytes: None }, hard: Step { messages: None, bytes: None }, eviction: Unsubscribe, patience: 10s })
                /a authRequired: false -> true
                /a x overflowAction: RejectNew -> DropOldest
                /a x coalesce: false -> true
                /a x maxFrequency: None -> Some(Frequency { interval: 500ms })
                /a x maxQueuedMessagesPerClient: 64 -> 7
                /a x maxQueuedBytesPerClient: 524288 -> 9
                /a x gapNotices: false -> true
                /a x receiptWindow: None -> Some(3)
                /a x coalesceKey: Topic -> Pointers(["/id"])
                /a x onSubscribe: Nothing -> Last
                /a x ttlMs: None -> Some(5)
                /a x wire: TopicEvent -> Envelope
                /a x metadata: WhenAcked -> Full
                /a x clientPublish: Deny -> Relay
                /a x allowPolling: true -> false
                /a x authRequired: false -> true
                /a x echo: true -> false
                /a y overflowAction: RejectNew -> Spill
                /a y maxInFlight: 1 -> 8
                /a y ackTimeoutMs: 1000 -> 9
                /a y maxRetries: 1 -> 2
                /a y retryBackoff: Backoff { multiplier_permille: 1000, max: 60s, jitter_permille: 0 } -> Backoff { multiplier_permille: 2000, max: 90ms, jitter_permille: 500 }
                /a y onRetryExhausted: DeadLetter -> Disconnect
                /a y deadLetterCapacity: 128 -> 4
                /a y spill.maxBytesPerClient: None -> Some(10)
                /a y spill.maxBytesPerTopic: None -> Some(20)
                /a y spill.onFull: Reject -> Disconnect
                /a y ack: Event -> Native
                /a y authRequired: false -> true
            "#]],
        );
        check(
            "{path: /a, topics: [x]}",
            "{path: /a, topics: [x], deliveryMode: AT_LEAST_ONCE, maxRetries: 1}",
            &expect![[r#"
                /a x deliveryMode: BEST_EFFORT -> AT_LEAST_ONCE
                /a x deadLetterCapacity: 0 -> 128
            "#]],
        );
    }
}
