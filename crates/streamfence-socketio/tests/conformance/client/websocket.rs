//! A session over websocket.

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::Response;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::head;
use super::http::dial;
use crate::target::Target;

/// Where a session over websocket begins.
pub(crate) const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

pub(crate) struct Socket {
    pub(crate) stream: WebSocketStream<TcpStream>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Text(String),
    Binary(Vec<u8>),
    /// The end, however it came.
    Closed,
}

impl Socket {
    /// A websocket, if the server grants it; otherwise the status of its refusal.
    pub(crate) async fn dial(server: &Target, target: &str) -> Result<Self, u16> {
        Self::dial_with(server, target, &[]).await.map(|(socket, _)| socket)
    }

    /// The same with more headers, and the server's answer.
    pub(crate) async fn dial_with(
        server: &Target,
        target: &str,
        headers: &[(&'static str, &'static str)],
    ) -> Result<(Self, Response<Option<Vec<u8>>>), u16> {
        let stream = dial(server.address).await;
        let mut request = format!("ws://{}{target}", server.address).into_client_request().expect("a valid request");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a valid header"));
        }
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((stream, response)) => Ok((Self { stream }, response)),
            Err(Error::Http(refusal)) => Err(refusal.status().as_u16()),
            Err(other) => panic!("the answer is no HTTP: {other}"),
        }
    }

    /// A new session, and what its open packet says.
    pub(crate) async fn open(server: &Target) -> (Self, Value) {
        let mut socket = Self::dial(server, WEBSOCKET).await.expect("the upgrade is granted");
        let Heard::Text(open) = socket.hear_any().await else { panic!("wanted an open packet") };
        let open = open.strip_prefix('0').unwrap_or_else(|| panic!("wanted an open packet, heard {open}"));
        (socket, serde_json::from_str(open).expect("JSON"))
    }

    /// A session that has entered a namespace, and has heard what it said of itself.
    pub(crate) async fn join(server: &Target, namespace: &str) -> Self {
        let (mut socket, _) = Self::open(server).await;
        socket.enter(namespace).await;
        socket
    }

    pub(crate) async fn enter(&mut self, namespace: &str) {
        self.enter_with(namespace, "").await;
        self.hears(&format!("42{}[\"auth\",{{}}]", head(namespace))).await;
    }

    /// Asks to enter, and is let in.
    pub(crate) async fn enter_with(&mut self, namespace: &str, auth: &str) {
        let head = head(namespace);
        self.say(&format!("40{head}{auth}")).await;
        let Heard::Text(joined) = self.hear().await else { panic!("wanted a CONNECT packet") };
        let sid = joined.strip_prefix(&format!("40{head}")).unwrap_or_else(|| panic!("heard {joined}"));
        let sid: Value = serde_json::from_str(sid).expect("JSON");
        assert!(sid["sid"].is_string() && sid.as_object().is_some_and(|payload| payload.len() == 1), "{joined}");
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.send(Message::text(text)).await;
    }

    pub(crate) async fn say_binary(&mut self, bytes: &[u8]) {
        self.send(Message::binary(bytes.to_vec())).await;
    }

    pub(crate) async fn send(&mut self, message: Message) {
        self.stream.send(message).await.expect("the connection is open");
    }

    /// The same to a server that may have ended the connection: what comes after that may be refused by the system.
    pub(crate) async fn try_say(&mut self, text: &str) {
        let _ = self.stream.send(Message::text(text)).await;
    }

    pub(crate) async fn try_say_binary(&mut self, bytes: &[u8]) {
        let _ = self.stream.send(Message::binary(bytes.to_vec())).await;
    }

    /// The next packet that is not a ping; pings are answered.
    pub(crate) async fn hear(&mut self) -> Heard {
        loop {
            match self.hear_any().await {
                // Whoever is being cut off need not hear the answer.
                Heard::Text(ping) if ping == "2" => self.try_say("3").await,
                heard => return heard,
            }
        }
    }

    /// The next packet.
    pub(crate) async fn hear_any(&mut self) -> Heard {
        loop {
            match self.hear_frame().await {
                Some(Message::Text(text)) => return Heard::Text(text.as_str().to_owned()),
                Some(Message::Binary(bytes)) => return Heard::Binary(bytes.to_vec()),
                Some(Message::Close(_)) | None => return Heard::Closed,
                Some(_) => {}
            }
        }
    }

    /// The next message of the websocket, its own pings and goodbyes included.
    pub(crate) async fn hear_frame(&mut self) -> Option<Message> {
        self.stream.next().await.and_then(Result::ok)
    }

    pub(crate) async fn hears(&mut self, text: &str) {
        assert_eq!(self.hear().await, Heard::Text(text.to_owned()));
    }

    pub(crate) async fn hears_binary(&mut self, bytes: &[u8]) {
        assert_eq!(self.hear().await, Heard::Binary(bytes.to_vec()));
    }

    /// The server must end the connection without another word.
    pub(crate) async fn is_closed(&mut self) {
        assert_eq!(self.hear().await, Heard::Closed, "the connection goes on");
    }

    /// The server must end the connection because of this. Whoever has not ended it answers the questions that follow.
    pub(crate) async fn is_closed_by(&mut self, packet: &str) {
        self.try_say(packet).await;
        // One that had come already may still be answered.
        for _ in 0..3 {
            self.try_say(QUESTION).await;
            loop {
                match self.hear().await {
                    Heard::Closed => return,
                    Heard::Text(answer) if answer == ANSWER => break,
                    _ => {}
                }
            }
        }
        panic!("the connection goes on after {packet:?}");
    }

    /// Talks, to see whether the connection lives and nothing else was on its way.
    pub(crate) async fn talks(&mut self) {
        self.say(QUESTION).await;
        assert_eq!(self.hear().await, Heard::Text(ANSWER.into()), "the connection is open");
    }
}

/// Asked for a namespace that does not exist, a server answers whatever the state of the session.
pub(crate) const QUESTION: &str = "40/nowhere,";
pub(crate) const ANSWER: &str = r#"44/nowhere,{"message":"Invalid namespace"}"#;
