//! Whom a message is for: clients by name, the sessions of a principal, and all but some; over several shards.

use streamfence_core::Ticket;
use streamfence_runtime::memory::MemoryClient;
use streamfence_runtime::{AtLeastOnce, ClientId, Fence, Listener, Namespace, Payload, PublishReport, To};
use tokio::sync::mpsc;

fn number(n: u32) -> Payload {
    Payload::serialize(&n).expect("a number is JSON")
}

fn fence() -> Fence {
    let namespaces = |path: &str| Namespace::new(path).topic("tick").at_least_once(AtLeastOnce::default().window(64));
    let fence = Fence::builder().namespace(namespaces("/feed")).namespace(namespaces("/other"));
    fence.shards(3).build().expect("the catalog is valid")
}

async fn subscriber(fence: &Fence, namespace: &str, principal: &str) -> MemoryClient {
    let mut client = MemoryClient::connect_as(fence, namespace, 64, principal, None);
    client.ticket().await;
    client.subscribe("tick").await;
    client
}

async fn to(fence: &Fence, to: impl Into<To>, n: u32) -> PublishReport {
    fence.publish_to("/feed", to, "tick", number(n)).await.expect("the topic exists")
}

/// What a client has heard of a series that ends with a message for everybody.
async fn heard(client: &mut MemoryClient, last: &str) -> Vec<String> {
    let mut heard = Vec::new();
    loop {
        let message = client.recv().await;
        client.ack("tick", message.id);
        if message.text() == last {
            return heard;
        }
        heard.push(message.text().to_owned());
    }
}

#[tokio::test]
async fn a_message_reaches_whom_it_is_for_and_nobody_else() {
    let fence = fence();
    let mut clients = Vec::new();
    for principal in ["ann", "ann", "bob", "cat", "ann"] {
        clients.push(subscriber(&fence, "/feed", principal).await);
    }
    let mut elsewhere = subscriber(&fence, "/other", "ann").await;
    let ids: Vec<_> = clients.iter().map(MemoryClient::id).collect();
    let stranger = ClientId([9; 12]);

    assert_eq!(to(&fence, ids[0], 1).await.matched, 1);
    assert_eq!(to(&fence, vec![ids[1], ids[2], ids[1], stranger], 2).await.matched, 2, "each once");
    assert_eq!(to(&fence, &ids[..0], 3).await.matched, 0, "for nobody");
    assert_eq!(to(&fence, [stranger], 4).await.matched, 0);
    assert_eq!(to(&fence, To::principal("ann"), 5).await.matched, 3);
    assert_eq!(to(&fence, To::principal("ann").except([ids[4], stranger]), 6).await.matched, 2);
    assert_eq!(to(&fence, To::principal("nobody"), 7).await.matched, 0);
    assert_eq!(to(&fence, To::from([ids[0], ids[3]]).except([ids[3]]), 8).await.matched, 1);
    assert_eq!(to(&fence, elsewhere.id(), 9).await.matched, 0, "the topic is of another namespace");
    let except = |clients: Vec<ClientId>| fence.publish_except("/feed", clients, "tick", number(10));
    assert_eq!(except(vec![ids[3], ids[0], stranger]).await.expect("the topic exists").matched, 3);
    assert_eq!(except(vec![]).await.expect("the topic exists").matched, 5);
    fence.publish("/feed", "tick", number(99)).await.expect("the topic exists");
    fence.publish("/other", "tick", number(99)).await.expect("the topic exists");

    let expected: [&[&str]; 5] =
        [&["1", "5", "6", "8", "10"], &["2", "5", "6", "10", "10"], &["2", "10", "10"], &["10"], &["5", "10", "10"]];
    for (client, expected) in clients.iter_mut().zip(expected) {
        assert_eq!(heard(client, "99").await, expected);
    }
    assert!(heard(&mut elsewhere, "99").await.is_empty());
}

struct Recorder(mpsc::UnboundedSender<Option<String>>);

impl Listener for Recorder {
    fn on_connected(&self, _: &str, _: ClientId, _: streamfence_core::Transport, principal: Option<&str>) {
        let _ = self.0.send(principal.map(str::to_owned));
    }
}

#[tokio::test]
async fn a_session_is_its_principals_and_nobody_elses() {
    let fence = fence();
    let (tell, mut connected) = mpsc::unbounded_channel();
    fence.add_listener(Recorder(tell));
    let mut ann = MemoryClient::connect_as(&fence, "/feed", 64, "ann", None);
    let ticket = ann.ticket().await;
    ann.subscribe("tick").await;
    ann.lose();
    assert_eq!(to(&fence, To::principal("ann"), 1).await.matched, 1, "whoever is away is waited for");

    async fn resumed(mut client: MemoryClient) -> Ticket {
        client.ticket().await
    }
    let thief = resumed(MemoryClient::connect_as(&fence, "/feed", 64, "bob", Some(&ticket))).await;
    assert!(!thief.resumed && thief.id != ticket.id);
    let nobody = resumed(MemoryClient::resume(&fence, "/feed", 64, &ticket)).await;
    assert!(!nobody.resumed && nobody.id != ticket.id);
    let mut back = MemoryClient::connect_as(&fence, "/feed", 64, "ann", Some(&ticket));
    assert!(back.ticket().await.resumed);
    assert_eq!(back.recv().await.text(), "1");
    assert_eq!(to(&fence, To::principal("ann"), 2).await.matched, 1);

    // One that had none stays nobody's.
    let mut none = MemoryClient::connect_retained(&fence, "/feed", 64);
    let ticket = none.ticket().await;
    assert!(!resumed(MemoryClient::connect_as(&fence, "/feed", 64, "ann", Some(&ticket))).await.resumed);
    for expected in [Some("ann"), Some("bob"), None, Some("ann"), None, Some("ann")] {
        assert_eq!(connected.recv().await, Some(expected.map(str::to_owned)));
    }
}
