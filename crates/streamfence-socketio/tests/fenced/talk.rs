//! Socket.IO v5 by hand: packets in, packets out, nothing hidden.

use std::collections::VecDeque;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use crate::common::client::{Http, Message, WebSocket, frame};
use crate::common::patience::in_time;

/// One Socket.IO packet from the server.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Packet {
    pub(crate) namespace: String,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Connect,
    Disconnect,
    Event { name: String, arguments: Vec<Value>, attachments: Vec<Vec<u8>> },
    Ack { id: u64, answer: Value },
    ConnectError(Value),
}

/// A client over websocket, in any number of namespaces. What is named in a method is its first one.
pub(crate) struct Client<S> {
    pub(crate) socket: WebSocket<S>,
    namespace: &'static str,
    /// Read while something else was awaited.
    unheard: VecDeque<Packet>,
    next_ack: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// An Engine.IO session without any namespace.
    pub(crate) async fn open(stream: S, namespace: &'static str) -> Self {
        let Ok(mut socket) = Http::new(stream).upgrade(None).await else { panic!("the upgrade is granted") };
        assert!(matches!(socket.receive().await, Ok(Message::Text(open)) if open.starts_with("0{")));
        Self { socket, namespace, unheard: VecDeque::new(), next_ack: 0 }
    }

    pub(crate) async fn join(stream: S, namespace: &'static str) -> Self {
        let mut client = Self::open(stream, namespace).await;
        client.enter(namespace).await;
        client
    }

    /// Enters one more namespace.
    pub(crate) async fn enter(&mut self, namespace: &str) {
        self.say(&format!("40{}", head(namespace))).await;
        let packet = self.hear().await;
        assert_eq!(packet, Packet { namespace: namespace.into(), kind: Kind::Connect });
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.socket.send(text).await;
    }

    pub(crate) async fn say_binary(&mut self, bytes: &[u8]) {
        self.socket.stream.write_all(&frame(2, bytes)).await.expect("the connection is open");
    }

    pub(crate) async fn emit(&mut self, event: &str, payload: Value) {
        let text = format!("42{}{}", head(self.namespace), json!([event, payload]));
        self.say(&text).await;
    }

    /// Emits with an acknowledgement, and waits for it. Other packets keep their order.
    pub(crate) async fn ask(&mut self, event: &str, payload: Value) -> Value {
        let id = self.ask_only(event, payload).await;
        self.answer_to(id).await
    }

    /// Emits with an acknowledgement, without waiting for it.
    pub(crate) async fn ask_only(&mut self, event: &str, payload: Value) -> u64 {
        self.next_ack += 1;
        let id = self.next_ack;
        let text = format!("42{}{id}{}", head(self.namespace), json!([event, payload]));
        self.say(&text).await;
        id
    }

    pub(crate) async fn answer_to(&mut self, wanted: u64) -> Value {
        let fits = |packet: &Packet| matches!(packet.kind, Kind::Ack { id, .. } if id == wanted);
        loop {
            if let Some(place) = self.unheard.iter().position(fits) {
                let packet = self.unheard.remove(place).expect("it was found there");
                let Kind::Ack { answer, .. } = packet.kind else { unreachable!("it fits") };
                return answer;
            }
            let packet = self.read().await;
            self.unheard.push_back(packet);
        }
    }

    /// Subscribes, and hears the event that says so.
    pub(crate) async fn subscribe(&mut self, topic: &str) -> Value {
        self.emit("subscribe", json!({"topic": topic})).await;
        self.expect("subscribed").await
    }

    /// The next packet, which must be an event of this name with one argument.
    pub(crate) async fn expect(&mut self, name: &str) -> Value {
        let (event, mut arguments) = self.event().await;
        assert_eq!((event.as_str(), arguments.len()), (name, 1), "{arguments:?}");
        arguments.remove(0)
    }

    /// The next packet, which must be an event: its name and its arguments.
    pub(crate) async fn event(&mut self) -> (String, Vec<Value>) {
        match self.hear().await.kind {
            Kind::Event { name, arguments, attachments } => {
                assert!(attachments.is_empty(), "{name} has attachments");
                (name, arguments)
            }
            other => panic!("wanted an event, heard {other:?}"),
        }
    }

    /// The code of the refusal that comes next.
    pub(crate) async fn refusal(&mut self) -> String {
        let refusal = self.expect("error").await;
        refusal["code"].as_str().expect("a refusal has a code").to_owned()
    }

    /// The next packet.
    pub(crate) async fn hear(&mut self) -> Packet {
        match self.unheard.pop_front() {
            Some(packet) => packet,
            None => self.read().await,
        }
    }

    /// Makes sure that nothing else was on its way: what is heard next is the answer to an unknown wish.
    pub(crate) async fn hears_nothing(&mut self) {
        let id = self.ask_only("unsubscribe", json!({"topic": "no such topic"})).await;
        let (name, _) = self.event().await;
        assert_eq!(name, "error");
        assert!(matches!(self.hear().await.kind, Kind::Ack { id: answered, .. } if answered == id));
    }

    /// Waits for the end of the connection.
    pub(crate) async fn ended(&mut self) {
        in_time("the connection ends", async {
            while !matches!(self.socket.receive().await, Err(_) | Ok(Message::Other(8))) {}
        })
        .await;
    }

    async fn read(&mut self) -> Packet {
        in_time("a packet", async {
            let Ok(Message::Text(text)) = self.socket.receive().await else { panic!("wanted a text") };
            let (mut packet, count) = parse(&text);
            if let Kind::Event { attachments, .. } = &mut packet.kind {
                for _ in 0..count {
                    let Ok(Message::Binary(bytes)) = self.socket.receive().await else {
                        panic!("wanted an attachment")
                    };
                    attachments.push(bytes);
                }
            }
            packet
        })
        .await
    }
}

/// `/feed,`, and nothing for the main namespace.
fn head(namespace: &str) -> String {
    if namespace == "/" { String::new() } else { format!("{namespace},") }
}

/// A packet, and how many attachments follow it.
pub(crate) fn parse(text: &str) -> (Packet, usize) {
    let rest = text.strip_prefix('4').unwrap_or_else(|| panic!("wanted a message, heard {text}"));
    let (kind, mut rest) = rest.split_at(1);
    let mut count = 0;
    if kind == "5" {
        let (attachments, after) = rest.split_once('-').expect("a binary event has a count");
        (count, rest) = (attachments.parse().expect("a count"), after);
    }
    let mut namespace = "/".to_owned();
    if rest.starts_with('/') {
        let (path, after) = rest.split_once(',').unwrap_or((rest, ""));
        (namespace, rest) = (path.to_owned(), after);
    }
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (id, json) = rest.split_at(digits);
    let value = || serde_json::from_str::<Value>(json).unwrap_or_else(|why| panic!("{text}: {why}"));
    let kind = match kind {
        "0" => Kind::Connect,
        "1" => Kind::Disconnect,
        "2" | "5" => {
            let Value::Array(mut arguments) = value() else { panic!("an event is an array") };
            let name = arguments.remove(0).as_str().expect("an event has a name").to_owned();
            Kind::Event { name, arguments, attachments: Vec::new() }
        }
        "3" => Kind::Ack { id: id.parse().expect("an id"), answer: value()[0].clone() },
        "4" => Kind::ConnectError(value()),
        other => panic!("a packet of type {other}: {text}"),
    };
    (Packet { namespace, kind }, count)
}
