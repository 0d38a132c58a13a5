//! A websocket client of plain bytes: it sends what it is told to, well-formed or not.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::process::PATIENCE;

pub(crate) const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";
pub(crate) const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CONTINUATION: u8 = 0;
const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
const FINAL: u8 = 0x80;

pub(crate) struct Socket {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With a close frame of this code.
    Closed(u16),
    /// Without a word.
    Cut,
}

impl Socket {
    /// Upgrades, and reads no further than the end of the answer's head.
    pub(crate) fn open(address: &str) -> Self {
        let (socket, head) = Self::upgrade(address, "");
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        socket
    }

    /// The same with these headers, whatever comes of it; the head of the answer.
    pub(crate) fn upgrade(address: &str, headers: &str) -> (Self, String) {
        let mut socket = Self { stream: dial(address), read: Vec::new() };
        let head = format!(
            "GET {WEBSOCKET} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        );
        socket.stream.write_all(head.as_bytes()).expect("the server reads");
        let head = loop {
            if let Some(end) = socket.read.windows(4).position(|window| window == b"\r\n\r\n") {
                let rest = socket.read.split_off(end + 4);
                break std::mem::replace(&mut socket.read, rest);
            }
            assert!(socket.fill(), "no answer to an upgrade");
        };
        (socket, String::from_utf8(head).expect("a head is text"))
    }

    /// Upgrades and enters a namespace.
    pub(crate) fn join(address: &str, namespace: &str) -> Self {
        let mut socket = Self::open(address);
        socket.say(&format!("40{namespace},"));
        socket.hear(&format!("40{namespace},"));
        socket
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.send(TEXT, true, text.as_bytes()).expect("the connection is open");
    }

    /// Sends a frame. The key of its mask is zero, so that what is masked is what was meant.
    pub(crate) fn send(&mut self, opcode: u8, is_final: bool, payload: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(&frame(opcode, is_final, payload))
    }

    /// Reads until a text has this in it, and answers pings meanwhile.
    pub(crate) fn hear(&mut self, wanted: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "not in time: {wanted}");
            match self.receive() {
                Some((TEXT, text)) => {
                    let text = String::from_utf8(text).expect("a text is text");
                    if text.contains(wanted) {
                        return text;
                    }
                    if text == "2" {
                        self.say("3");
                    }
                }
                Some((CLOSE, _)) | None => panic!("closed before it said {wanted}"),
                Some(_) => {}
            }
        }
    }

    /// The next text that is no ping; pings are answered. `None` at the end.
    pub(crate) fn listen(&mut self) -> Option<String> {
        loop {
            match self.receive()? {
                (TEXT, text) if text == b"2" => self.send(TEXT, true, b"3").ok()?,
                (TEXT, text) => return String::from_utf8(text).ok(),
                (CLOSE, _) => return None,
                _ => {}
            }
        }
    }

    /// Waits for the end, reading whatever comes and answering nothing.
    pub(crate) fn end(&mut self) -> End {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.receive() {
                Some((CLOSE, body)) => {
                    let code = body.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                    return End::Closed(code);
                }
                None => return End::Cut,
                Some(_) => assert!(Instant::now() < deadline, "still open"),
            }
        }
    }

    /// The next frame of the server's; `None` at the end of the connection.
    fn receive(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((opcode, head, length)) = parsed(&self.read)
                && self.read.len() >= head + length
            {
                let rest = self.read.split_off(head + length);
                let mut frame = std::mem::replace(&mut self.read, rest);
                return Some((opcode, frame.split_off(head)));
            }
            if !self.fill() {
                return None;
            }
        }
    }

    /// Reads some more; `false` at the end.
    fn fill(&mut self) -> bool {
        let mut bytes = [0; 64 * 1024];
        match self.stream.read(&mut bytes) {
            Ok(0) => false,
            Ok(length) => {
                self.read.extend_from_slice(&bytes[..length]);
                true
            }
            Err(why) => {
                assert_ne!(why.kind(), ErrorKind::WouldBlock, "nothing came in {PATIENCE:?}");
                false
            }
        }
    }
}

/// A connection that gives up on what takes too long.
pub(crate) fn dial(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_nodelay(true).expect("it can be set");
    stream.set_read_timeout(Some(PATIENCE)).expect("it can be set");
    stream.set_write_timeout(Some(Duration::from_secs(10))).expect("it can be set");
    stream
}

/// A frame of a client's.
pub(crate) fn frame(opcode: u8, is_final: bool, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(opcode, is_final, payload.len() as u64);
    frame.extend_from_slice(payload);
    frame
}

/// The head of a frame, which may promise more than comes.
pub(crate) fn head(opcode: u8, is_final: bool, length: u64) -> Vec<u8> {
    const MASKED: u8 = 0x80;
    let mut head = vec![opcode | if is_final { FINAL } else { 0 }];
    match length {
        0..=125 => head.push(MASKED | length as u8),
        126..=0xffff => {
            head.push(MASKED | 126);
            head.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            head.push(MASKED | 127);
            head.extend_from_slice(&length.to_be_bytes());
        }
    }
    head.extend_from_slice(&[0; 4]);
    head
}

/// Opcode, length of the head and length of the payload of the frame that begins here, once its head is whole.
fn parsed(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let [first, second, rest @ ..] = bytes else { return None };
    let (head, length) = match second & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(*rest.first_chunk()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).expect("it fits")),
        length => (2, usize::from(length)),
    };
    Some((first & 0x0f, head, length))
}

/// One request with a head and a body of one's own: the status and all of the answer; 0 when there was none.
pub(crate) fn request(address: &str, head: &str, body: &[u8]) -> (u16, String) {
    let mut stream = dial(address);
    // A server that has refused reads no further, which may show while it is written to.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, answer)
}
