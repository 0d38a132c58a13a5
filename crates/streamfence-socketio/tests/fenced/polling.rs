use std::time::Duration;

use serde_json::json;
use socketioxide::extract::SocketRef;
use streamfence_core::Event;
use streamfence_runtime::{CloseReason, Fence, FenceBuilder, Namespace, Overflow, Payload, Topic};
use tokio::io::DuplexStream;

use crate::app::{App, options, start, start_with};
use crate::common::client::{Http, Message, POLLING};
use crate::common::patience::in_time;
use crate::talk::{Kind, Packet, parse};

fn feed() -> FenceBuilder {
    Fence::builder().namespace(Namespace::new("/").topic("tick")).namespace(
        Namespace::new("/feed")
            .topic("tick")
            .best_effort(Overflow::DropOldest)
            .topic_with(Topic::new("fast").allow_polling(false)),
    )
}

/// A polling client in `/feed`.
struct Poller {
    http: Http<DuplexStream>,
    target: String,
    sid: String,
}

impl Poller {
    async fn join(app: &App) -> Self {
        let mut http = Http::new(app.dial().await);
        let sid = http.handshake().await;
        let mut poller = Self { http, target: format!("{POLLING}&sid={sid}"), sid };
        poller.post("40/feed,").await;
        assert_eq!(poller.poll(1).await, [Packet { namespace: "/feed".into(), kind: Kind::Connect }]);
        poller
    }

    async fn post(&mut self, packets: &str) {
        let answer = self.http.post(&self.target, packets).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    }

    /// Polls until so many packets have come; pings are answered.
    async fn poll(&mut self, wanted: usize) -> Vec<Packet> {
        let mut packets = Vec::new();
        while packets.len() < wanted {
            let answer = self.http.get(&self.target).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            for packet in answer.body.split('\u{1e}') {
                match packet {
                    "2" => self.post("3").await,
                    "6" => {}
                    packet => packets.push(parse(packet).0),
                }
            }
        }
        packets
    }
}

fn names(packets: &[Packet]) -> Vec<String> {
    let name = |packet: &Packet| match &packet.kind {
        Kind::Event { name, arguments, .. } if name == "error" => {
            arguments[0]["code"].as_str().expect("a code").to_owned()
        }
        Kind::Event { name, .. } => name.clone(),
        other => format!("{other:?}"),
    };
    packets.iter().map(name).collect()
}

#[tokio::test]
async fn a_topic_that_is_not_for_polling_refuses_until_the_upgrade() {
    let app = start(feed());
    let mut poller = Poller::join(&app).await;
    let subscribe = |topic: &str| format!(r#"42/feed,["subscribe",{{"topic":"{topic}"}}]"#);
    poller.post(&format!("{}\u{1e}{}", subscribe("fast"), subscribe("tick"))).await;
    assert_eq!(names(&poller.poll(2).await), ["TRANSPORT_REJECTED", "subscribed"]);
    app.publish("/feed", "fast", "1").await;
    app.publish("/feed", "tick", "2").await;
    assert_eq!(names(&poller.poll(1).await), ["tick"]);

    let Ok(mut socket) = Http::new(app.dial().await).upgrade(Some(&poller.sid)).await else { panic!("granted") };
    socket.send("2probe").await;
    assert_eq!(socket.receive().await.expect("open"), Message::Text("3probe".into()));
    socket.send("5").await;
    socket.send(&subscribe("fast")).await;
    let Ok(Message::Text(text)) = socket.receive().await else { panic!("wanted a text") };
    assert!(text.starts_with(r#"42/feed,["subscribed",{"topic":"fast""#), "{text}");
    app.publish("/feed", "fast", "3").await;
    assert_eq!(socket.receive().await.expect("open"), Message::Text(r#"42/feed,["fast",3]"#.into()));

    let mut straight = app.client("/feed").await;
    straight.subscribe("fast").await;
}

#[tokio::test]
async fn a_poller_hears_what_is_published_between_its_polls_and_may_say_goodbye() {
    let mut app = start(feed());
    let mut poller = Poller::join(&app).await;
    poller.post(r#"42/feed,1["subscribe",{"topic":"tick"}]"#).await;
    assert_eq!(poller.poll(2).await.len(), 2);
    for n in 0..40 {
        app.publish("/feed", "tick", &n.to_string()).await;
    }
    for (n, packet) in poller.poll(40).await.into_iter().enumerate() {
        let tick = Kind::Event { name: "tick".into(), arguments: vec![json!(n)], attachments: Vec::new() };
        assert_eq!(packet.kind, tick);
    }
    poller.post("1").await;
    assert_eq!(app.news.left().await, CloseReason::Client);
}

#[tokio::test]
async fn a_poller_that_is_disconnected_between_two_polls_hears_it_and_keeps_its_other_namespaces() {
    let mut app = start(feed());
    let mut poller = Poller::join(&app).await;
    let client = app.news.find("it is there", |event| match event {
        Event::Connected { client, .. } => Some(*client),
        _ => None,
    });
    let client = client.await;
    poller.post("40").await;
    poller.poll(1).await;
    poller.post(r#"42["subscribe",{"topic":"tick"}]"#).await;
    assert_eq!(names(&poller.poll(1).await), ["subscribed"]);
    assert!(app.fence.disconnect(client).await);
    assert_eq!(app.news.left().await, CloseReason::Server);
    app.publish("/", "tick", "1").await;
    let packets = poller.poll(2).await;
    assert_eq!(packets[0], Packet { namespace: "/feed".into(), kind: Kind::Disconnect });
    assert_eq!(names(&packets[1..]), ["tick"]);
}

#[tokio::test]
async fn a_poller_hears_of_a_stop_with_its_next_poll() {
    let mut app = start(feed());
    let mut poller = Poller::join(&app).await;
    app.fence.shutdown(Duration::from_secs(1)).await;
    assert_eq!(app.news.left().await, CloseReason::ShuttingDown);
    let stopping = tokio::spawn(app.server.stop());
    let packets = poller.poll(2).await;
    assert_eq!(names(&packets[..1]), ["SHUTTING_DOWN"]);
    assert_eq!(packets[1].kind, Kind::Disconnect);
    poller.post("1").await;
    in_time("the server stops", stopping).await.expect("no panic");
}

#[tokio::test]
async fn a_message_with_more_attachments_than_a_window_goes_alone() {
    let app = start(feed());
    let mut poller = Poller::join(&app).await;
    poller.post(r#"42/feed,["subscribe",{"topic":"tick"}]"#).await;
    poller.poll(1).await;
    let mut socket = app.subscriber("/feed", "tick").await;
    let attachments: Vec<_> = (0..100_u8).map(|n| vec![n; 10].into()).collect();
    let names: Vec<_> = (0..100).map(|n| json!({"_placeholder": true, "num": n})).collect();
    let payload = Payload::with_attachments(json!(names).to_string(), attachments).expect("each is named once");
    app.publish("/feed", "tick", "1").await;
    app.fence.publish("/feed", "tick", payload).await.expect("the topic exists");
    app.publish("/feed", "tick", "2").await;
    socket.event().await;
    assert!(matches!(socket.hear().await.kind, Kind::Event { attachments, .. } if attachments.len() == 100));
    assert_eq!(socket.event().await, ("tick".into(), vec![json!(2)]));
    // Attachments of a poll are packets of their own, in base64.
    let (mut attached, mut ticks) = (0, 0);
    while ticks < 3 {
        for packet in poller.http.get(&poller.target).await.body.split('\u{1e}') {
            attached += usize::from(packet.starts_with('b'));
            ticks += usize::from(packet.starts_with("42/feed") || packet.starts_with("45100-/feed"));
        }
    }
    assert_eq!(attached, 100);
}

#[tokio::test]
async fn a_poller_joins_the_main_namespace() {
    let app = start(feed());
    let mut http = Http::new(app.dial().await);
    let sid = http.join().await;
    let target = format!("{POLLING}&sid={sid}");
    http.post(&target, r#"42["subscribe",{"topic":"tick"}]"#).await;
    assert!(http.get(&target).await.body.starts_with(r#"42["subscribed","#));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poller_whose_channel_the_application_has_filled_is_cut_and_holds_up_nobody() {
    let (tell, mut filled) = tokio::sync::mpsc::unbounded_channel();
    let application = async move |socket: SocketRef| {
        socket.on("flood", async move |socket: SocketRef| {
            while socket.emit("app", &1).is_ok() {}
            tell.send(()).expect("the test waits");
        });
    };
    let mut app = start_with(feed(), &options(), |server| server.on_connect("/feed", application));
    let mut poller = Poller::join(&app).await;
    poller.post(r#"42/feed,["subscribe",{"topic":"tick"}]"#).await;
    assert_eq!(names(&poller.poll(1).await), ["subscribed"]);
    poller.post(r#"42/feed,["flood"]"#).await;
    in_time("the channel is full", filled.recv()).await;
    app.publish("/feed", "tick", "1").await;
    // The first ping of the library may be the one that finds the channel full.
    let reason = app.news.left().await;
    assert!(matches!(reason, CloseReason::Transport | CloseReason::Heartbeat), "{reason:?}");
    in_time("the shards go on", app.publish("/feed", "tick", "2")).await;
}
