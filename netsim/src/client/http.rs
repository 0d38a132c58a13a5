//! HTTP/1.1, as much of it as a client needs.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turmoil::net::TcpStream;

/// One connection, kept alive from request to request.
pub(super) struct Http {
    stream: TcpStream,
    unread: Vec<u8>,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Http {
    pub(super) async fn dial() -> io::Result<Self> {
        Ok(Self { stream: super::dial().await?, unread: Vec::new() })
    }

    pub(super) async fn get(&mut self, target: &str, headers: &str) -> io::Result<Answer> {
        self.request(&format!("GET {target} HTTP/1.1\r\nhost: server\r\n{headers}\r\n")).await
    }

    pub(super) async fn post(&mut self, target: &str, body: &str) -> io::Result<Answer> {
        let length = body.len();
        let head = format!("POST {target} HTTP/1.1\r\nhost: server\r\ncontent-length: {length}\r\n\r\n");
        self.request(&format!("{head}{body}")).await
    }

    /// The stream below, and what was read of it already.
    pub(super) fn into_parts(self) -> (TcpStream, Vec<u8>) {
        (self.stream, self.unread)
    }

    async fn request(&mut self, text: &str) -> io::Result<Answer> {
        self.stream.write_all(text.as_bytes()).await?;
        let head = loop {
            if let Some(end) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break self.take(end + 4);
            }
            self.read().await?;
        };
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let length = length.unwrap_or(0);
        while self.unread.len() < length {
            self.read().await?;
        }
        Ok(Answer { status, body: self.take(length) })
    }

    fn take(&mut self, len: usize) -> String {
        String::from_utf8_lossy(&self.unread.drain(..len).collect::<Vec<_>>()).into_owned()
    }

    async fn read(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.unread).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}
