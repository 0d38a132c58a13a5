//! Many clients in one process, as cheap as they can be: they count, check the order, and tell how far they are.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::BufRead;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use crate::message::{CONNECT, PACKET_START, SUBSCRIBE, SUBSCRIBED_START, client_frame, split_frame};
use crate::server::say;
use crate::usage::raise_descriptors;

#[derive(Args, Debug)]
pub(crate) struct ClientsArgs {
    /// Where to connect to.
    #[arg(long)]
    port: u16,
    /// Where to tell how far all clients are.
    #[arg(long)]
    control: u16,
    /// How many clients.
    #[arg(long)]
    clients: u32,
    /// Whether every message is acknowledged.
    #[arg(long)]
    ack: bool,
}

/// What the clients have seen; said once when they are all in, and after every line of standard input.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Seen {
    pub(crate) clients: u32,
    pub(crate) messages: u64,
    /// The first thing that was wrong.
    pub(crate) wrong: Option<String>,
}

/// What all clients share; they run on one thread.
struct Crowd {
    seen: Seen,
    /// How many clients have yet to get each message after `done`.
    missing: VecDeque<u32>,
    /// How many messages all clients have.
    done: u64,
    told: u64,
    control: TcpStream,
    /// What is read goes through here, so that an idle client costs no buffer.
    scratch: Vec<u8>,
}

/// One client's state of the conversation.
struct Client {
    stream: TcpStream,
    /// A frame that has begun.
    rest: Vec<u8>,
    /// The number of the last message.
    last: u64,
    acks: bool,
    /// What is to be said.
    answers: Vec<u8>,
}

/// Opens all clients and serves them until standard input ends.
pub(crate) fn run(args: &ClientsArgs) -> anyhow::Result<()> {
    raise_descriptors(u64::from(args.clients) + 64)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let control = TcpStream::connect(("127.0.0.1", args.control)).await?;
        control.set_nodelay(true)?;
        let crowd = Rc::new(RefCell::new(Crowd {
            seen: Seen::default(),
            missing: VecDeque::new(),
            done: 0,
            told: 0,
            control,
            scratch: vec![0; 256 * 1024],
        }));
        let mut left = args.clients;
        while left > 0 {
            let wave = left.min(CONNECTED_AT_ONCE);
            let joining: Vec<_> =
                (0..wave).map(|_| tokio::task::spawn_local(Client::join(args.port, args.ack))).collect();
            for client in joining {
                let client = tokio::time::timeout(PATIENCE, client).await.context("a client was not let in")???;
                crowd.borrow_mut().seen.clients += 1;
                tokio::task::spawn_local(client.listen(crowd.clone()));
            }
            left -= wave;
        }
        let mut lines = lines();
        say(&crowd.borrow().seen)?;
        while lines.recv().await.is_some() {
            say(&crowd.borrow().seen)?;
        }
        Ok(())
    })
}

impl Client {
    async fn join(port: u16, acks: bool) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
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
        let mut client = Self { stream, rest: heard, last: 0, acks, answers: Vec::new() };
        client.expect(b"0{").await?;
        client.stream.write_all(&client_frame(CONNECT.as_bytes())).await?;
        client.expect(CONNECT.as_bytes()).await?;
        client.stream.write_all(&client_frame(SUBSCRIBE.as_bytes())).await?;
        client.expect(SUBSCRIBED_START).await?;
        Ok(client)
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

    async fn listen(mut self, crowd: Rc<RefCell<Crowd>>) {
        loop {
            let heard = std::future::poll_fn(|cx| {
                let mut crowd = crowd.borrow_mut();
                let mut scratch = std::mem::take(&mut crowd.scratch);
                let kept = self.rest.len();
                scratch[..kept].copy_from_slice(&self.rest);
                let mut buffer = ReadBuf::new(&mut scratch);
                buffer.set_filled(kept);
                let read = Pin::new(&mut self.stream).poll_read(cx, &mut buffer);
                let heard = match read {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(Ok(())) if buffer.filled().len() > kept => {
                        let heard = self.hear(buffer.filled(), &mut crowd);
                        crowd.tell();
                        Poll::Ready(heard)
                    }
                    Poll::Ready(_) => Poll::Ready(Err(anyhow::anyhow!("a client was cut off"))),
                };
                crowd.scratch = scratch;
                heard
            });
            let mut outcome = heard.await;
            if outcome.is_ok() && !self.answers.is_empty() {
                outcome = self.stream.write_all(&self.answers).await.context("cannot answer");
                self.answers.clear();
            }
            if let Err(error) = outcome {
                crowd.borrow_mut().seen.wrong.get_or_insert(format!("{error:#}"));
                return;
            }
        }
    }

    fn hear(&mut self, mut bytes: &[u8], crowd: &mut Crowd) -> anyhow::Result<()> {
        while let Some((opcode, text, len)) = split_frame(bytes) {
            if let Some(packet) = text.strip_prefix(PACKET_START) {
                let digits = packet.iter().take_while(|byte| byte.is_ascii_digit());
                let number = digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
                ensure!(number == self.last + 1, "message {number} came after {}", self.last);
                self.last = number;
                crowd.got(number);
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

impl Crowd {
    fn got(&mut self, number: u64) {
        self.seen.messages += 1;
        // A client cannot get a message twice, so none that all clients have can come again.
        let place = (number - self.done - 1) as usize;
        if place >= self.missing.len() {
            self.missing.resize(place + 1, self.seen.clients);
        }
        self.missing[place] -= 1;
        while self.missing.front() == Some(&0) {
            self.missing.pop_front();
            self.done += 1;
        }
    }

    fn tell(&mut self) {
        // A full control connection is told the next time: only the newest number counts.
        if self.done > self.told && self.control.try_write(&self.done.to_le_bytes()).is_ok() {
            self.told = self.done;
        }
    }
}

fn lines() -> tokio::sync::mpsc::Receiver<()> {
    let (tell, lines) = tokio::sync::mpsc::channel(1);
    std::thread::spawn(move || {
        for _ in std::io::stdin().lock().lines().map_while(Result::ok) {
            if tell.blocking_send(()).is_err() {
                break;
            }
        }
        // Whoever wanted to know is gone.
        std::process::exit(0);
    });
    lines
}

const CONNECTED_AT_ONCE: u32 = 64;
const PATIENCE: Duration = Duration::from_secs(30);
const MESSAGE_ID: &[u8] = br#""messageId":""#;
const UPGRADE: &[u8] = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: 127.0.0.1\r\n\
                         connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
