//! A Socket.IO client in one namespace, over a websocket.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::{self, Error};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::connector::{Connector, Stream};
use crate::error::ClientError;
use crate::pace::Pace;
use crate::packet::{self, Event, Kind, Packet};

/// How a client enters.
#[derive(Clone)]
pub struct SocketOptions {
    /// The path the server serves Socket.IO under.
    pub path: String,
    /// The namespace that is entered.
    pub namespace: String,
    /// What is shown at the door.
    pub token: Option<String>,
    /// Asks for a session that outlives the connection; the server tells of it with the event `session`.
    pub session: Option<Session>,
    /// Reads no faster than this, with a small buffer in the kernel, so that the server feels it.
    pub pace: Option<Pace>,
}

impl SocketOptions {
    /// This namespace, under `/socket.io`, without a token or a session, as fast as it goes.
    pub fn new(namespace: impl Into<String>) -> Self {
        Self { path: "/socket.io".to_owned(), namespace: namespace.into(), token: None, session: None, pace: None }
    }
}

/// Neither the token nor the secret of a session is shown.
impl std::fmt::Debug for SocketOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SocketOptions")
            .field("path", &self.path)
            .field("namespace", &self.namespace)
            .field("has_token", &self.token.is_some())
            .field("session", &self.session)
            .field("pace", &self.pace)
            .finish()
    }
}

/// A session that outlives a connection.
#[derive(Clone)]
pub enum Session {
    /// One is asked for.
    New,
    /// This one is asked for back, as the event `session` named it.
    Back {
        /// Its name.
        id: String,
        /// What opens it.
        secret: String,
    },
}

/// The secret is not shown: it opens the session to anybody.
impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::New => f.write_str("New"),
            Self::Back { id, .. } => f.debug_struct("Back").field("id", id).finish_non_exhaustive(),
        }
    }
}

/// What the other side says.
#[derive(Clone, Debug)]
pub enum Incoming {
    /// An event.
    Event(Event),
    /// The server has shown us out of the namespace; nothing more comes.
    Disconnected,
}

/// A client that is in a namespace. What is dropped hangs up.
pub struct Socket {
    stream: WebSocketStream<Box<dyn Stream>>,
    namespace: String,
    target: String,
    /// An event whose attachments are yet to come, and how many.
    partial: Option<(Event, usize)>,
    owes_pong: bool,
    heartbeat: Heartbeat,
}

/// When silence means that nobody is there any more.
struct Heartbeat {
    /// `None` where we read slowly: then the server's pings wait behind what we do not read.
    longest: Option<Duration>,
    heard: Instant,
}

impl Socket {
    /// Connects and enters the namespace.
    ///
    /// # Errors
    /// Nobody is there in time, or the server does not let this client in.
    pub async fn connect(connector: &Connector, options: &SocketOptions) -> Result<Self, ClientError> {
        let stream = connector.connect(options.pace).await?;
        connector.in_time(Self::enter(stream, connector, options)).await?
    }

    async fn enter(
        stream: Box<dyn Stream>,
        connector: &Connector,
        options: &SocketOptions,
    ) -> Result<Self, ClientError> {
        let target = connector.target().to_string();
        let path = options.path.trim_end_matches('/');
        let authority = connector.target().authority();
        let uri = format!("ws://{authority}{path}/?EIO=4&transport=websocket");
        let unreachable = |why: String| ClientError::Unreachable { target: target.clone(), why };
        let uri = uri.parse().map_err(|_| unreachable(format!("{path:?} is no path")))?;
        let stream = match client_async(ClientRequestBuilder::new(uri), stream).await {
            Ok((stream, _answer)) => stream,
            Err(Error::Http(answer)) => return Err(refused(&target, &answer)),
            Err(why) => return Err(ClientError::of_connection(target, &why, format!("no websocket: {why}"))),
        };
        let heartbeat = Heartbeat { longest: None, heard: Instant::now() };
        let namespace = options.namespace.clone();
        let mut socket = Self { stream, namespace, target, partial: None, owes_pong: false, heartbeat };
        let open = socket.text().await?;
        let open: Value = open.strip_prefix('0').and_then(|open| serde_json::from_str(open).ok()).unwrap_or_default();
        let times = (open["pingInterval"].as_u64(), open["pingTimeout"].as_u64());
        let (Some(interval), Some(timeout)) = times else {
            return Err(socket.foreign("it did not open as Engine.IO v4 does"));
        };
        socket.say(packet::connect(&socket.namespace, &auth(options))).await?;
        loop {
            let Some(Packet { namespace, kind }) = socket.packet().await? else { continue };
            if namespace != socket.namespace {
                continue;
            }
            match kind {
                Kind::Connected => break,
                Kind::ConnectError(why) => {
                    let code = why["message"].as_str().unwrap_or("CONNECT_ERROR").to_owned();
                    // The library says no more of a namespace that it does not have.
                    let detail = (code == "Invalid namespace").then(|| format!("{:?} is none there", socket.namespace));
                    return Err(ClientError::Refused { target: socket.target, code, detail });
                }
                _ => return Err(socket.foreign("it did not answer a CONNECT")),
            }
        }
        if options.pace.is_none() {
            socket.heartbeat.longest = Some(Duration::from_millis(interval.saturating_add(timeout)));
            socket.heartbeat.heard = Instant::now();
        }
        Ok(socket)
    }

    /// Says an event with one argument.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn emit(&mut self, name: &str, arg: &Value) -> Result<(), ClientError> {
        self.say(packet::event(&self.namespace, name, arg)).await
    }

    /// The next thing the server says. Nothing is lost when this is dropped before it is done.
    ///
    /// # Errors
    /// The connection has ended, the server is silent for longer than it said it would be, or says what is not Socket.IO.
    pub async fn next(&mut self) -> Result<Incoming, ClientError> {
        loop {
            let Some(Packet { namespace, kind }) = self.packet().await? else { continue };
            match kind {
                _ if namespace != self.namespace => {}
                Kind::Event(event, 0) => return Ok(Incoming::Event(event)),
                Kind::Event(event, attachments) => self.partial = Some((event, attachments)),
                Kind::Disconnected => return Ok(Incoming::Disconnected),
                Kind::Connected | Kind::ConnectError(_) | Kind::Answer => {}
            }
        }
    }

    /// Leaves: closes the connection as one should. What the server says to it is not waited for.
    pub async fn close(mut self) {
        // Whatever becomes of it, the connection ends with us.
        let _ = self.stream.close(None).await;
    }

    /// The next packet, or the last attachment of one that has come; `None` for what is neither.
    async fn packet(&mut self) -> Result<Option<Packet>, ClientError> {
        match self.frame().await? {
            Frame::Text(text) => match text.as_str().strip_prefix('4') {
                Some(_) if self.partial.is_some() => Err(self.foreign("a packet in the middle of another")),
                Some(packet) => packet::read(packet).map(Some).map_err(|why| self.foreign(why)),
                None if text.as_str() == "1" => Err(self.lost("the server closed it")),
                None => Ok(None),
            },
            Frame::Binary(bytes) => {
                let Some((mut event, wanted)) = self.partial.take() else {
                    return Err(self.foreign("an attachment of nothing"));
                };
                event.attachments.push(bytes);
                if event.attachments.len() < wanted {
                    self.partial = Some((event, wanted));
                    return Ok(None);
                }
                Ok(Some(Packet { namespace: self.namespace.clone(), kind: Kind::Event(event, 0) }))
            }
        }
    }

    async fn text(&mut self) -> Result<String, ClientError> {
        match self.frame().await? {
            Frame::Text(text) => Ok(text),
            Frame::Binary(_) => Err(self.foreign("an attachment of nothing")),
        }
    }

    /// The next frame that is no ping; pings are answered.
    async fn frame(&mut self) -> Result<Frame, ClientError> {
        loop {
            if self.owes_pong {
                self.stream.feed(tungstenite::Message::text("3")).await.map_err(|why| self.ended(&why))?;
                self.owes_pong = false;
                self.stream.flush().await.map_err(|why| self.ended(&why))?;
            }
            let heard = match self.heartbeat.longest {
                Some(longest) => {
                    match tokio::time::timeout_at(self.heartbeat.heard + longest, self.stream.next()).await {
                        Ok(heard) => heard,
                        Err(_elapsed) => {
                            return Err(ClientError::Silent { target: self.target.clone(), within: longest });
                        }
                    }
                }
                None => self.stream.next().await,
            };
            let message = heard.ok_or_else(|| self.lost("hung up"))?.map_err(|why| self.ended(&why))?;
            self.heartbeat.heard = Instant::now();
            match message {
                tungstenite::Message::Text(text) if text.as_str() == "2" => self.owes_pong = true,
                tungstenite::Message::Text(text) => return Ok(Frame::Text(text.as_str().to_owned())),
                tungstenite::Message::Binary(bytes) => return Ok(Frame::Binary(bytes)),
                tungstenite::Message::Close(_) => return Err(self.lost("the server closed it")),
                _ => {}
            }
        }
    }

    async fn say(&mut self, text: String) -> Result<(), ClientError> {
        self.stream.send(tungstenite::Message::text(text)).await.map_err(|why| self.ended(&why))
    }

    fn ended(&self, why: &Error) -> ClientError {
        ClientError::Lost { target: self.target.clone(), why: why.to_string() }
    }

    fn lost(&self, why: &str) -> ClientError {
        ClientError::Lost { target: self.target.clone(), why: why.to_owned() }
    }

    fn foreign(&self, why: &str) -> ClientError {
        ClientError::Foreign { target: self.target.clone(), why: why.to_owned() }
    }
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket")
            .field("target", &self.target)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

enum Frame {
    Text(String),
    Binary(Bytes),
}

fn auth(options: &SocketOptions) -> Value {
    let mut auth = Map::new();
    if let Some(token) = &options.token {
        auth.insert("token".to_owned(), token.as_str().into());
    }
    match &options.session {
        None => {}
        Some(Session::New) => {
            auth.insert("session".to_owned(), true.into());
        }
        Some(Session::Back { id, secret }) => {
            auth.insert("session".to_owned(), json!({ "id": id, "secret": secret }));
        }
    }
    if auth.is_empty() { Value::Null } else { Value::Object(auth) }
}

/// Who asked for a websocket and got a page.
fn refused(target: &str, answer: &http::Response<Option<Vec<u8>>>) -> ClientError {
    let status = answer.status();
    let body = answer.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
    let detail: String = body.lines().next().unwrap_or_default().chars().take(200).collect();
    ClientError::Refused {
        target: target.to_owned(),
        code: status.to_string(),
        detail: (!detail.is_empty()).then_some(detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_at_the_door_is_what_was_asked_for() {
        let mut options = SocketOptions::new("/feed");
        assert_eq!(auth(&options), Value::Null);
        options.session = Some(Session::New);
        assert_eq!(auth(&options), json!({"session": true}));
        options.token = Some("hunter2".into());
        options.session = Some(Session::Back { id: "i".into(), secret: "s3cret".into() });
        assert_eq!(auth(&options), json!({"token": "hunter2", "session": {"id": "i", "secret": "s3cret"}}));
        assert!(!format!("{options:?}").contains("s3cret") && !format!("{options:?}").contains("hunter2"));
    }
}
