//! What one address may open and what one client may want, and that everybody else hears nothing of it.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use streamfence_core::{Event, RefusalReason};
use streamfence_runtime::{AtLeastOnce, CloseReason, Fence, FenceBuilder, Namespace};
use streamfence_socketio::link::{Peer, Stream};
use streamfence_socketio::server::{Listener, MemoryConnector, MemoryListener, Server, memory};
use streamfence_socketio::{InboundRate, Rate, ServerOptions, TrustedProxies};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_rustls::rustls::version::TLS13;

use crate::app::{self, News, WIDE};
use crate::common::client::{Http, POLLING};
use crate::common::patience::in_time;
use crate::secure::{Files, shake_hands};
use crate::talk::{Client, Kind};

const SECOND: Duration = Duration::from_secs(1);

fn feed() -> FenceBuilder {
    let sure = AtLeastOnce::default().window(100).ack_timeout(600 * SECOND);
    Fence::builder()
        .namespace(Namespace::new("/feed").topic("tick").client_publish(streamfence_runtime::ClientPublish::Relay))
        .namespace(Namespace::new("/sure").topic("alert").at_least_once(sure).max_queued_messages(100))
}

/// A server in memory that is told where each connection comes from.
struct Town {
    connector: MemoryConnector,
    peers: Arc<Mutex<VecDeque<Peer>>>,
    fence: Fence,
    news: News,
    server: Server,
}

struct FromSomewhere {
    inner: MemoryListener,
    peers: Arc<Mutex<VecDeque<Peer>>>,
}

impl Listener for FromSomewhere {
    async fn accept(&mut self) -> std::io::Result<(Stream, Peer)> {
        let (stream, _) = self.inner.accept().await?;
        let peer = self.peers.lock().expect("nobody panicked").pop_front().expect("somebody has said where it is");
        Ok((stream, peer))
    }
}

impl Town {
    fn new(options: ServerOptions) -> Self {
        let (fence, news) = app::fence(feed());
        let ((connector, inner), peers) = (memory(), Arc::new(Mutex::default()));
        let listener = FromSomewhere { inner, peers: Arc::clone(&peers) };
        let server = Server::builder(fence.clone()).options(options).start_on(listener).expect("it can be built");
        Self { connector, peers, fence, news, server }
    }

    async fn dial(&self, from: &str) -> DuplexStream {
        let peer = match from {
            "unix" => Peer::Unix,
            "memory" => Peer::Memory,
            address => Peer::Tcp(format!("{address}:1000").parse().expect("an address")),
        };
        self.peers.lock().expect("nobody panicked").push_back(peer);
        self.connector.connect(WIDE).await.expect("the server listens")
    }

    async fn http(&self, from: &str) -> Http<DuplexStream> {
        Http::new(self.dial(from).await)
    }

    /// What a new session over polling is answered.
    async fn open(&self, from: &str) -> u16 {
        self.http(from).await.get(POLLING).await.status
    }

    /// Opens a session and ends it.
    async fn depart(&self, from: &str) {
        let mut polls = self.http(from).await;
        let sid = polls.handshake().await;
        polls.post(&format!("{POLLING}&sid={sid}"), "1").await;
    }

    /// Waits until so many of a reason were told of.
    async fn refused(&mut self, wanted: RefusalReason, mut count: u64) -> Option<String> {
        let mut first = None;
        while count > 0 {
            let (told, client) = self
                .news
                .find(wanted.as_str(), |event| match event {
                    Event::Refused { reason, client, count } if *reason == wanted => Some((*count, *client)),
                    _ => None,
                })
                .await;
            first = first.or(client);
            count = count.checked_sub(told).expect("no more than there were");
        }
        first.map(|client| client.to_string())
    }
}

fn most(count: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(count)
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_others_have_theirs() {
    let mut town = Town::new(ServerOptions { max_connections_per_ip: most(2), ..app::options() });
    let first = Client::join(town.dial("192.0.2.1").await, "/feed").await;
    let mut polling = town.http("192.0.2.1").await;
    let sid = polling.handshake().await;
    let refused = town.http("192.0.2.1").await.get(POLLING).await;
    assert_eq!(refused.status, 429);
    assert!(refused.head.contains("retry-after: 5") && refused.body.contains("LIMIT_EXCEEDED"), "{refused:?}");
    let refused = town.http("192.0.2.1").await.upgrade(None).await.err().expect("a websocket as well");
    assert_eq!(refused.status, 429);
    assert_eq!(town.refused(RefusalReason::ConnectionsPerIp, 2).await.as_deref(), Some("192.0.2.1"));
    // An upgrade is the same session.
    let upgraded = town.http("192.0.2.1").await.upgrade(Some(&sid)).await;
    assert!(upgraded.is_ok());
    assert_eq!(town.open("192.0.2.2").await, 200);
    // A network of IPv6 is one address.
    assert_eq!(town.open("[2001:db8::1]").await, 200);
    assert_eq!(town.open("[2001:db8::2]").await, 200);
    assert_eq!(town.open("[2001:db8::3]").await, 429);
    assert_eq!(town.open("[2001:db8:0:1::1]").await, 200);
    drop(first);
    town.news.left().await;
    in_time("the place is free", async { while town.open("192.0.2.1").await != 200 {} }).await;
}

#[tokio::test]
async fn streams_that_say_nothing_are_counted_against_their_address() {
    let mut town = Town::new(ServerOptions { max_connections_per_ip: most(2), ..app::options() });
    let mut silent = Vec::new();
    for _ in 0..6 {
        silent.push(town.dial("192.0.2.1").await);
    }
    let mut answer = String::new();
    town.dial("192.0.2.1").await.read_to_string(&mut answer).await.expect("it is closed in order");
    assert!(answer.starts_with("HTTP/1.1 429 ") && answer.contains("retry-after: 5"), "{answer}");
    town.refused(RefusalReason::ConnectionsPerIp, 1).await;
    assert_eq!(town.open("192.0.2.2").await, 200);
    silent.pop();
    in_time("the place is free", async {
        loop {
            let mut again = town.http("192.0.2.1").await;
            if again.request("GET", POLLING, "", "").await.is_ok_and(|answer| answer.status == 200) {
                return;
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_address_opens_so_many_in_a_while() {
    let rate = Rate::new(10, SECOND).burst(3);
    let mut town = Town::new(ServerOptions { handshakes_per_ip: Some(rate), ..app::options() });
    for _ in 0..3 {
        assert_eq!(town.open("192.0.2.1").await, 200);
    }
    for _ in 0..50 {
        let refused = town.http("192.0.2.1").await.get(POLLING).await;
        assert_eq!(refused.status, 429);
        assert!(refused.head.contains("retry-after: 1\r\n") && refused.body.contains("RATE_LIMITED"), "{refused:?}");
    }
    assert_eq!(town.open("192.0.2.2").await, 200);
    assert_eq!(town.refused(RefusalReason::HandshakeRate, 50).await.as_deref(), Some("192.0.2.1"));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(town.open("192.0.2.1").await, 200);
}

#[tokio::test]
async fn sessions_that_join_nothing_are_so_many_and_those_that_join_are_not_counted() {
    let mut town = Town::new(ServerOptions { max_pending_connections: most(2), ..app::options() });
    let mut joined = Vec::new();
    for _ in 0..5 {
        joined.push(Client::join(town.dial("192.0.2.1").await, "/feed").await);
    }
    let mut polls = town.http("192.0.2.1").await;
    let sid = polls.handshake().await;
    let target = format!("{POLLING}&sid={sid}");
    polls.post(&target, "40/feed,").await;
    while !polls.get(&target).await.body.contains("40/feed,{") {}
    let mut waits = Client::open(town.dial("192.0.2.1").await, "/feed").await;
    let gone = Client::open(town.dial("192.0.2.1").await, "/feed").await;
    let refused = town.http("192.0.2.1").await.get(POLLING).await;
    assert_eq!(refused.status, 503);
    assert!(refused.head.contains("retry-after: 5"), "{refused:?}");
    town.refused(RefusalReason::Pending, 1).await;
    waits.enter("/feed").await;
    assert_eq!(town.open("192.0.2.1").await, 200, "one has joined");
    drop(gone);
    in_time("one is gone", async { while town.open("192.0.2.1").await != 200 {} }).await;
}

#[tokio::test]
async fn of_an_address_those_are_so_many_that_join_nothing_or_end_so() {
    let mut town = Town::new(ServerOptions { max_pending_per_ip: most(2), ..app::options() });
    for _ in 0..5 {
        drop(Client::join(town.dial("192.0.2.1").await, "/feed").await);
    }
    let mut waits = Client::open(town.dial("192.0.2.1").await, "/feed").await;
    drop(Client::open(town.dial("192.0.2.1").await, "/feed").await);
    // Whether it has been seen to have gone or not.
    for _ in 0..5 {
        let refused = town.http("192.0.2.1").await.get(POLLING).await;
        assert_eq!((refused.status, refused.head.contains("retry-after: 5")), (429, true), "{refused:?}");
        town.refused(RefusalReason::PendingPerIp, 1).await;
    }
    assert_eq!(town.open("192.0.2.2").await, 200, "another address");
    waits.enter("/feed").await;
    assert_eq!(town.open("192.0.2.1").await, 200, "one has joined");
}

/// The library keeps them for as long as they might have joined.
#[tokio::test]
async fn those_that_end_before_they_join_are_kept_for_a_while_and_only_so_many() {
    let mut town = Town::new(ServerOptions { max_connections: 64, connect_timeout: SECOND, ..app::options() });
    let mut stays = Client::open(town.dial("192.0.2.1").await, "/feed").await;
    for _ in 0..32 {
        town.depart("192.0.2.1").await;
    }
    assert_eq!(town.open("192.0.2.1").await, 503, "half of all are of this address");
    town.refused(RefusalReason::Departed, 1).await;
    for address in 2..34 {
        town.depart(&format!("192.0.2.{address}")).await;
    }
    let refused = town.http("192.0.2.99").await.get(POLLING).await;
    assert_eq!((refused.status, refused.head.contains("retry-after: 5")), (503, true), "{refused:?}");
    stays.enter("/feed").await;
    in_time("they are let go", async { while town.open("192.0.2.1").await != 200 {} }).await;
}

/// Nobody is told the reason of such an end, so nobody waits for a better one.
#[tokio::test(start_paused = true)]
async fn who_ends_without_having_joined_leaves_its_place_at_once() {
    let town = Town::new(ServerOptions { max_pending_connections: most(1), ..app::options() });
    let began = tokio::time::Instant::now();
    for _ in 0..100 {
        let waits = Client::open(town.dial("192.0.2.1").await, "/feed").await;
        drop(waits);
        while town.server.connections() > 0 {
            tokio::time::sleep(SECOND / 1000).await;
        }
    }
    assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
}

#[tokio::test]
async fn what_is_no_message_is_so_much_by_polling_too() {
    let mut town = Town::new(app::options());
    let mut polls = town.http("192.0.2.1").await;
    let target = format!("{POLLING}&sid={}", polls.handshake().await);
    assert_eq!(polls.post(&target, &["3"; 900].join("\u{1e}")).await.status, 200);
    polls.post(&target, &["3"; 900].join("\u{1e}")).await;
    town.refused(RefusalReason::ControlFrames, 1).await;
    assert_eq!(polls.get(&target).await.status, 400, "its session is gone");
    let target = format!("{POLLING}&sid={}", polls.handshake().await);
    polls.post(&target, "40/feed,\u{1e}4511-/feed,[\"publish\"]").await;
    town.refused(RefusalReason::Attachments, 1).await;
}

#[tokio::test]
async fn behind_a_proxy_each_client_has_its_address_and_nobody_else_may_say_one() {
    let proxies = TrustedProxies::new(["10.0.0.0/8".parse().expect("a network")]).and_unix();
    let town = Town::new(ServerOptions { trusted_proxies: proxies, max_connections_per_ip: most(1), ..app::options() });
    for proxy in ["10.0.0.1", "unix"] {
        let mut connection = town.http(proxy).await;
        for (client, status) in [("192.0.2.1", 200), ("192.0.2.1", 429), ("192.0.2.2", 200), ("192.0.2.2", 429)] {
            let spoofed = format!("x-forwarded-for: 203.0.113.{status}, {client}{}\r\n", proxy.len());
            let answer = connection.request("GET", POLLING, &spoofed, "").await.expect("an answer");
            assert_eq!(answer.status, status, "{proxy} {client}");
        }
    }
    // Who is no proxy is itself, whatever it says.
    for status in [200, 429] {
        let spoofed = format!("x-forwarded-for: 203.0.113.{status}\r\n");
        let answer = town.http("198.51.100.1").await.request("GET", POLLING, &spoofed, "").await.expect("an answer");
        assert_eq!(answer.status, status);
    }
}

#[tokio::test]
async fn where_no_address_is_known_nothing_is_counted_against_one() {
    let town = Town::new(ServerOptions {
        max_connections_per_ip: most(1),
        handshakes_per_ip: Some(Rate::new(1, SECOND)),
        ..app::options()
    });
    for _ in 0..5 {
        assert_eq!(town.open("memory").await, 200);
        assert_eq!(town.open("unix").await, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_proxy_may_say_by_its_own_protocol_whom_it_speaks_for() {
    let mut town = Town::new(ServerOptions {
        trusted_proxies: TrustedProxies::new(["10.0.0.1/32".parse().expect("a network")]),
        proxy_protocol: true,
        max_connections_per_ip: most(1),
        ..app::options()
    });
    let said = async |header: &[u8]| {
        let mut stream = town.dial("10.0.0.1").await;
        stream.write_all(header).await.expect("open");
        Http::new(stream)
    };
    let mut first = said(b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 443\r\n").await;
    assert_eq!(first.get(POLLING).await.status, 200);
    // The other version, and the same client.
    let v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\x0a\0\0\x01\x10\x00\x01\xbb";
    assert_eq!(said(v2).await.get(POLLING).await.status, 429);
    // What it says itself in a header is not what its proxy says.
    let mut spoofing = said(b"PROXY TCP4 192.0.2.9 10.0.0.1 4711 443\r\n").await;
    let spoofed = spoofing.request("GET", POLLING, "x-forwarded-for: 192.0.2.1\r\n", "").await.expect("an answer");
    assert_eq!(spoofed.status, 200);
    // The proxy's own look at us.
    assert_eq!(said(b"PROXY UNKNOWN\r\n").await.get("/healthz").await.status, 200);
    for no_header in [&b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"[..], b"PROXY TCP4 19", b""] {
        let mut stream = town.dial("10.0.0.1").await;
        stream.write_all(no_header).await.expect("open");
        let mut answer = Vec::new();
        let _cut = in_time("it is closed", stream.read_to_end(&mut answer)).await;
        assert!(answer.is_empty(), "{}", answer.escape_ascii());
    }
    // Who is no proxy has no header to say, and one that it says is no request.
    assert_eq!(town.open("192.0.2.7").await, 200);
    let mut liar = town.dial("192.0.2.8").await;
    liar.write_all(b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 443\r\n\r\n").await.expect("open");
    let mut answer = String::new();
    liar.read_to_string(&mut answer).await.expect("it is closed in order");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(town.refused(RefusalReason::ProxyHeader, 3).await.as_deref(), Some("10.0.0.1"));
}

#[tokio::test]
async fn a_client_wants_so_much_in_a_while_and_is_told_so() {
    // A whole burst and then nothing for longer than any test takes.
    let rate = InboundRate::new(Rate::new(1, 3600 * SECOND).burst(10));
    let mut town = Town::new(ServerOptions { inbound_rate: Some(rate), ..app::options() });
    let mut greedy = Client::join(town.dial("192.0.2.1").await, "/feed").await;
    let mut modest = Client::join(town.dial("192.0.2.2").await, "/feed").await;
    modest.subscribe("tick").await;
    for n in 0..10 {
        let answer = greedy.ask("publish", json!({"topic": "tick", "payload": n})).await;
        assert_eq!(answer["ok"], true, "{n}: {answer}");
    }
    for _ in 0..20 {
        let answer = greedy.ask("publish", json!({"topic": "tick", "payload": "too much"})).await;
        assert_eq!((&answer["ok"], &answer["code"]), (&json!(false), &json!("RATE_LIMITED")), "{answer}");
        assert_eq!(greedy.refusal().await, "RATE_LIMITED");
    }
    greedy.emit("subscribe", json!({"topic": "tick"})).await;
    assert_eq!(greedy.refusal().await, "RATE_LIMITED");
    assert_eq!(town.refused(RefusalReason::Rate, 21).await.as_deref(), Some("192.0.2.1"));
    // What was refused has not happened, and the connection lives.
    for n in 0..10 {
        assert_eq!(modest.event().await, ("tick".into(), vec![json!(n)]));
    }
    modest.hears_nothing().await;
    greedy.say("41/feed,").await;
    assert_eq!(town.news.left().await, CloseReason::Client);
}

#[tokio::test]
async fn acks_are_never_counted() {
    let rate = InboundRate::new(Rate::new(1, 3600 * SECOND));
    let town = Town::new(ServerOptions { inbound_rate: Some(rate), ..app::options() });
    let mut client = Client::join(town.dial("192.0.2.1").await, "/sure").await;
    client.subscribe("alert").await;
    for n in 0..1000 {
        let payload = streamfence_runtime::Payload::serialize(&n).expect("a number is JSON");
        let report = town.fence.publish("/sure", "alert", payload).await.expect("the topic exists");
        assert_eq!(report.rejected, 0, "after {n}: an ack was lost");
        let (_, arguments) = client.event().await;
        client.emit("ack", json!({"topic": "alert", "messageId": arguments[1]["messageId"]})).await;
        // So that the ack is heard before the next message.
        let answer = client.ask("ack", json!({"topic": "alert", "messageId": arguments[1]["messageId"]})).await;
        assert_eq!(answer["ok"], true);
    }
}

#[tokio::test]
async fn who_goes_on_and_on_is_cut_where_that_costs_the_connection() {
    let mut rate = InboundRate::new(Rate::new(1, 3600 * SECOND));
    rate.max_refused = most(5);
    let mut town = Town::new(ServerOptions { inbound_rate: Some(rate), ..app::options() });
    let mut client = Client::join(town.dial("192.0.2.1").await, "/feed").await;
    client.subscribe("tick").await;
    for _ in 0..5 {
        client.emit("subscribe", json!({"topic": "tick"})).await;
        assert_eq!(client.refusal().await, "RATE_LIMITED");
    }
    client.emit("subscribe", json!({"topic": "tick"})).await;
    client.ended().await;
    assert_eq!(town.news.left().await, CloseReason::RateLimited);
}

#[tokio::test]
async fn other_limits_hold_at_once_for_those_that_are_there() {
    let mut town = Town::new(app::options());
    let mut client = Client::join(town.dial("192.0.2.1").await, "/feed").await;
    for _ in 0..20 {
        client.subscribe("tick").await;
    }
    let narrow = ServerOptions {
        inbound_rate: Some(InboundRate::new(Rate::new(1, 3600 * SECOND))),
        max_connections_per_ip: most(1),
        allowed_origins: vec!["https://example.com".into()],
        ..app::options()
    };
    town.server.set_options(&narrow).await.expect("no TLS");
    client.subscribe("tick").await;
    client.emit("subscribe", json!({"topic": "tick"})).await;
    assert_eq!(client.refusal().await, "RATE_LIMITED");
    // It was counted before there was a limit.
    assert_eq!(town.open("192.0.2.1").await, 429);
    let evil = "origin: https://evil.example\r\n";
    let answer = town.http("192.0.2.2").await.request("GET", POLLING, evil, "").await.expect("an answer");
    assert_eq!(answer.status, 403);
    town.refused(RefusalReason::Rate, 1).await;
    town.server.set_options(&app::options()).await.expect("no TLS");
    client.subscribe("tick").await;
    assert_eq!(town.open("192.0.2.1").await, 200);
}

#[tokio::test]
async fn what_nests_too_deep_is_not_even_read() {
    let mut town = Town::new(app::options());
    let mut client = Client::join(town.dial("192.0.2.1").await, "/feed").await;
    client.subscribe("tick").await;
    let nested = |depth: usize| format!("{}7{}", "[".repeat(depth), "]".repeat(depth));
    let publish = |depth| format!(r#"42/feed,["publish",{{"topic":"tick","payload":{}}}]"#, nested(depth));
    client.say(&publish(62)).await;
    assert_eq!(client.event().await.0, "tick");
    for depth in [63, 20_000] {
        client.say(&publish(depth)).await;
        assert_eq!(client.refusal().await, "BAD_REQUEST", "{depth}");
    }
    client.say(&format!(r#"42/feed,["ack",{{"topic":"tick","messageId":{}}}]"#, nested(64))).await;
    assert_eq!(client.refusal().await, "BAD_REQUEST");
    client.hears_nothing().await;
    let mut late = Client::open(town.dial("192.0.2.1").await, "/feed").await;
    late.say(&format!("40/feed,{{\"session\":{}}}", nested(1000))).await;
    assert_eq!(late.hear().await.kind, Kind::ConnectError(json!({"message": "BAD_REQUEST"})));
    town.refused(RefusalReason::TooDeep, 4).await;
}

#[tokio::test]
async fn eleven_attachments_are_too_many() {
    let mut town = Town::new(app::options());
    let mut client = Client::join(town.dial("192.0.2.1").await, "/feed").await;
    let places: Vec<_> = (0..11).map(|num| json!({"_placeholder": true, "num": num})).collect();
    client.say(&format!("4510-/feed,{}", json!(["publish", {"topic": "tick", "payload": places[..10]}]))).await;
    for _ in 0..10 {
        client.say_binary(b"x").await;
    }
    client.hears_nothing().await;
    for count in ["11", "1000000000"] {
        let mut client = Client::join(town.dial("192.0.2.1").await, "/feed").await;
        client.say(&format!("45{count}-/feed,{}", json!(["publish", {"topic": "tick", "payload": places}]))).await;
        client.ended().await;
        assert_eq!(town.news.left().await, CloseReason::Protocol);
    }
}

#[tokio::test]
async fn names_from_clients_leave_nothing_behind() {
    let mut town = Town::new(app::options());
    let mut client = Client::join(town.dial("192.0.2.1").await, "/feed").await;
    let long = "x".repeat(60_000);
    // An event nobody has a handler for, and a topic that is none.
    client.emit(&long, json!({})).await;
    client.emit("subscribe", json!({"topic": long})).await;
    let refusal = client.expect("error").await;
    assert_eq!(refusal["code"], "UNKNOWN_TOPIC");
    client.hears_nothing().await;
    let answer = client.ask("publish", json!({"topic": "tick", "payload": "x".repeat(65_536)})).await;
    assert_eq!(answer["code"], "PAYLOAD_TOO_LARGE");
    town.refused(RefusalReason::PayloadTooLarge, 1).await;
}

#[tokio::test]
async fn what_requests_are_refused_for_is_counted() {
    let options = ServerOptions {
        allowed_origins: vec!["https://example.com".into()],
        body_timeout: Duration::from_millis(50),
        header_timeout: Duration::from_millis(500),
        ..app::options()
    };
    let mut town = Town::new(options);
    let mut http = town.http("192.0.2.1").await;
    let evil = http.request("GET", POLLING, "origin: https://evil.example\r\n", "").await.expect("an answer");
    assert_eq!(evil.status, 403);
    assert!(!evil.head.contains("access-control"), "{evil:?}");
    town.refused(RefusalReason::Origin, 1).await;
    assert_eq!(http.get(&format!("{POLLING}&sid=none")).await.status, 400);
    town.refused(RefusalReason::UnknownSession, 1).await;
    assert_eq!(http.get("/socket.io/?EIO=3&transport=polling").await.status, 400);
    town.refused(RefusalReason::BadRequest, 1).await;
    let sid = http.handshake().await;
    let target = format!("{POLLING}&sid={sid}");
    assert_eq!(http.post(&target, &"x".repeat(200_000)).await.status, 413);
    town.refused(RefusalReason::BodyTooLarge, 1).await;
    let mut slow = town.dial("192.0.2.1").await;
    let head = format!("POST {target} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n4");
    slow.write_all(head.as_bytes()).await.expect("open");
    town.refused(RefusalReason::BodyTimeout, 1).await;
    let mut large = town.http("192.0.2.1").await;
    let header = format!("x-large: {}\r\n", "x".repeat(20_000));
    assert_eq!(large.request("GET", "/healthz", &header, "").await.expect("an answer").status, 431);
    town.refused(RefusalReason::HeaderTooLarge, 1).await;
    let mut many = town.http("192.0.2.1").await;
    assert_eq!(many.request("GET", "/healthz", &"x: y\r\n".repeat(100), "").await.expect("an answer").status, 431);
    town.refused(RefusalReason::HeaderTooLarge, 1).await;
    let mut h2 = town.dial("192.0.2.1").await;
    h2.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("open");
    town.refused(RefusalReason::BadRequest, 1).await;
    let _silent = town.dial("192.0.2.1").await;
    town.refused(RefusalReason::HeaderTimeout, 1).await;
}

#[tokio::test]
async fn an_address_shakes_hands_over_tls_three_times_as_often_as_it_may_open_sessions() {
    let files = Files::new();
    let rate = Rate::new(1, 3600 * SECOND).burst(2);
    let mut town = Town::new(ServerOptions { handshakes_per_ip: Some(rate), ..files.options() });
    for _ in 0..6 {
        // Whatever comes of it.
        files.connect(town.dial("192.0.2.1").await).await;
    }
    let refused = shake_hands(files.client(&TLS13), town.dial("192.0.2.1").await).await;
    assert_eq!(refused.map(drop).map_err(|why| why.kind()), Err(std::io::ErrorKind::UnexpectedEof));
    assert_eq!(town.refused(RefusalReason::HandshakeRate, 1).await.as_deref(), Some("192.0.2.1"));
    let mut http = Http::new(files.connect(town.dial("192.0.2.2").await).await);
    assert_eq!(http.get(POLLING).await.status, 200, "another address");
}

#[tokio::test]
async fn a_connection_that_is_kept_for_nothing_is_closed_and_refused_nothing() {
    let mut town = Town::new(ServerOptions { header_timeout: Duration::from_millis(100), ..app::options() });
    let mut kept = town.http("192.0.2.1").await;
    for _ in 0..2 {
        assert_eq!(kept.get("/healthz").await.status, 200);
        assert_eq!(kept.post("/healthz", "said for nothing").await.status, 200);
    }
    let mut rest = Vec::new();
    in_time("it is closed", kept.stream.read_to_end(&mut rest)).await.expect("closed, not reset");
    let mut begun = town.http("192.0.2.2").await;
    assert_eq!(begun.get("/healthz").await.status, 200);
    begun.stream.write_all(b"GET /hea").await.expect("open");
    assert_eq!(town.refused(RefusalReason::HeaderTimeout, 1).await.as_deref(), Some("192.0.2.2"));
}

#[tokio::test]
async fn cors_is_for_those_that_poll() {
    let options = ServerOptions { allowed_origins: vec!["https://example.com".into()], ..app::options() };
    let town = Town::new(options);
    let origin = "origin: https://example.com\r\n";
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let websocket = "/socket.io/?EIO=4&transport=websocket";
    let mut http = town.http("192.0.2.1").await;
    let answer = http.request("GET", websocket, &format!("{origin}{upgrade}"), "").await.expect("an answer");
    assert_eq!(answer.status, 101);
    assert!(!answer.head.contains("access-control"), "{answer:?}");
    let evil = "origin: https://example.com.evil.example\r\n";
    let mut http = town.http("192.0.2.1").await;
    let answer = http.request("GET", websocket, &format!("{evil}{upgrade}"), "").await.expect("an answer");
    assert_eq!(answer.status, 403);
    let mut http = town.http("192.0.2.1").await;
    let answer = http.request("GET", POLLING, origin, "").await.expect("an answer");
    assert!(answer.head.contains("access-control-allow-origin: https://example.com"), "{answer:?}");
}
