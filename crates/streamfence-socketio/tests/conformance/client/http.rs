//! HTTP/1.1 by hand: what is sent is what is written here.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One connection, kept alive from request to request.
pub(crate) struct Http {
    stream: TcpStream,
    unread: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In lower case.
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// A header's value, in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.split_once(':').filter(|(found, _)| *found == name))
            .map(|(_, v)| v.trim())
    }
}

impl Http {
    pub(crate) async fn dial(address: SocketAddr) -> Self {
        Self { stream: dial(address).await, unread: Vec::new() }
    }

    pub(crate) async fn get(&mut self, target: &str) -> Answer {
        self.request("GET", target, "", b"").await
    }

    pub(crate) async fn post(&mut self, target: &str, body: impl AsRef<[u8]>) -> Answer {
        self.request("POST", target, "content-type: text/plain;charset=UTF-8\r\n", body.as_ref()).await
    }

    /// A request with these headers, each ended by a line break.
    pub(crate) async fn request(&mut self, method: &str, target: &str, headers: &str, body: &[u8]) -> Answer {
        let length = match method {
            "GET" => String::new(),
            _ => format!("content-length: {}\r\n", body.len()),
        };
        self.send(&[head(method, target, &format!("{length}{headers}")).as_bytes(), body].concat()).await;
        self.answer().await.expect("the server answers")
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the connection is open");
    }

    /// The next answer, interim ones included.
    pub(crate) async fn answer(&mut self) -> io::Result<Answer> {
        let head = String::from_utf8_lossy(&self.take_through(b"\r\n\r\n").await?).to_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let mut answer = Answer { status, head, body: String::new() };
        let body = if answer.header("transfer-encoding").is_some_and(|coding| coding == "chunked") {
            self.chunks().await?
        } else {
            let length = answer.header("content-length").map_or(0, |length| length.parse().expect("a length"));
            self.take(length).await?
        };
        answer.body = String::from_utf8(body).expect("a payload is UTF-8");
        Ok(answer)
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = String::from_utf8_lossy(&self.take_through(b"\r\n").await?).trim().to_owned();
            let size = usize::from_str_radix(&size, 16).expect("a chunk has a size");
            body.extend(self.take(size).await?);
            self.take(2).await?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    async fn take_through(&mut self, end: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = self.unread.windows(end.len()).position(|window| window == end) {
                return self.take(at + end.len()).await;
            }
            self.read().await?;
        }
    }

    async fn take(&mut self, len: usize) -> io::Result<Vec<u8>> {
        while self.unread.len() < len {
            self.read().await?;
        }
        Ok(self.unread.drain(..len).collect())
    }

    async fn read(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.unread).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// The head of a request.
pub(crate) fn head(method: &str, target: &str, headers: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nhost: test\r\n{headers}\r\n")
}

/// A stream to the server.
pub(crate) async fn dial(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    stream.set_nodelay(true).expect("the stream is open");
    stream
}
