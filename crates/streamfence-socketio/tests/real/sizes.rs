use streamfence_runtime::{Fence, Namespace, Overflow, Payload};
use streamfence_socketio::server::{Server, memory};

use crate::app::options;
use crate::common::client::{Message, WebSocket};
use crate::common::patience::in_time;

/// Messages beyond the half of the window, and beyond all of it, wait for more room than there is, and are told of it.
#[tokio::test]
async fn large_messages_among_small_ones_all_arrive() {
    // Once the client is slower than the server, and once nothing ever blocks.
    for pipe_bytes in [4_096, 64 << 20] {
        all_arrive_through(pipe_bytes).await;
    }
}

async fn all_arrive_through(pipe_bytes: usize) {
    let namespace = Namespace::new("/").topic("mixed").best_effort(Overflow::RejectNew);
    let namespace = namespace.max_queued_messages(1_000).max_queued_bytes(64 << 20);
    let fence = Fence::builder().namespace(namespace).build().expect("the settings fit");
    let (connector, listener) = memory();
    let server = Server::builder(fence.clone()).options(options()).start_on(listener).expect("nothing is in the way");
    let mut client = WebSocket::join(connector.connect(pipe_bytes).await.expect("listening")).await;
    client.send(r#"42["subscribe",{"topic":"mixed"}]"#).await;
    assert!(matches!(client.receive().await, Ok(Message::Text(said)) if said.starts_with(r#"42["subscribed""#)));

    let sizes = [10, 300, 40_000, 10, 200_000, 300, 65_000, 65_536, 10, 33_000, 33_000, 10];
    let sizes: Vec<usize> = sizes.into_iter().cycle().take(120).collect();
    let wanted = sizes.clone();
    let reader = tokio::spawn(async move {
        for (number, size) in wanted.into_iter().enumerate() {
            let Ok(Message::Text(said)) = client.receive().await else { panic!("cut off before {number}") };
            assert!(said.starts_with(&format!(r#"42["mixed",[{number},""#)), "{number}: {}", &said[..40]);
            assert!(said.len() > size);
        }
    });
    // All at once: nothing that is published later has the shard look again.
    for (number, size) in sizes.into_iter().enumerate() {
        let payload = Payload::serialize(&(number, "x".repeat(size))).expect("it is JSON");
        fence.try_publish("/", "mixed", payload).expect("there are places enough");
    }
    in_time("every message arrives", reader).await.expect("no panic");
    server.stop().await;
}
