//! A client that can do wrong things: HTTP and websocket by hand.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// One HTTP/1.1 connection.
pub(crate) struct Http<S> {
    pub(crate) stream: S,
    unread: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Http<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, unread: Vec::new() }
    }

    pub(crate) async fn get(&mut self, target: &str) -> Answer {
        self.request("GET", target, "", "").await.expect("the server answers")
    }

    pub(crate) async fn post(&mut self, target: &str, body: &str) -> Answer {
        self.request("POST", target, "", body).await.expect("the server answers")
    }

    pub(crate) async fn request(
        &mut self,
        method: &str,
        target: &str,
        headers: &str,
        body: &str,
    ) -> io::Result<Answer> {
        let length = body.len();
        let head =
            format!("{method} {target} HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
        self.stream.write_all(head.as_bytes()).await?;
        self.answer().await
    }

    pub(crate) async fn answer(&mut self) -> io::Result<Answer> {
        let end = loop {
            if let Some(at) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            self.read_more().await?;
        };
        let head = String::from_utf8_lossy(&self.unread[..end]).to_lowercase();
        self.unread.drain(..end);
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
        let length = length.map_or(0, |length| length.parse().expect("a length"));
        while self.unread.len() < length {
            self.read_more().await?;
        }
        let body = self.unread.drain(..length).collect::<Vec<_>>();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Ok(Answer { status, head, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// A session that polls: its id.
    pub(crate) async fn handshake(&mut self) -> String {
        let answer = self.get(POLLING).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let sid = answer.body.split("\"sid\":\"").nth(1).expect("an open packet");
        sid.split('"').next().expect("a session id").to_owned()
    }

    /// A session that polls, has joined the root namespace and has answered its first ping.
    pub(crate) async fn join(&mut self) -> String {
        let sid = self.handshake().await;
        let target = format!("{POLLING}&sid={sid}");
        assert_eq!(self.post(&target, "40").await.body, "ok");
        let (mut is_joined, mut is_pinged) = (false, false);
        while !(is_joined && is_pinged) {
            let answer = self.get(&target).await;
            for packet in answer.body.split('\u{1e}') {
                is_joined |= packet.starts_with("40{");
                is_pinged |= packet == "2";
            }
        }
        assert_eq!(self.post(&target, "3").await.body, "ok");
        sid
    }

    /// A websocket for a new session or for this one.
    pub(crate) async fn upgrade(mut self, sid: Option<&str>) -> Result<WebSocket<S>, Answer> {
        let sid = sid.map_or(String::new(), |sid| format!("&sid={sid}"));
        let target = format!("/socket.io/?EIO=4&transport=websocket{sid}");
        let answer = self.request("GET", &target, UPGRADE, "").await.expect("the server answers");
        if answer.status != 101 {
            return Err(answer);
        }
        assert!(answer.head.contains("s3pplmbitxaq9kygzzhzrbk+xoo="), "{answer:?}");
        Ok(WebSocket { stream: self.stream, unread: self.unread })
    }

    async fn read_more(&mut self) -> io::Result<()> {
        let mut chunk = [0; 4096];
        match self.stream.read(&mut chunk).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            len => {
                self.unread.extend(&chunk[..len]);
                Ok(())
            }
        }
    }
}

/// The client's end of a websocket.
pub(crate) struct WebSocket<S> {
    pub(crate) stream: S,
    unread: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Text(String),
    Binary(Vec<u8>),
    Other(u8),
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// A new session that has joined the root namespace.
    pub(crate) async fn join(stream: S) -> Self {
        let Ok(mut socket) = Http::new(stream).upgrade(None).await else { panic!("the upgrade is granted") };
        assert!(matches!(socket.receive().await, Ok(Message::Text(open)) if open.starts_with("0{")));
        socket.send("40").await;
        assert!(matches!(socket.receive().await, Ok(Message::Text(joined)) if joined.starts_with("40{")));
        socket
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.stream.write_all(&frame(1, text.as_bytes())).await.expect("the connection is open");
    }

    /// The next message that is not a ping; pings are answered.
    pub(crate) async fn receive(&mut self) -> io::Result<Message> {
        loop {
            match self.receive_any().await? {
                // Whoever is being cut off need not hear the answer.
                Message::Text(ping) if ping == "2" => drop(self.stream.write_all(&frame(1, b"3")).await),
                message => return Ok(message),
            }
        }
    }

    async fn receive_any(&mut self) -> io::Result<Message> {
        let head = self.take(2).await?;
        assert_eq!(head[0] & 0xf0, 0x80, "no frame of the server is a fragment or has reserved bits");
        assert_eq!(head[1] & 0x80, 0, "no frame of the server is masked");
        let len = match head[1] & 0x7f {
            126 => self.take(2).await?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
            127 => self.take(8).await?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
            short => usize::from(short),
        };
        let payload = self.take(len).await?;
        Ok(match head[0] & 0x0f {
            1 => Message::Text(String::from_utf8(payload).expect("text is UTF-8")),
            2 => Message::Binary(payload),
            other => Message::Other(other),
        })
    }

    async fn take(&mut self, len: usize) -> io::Result<Vec<u8>> {
        while self.unread.len() < len {
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.unread.extend(&chunk[..read]),
            }
        }
        Ok(self.unread.drain(..len).collect())
    }
}

/// A client's frame, masked with zeros.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        short @ ..126 => frame.push(0x80 | u8::try_from(short).expect("short")),
        long @ ..65_536 => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(long).expect("long").to_be_bytes());
        }
        longer => {
            frame.push(0x80 | 127);
            frame.extend((longer as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

pub(crate) const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
const UPGRADE: &str = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
