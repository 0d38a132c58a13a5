//! An application that says who its clients are, in an axum application of its own.

use serde_json::{Value, json};
use socketioxide::extract::{Data, SocketRef};
use socketioxide::handler::ConnectHandler;
use streamfence_core::Event;
use streamfence_runtime::{AtLeastOnce, Fence, Namespace, Payload, To};
use streamfence_socketio::{Principal, SocketIoAdapter};
use tokio::net::{TcpListener, TcpStream};

use crate::app::{self, News};
use crate::common::client::Http;
use crate::talk::{Client, Kind};

/// Only who brings a token of somebody's comes in, and is that somebody from then on.
async fn who(socket: SocketRef, Data(auth): Data<Value>) -> Result<(), &'static str> {
    match auth["token"].as_str() {
        Some("guest") => {}
        token => {
            let name = token.and_then(|token| token.strip_prefix("token-of-")).ok_or("who are you?")?;
            socket.extensions.insert(Principal(name.to_owned()));
        }
    }
    Ok(())
}

struct Notices {
    fence: Fence,
    news: News,
    address: std::net::SocketAddr,
}

impl Notices {
    /// Serves Socket.IO, and a route that publishes a notice to one person.
    async fn start() -> Self {
        let namespace = Namespace::new("/feed").topic("notice").at_least_once(AtLeastOnce::default().window(8));
        let (fence, news) = app::fence(Fence::builder().namespace(namespace));
        // What a connect handler says comes too late, and so does not count.
        let door = async |socket: SocketRef| drop(socket.extensions.insert(Principal("late".to_owned())));
        let (layer, _io) = SocketIoAdapter::builder(fence.clone())
            .on_connect("/feed", door.with(who))
            .build()
            .expect("the adapter can be built");
        let publisher = fence.clone();
        let notify = async move |axum::extract::Path(name): axum::extract::Path<String>, text: String| {
            let payload = Payload::serialize(&text).expect("a text is JSON");
            let report = publisher.publish_to("/feed", To::principal(name), "notice", payload).await;
            report.map(axum::Json).map_err(|why| why.to_string())
        };
        let router = axum::Router::new().route("/notify/{name}", axum::routing::post(notify)).layer(layer);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be bound");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { fence, news, address }
    }

    async fn dial(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("listening")
    }

    /// A client that has come in with this.
    async fn client(&self, auth: Value) -> Client<TcpStream> {
        let mut client = Client::open(self.dial().await, "/feed").await;
        client.say(&format!("40/feed,{auth}")).await;
        assert_eq!(client.hear().await.kind, Kind::Connect);
        client
    }

    async fn subscriber(&self, token: &str) -> Client<TcpStream> {
        let mut client = self.client(json!({"token": token})).await;
        client.subscribe("notice").await;
        client
    }

    /// How many were reached.
    async fn notify(&self, name: &str, text: &str) -> Value {
        let mut http = Http::new(self.dial().await);
        let answer = http.request("POST", &format!("/notify/{name}"), "", text).await.expect("an answer");
        serde_json::from_str::<Value>(&answer.body).expect("a report is JSON")["matched"].take()
    }
}

async fn notice(client: &mut Client<TcpStream>) -> Value {
    let (name, mut arguments) = client.event().await;
    assert_eq!(name, "notice");
    arguments[0].take()
}

#[tokio::test]
async fn a_notice_reaches_every_device_of_whom_it_is_for_and_nobody_else() {
    let mut app = Notices::start().await;
    let mut devices = [app.subscriber("token-of-ann").await, app.subscriber("token-of-ann").await];
    let mut others = [app.subscriber("token-of-bob").await, app.subscriber("guest").await];
    assert_eq!(app.notify("ann", "for ann").await, 2);
    for device in &mut devices {
        assert_eq!(notice(device).await, "for ann");
    }
    assert_eq!(app.notify("bob", "for bob").await, 1);
    assert_eq!(notice(&mut others[0]).await, "for bob");
    assert_eq!(app.notify("late", "for nobody").await, 0);
    app.fence.publish("/feed", "notice", Payload::serialize("for all").expect("JSON")).await.expect("it exists");
    for client in devices.iter_mut().chain(&mut others) {
        assert_eq!(notice(client).await, "for all");
    }
    for expected in [Some("ann"), Some("ann"), Some("bob"), None] {
        let connected = |event: &Event| match event {
            Event::Connected { principal, .. } => Some(principal.clone()),
            _ => None,
        };
        assert_eq!(app.news.find("somebody came", connected).await.as_deref(), expected);
    }
}

#[tokio::test]
async fn a_session_is_resumed_by_whose_it_is_and_a_stolen_secret_opens_nothing() {
    let app = Notices::start().await;
    let mut ann = app.client(json!({"token": "token-of-ann", "session": true})).await;
    let mut ticket = ann.expect("session").await;
    assert_eq!(ticket["resumed"], false);
    ann.subscribe("notice").await;
    drop(ann);
    let session = json!({"id": ticket["id"].take(), "secret": ticket["secret"].take()});
    for token in ["token-of-bob", "guest"] {
        let mut thief = app.client(json!({"token": token, "session": session})).await;
        let other = thief.expect("session").await;
        assert_eq!(other["resumed"], false, "{token}");
        assert_ne!(other["id"], session["id"], "{token}");
    }
    assert_eq!(app.notify("ann", "while you were away").await, 1);
    let mut back = app.client(json!({"token": "token-of-ann", "session": session})).await;
    assert_eq!(back.expect("session").await["resumed"], true);
    assert_eq!(notice(&mut back).await, "while you were away");
}
