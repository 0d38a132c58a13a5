#![expect(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use expect_test::expect;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use streamfence_core::{
    Catalog, ClientId, CloseReason, Delays, Event, HandshakeFailure, LaneSurvey, MemoryUse, Namespace, Observer,
    RefusalReason, SpillStats, StoreId, TopicId, TopicStats, Transport,
};

use crate::{FAMILIES, Metrics, reference};

fn catalog() -> Catalog {
    Catalog::builder()
        .namespace(Namespace::new("/feed").topic("quote"))
        .namespace(Namespace::new("/idle").topic("none"))
        .build()
        .unwrap()
}

fn quote(catalog: &Catalog) -> TopicId {
    catalog.topic(catalog.namespace("/feed").unwrap(), "quote").unwrap()
}

fn connected(namespace: &str) -> Event {
    Event::Connected {
        namespace: namespace.into(),
        client: ClientId([0; 12]),
        transport: Transport::WebSocket,
        principal: None,
    }
}

fn disconnected(namespace: &str, reason: CloseReason) -> Event {
    Event::Disconnected { namespace: namespace.into(), client: ClientId([0; 12]), reason }
}

fn took(ms: &[u64]) -> Delays {
    let mut delays = Delays::default();
    ms.iter().for_each(|ms| delays.count(Duration::from_millis(*ms)));
    delays
}

/// The lines that show a number other than zero.
fn moved(page: &str) -> String {
    let is_moved = |line: &&str| !line.starts_with('#') && !line.ends_with(" 0") && !line.ends_with(" 0.0");
    page.lines().filter(is_moved).map(|line| format!("{line}\n")).collect()
}

#[test]
fn what_is_scraped_has_no_links() {
    let page = Metrics::new(&catalog()).encode();
    let linked: Vec<_> = page.lines().filter(|line| line.starts_with("# HELP") && line.contains("](")).collect();
    assert_eq!(linked, [""; 0]);
    assert!(page.contains("(limits.md); counted within a second"), "{page}");
}

/// As docs/operating.md says.
#[test]
fn series_are_as_many_as_the_documentation_says() {
    let series = |catalog: &Catalog| {
        let page = Metrics::new(catalog).encode();
        page.lines().filter(|line| !line.starts_with('#')).count()
    };
    let with = |namespaces: &[&str], topics: &[&str]| {
        let add = |catalog: streamfence_core::CatalogBuilder, path: &&str| {
            catalog.namespace(topics.iter().fold(Namespace::new(*path), |space, topic| space.topic(*topic)))
        };
        namespaces.iter().fold(Catalog::builder(), add).build().unwrap()
    };
    let one = series(&with(&["/a"], &["t"]));
    let a_topic = series(&with(&["/a"], &["t", "u"])) - one;
    let a_namespace = series(&with(&["/a", "/b"], &["t"])) - one - a_topic;
    let a_server = one - a_topic - a_namespace;
    let said =
        format!("{a_topic} a topic (36 of them the two histograms), {a_namespace} a namespace, {a_server} a server");
    let page = include_str!("../../../docs/operating.md").replace('\n', " ");
    assert!(page.contains(&said), "wanted in docs/operating.md: {said}");
}

#[test]
fn every_number_shows_under_its_name() {
    let catalog = catalog();
    let metrics = Metrics::new(&catalog);
    let stats = TopicStats {
        published: 1,
        published_bytes: 2,
        received: 3,
        received_bytes: 4,
        offered: 5,
        delivered: 6,
        sent: 7,
        sent_bytes: 8,
        displaced: 10,
        rejected: 20,
        too_large: 30,
        over_budget: 40,
        expired: 22,
        coalesced: 12,
        retries: 13,
        exhausted: 14,
        dead_letters_evicted: 9,
        abandoned: 15,
        spilled: 31,
        spill_refusals: [1, 2, 3, 4, 5, 6],
        lost_on_disk: 32,
        acks: [16, 21, 17, 18, 19, 20],
        sent_after: took(&[1, 1, 700]),
        acked_after: took(&[90_000]),
    };
    metrics.on_stats(quote(&catalog), &stats);
    metrics.on_stats(quote(&catalog), &TopicStats { published: 100, ..TopicStats::default() });
    metrics.on_memory(&MemoryUse { budget_bytes: 1_000, used_bytes: 7 });
    metrics.on_memory(&MemoryUse { budget_bytes: 1_000, used_bytes: 900 });
    metrics.on_links(0, [9, 9]);
    metrics.on_links(0, [1, 2]);
    metrics.on_links(1, [10, 20]);
    metrics.on_event(&connected("/feed"));
    metrics.on_event(&connected("/feed"));
    metrics.on_event(&disconnected("/feed", CloseReason::Stalled));
    metrics.on_survey(
        0,
        quote(&catalog),
        &LaneSurvey {
            dead_letters: 21,
            spilled_lanes: 22,
            spilled_messages: 23,
            spilled_bytes: 24,
            ..LaneSurvey::default()
        },
    );
    metrics.on_slow(0, &"/feed".into(), &[9, 9, 9, 9, 9]);
    metrics.on_slow(0, &"/feed".into(), &[0, 1, 0, 2, 0]);
    metrics.on_slow(1, &"/feed".into(), &[3, 10, 0, 0, 0]);
    metrics.on_slow(0, &"/stranger".into(), &[9; 5]);
    expect![[r#"
        streamfence_connections_total{namespace="/feed"} 2
        streamfence_disconnections_total{namespace="/feed",reason="stalled"} 1
        streamfence_connections_active{namespace="/feed"} 1
        streamfence_links{tier="emit"} 11
        streamfence_links{tier="splice"} 22
        streamfence_slow_clients{namespace="/feed",reason="depth"} 3
        streamfence_slow_clients{namespace="/feed",reason="blocked"} 11
        streamfence_slow_clients{namespace="/feed",reason="overflow"} 2
        streamfence_config_last_reload_success 1
        streamfence_config_generation 1
        streamfence_messages_published_total{namespace="/feed",topic="quote"} 101
        streamfence_messages_published_bytes_total{namespace="/feed",topic="quote"} 2
        streamfence_messages_received_total{namespace="/feed",topic="quote"} 3
        streamfence_messages_received_bytes_total{namespace="/feed",topic="quote"} 4
        streamfence_messages_delivered_total{namespace="/feed",topic="quote"} 6
        streamfence_messages_dropped_total{namespace="/feed",topic="quote"} 168
        streamfence_messages_expired_total{namespace="/feed",topic="quote"} 22
        streamfence_messages_coalesced_total{namespace="/feed",topic="quote"} 12
        streamfence_messages_abandoned_total{namespace="/feed",topic="quote"} 15
        streamfence_queue_overflow_total{namespace="/feed",topic="quote",reason="displaced"} 10
        streamfence_queue_overflow_total{namespace="/feed",topic="quote",reason="rejected"} 20
        streamfence_queue_overflow_total{namespace="/feed",topic="quote",reason="too_large"} 30
        streamfence_queue_overflow_total{namespace="/feed",topic="quote",reason="budget"} 40
        streamfence_messages_spilled_total{namespace="/feed",topic="quote"} 31
        streamfence_spill_refused_total{namespace="/feed",topic="quote",reason="disk_full"} 1
        streamfence_spill_refused_total{namespace="/feed",topic="quote",reason="disk_busy"} 2
        streamfence_spill_refused_total{namespace="/feed",topic="quote",reason="client_quota"} 3
        streamfence_spill_refused_total{namespace="/feed",topic="quote",reason="topic_quota"} 4
        streamfence_spill_refused_total{namespace="/feed",topic="quote",reason="disk_failed"} 5
        streamfence_spill_refused_total{namespace="/feed",topic="quote",reason="too_large"} 6
        streamfence_messages_lost_on_disk_total{namespace="/feed",topic="quote"} 32
        streamfence_retries_total{namespace="/feed",topic="quote"} 13
        streamfence_retries_exhausted_total{namespace="/feed",topic="quote"} 14
        streamfence_dead_letters{namespace="/feed",topic="quote"} 21
        streamfence_dead_letters_evicted_total{namespace="/feed",topic="quote"} 9
        streamfence_acks_total{namespace="/feed",topic="quote",outcome="released"} 16
        streamfence_acks_total{namespace="/feed",topic="quote",outcome="confirmed"} 21
        streamfence_acks_total{namespace="/feed",topic="quote",outcome="late"} 17
        streamfence_acks_total{namespace="/feed",topic="quote",outcome="unknown"} 18
        streamfence_acks_total{namespace="/feed",topic="quote",outcome="foreign"} 19
        streamfence_acks_total{namespace="/feed",topic="quote",outcome="nacked"} 20
        streamfence_publish_to_sent_seconds_sum{namespace="/feed",topic="quote"} 0.702
        streamfence_publish_to_sent_seconds_count{namespace="/feed",topic="quote"} 3
        streamfence_publish_to_sent_seconds_bucket{le="0.001",namespace="/feed",topic="quote"} 2
        streamfence_publish_to_sent_seconds_bucket{le="0.0025",namespace="/feed",topic="quote"} 2
        streamfence_publish_to_sent_seconds_bucket{le="0.005",namespace="/feed",topic="quote"} 2
        streamfence_publish_to_sent_seconds_bucket{le="0.01",namespace="/feed",topic="quote"} 2
        streamfence_publish_to_sent_seconds_bucket{le="0.025",namespace="/feed",topic="quote"} 2
        streamfence_publish_to_sent_seconds_bucket{le="0.05",namespace="/feed",topic="quote"} 2
        streamfence_publish_to_sent_seconds_bucket{le="0.1",namespace="/feed",topic="quote"} 2
        streamfence_publish_to_sent_seconds_bucket{le="0.25",namespace="/feed",topic="quote"} 2
        streamfence_publish_to_sent_seconds_bucket{le="0.5",namespace="/feed",topic="quote"} 2
        streamfence_publish_to_sent_seconds_bucket{le="1.0",namespace="/feed",topic="quote"} 3
        streamfence_publish_to_sent_seconds_bucket{le="2.5",namespace="/feed",topic="quote"} 3
        streamfence_publish_to_sent_seconds_bucket{le="10.0",namespace="/feed",topic="quote"} 3
        streamfence_publish_to_sent_seconds_bucket{le="30.0",namespace="/feed",topic="quote"} 3
        streamfence_publish_to_sent_seconds_bucket{le="60.0",namespace="/feed",topic="quote"} 3
        streamfence_publish_to_sent_seconds_bucket{le="+Inf",namespace="/feed",topic="quote"} 3
        streamfence_sent_to_acked_seconds_sum{namespace="/feed",topic="quote"} 90.0
        streamfence_sent_to_acked_seconds_count{namespace="/feed",topic="quote"} 1
        streamfence_sent_to_acked_seconds_bucket{le="+Inf",namespace="/feed",topic="quote"} 1
        streamfence_spilled_lanes{namespace="/feed",topic="quote"} 22
        streamfence_spilled_messages{namespace="/feed",topic="quote"} 23
        streamfence_spilled_bytes{namespace="/feed",topic="quote"} 24
        streamfence_memory_budget_bytes 1000
        streamfence_memory_used_bytes 900
        streamfence_build_info{version="0.1.0"} 1
    "#]]
    .assert_eq(&moved(&metrics.encode()));
}

#[test]
fn lanes_add_up_over_shards_and_the_worst_of_them_shows() {
    let catalog = catalog();
    let metrics = Metrics::new(&catalog);
    let survey = |lanes, depth_max, bytes_max, millis| LaneSurvey {
        lanes,
        depth_max,
        bytes_max,
        oldest: Duration::from_millis(millis),
        ..LaneSurvey::default()
    };
    metrics.on_survey(0, quote(&catalog), &survey(9, 9, 9, 9000));
    metrics.on_survey(0, quote(&catalog), &survey(2, 5, 100, 1500));
    metrics.on_survey(1, quote(&catalog), &survey(3, 4, 200, 500));
    expect![[r#"
        streamfence_config_last_reload_success 1
        streamfence_config_generation 1
        streamfence_lanes{namespace="/feed",topic="quote"} 5
        streamfence_lane_depth_max{namespace="/feed",topic="quote"} 5
        streamfence_lane_bytes_max{namespace="/feed",topic="quote"} 200
        streamfence_oldest_message_age_seconds{namespace="/feed",topic="quote"} 1.5
        streamfence_build_info{version="0.1.0"} 1
    "#]]
    .assert_eq(&moved(&metrics.encode()));
}

#[test]
fn what_the_catalog_does_not_know_makes_no_series() {
    let catalog = catalog();
    let metrics = Metrics::new(&catalog);
    let before = metrics.encode();
    let stranger = TopicId { index: 7, generation: 0 };
    metrics.on_stats(stranger, &TopicStats { published: 1, ..TopicStats::default() });
    metrics.on_survey(0, stranger, &LaneSurvey { lanes: 1, ..LaneSurvey::default() });
    metrics.on_event(&connected("/elsewhere"));
    metrics.on_event(&disconnected("/elsewhere", CloseReason::Client));
    metrics.on_event(&Event::ServerStarted { address: Arc::from("127.0.0.1:1") });
    assert_eq!(before, metrics.encode());
}

#[test]
fn more_goodbyes_than_arrivals_are_no_clients() {
    let metrics = Metrics::new(&catalog());
    metrics.on_event(&disconnected("/feed", CloseReason::Client));
    assert!(metrics.encode().contains("streamfence_connections_active{namespace=\"/feed\"} 0\n"));
}

#[test]
fn the_scrape_holds_the_families_of_the_table_and_nothing_else() {
    let metrics = Metrics::new(&catalog());
    metrics.on_event(&Event::TlsLoaded { server: "feed".into(), expires: UNIX_EPOCH });
    metrics.on_spill(StoreId(0), &SpillStats::default());
    let page = metrics.encode();
    let series = page.lines().filter(|line| !line.starts_with('#'));
    let names = series.filter_map(|line| line.split(['{', ' ']).next());
    let is_histogram = |name: &str| {
        let known = FAMILIES.iter().find(|family| family.exposed_name() == name);
        known.is_some_and(|family| matches!(family.metric_type(), MetricType::Histogram))
    };
    // A histogram has three kinds of series under one name.
    let family = |name: &str| {
        let of_histogram = |end: &str| name.strip_suffix(end).filter(|name| is_histogram(name));
        ["_sum", "_count", "_bucket"].iter().find_map(|end| of_histogram(end)).unwrap_or(name).to_owned()
    };
    let scraped: BTreeSet<_> = names.map(family).collect();
    assert_eq!(scraped, FAMILIES.iter().map(crate::Family::exposed_name).collect());
    for family in FAMILIES {
        if family.labels().is_empty() {
            let prefix = format!("{} ", family.exposed_name());
            assert!(page.lines().any(|line| line.starts_with(&prefix)), "{prefix}");
            continue;
        }
        let part = if is_histogram(&family.exposed_name()) { "_sum" } else { "" };
        let prefix = format!("{}{part}{{", family.exposed_name());
        let line = page.lines().find(|line| line.starts_with(&prefix)).unwrap();
        let labels: Vec<_> =
            line[prefix.len()..].split(',').filter_map(|label| label.split_once('=').map(|(name, _)| name)).collect();
        assert_eq!(labels, family.labels(), "{line}");
    }
    assert!(page.ends_with("# EOF\n"));
}

#[test]
fn the_families_are_those_of_the_contract() {
    expect![[r#"
        | metric | type | labels | meaning |
        |---|---|---|---|
        | `streamfence_connections_total` | counter | `namespace` | Clients that joined a namespace. |
        | `streamfence_disconnections_total` | counter | `namespace`, `reason` | Clients that left a namespace, by reason. |
        | `streamfence_connections_active` | gauge | `namespace` | Clients that are in a namespace. |
        | `streamfence_links` | gauge | `tier` | Connections of fenced clients, by how messages reach them: `splice` below the websocket, `emit` by the Socket.IO library. |
        | `streamfence_slow_clients` | gauge | `namespace`, `reason` | Clients that stay behind, by what that is seen by ([slow-clients.md](slow-clients.md#what-slow-is)): those of the slow list, as counted within the last second. |
        | `streamfence_sessions_total` | counter | `namespace`, `outcome` | Sessions that were kept for a client that lost its connection, by what became of them. |
        | `streamfence_auth_rejected_total` | counter | `namespace` | Clients that showed no token where a namespace or topic wants one, or a wrong one. |
        | `streamfence_auth_rate_limited_total` | counter | `namespace` | Tokens that nobody looked at, because too many wrong ones had come from the same address. |
        | `streamfence_refused_total` | counter | `reason` | Connections, requests and wishes of clients that a limit did not let in, by which one ([limits.md](limits.md)); counted within a second. |
        | `streamfence_tls_handshakes_failed_total` | counter | `reason` | Connections that came to nothing because no TLS came about, by reason. |
        | `streamfence_tls_certificate_expiry_timestamp_seconds` | gauge | `server` | When the certificate of a server, by the name the file gives it, expires, in Unix time. |
        | `streamfence_tls_certificate_loads_total` | counter | `server`, `outcome` | How often a server has taken up certificate and key (`loaded`, with its start or a reload), or found them unusable and kept what it had (`refused`). |
        | `streamfence_config_reloads_total` | counter | `outcome` | How often the configuration was read again, by outcome: `applied` as a whole, or `refused` as a whole. |
        | `streamfence_config_last_reload_success` | gauge |  | 1 where the last reload was applied, or there was none; 0 where it was refused, and the configuration before it holds. |
        | `streamfence_config_generation` | gauge |  | Which configuration holds: 1 for that of the start, and one more with each reload that was applied. |
        | `streamfence_messages_published_total` | counter | `namespace`, `topic` | Messages published, whatever the number of clients. |
        | `streamfence_messages_published_bytes_total` | counter | `namespace`, `topic` | Bytes published, encoded. |
        | `streamfence_messages_received_total` | counter | `namespace`, `topic` | Messages taken from clients. |
        | `streamfence_messages_received_bytes_total` | counter | `namespace`, `topic` | Bytes taken from clients. |
        | `streamfence_messages_delivered_total` | counter | `namespace`, `topic` | Messages taken by a client's transport, or acked where an ack is wanted. |
        | `streamfence_messages_dropped_total` | counter | `namespace`, `topic` | Messages lost to a client: displaced, rejected, too large, without memory, expired, lost on disk or given up after the last retry. |
        | `streamfence_messages_expired_total` | counter | `namespace`, `topic` | Messages whose time was over before they could be sent, or acked. |
        | `streamfence_messages_coalesced_total` | counter | `namespace`, `topic` | Queued messages replaced by a newer value. |
        | `streamfence_messages_abandoned_total` | counter | `namespace`, `topic` | Messages queued or unacked when their client left. |
        | `streamfence_queue_overflow_total` | counter | `namespace`, `topic`, `reason` | Messages that did not fit a client's lane, or the memory budget, by what became of them. |
        | `streamfence_messages_spilled_total` | counter | `namespace`, `topic` | Messages that a client's full lane has on disk, each counted once a client. |
        | `streamfence_spill_refused_total` | counter | `namespace`, `topic`, `reason` | Messages for which a lane that spills had no place on disk either, by why; they are rejected messages, too. |
        | `streamfence_messages_lost_on_disk_total` | counter | `namespace`, `topic` | Messages that lay on disk and could not be read. |
        | `streamfence_retries_total` | counter | `namespace`, `topic` | Messages sent again. |
        | `streamfence_retries_exhausted_total` | counter | `namespace`, `topic` | Messages given up after the last retry. |
        | `streamfence_dead_letters` | gauge | `namespace`, `topic` | Messages that were given up and are kept. |
        | `streamfence_dead_letters_evicted_total` | counter | `namespace`, `topic` | Messages that were kept and gave way to newer ones. |
        | `streamfence_acks_total` | counter | `namespace`, `topic`, `outcome` | Acknowledgements, by what they did. |
        | `streamfence_publish_to_sent_seconds` | histogram | `namespace`, `topic` | How long after they were published messages were first handed to a client's transport; without the last values a newcomer gets. |
        | `streamfence_sent_to_acked_seconds` | histogram | `namespace`, `topic` | How long after that clients acked them, where an ack is wanted; retries are part of it. |
        | `streamfence_lanes` | gauge | `namespace`, `topic` | Subscriptions. |
        | `streamfence_spilled_lanes` | gauge | `namespace`, `topic` | Those of them that have more on disk than they have taken in. |
        | `streamfence_spilled_messages` | gauge | `namespace`, `topic` | Messages that lanes have there, each counted once a lane. |
        | `streamfence_spilled_bytes` | gauge | `namespace`, `topic` | Their bytes, likewise: what is written once counts for each lane that needs it. |
        | `streamfence_lane_depth_max` | gauge | `namespace`, `topic` | The most messages one lane holds, queued and in flight. |
        | `streamfence_lane_bytes_max` | gauge | `namespace`, `topic` | The most bytes one lane holds. |
        | `streamfence_oldest_message_age_seconds` | gauge | `namespace`, `topic` | How long ago the oldest message still held was published. |
        | `streamfence_memory_budget_bytes` | gauge |  | How much memory messages may take; 0 is no limit. |
        | `streamfence_memory_used_bytes` | gauge |  | How much of that they take: each message once, whatever the number of lanes that hold it, and each entry of a lane. |
        | `streamfence_spill_bytes` | gauge | `store` | How much disk a directory that lanes spill to takes, written or kept for what comes. |
        | `streamfence_spill_segments` | gauge | `store` | How many segments lie in it. |
        | `streamfence_spill_written_bytes_total` | counter | `store` | Bytes written to it, framing and all. |
        | `streamfence_spill_refills_total` | counter | `store` | How often something was read back from it. |
        | `streamfence_spill_refills_cached_total` | counter | `store` | Of those, how often without a call to the disk. |
        | `streamfence_spill_failures_total` | counter | `store` | How often a call to the disk failed. |
        | `streamfence_spill_damaged_blocks_total` | counter | `store` | Blocks that could not be read as they were written; what lay in them is lost. |
        | `streamfence_spill_io_seconds` | histogram | `store`, `operation` | How long calls to the disk took, by operation: `write`, `read`. |
        | `streamfence_trace_spans_total` | counter | `outcome` | Spans of OpenTelemetry traces, by what became of them: `exported` to the collector, or `dropped` because too many waited or the collector did not take them ([tracing.md](tracing.md)). |
        | `streamfence_build_info` | info | `version` | The version that is running. |
    "#]].assert_eq(&reference());
}

#[test]
fn an_application_may_show_them_in_its_own_registry() {
    let catalog = catalog();
    let mut registry = Registry::default();
    registry.register("orders", "The application's own", Counter::<u64>::default());
    let metrics = Metrics::register(&mut registry, &catalog);
    metrics.on_stats(quote(&catalog), &TopicStats { published: 5, ..TopicStats::default() });
    let mut page = String::new();
    prometheus_client::encoding::text::encode(&mut page, &registry).unwrap();
    assert!(page.contains("orders_total 0\n"), "{page}");
    assert!(page.contains("streamfence_messages_published_total{namespace=\"/feed\",topic=\"quote\"} 5\n"), "{page}");
    assert!(!metrics.encode().contains("orders"));
}

#[test]
fn sessions_are_counted_by_what_became_of_them() {
    let metrics = Metrics::new(&catalog());
    let (namespace, client): (Arc<str>, _) = ("/feed".into(), ClientId([0; 12]));
    for times in 1..=3 {
        metrics.on_event(&Event::SessionDetached { namespace: namespace.clone(), client });
        if times > 1 {
            metrics.on_event(&Event::SessionResumed { namespace: namespace.clone(), client });
        }
        if times > 2 {
            metrics.on_event(&Event::SessionExpired { namespace: namespace.clone(), client });
        }
    }
    expect![[r#"
        streamfence_sessions_total{namespace="/feed",outcome="detached"} 3
        streamfence_sessions_total{namespace="/feed",outcome="resumed"} 2
        streamfence_sessions_total{namespace="/feed",outcome="expired"} 1
        streamfence_config_last_reload_success 1
        streamfence_config_generation 1
        streamfence_build_info{version="0.1.0"} 1
    "#]]
    .assert_eq(&moved(&metrics.encode()));
}

#[test]
fn reloads_are_counted_and_the_last_one_shown() {
    let metrics = Metrics::new(&Catalog::default());
    let config = || -> String {
        metrics
            .encode()
            .lines()
            .filter(|line| line.starts_with("streamfence_config"))
            .map(|line| format!("{line}\n"))
            .collect()
    };
    expect![[r#"
        streamfence_config_reloads_total{outcome="applied"} 0
        streamfence_config_reloads_total{outcome="refused"} 0
        streamfence_config_last_reload_success 1
        streamfence_config_generation 1
    "#]]
    .assert_eq(&config());
    metrics.on_event(&Event::Reloaded);
    metrics.on_event(&Event::ReloadRefused { reason: "it is wrong".into() });
    expect![[r#"
        streamfence_config_reloads_total{outcome="applied"} 1
        streamfence_config_reloads_total{outcome="refused"} 1
        streamfence_config_last_reload_success 0
        streamfence_config_generation 2
    "#]]
    .assert_eq(&config());
    metrics.on_event(&Event::Reloaded);
    assert!(config().contains("streamfence_config_last_reload_success 1\nstreamfence_config_generation 3\n"));
}

#[test]
fn handshakes_are_counted_by_why_they_failed_and_certificates_shown_by_when_they_expire() {
    let metrics = Metrics::new(&Catalog::default());
    let (server, address): (Arc<str>, Arc<str>) = ("feed".into(), "127.0.0.1:443".into());
    for reason in [HandshakeFailure::NotTls, HandshakeFailure::Timeout, HandshakeFailure::NotTls] {
        metrics.on_event(&Event::HandshakeFailed { address: Arc::clone(&address), peer: None, reason });
    }
    for expires in [1_000, 2_000] {
        let expires = UNIX_EPOCH + Duration::from_secs(expires);
        metrics.on_event(&Event::TlsLoaded { server: Arc::clone(&server), expires });
    }
    metrics.on_event(&Event::TlsReloadRefused { server: Arc::clone(&server), reason: "it is wrong".into() });
    let tls: String =
        moved(&metrics.encode()).lines().filter(|line| line.contains("tls")).map(|l| l.to_owned() + "\n").collect();
    expect![[r#"
        streamfence_tls_handshakes_failed_total{reason="timeout"} 1
        streamfence_tls_handshakes_failed_total{reason="not_tls"} 2
        streamfence_tls_certificate_expiry_timestamp_seconds{server="feed"} 2000
        streamfence_tls_certificate_loads_total{server="feed",outcome="loaded"} 2
        streamfence_tls_certificate_loads_total{server="feed",outcome="refused"} 1
    "#]]
    .assert_eq(&tls);
}

#[test]
fn refusals_are_counted_by_their_limit() {
    let metrics = Metrics::new(&Catalog::default());
    for (reason, count) in [(RefusalReason::Rate, 1), (RefusalReason::Origin, 1), (RefusalReason::Rate, 40)] {
        metrics.on_event(&Event::Refused { reason, client: None, count });
    }
    let page = moved(&metrics.encode());
    let refused: String = page.lines().filter(|line| line.contains("refused")).map(|l| l.to_owned() + "\n").collect();
    expect![[r#"
        streamfence_refused_total{reason="origin"} 1
        streamfence_refused_total{reason="rate"} 41
    "#]]
    .assert_eq(&refused);
}

#[test]
fn a_store_shows_under_its_name_and_how_long_its_calls_took() {
    let metrics = Metrics::new(&catalog());
    metrics.name_store(StoreId(1), "/var/spill");
    let times = |slowest| [1, 2, 0, 0, 0, 0, 0, 0, slowest];
    let stats = SpillStats {
        bytes: 2,
        segments: 3,
        written_bytes: 4,
        refills: 5,
        cached_refills: 6,
        failures: 7,
        damaged_blocks: 8,
        write_times: times(3),
        read_times: times(0),
        write_us: 9_000_500,
        read_us: 1_000,
    };
    metrics.on_spill(StoreId(1), &SpillStats { bytes: 1, ..stats });
    metrics.on_spill(StoreId(1), &stats);
    metrics.on_spill(StoreId(0), &SpillStats { bytes: 99, ..SpillStats::default() });
    expect![[r#"
        streamfence_config_last_reload_success 1
        streamfence_config_generation 1
        streamfence_spill_bytes{store="0"} 99
        streamfence_spill_bytes{store="/var/spill"} 2
        streamfence_spill_segments{store="/var/spill"} 3
        streamfence_spill_written_bytes_total{store="/var/spill"} 4
        streamfence_spill_refills_total{store="/var/spill"} 5
        streamfence_spill_refills_cached_total{store="/var/spill"} 6
        streamfence_spill_failures_total{store="/var/spill"} 7
        streamfence_spill_damaged_blocks_total{store="/var/spill"} 8
        streamfence_spill_io_seconds_sum{store="/var/spill",operation="write"} 9.0005
        streamfence_spill_io_seconds_count{store="/var/spill",operation="write"} 6
        streamfence_spill_io_seconds_bucket{le="0.0001",store="/var/spill",operation="write"} 1
        streamfence_spill_io_seconds_bucket{le="0.0005",store="/var/spill",operation="write"} 3
        streamfence_spill_io_seconds_bucket{le="0.001",store="/var/spill",operation="write"} 3
        streamfence_spill_io_seconds_bucket{le="0.005",store="/var/spill",operation="write"} 3
        streamfence_spill_io_seconds_bucket{le="0.02",store="/var/spill",operation="write"} 3
        streamfence_spill_io_seconds_bucket{le="0.1",store="/var/spill",operation="write"} 3
        streamfence_spill_io_seconds_bucket{le="0.5",store="/var/spill",operation="write"} 3
        streamfence_spill_io_seconds_bucket{le="2.0",store="/var/spill",operation="write"} 3
        streamfence_spill_io_seconds_bucket{le="+Inf",store="/var/spill",operation="write"} 6
        streamfence_spill_io_seconds_sum{store="/var/spill",operation="read"} 0.001
        streamfence_spill_io_seconds_count{store="/var/spill",operation="read"} 3
        streamfence_spill_io_seconds_bucket{le="0.0001",store="/var/spill",operation="read"} 1
        streamfence_spill_io_seconds_bucket{le="0.0005",store="/var/spill",operation="read"} 3
        streamfence_spill_io_seconds_bucket{le="0.001",store="/var/spill",operation="read"} 3
        streamfence_spill_io_seconds_bucket{le="0.005",store="/var/spill",operation="read"} 3
        streamfence_spill_io_seconds_bucket{le="0.02",store="/var/spill",operation="read"} 3
        streamfence_spill_io_seconds_bucket{le="0.1",store="/var/spill",operation="read"} 3
        streamfence_spill_io_seconds_bucket{le="0.5",store="/var/spill",operation="read"} 3
        streamfence_spill_io_seconds_bucket{le="2.0",store="/var/spill",operation="read"} 3
        streamfence_spill_io_seconds_bucket{le="+Inf",store="/var/spill",operation="read"} 3
        streamfence_build_info{version="0.1.0"} 1
    "#]]
    .assert_eq(&moved(&metrics.encode()));
}
