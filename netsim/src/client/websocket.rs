//! A session over websocket.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, sleep_until, timeout};
use turmoil::net::TcpStream;

use super::http::Http;
use super::talk::Talk;
use super::{Client, End, PATIENCE, Whim};
use crate::world::Phase;

/// Connects and stays until it ends.
pub(super) async fn visit(client: &Client) -> End {
    let mut socket = match timeout(PATIENCE, Socket::open()).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(why)) => return End::Refused(why.to_string()),
        Err(_elapsed) => return End::Refused("no answer".into()),
    };
    let mut talk = Talk::begin(client);
    let (mut whim_at, mut whim) = client.whim();
    loop {
        for packet in talk.replies() {
            match timeout(PATIENCE, socket.say(&packet)).await {
                Ok(Ok(())) => {}
                Ok(Err(why)) => return End::Lost(why.kind()),
                Err(_elapsed) => return End::Silence,
            }
        }
        tokio::select! {
            biased;
            () = client.world.reached(Phase::Farewell) => return leave(client, socket).await,
            () = sleep_until(whim_at), if client.is_moody() => {
                client.say(&format!("{whim:?}"));
                match whim {
                    Whim::Stall(lasts) => sleep(lasts).await,
                    Whim::HangUp => return End::HungUp,
                    Whim::Goodbye => {
                        let _gone = timeout(PATIENCE, socket.say("1")).await;
                        return End::HungUp;
                    }
                    Whim::Petrify => match client.petrify().await {},
                }
                (whim_at, whim) = client.whim();
            }
            heard = timeout(client.world.scene.silence(), socket.hear()) => match heard {
                Ok(Ok(text)) => {
                    if let Some(end) = talk.hear(&text) {
                        return end;
                    }
                }
                Ok(Err(why)) => return End::Lost(why.kind()),
                Err(_elapsed) => return End::Silence,
            }
        }
    }
}

/// Half of the clients say goodbye first.
async fn leave(client: &Client, mut socket: Socket) -> End {
    if client.roll(0, 1) == 0 {
        let _gone = timeout(PATIENCE, socket.say("41/alerts,")).await;
        let _gone = timeout(PATIENCE, socket.say("1")).await;
    }
    End::Left
}

struct Socket {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Socket {
    async fn open() -> io::Result<Self> {
        let mut http = Http::dial().await?;
        let answer = http.get("/socket.io/?EIO=4&transport=websocket", UPGRADE).await?;
        if answer.status != 101 {
            return Err(io::Error::other(format!("status {}", answer.status)));
        }
        let (stream, unread) = http.into_parts();
        Ok(Self { stream, unread })
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        // A client's frame, masked with zeros.
        let mut frame = vec![0x81];
        match text.len() {
            short @ ..126 => frame.push(0x80 | short as u8),
            long => {
                frame.push(0x80 | 126);
                frame.extend((long as u16).to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        self.stream.write_all(&frame).await
    }

    /// The next packet. May be given up and asked for again.
    async fn hear(&mut self) -> io::Result<String> {
        loop {
            match self.take_frame() {
                Some((TEXT, payload)) => {
                    return String::from_utf8(payload).map_err(|_| io::ErrorKind::InvalidData.into());
                }
                Some((CLOSE, _)) => return Err(io::ErrorKind::ConnectionAborted.into()),
                Some((other, _)) => return Err(io::Error::other(format!("a frame of kind {other}"))),
                None => {}
            }
            if self.stream.read_buf(&mut self.unread).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// The next frame, if all of it is here: its kind and its payload.
    fn take_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let (kind, short) = (self.unread.first()? & 0x0f, usize::from(self.unread.get(1)? & 0x7f));
        let (head, len) = match short {
            126 => (4, self.unread.get(2..4)?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))),
            127 => (10, self.unread.get(2..10)?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))),
            short => (2, short),
        };
        let payload = self.unread.get(head..head + len)?.to_vec();
        self.unread.drain(..head + len);
        Some((kind, payload))
    }
}

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const UPGRADE: &str = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
