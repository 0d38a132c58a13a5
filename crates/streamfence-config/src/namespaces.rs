//! The namespaces of a server and their topics: policies that can be kept, each mistake at its place.

use std::time::Duration;

use streamfence_core::{
    AckStyle, AtLeastOnce, Catalog, CatalogError, ClientPublish, CoalesceKey, Exhaustion, InboundAck, LosslessOverflow,
    Metadata, Namespace, OnSubscribe, Overflow, StoreId, Topic, Wire,
};

use crate::block::{Block, Report};
use crate::error::Problem;
use crate::keys::Section;
use crate::raw::{Node, Place, Value};
use crate::resolve::Taken;
use crate::{slow_client, spill};

/// A namespace as it was read.
pub(crate) struct Resolved {
    pub(crate) path: String,
    pub(crate) draft: Namespace,
    /// Whether any of its topics overflows to disk.
    pub(crate) spills: bool,
    /// Where it is said that clients must prove who they are.
    pub(crate) requiring_auth: Vec<(String, Place)>,
}

/// The namespaces of one server, which would spill to this store.
pub(crate) fn resolve(
    list: Vec<Node>,
    server: &str,
    store: StoreId,
    paths: &mut Taken,
    report: &mut Report<'_>,
) -> Vec<Resolved> {
    list.into_iter()
        .enumerate()
        .map(|(index, node)| namespace(node, format!("{server}.namespaces[{index}]"), store, paths, report))
        .collect()
}

fn namespace(node: Node, mut part: String, store: StoreId, paths: &mut Taken, report: &mut Report<'_>) -> Resolved {
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
    check_pointers(&block, &part, report);
    // Read once here and not once a topic, so that a mistake in it is one.
    let backoff = block.block("retryBackoff", &[Section::Backoff], &part, report);
    let room = block.block("spill", &[Section::Spill], &part, report);
    let retention = Duration::from_millis(block.number("sessionRetentionMs"));
    let mut namespace = Namespace::new(&path).session_retention(retention).auth_required(block.flag("authRequired"));
    let mut is_any_acked = false;
    let mut is_any_confirmed = false;
    let mut spills = false;
    let mut requiring_auth: Vec<_> = requires_auth(&block, &part).into_iter().collect();
    let mut most = slow_client::Most::default();
    for entry in entries {
        let Some((name, own)) = topic(entry, &part, &mut names, report) else { continue };
        let part = format!("{part} {name}");
        let policy = own.over(&block);
        let is_acked = policy.text("deliveryMode") == "AT_LEAST_ONCE";
        let is_confirmed = is_acked || policy.number("receiptWindow") > 0;
        is_any_acked |= is_acked;
        is_any_confirmed |= is_confirmed;
        requiring_auth.extend(requires_auth(&own, &part));
        let is_spilling = policy.text("overflowAction") == SPILL;
        spills |= is_spilling;
        let lanes = if name.ends_with('*') { policy.number("maxTopics") } else { 1 };
        most.add(lanes, policy.number("maxQueuedMessagesPerClient"), policy.number("maxQueuedBytesPerClient"));
        check_pointers(&own, &part, report);
        if let Some(at) = policy.place_of("onSubscribe")
            && policy.text("onSubscribe") == "last"
            && name.ends_with('*')
        {
            let wanted = "none, since a topic made from a pattern ends when unused".to_owned();
            let (key, found) = ("onSubscribe".to_owned(), "last".to_owned());
            report.error(&part, at, Problem::WrongValue { key, found, wanted });
        }
        if policy.is_sound {
            check_promise(&policy, is_acked, &part, report);
            check_order(&policy, is_spilling && !is_acked, &part, report);
        }
        if let Some(at) = own.place_of("spill")
            && !is_spilling
        {
            let why = "the topic's overflowAction is not SPILL_TO_DISK";
            report.warning(&part, at, Problem::NoEffect { key: "spill", why });
        }
        if !is_acked {
            warn_without_acks(&own, &part, "the topic is BEST_EFFORT", report);
        }
        if !is_confirmed {
            warn_of_style(&own, &part, "the topic is BEST_EFFORT and has no receiptWindow", report);
        }
        let backoff = match own.place_of("retryBackoff") {
            Some(_) => &own.block("retryBackoff", &[Section::Backoff], &part, report),
            None => &backoff,
        };
        let room = match own.place_of("spill") {
            Some(_) => &own.block("spill", &[Section::Spill], &part, report),
            None => &room,
        };
        let topic = draft(Topic::new(name), &policy, backoff, is_acked);
        namespace = namespace.topic_with(if is_spilling { topic.spill(spill::rules(room, store)) } else { topic });
    }
    if let Some(at) = block.place_of("spill")
        && !spills
    {
        let why = "no topic of the namespace has overflowAction SPILL_TO_DISK";
        report.warning(&part, at, Problem::NoEffect { key: "spill", why });
    }
    if !is_any_acked {
        warn_without_acks(&block, &part, "no topic of the namespace is AT_LEAST_ONCE", report);
    }
    if !is_any_confirmed {
        warn_of_style(&block, &part, "no topic of the namespace is AT_LEAST_ONCE or has a receiptWindow", report);
    }
    if let Some(ladder) = slow_client::resolve(&block, most, &part, report) {
        namespace = namespace.slow_client(ladder);
    }
    Resolved { path, draft: namespace, spills, requiring_auth }
}

/// Where a block says that clients must prove who they are, if it does.
fn requires_auth(block: &Block, part: &str) -> Option<(String, Place)> {
    let at = block.place_of("authRequired")?;
    block.flag("authRequired").then(|| (part.to_owned(), at))
}

/// The overflow that goes to disk.
const SPILL: &str = "SPILL_TO_DISK";

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
        Err(CatalogError::BadPattern { .. }) => {
            let wanted = "`*` at the end of a pattern and nowhere else".to_owned();
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
fn check_pointers(block: &Block, part: &str, report: &mut Report<'_>) {
    let Some(at) = block.place_of("coalesceKey") else { return };
    let texts = block.texts("coalesceKey");
    if texts == ["topic"] {
        return;
    }
    if let Some(found) = texts.into_iter().find(|text| !text.starts_with('/')) {
        let wanted = "topic, a JSON pointer such as /symbol, or a list of pointers".to_owned();
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
    if !["REJECT_NEW", SPILL].contains(&overflow) {
        breaks("overflowAction", overflow, "REJECT_NEW or SPILL_TO_DISK");
    }
    if policy.flag("coalesce") {
        breaks("coalesce", "true", "false");
    }
    if policy.decimal("maxFrequency") > 0.0 {
        breaks("maxFrequency", &policy.decimal("maxFrequency").to_string(), "0");
    }
    if policy.number("maxRetries") == 0 {
        breaks("maxRetries", "0", "at least 1");
    }
    let receipts = policy.number("receiptWindow");
    if receipts > 0 {
        breaks("receiptWindow", &receipts.to_string(), "0, since maxInFlight is its window of what is not acked");
    }
    let (window, limit) = (policy.number("maxInFlight"), policy.number("maxQueuedMessagesPerClient"));
    if window > limit {
        report.error(part, at("maxInFlight"), Problem::WindowExceedsQueue { window, limit });
    }
}

/// Checks that nothing takes the place of what lies on disk, or is held back before it.
fn check_order(policy: &Block, spills: bool, part: &str, report: &mut Report<'_>) {
    if !spills {
        return;
    }
    let mut breaks = |key: &'static str, found: String, wanted: &str| {
        let wanted = format!("{wanted}, because SPILL_TO_DISK keeps every message, and in order");
        let at = policy.place_of(key).unwrap_or(policy.at);
        report.error(part, at, Problem::WrongValue { key: key.to_owned(), found, wanted });
    };
    if policy.flag("coalesce") {
        breaks("coalesce", "true".to_owned(), "false");
    }
    if policy.decimal("maxFrequency") > 0.0 {
        breaks("maxFrequency", policy.decimal("maxFrequency").to_string(), "0");
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

/// Says of a way to ack that nobody acks here.
fn warn_of_style(block: &Block, part: &str, why: &'static str, report: &mut Report<'_>) {
    if let Some(at) = block.place_of("ack")
        && block.text("ack") != "event"
    {
        report.warning(part, at, Problem::NoEffect { key: "ack", why });
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
                .dead_letters(policy.number("deadLetterCapacity") as u32)
                .overflow(match policy.text("overflowAction") {
                    SPILL => LosslessOverflow::Spill,
                    // Any other was refused.
                    _ => LosslessOverflow::RejectNew,
                }),
        )
    } else {
        topic.best_effort(match policy.text("overflowAction") {
            "REJECT_NEW" => Overflow::RejectNew,
            "DROP_OLDEST" => Overflow::DropOldest,
            // With this fallback it is what a coalescing lane that drops its oldest does anyway.
            "COALESCE" if policy.text("coalesceFallback") == "dropOldest" => Overflow::DropOldest,
            "COALESCE" => Overflow::Coalesce,
            "SNAPSHOT_ONLY" => Overflow::SnapshotOnly,
            SPILL => Overflow::Spill,
            other => unreachable!("the table of keys has no overflow {other}"),
        })
    };
    let topic = match policy.number("ttlMs") {
        0 => topic,
        ttl => topic.ttl(Duration::from_millis(ttl)),
    };
    topic
        .gap_notices(policy.flag("gapNotices"))
        .receipt_window(policy.number("receiptWindow") as u16)
        .ack(match policy.text("ack") {
            "event" => AckStyle::Event,
            "native" => AckStyle::Native,
            other => unreachable!("the table of keys has no way to ack {other}"),
        })
        .coalesce(policy.flag("coalesce") || (!is_acked && policy.text("overflowAction") == "COALESCE"))
        .coalesce_key(match policy.texts("coalesceKey").as_slice() {
            ["topic"] => CoalesceKey::Topic,
            pointers => CoalesceKey::Pointers(pointers.iter().map(|&pointer| pointer.to_owned()).collect()),
        })
        .max_frequency(policy.decimal("maxFrequency"))
        .on_subscribe(match policy.text("onSubscribe") {
            "none" => OnSubscribe::Nothing,
            "last" => OnSubscribe::Last,
            other => unreachable!("the table of keys has no greeting {other}"),
        })
        .max_topics(policy.number("maxTopics") as u32)
        .max_queued_messages(policy.number("maxQueuedMessagesPerClient") as u32)
        .max_queued_bytes(policy.number("maxQueuedBytesPerClient"))
        .allow_polling(policy.flag("allowPolling"))
        .auth_required(policy.flag("authRequired"))
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
