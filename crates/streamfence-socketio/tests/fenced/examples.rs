//! The examples do what they say.

use serde_json::{Value, json};
use streamfence_socketio::Server;
use streamfence_socketio::server::memory;
use tokio::net::{TcpListener, TcpStream};

use crate::app::WIDE;
use crate::common::client::Http;
use crate::talk::Client;

#[expect(dead_code, reason = "a test does not call main")]
#[path = "../../examples/axum.rs"]
mod application;
#[expect(dead_code, reason = "a test does not call main")]
#[path = "../../examples/server.rs"]
mod shop;

#[tokio::test]
async fn an_application_publishes_from_a_route_and_chats_beside_it() {
    let fence = application::fence().expect("the catalog is valid");
    let app = application::application(fence).expect("the adapter can be built");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be bound");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, app).await });
    let dial = || async { TcpStream::connect(address).await.expect("listening") };

    let mut client = Client::join(dial().await, "/feed").await;
    assert_eq!(client.event().await, ("welcome".into(), vec![json!("prices in EUR")]));
    client.subscribe("price").await;
    let mut http = Http::new(dial().await);
    let price = json!({"symbol": "EURUSD", "bid": 1.0842});
    let json_type = "content-type: application/json\r\n";
    let answer = http.request("POST", "/price", json_type, &price.to_string()).await.expect("an answer");
    let report: Value = serde_json::from_str(&answer.body).expect("a report is JSON");
    assert_eq!((answer.status, &report["admitted"]), (200, &json!(1)));
    assert_eq!(client.event().await, ("price".into(), vec![price]));

    client.enter("/chat").await;
    let mut other = Client::join(dial().await, "/chat").await;
    client.say(r#"42/chat,["say","hello"]"#).await;
    assert_eq!(other.event().await, ("said".into(), vec![json!("hello")]));
}

#[tokio::test]
async fn a_shop_confirms_the_orders_it_takes() {
    let fence = shop::shop().expect("the catalog is valid");
    shop::take_orders(&fence).expect("the topic exists");
    let (connector, listener) = memory();
    let _server = Server::builder(fence).start_on(listener).expect("the adapter can be built");
    let dial = || async { connector.connect(WIDE).await.expect("listening") };
    let mut client = Client::join(dial().await, "/shop").await;
    client.subscribe("confirmation").await;
    let mut other = Client::join(dial().await, "/shop").await;
    other.subscribe("confirmation").await;

    let order = |count: u32| json!({"topic": "order", "payload": {"item": "apple", "count": count}});
    assert_eq!(client.ask("publish", order(2)).await, json!({"ok": true}));
    let (name, arguments) = client.event().await;
    assert_eq!((name.as_str(), &arguments[0]), ("confirmation", &json!({"item": "apple", "price": 6})));
    client.emit("ack", json!({"topic": "confirmation", "messageId": arguments[1]["messageId"]})).await;
    let refused = client.ask("publish", order(0)).await;
    assert_eq!((&refused["ok"], &refused["message"]), (&json!(false), &json!("an order of no apple at all")));
    other.hears_nothing().await;
}
