//! The namespaces of a server and their topics: policies that can be kept, each mistake at its place.

use std::time::Duration;

use streamfence_core::{
    AtLeastOnce, Catalog, CatalogError, ClientPublish, CoalesceKey, Exhaustion, InboundAck, Metadata, Namespace,
    Overflow, Topic, Wire,
};

use crate::block::{Block, Report};
use crate::error::Problem;
use crate::keys::Section;
use crate::raw::{Node, Place, Value};
use crate::resolve::Taken;
use crate::slow_client;

/// The namespaces of one server, each under its path.
pub(crate) fn resolve(
    list: Vec<Node>,
    server: &str,
    paths: &mut Taken,
    report: &mut Report<'_>,
) -> Vec<(String, Namespace)> {
    list.into_iter()
        .enumerate()
        .map(|(index, node)| namespace(node, format!("{server}.namespaces[{index}]"), paths, report))
        .collect()
}

fn namespace(node: Node, mut part: String, paths: &mut Taken, report: &mut Report<'_>) -> (String, Namespace) {
    let mut block = Block::read(node, &[Section::Namespace, Section::Policy], &part, report);
    let path = block.text("path").to_owned();
    if let Some(at) = block.place_of("path") {
        // The core knows what a path may be; a namespace with nothing else wrong asks it.
        match Catalog::builder().namespace(Namespace::new(&path).topic("any")).build() {
            Err(why) => report.error(&part, at, Problem::Catalog(why)),
            Ok(_) => {
                paths.claim("path", &path, at, &part, "path once in the file", report);
                part = format!("{part} {path}");
            }
        }
    }
    let entries = match block.take("topics") {
        Some(Node { value: Value::List(entries), .. }) if !entries.is_empty() => entries,
        Some(empty) => {
            missing_topics(&part, empty.at, report);
            Vec::new()
        }
        None => {
            if block.is_sound {
                missing_topics(&part, block.at, report);
            }
            Vec::new()
        }
    };
    let mut names = Taken::default();
    check_pointer(&block, &part, report);
    // Read once here and not once a topic, so that a mistake in it is one.
    let backoff = block.block("retryBackoff", &[Section::Backoff], &part, report);
    let retention = Duration::from_millis(block.number("sessionRetentionMs"));
    let mut namespace = Namespace::new(&path).session_retention(retention);
    let mut is_any_acked = false;
    let mut most = slow_client::Most::default();
    for entry in entries {
        let Some((name, own)) = topic(entry, &part, &mut names, report) else { continue };
        let part = format!("{part} {name}");
        let policy = own.over(&block);
        let is_acked = policy.text("deliveryMode") == "AT_LEAST_ONCE";
        is_any_acked |= is_acked;
        most.messages += policy.number("maxQueuedMessagesPerClient");
        most.bytes += policy.number("maxQueuedBytesPerClient");
        check_pointer(&own, &part, report);
        if policy.is_sound {
            check_promise(&policy, is_acked, &part, report);
        }
        if !is_acked {
            warn_without_acks(&own, &part, "the topic is BEST_EFFORT", report);
        }
        let backoff = match own.place_of("retryBackoff") {
            Some(_) => &own.block("retryBackoff", &[Section::Backoff], &part, report),
            None => &backoff,
        };
        namespace = namespace.topic_with(draft(Topic::new(name), &policy, backoff, is_acked));
    }
    if !is_any_acked {
        warn_without_acks(&block, &part, "no topic of the namespace is AT_LEAST_ONCE", report);
    }
    if let Some(ladder) = slow_client::resolve(&block, most, &part, report) {
        namespace = namespace.slow_client(ladder);
    }
    (path, namespace)
}

fn missing_topics(part: &str, at: Place, report: &mut Report<'_>) {
    report.error(part, at, Problem::Missing { key: "topics".to_owned(), wanted: "at least one topic".to_owned() });
}

/// A topic's name and the settings it has of its own; `None` where it has no name.
fn topic(mut entry: Node, part: &str, names: &mut Taken, report: &mut Report<'_>) -> Option<(String, Block)> {
    const SECTIONS: &[Section] = &[Section::Topic, Section::Policy];
    let at = entry.at;
    let (name, at, own) = match &entry.value {
        Value::Text(_) => {
            if !report.expand(part, &mut entry) {
                return None;
            }
            let Value::Text(text) = entry.value else { return None };
            (text.value, at, Block::absent(SECTIONS))
        }
        Value::Block(_) => {
            let own = Block::read(entry, SECTIONS, &format!("{part} topic"), report);
            (own.text("name").to_owned(), own.place_of("name")?, own)
        }
        _ => {
            report.wrong(part, "topic", &entry, "a name, in quotes if it looks like a number, or `{name: ..}`");
            return None;
        }
    };
    match Catalog::builder().namespace(Namespace::new("/any").topic(&name)).build() {
        Err(CatalogError::ReservedTopic { .. }) => {
            let wanted = "a name that is no control event's".to_owned();
            report.error(part, at, Problem::WrongValue { key: "topic".to_owned(), found: format!("{name:?}"), wanted });
        }
        Err(_) => {
            let wanted = "a name of 1 to 128 bytes without control characters".to_owned();
            let found = crate::raw::shown(&name);
            report.error(part, at, Problem::WrongValue { key: "topic".to_owned(), found, wanted });
        }
        Ok(_) => {
            names.claim("topic", &name, at, part, "name once in its namespace", report);
        }
    }
    Some((name, own))
}

/// Checks, where a block says what tells values apart, that it is something that can.
fn check_pointer(block: &Block, part: &str, report: &mut Report<'_>) {
    let found = block.text("coalesceKey");
    if let Some(at) = block.place_of("coalesceKey")
        && found != "topic"
        && !found.starts_with('/')
    {
        let wanted = "topic, or a JSON pointer such as /symbol".to_owned();
        let found = crate::raw::shown(found);
        report.error(part, at, Problem::WrongValue { key: "coalesceKey".to_owned(), found, wanted });
    }
}

/// Checks that the settings of a topic do not break what it promises.
fn check_promise(policy: &Block, is_acked: bool, part: &str, report: &mut Report<'_>) {
    if !is_acked {
        return;
    }
    // A setting that is not given is at its default, and then the mode is what does not fit.
    let at = |key| policy.place_of(key).or(policy.place_of("deliveryMode")).unwrap_or(policy.at);
    let mut breaks = |key: &'static str, found: &str, wanted| {
        let problem = Problem::BreaksAtLeastOnce { key, found: found.to_owned(), wanted };
        report.error(part, at(key), problem);
    };
    let overflow = policy.text("overflowAction");
    if overflow != "REJECT_NEW" {
        breaks("overflowAction", overflow, "REJECT_NEW");
    }
    if policy.flag("coalesce") {
        breaks("coalesce", "true", "false");
    }
    if policy.number("maxRetries") == 0 {
        breaks("maxRetries", "0", "at least 1");
    }
    let (window, limit) = (policy.number("maxInFlight"), policy.number("maxQueuedMessagesPerClient"));
    if window > limit {
        report.error(part, at("maxInFlight"), Problem::WindowExceedsQueue { window, limit });
    }
}

/// Says of settings that only at-least-once knows that they do nothing here.
///
/// The ancestors' files write them everywhere with their defaults, and those are not worth a word.
fn warn_without_acks(block: &Block, part: &str, why: &'static str, report: &mut Report<'_>) {
    let defaults = Block::absent(&[Section::Policy]);
    if let Some(at) = block.place_of("retryBackoff") {
        report.warning(part, at, Problem::NoEffect { key: "retryBackoff", why });
    }
    if let Some(at) = block.place_of("onRetryExhausted")
        && block.text("onRetryExhausted") != defaults.text("onRetryExhausted")
    {
        report.warning(part, at, Problem::NoEffect { key: "onRetryExhausted", why });
    }
    for key in ["ackTimeoutMs", "maxRetries", "maxInFlight", "deadLetterCapacity"] {
        if let Some(at) = block.place_of(key)
            && block.number(key) != defaults.number(key)
        {
            report.warning(part, at, Problem::NoEffect { key, why });
        }
    }
}

fn draft(topic: Topic, policy: &Block, backoff: &Block, is_acked: bool) -> Topic {
    let topic = if is_acked {
        topic.at_least_once(
            AtLeastOnce::default()
                .window(policy.number("maxInFlight") as u16)
                .ack_timeout(Duration::from_millis(policy.number("ackTimeoutMs")))
                .max_retries(policy.number("maxRetries") as u32)
                .backoff(backoff.decimal("multiplier"), Duration::from_millis(backoff.number("maxMs")))
                .jitter(backoff.decimal("jitter"))
                .on_exhausted(match policy.text("onRetryExhausted") {
                    "deadLetter" => Exhaustion::DeadLetter,
                    "disconnect" => Exhaustion::Disconnect,
                    other => unreachable!("the table of keys has no exhaustion {other}"),
                })
                .dead_letters(policy.number("deadLetterCapacity") as u32),
        )
    } else {
        topic.best_effort(match policy.text("overflowAction") {
            "REJECT_NEW" => Overflow::RejectNew,
            "DROP_OLDEST" => Overflow::DropOldest,
            // With this fallback it is what a coalescing lane that drops its oldest does anyway.
            "COALESCE" if policy.text("coalesceFallback") == "dropOldest" => Overflow::DropOldest,
            "COALESCE" => Overflow::Coalesce,
            "SNAPSHOT_ONLY" => Overflow::SnapshotOnly,
            other => unreachable!("the table of keys has no overflow {other}"),
        })
    };
    let topic = match policy.number("ttlMs") {
        0 => topic,
        ttl => topic.ttl(Duration::from_millis(ttl)),
    };
    topic
        .gap_notices(policy.flag("gapNotices"))
        .coalesce(policy.flag("coalesce") || (!is_acked && policy.text("overflowAction") == "COALESCE"))
        .coalesce_key(match policy.text("coalesceKey") {
            "topic" => CoalesceKey::Topic,
            pointer => CoalesceKey::Pointer(pointer.to_owned()),
        })
        .max_queued_messages(policy.number("maxQueuedMessagesPerClient") as u32)
        .max_queued_bytes(policy.number("maxQueuedBytesPerClient"))
        .allow_polling(policy.flag("allowPolling"))
        .echo(policy.flag("echo"))
        .wire(match policy.text("wire") {
            "topicEvent" => Wire::TopicEvent,
            "envelope" => Wire::Envelope,
            other => unreachable!("the table of keys has no wire {other}"),
        })
        .metadata(match policy.text("metadata") {
            "whenAcked" => Metadata::WhenAcked,
            "always" => Metadata::Always,
            "full" => Metadata::Full,
            other => unreachable!("the table of keys has no metadata {other}"),
        })
        .client_publish(match policy.text("clientPublish") {
            "deny" => ClientPublish::Deny,
            "relay" => ClientPublish::Relay,
            "handler" => ClientPublish::Handler,
            other => unreachable!("the table of keys has no rule {other}"),
        })
        .inbound_ack(match policy.text("inboundAckPolicy") {
            "ACK_ON_RECEIPT" => InboundAck::OnReceipt,
            "ACK_AFTER_HANDLER_SUCCESS" => InboundAck::AfterHandlerSuccess,
            other => unreachable!("the table of keys has no rule {other}"),
        })
}
