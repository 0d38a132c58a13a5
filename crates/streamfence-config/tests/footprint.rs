//! What a file may take at most, by hand.

#![expect(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

use streamfence_config::footprint::SpillFootprint;
use streamfence_config::{Format, parse};

/// What lies around a message in a lane.
const AROUND: u64 = 48 + 256;

#[test]
fn lanes_are_counted_per_client_and_for_all_and_no_more_than_a_client_may_have() {
    let file = "
servers:
  one:
    port: 0
    maxConnections: 10
    maxSubscriptionsPerClient: 3
    maxPayloadBytes: 1000
    namespaces:
      - path: /n
        topics: [{name: small, maxQueuedMessagesPerClient: 1, maxQueuedBytesPerClient: 100}, 'room/*', large]
        maxQueuedMessagesPerClient: 10
        maxQueuedBytesPerClient: 5000
        maxTopics: 2
      - path: /m
        topics: [a]
        overflowAction: SPILL_TO_DISK
        spill: {maxBytesPerClient: 7}
        maxQueuedMessagesPerClient: 4294967295
        maxQueuedBytesPerClient: 1099511627776
";
    let settings = parse(file, Format::Yaml, "f.yaml", &|_| Err("no references".to_owned())).unwrap();
    let footprint = settings.footprint();
    let server = &footprint.servers[0];
    assert_eq!((server.name.as_str(), server.max_connections, server.message_bytes), ("one", 10, 6096));
    assert_eq!((server.departed_bytes, footprint.departed_bytes()), (10 * 12 * 1024, 10 * 12 * 1024));
    let [n, m] = &server.namespaces[..] else { panic!("{server:?}") };
    let large = 5000 + 10 * AROUND;
    let lanes: Vec<_> = n.topics.iter().map(|topic| (topic.lanes_per_client, topic.lane_bytes, topic.bytes)).collect();
    assert_eq!(lanes, [(1, 100 + AROUND, 10 * (100 + AROUND)), (2, large, 20 * large), (1, large, 10 * large)]);
    // Of four lanes a client may have three: the large ones.
    assert_eq!((n.lanes_per_client, n.bytes_per_client, n.bytes), (3, 3 * large, 30 * large));
    let huge = (1 << 40) + u64::from(u32::MAX) * AROUND;
    assert_eq!(m.bytes, 10 * huge);
    assert_eq!(m.topics[0].spill, Some(SpillFootprint { bytes_per_client: Some(7), bytes: None }));
    assert_eq!(n.topics[0].spill, None);
    assert_eq!(footprint.bytes(), n.bytes + m.bytes);
    assert_eq!((footprint.stores.len(), footprint.stores[0].max_bytes), (1, 4 << 30));
}

#[test]
fn sums_that_no_number_holds_stay_the_largest_one() {
    let topic = "{path: /n, topics: ['a/*'], maxQueuedBytesPerClient: 1099511627776, maxTopics: 4294967295}";
    let file = format!(
        "servers: {{s: {{maxConnections: 4294967295, maxSubscriptionsPerClient: 4294967295, namespaces: [{topic}]}}}}"
    );
    let settings = parse(&file, Format::Yaml, "f.yaml", &|_| Err("no references".to_owned())).unwrap();
    assert_eq!(settings.footprint().bytes(), u64::MAX);
}
