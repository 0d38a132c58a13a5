//! What the policies did, as the server's metrics say it.

use std::collections::BTreeMap;

use streamfence_client::Answer;

use crate::exit::Failure;
use crate::remote::refusal;

/// Samples by their name and labels, as they are written.
pub(super) type Samples = BTreeMap<String, f64>;

/// What is said of a topic, by the name of the metric, and `reason` where it has some.
const COUNTERS: [(&str, &str); 12] = [
    ("delivered", "streamfence_messages_delivered_total"),
    ("dropped", "streamfence_messages_dropped_total"),
    ("coalesced", "streamfence_messages_coalesced_total"),
    ("expired", "streamfence_messages_expired_total"),
    ("abandoned", "streamfence_messages_abandoned_total"),
    ("spilled", "streamfence_messages_spilled_total"),
    ("lostOnDisk", "streamfence_messages_lost_on_disk_total"),
    ("retries", "streamfence_retries_total"),
    ("exhausted", "streamfence_retries_exhausted_total"),
    ("published", "streamfence_messages_published_total"),
    ("publishedBytes", "streamfence_messages_published_bytes_total"),
    ("overflow", "streamfence_queue_overflow_total"),
];

/// Reads an answer of `/metrics`.
pub(super) fn read(answer: Answer) -> Result<Samples, Failure> {
    if !answer.is_ok() {
        return Err(refusal(&answer));
    }
    let text = String::from_utf8_lossy(&answer.body);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    // A value has no blank in it, and a label may.
    Ok(lines
        .filter_map(|line| line.rsplit_once(' '))
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect())
}

/// What was counted for a topic between two reads; what was not counted at all is left out.
pub(super) fn changes(before: &Samples, after: &Samples, namespace: &str, topic: &str) -> BTreeMap<String, u64> {
    let of_topic = [format!("namespace=\"{}\"", escaped(namespace)), format!("topic=\"{}\"", escaped(topic))];
    let mut changes = BTreeMap::new();
    for (sample, value) in after {
        let Some((family, labels)) = sample.split_once('{') else { continue };
        let Some((name, _)) = COUNTERS.iter().find(|(_, wanted)| *wanted == family) else { continue };
        if !of_topic.iter().all(|label| labels.contains(label)) {
            continue;
        }
        let counted = value - before.get(sample).copied().unwrap_or_default();
        let reason = labels.split("reason=\"").nth(1).and_then(|rest| rest.split('"').next());
        let name = reason.map_or_else(|| (*name).to_owned(), |reason| format!("{name}.{reason}"));
        if counted > 0.0 {
            *changes.entry(name).or_default() += counted as u64;
        }
    }
    changes
}

/// A value of a label as OpenMetrics writes it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_for_the_topic_is_found() {
        let of = |text: &str| {
            read(Answer { route: String::new(), status: 200, body: text.to_owned().into() }).expect("it is an answer")
        };
        let before =
            of("# TYPE x counter\nstreamfence_messages_dropped_total{namespace=\"/a\",topic=\"t\"} 3\n# EOF\n");
        let after = of("streamfence_messages_dropped_total{namespace=\"/a\",topic=\"t\"} 5\n\
            streamfence_messages_dropped_total{namespace=\"/a\",topic=\"u\"} 9\n\
            streamfence_messages_expired_total{namespace=\"/a\",topic=\"t\"} 0\n\
            streamfence_queue_overflow_total{namespace=\"/a\",topic=\"t\",reason=\"displaced\"} 2\n\
            streamfence_lanes{namespace=\"/a\",topic=\"t\"} 7\nnonsense\n");
        let changes: Vec<_> = changes(&before, &after, "/a", "t").into_iter().collect();
        assert_eq!(changes, [("dropped".to_owned(), 2), ("overflow.displaced".to_owned(), 2)]);
    }
}
