//! One client, as cheap as it can be.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::message::{
    CONNECT, DUE_START, PACKET_START, SUBSCRIBED_START, client_frame, number_at, split_frame, subscribe,
};

/// Connects from one address of the loopback after the other: a port is not free again for a minute, and a storm would
/// use up those of a single address.
async fn connect(port: u16) -> anyhow::Result<TcpStream> {
    static CONNECTED: AtomicU32 = AtomicU32::new(0);
    let socket = TcpSocket::new_v4()?;
    if cfg!(target_os = "linux") {
        let turn = CONNECTED.fetch_add(1, Ordering::Relaxed) % ADDRESSES;
        socket.bind(SocketAddr::from((Ipv4Addr::from_bits(FIRST_ADDRESS.to_bits() + turn), 0)))?;
    }
    Ok(socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?)
}

const FIRST_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const ADDRESSES: u32 = 64;

/// One client's state of the conversation.
pub(crate) struct Client {
    pub(crate) stream: Box<dyn Stream>,
    /// A frame that has begun.
    rest: Vec<u8>,
    /// The number of the last message.
    last: u64,
    acks: bool,
    /// Whether some may be missing: their publisher was told so.
    may_miss: bool,
    /// What is to be said.
    pub(crate) answers: Vec<u8>,
}

/// TCP, or TLS over it.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// A message that has come.
pub(crate) struct Got {
    pub(crate) number: u64,
    /// When it was due, in nanoseconds of the monotonic clock.
    pub(crate) due_ns: u64,
}

impl Client {
    /// Connects and subscribes; returns when the server has said so.
    pub(crate) async fn join(
        port: u16,
        topic: &str,
        acks: bool,
        tls: Option<(TlsConnector, ServerName<'static>)>,
    ) -> anyhow::Result<Self> {
        let stream = connect(port).await?;
        stream.set_nodelay(true)?;
        let mut stream: Box<dyn Stream> = match tls {
            Some((connector, name)) => Box::new(connector.connect(name, stream).await?),
            None => Box::new(stream),
        };
        stream.write_all(UPGRADE).await?;
        let mut heard = Vec::new();
        let head = loop {
            ensure!(stream.read_buf(&mut heard).await? > 0, "the server hung up");
            if let Some(at) = heard.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
        };
        ensure!(heard.starts_with(b"HTTP/1.1 101 "), "no websocket: {}", String::from_utf8_lossy(&heard));
        heard.drain(..head);
        let mut client = Self { stream, rest: heard, last: 0, acks, may_miss: false, answers: Vec::new() };
        client.expect(b"0{").await?;
        client.stream.write_all(&client_frame(CONNECT.as_bytes())).await?;
        client.expect(CONNECT.as_bytes()).await?;
        client.stream.write_all(&client_frame(subscribe(topic).as_bytes())).await?;
        client.expect(SUBSCRIBED_START).await?;
        Ok(client)
    }

    /// The same client, of messages some of which were refused: the order counts all the same.
    pub(crate) fn with_gaps(self) -> Self {
        Self { may_miss: true, ..self }
    }

    /// Waits for a packet that begins so; answers pings that come before it.
    async fn expect(&mut self, start: &[u8]) -> anyhow::Result<()> {
        loop {
            while let Some((_, text, len)) = split_frame(&self.rest) {
                let (is_it, is_ping) = (text.starts_with(start), text == b"2");
                ensure!(is_it || is_ping, "unexpected: {}", String::from_utf8_lossy(text));
                self.rest.drain(..len);
                if is_it {
                    return Ok(());
                }
                self.stream.write_all(&client_frame(b"3")).await?;
            }
            ensure!(self.stream.read_buf(&mut self.rest).await? > 0, "the server hung up");
        }
    }

    /// Says what is to be said.
    pub(crate) async fn answer(&mut self) -> std::io::Result<()> {
        self.stream.write_all(&self.answers).await?;
        self.answers.clear();
        self.stream.flush().await
    }

    /// What has been read of a frame that is not complete: the next read goes behind it.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.rest
    }

    /// Takes in what was read, the rest of before included.
    pub(crate) fn hear(&mut self, mut bytes: &[u8], mut on_message: impl FnMut(Got)) -> anyhow::Result<()> {
        while let Some((opcode, text, len)) = split_frame(bytes) {
            if let Some(packet) = text.strip_prefix(PACKET_START) {
                let (number, after) = number_at(packet);
                let is_next = number == self.last + 1 || self.may_miss && number > self.last;
                ensure!(is_next, "message {number} came after {}", self.last);
                self.last = number;
                let (due_ns, _) = number_at(after.strip_prefix(DUE_START).context("no time in a message")?);
                on_message(Got { number, due_ns });
                if self.acks {
                    self.ack(packet)?;
                }
            } else if text == b"2" {
                self.answers.extend(client_frame(b"3"));
            } else {
                bail!("unexpected frame {opcode}: {}", String::from_utf8_lossy(text));
            }
            bytes = &bytes[len..];
        }
        self.rest.clear();
        self.rest.extend_from_slice(bytes);
        Ok(())
    }

    /// Acknowledges one message with one event, as a client does that handles messages one by one.
    fn ack(&mut self, packet: &[u8]) -> anyhow::Result<()> {
        // The metadata is the last argument.
        let at = packet.windows(MESSAGE_ID.len()).rposition(|window| window == MESSAGE_ID).context("no message id")?;
        let id = &packet[at + MESSAGE_ID.len()..];
        let end = id.iter().position(|&byte| byte == b'"').context("no end of the message id")?;
        let ack = [&br#"42/feed,["ack",{"topic":"snapshot","messageId":""#[..], &id[..end], b"\"}]"].concat();
        self.answers.extend(client_frame(&ack));
        Ok(())
    }
}

const MESSAGE_ID: &[u8] = br#""messageId":""#;
const UPGRADE: &[u8] = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: 127.0.0.1\r\n\
                         connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
