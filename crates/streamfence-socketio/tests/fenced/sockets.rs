//! Publishing to the client of a socket the application holds.

use serde_json::{Value, json};
use socketioxide::extract::SocketRef;
use streamfence_runtime::{AtLeastOnce, Fence, Namespace, Payload};
use streamfence_socketio::FencedSocket;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

use crate::app::{self, App, start_with};
use crate::common::patience::{eventually, in_time};
use crate::talk::{Client, Kind};

struct Sockets {
    app: App,
    entered: mpsc::UnboundedReceiver<SocketRef>,
}

impl Sockets {
    fn start() -> Self {
        let namespace = Namespace::new("/feed").topic("notice").at_least_once(AtLeastOnce::default().window(8));
        let (tell, entered) = mpsc::unbounded_channel();
        let door = async move |socket: SocketRef| drop(tell.send(socket));
        let builder = Fence::builder().namespace(namespace);
        Self { app: start_with(builder, &app::options(), |server| server.on_connect("/feed", door)), entered }
    }

    async fn enter(&mut self, auth: Value) -> (Client<DuplexStream>, SocketRef) {
        let mut client = Client::open(self.app.dial().await, "/feed").await;
        client.say(&format!("40/feed,{auth}")).await;
        assert_eq!(client.hear().await.kind, Kind::Connect);
        let socket = in_time("the client has entered", self.entered.recv()).await.expect("the application lives");
        (client, socket)
    }

    async fn publish_to(&self, socket: &SocketRef, text: &str) -> u32 {
        let client = socket.client_id().expect("its name is known");
        let payload = Payload::serialize(text).expect("a text is JSON");
        self.app.fence.publish_to("/feed", client, "notice", payload).await.expect("the topic exists").matched
    }
}

#[tokio::test]
async fn whoever_has_a_socket_can_publish_to_its_client() {
    let mut sockets = Sockets::start();
    let (mut first, first_socket) = sockets.enter(json!({})).await;
    let (mut second, second_socket) = sockets.enter(json!({})).await;
    first.subscribe("notice").await;
    second.subscribe("notice").await;
    assert_ne!(first_socket.client_id(), second_socket.client_id());
    assert_eq!(sockets.publish_to(&second_socket, "for the second").await, 1);
    assert_eq!(second.event().await.1[0], "for the second");
    first.hears_nothing().await;

    drop(first);
    eventually("the first is gone", || first_socket.client_id().is_none()).await;
}

#[tokio::test]
async fn a_client_that_comes_back_has_the_name_of_its_session() {
    let mut sockets = Sockets::start();
    let (mut client, socket) = sockets.enter(json!({"session": true})).await;
    let ticket = client.expect("session").await;
    client.subscribe("notice").await;
    let before = socket.client_id().expect("its name is known");
    drop((client, socket));

    let session = json!({"session": {"id": ticket["id"], "secret": ticket["secret"]}});
    let (mut client, socket) = sockets.enter(session).await;
    assert_eq!(client.expect("session").await["resumed"], true);
    assert_eq!(socket.client_id(), Some(before));
    assert_eq!(sockets.publish_to(&socket, "welcome back").await, 1);
    assert_eq!(client.event().await.1[0], "welcome back");
}
