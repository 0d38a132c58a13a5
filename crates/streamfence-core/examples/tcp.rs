//! A whole transport on the core alone: length-prefixed frames over TCP.
//!
//! ```text
//! cargo run -p streamfence-core --example tcp -- demo
//! cargo run -p streamfence-core --example tcp -- serve 127.0.0.1:4000
//! cargo run -p streamfence-core --example tcp -- client 127.0.0.1:4000 news
//! cargo run -p streamfence-core --example tcp -- publish 127.0.0.1:4000 news "hello" "world"
//! ```
//!
//! # Who does what
//! The [`Hub`] decides everything about delivery: who gets what next, what gives way when a client is slow, when an
//! unacked message is sent again. It owns no socket, no task and no clock. This file has those, and decides nothing:
//!
//! ```text
//!  reader task --Input::Said--> +--------------+
//!  (per client)                 |  shard task  |  owns the hub; the only one that waits for a clock
//!                               |     Hub      |
//!  writer task <----frames----- +--------------+
//!  (per client) --Input::Wrote--------^            "this much has left, there is room again"
//! ```
//!
//! # The contract with the driver
//! [`Shard::run`] is all of it: feed as many inputs as you like, call `poll_output` until it is `None`, sleep until
//! `poll_timeout`. No lock, because one task owns the hub; no wait inside, because the hub never waits.
//!
//! # Room, the one idea a transport must get right
//! A slow client is noticed only if what lies below the hub is small. So a writer holds at most [`WINDOW_FRAMES`] and
//! about [`WINDOW_BYTES`], the kernel's send buffer is kept small too, and the shard tells the hub what room is left
//! ([`Room`]: a level, not a grant). The hub hands out no more than fits. A client that does not read has no room
//! after a moment: its lanes fill, their policies decide what it loses, and nobody else can tell that it is there.
//!
//! # The wire
//! ```text
//! length: u32 of what follows | type: u8 | topic length: u8 | topic | payload        all numbers big endian
//!
//! client says   SUBSCRIBE topic       PUBLISH topic, anything      ACK topic, id      PING number: u64
//! server says   SUBSCRIBED topic, id of the last message before    PONG number        ERROR topic, text
//!               MESSAGE topic, id, payload                         GAP topic, count: u32, reason
//!               MESSAGE_TO_ACK topic, id, payload                  id = epoch: u64, offset: u64
//! ```
//! A PONG comes after everything its client said before the PING was done: it is how a publisher knows.
//!
//! # Two topics, two promises
//! `news` is best effort: a full lane drops its oldest. `orders` is at least once: sent until acked, and a full lane
//! refuses new ones rather than lose one it has. Both tell the client, in order, what it missed.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use streamfence_core::{
    AtLeastOnce, Body, Catalog, ClientId, CloseReason, Epoch, ErrorCode, Found, Hub, LinkKey, Message, MessageId,
    Namespace, NamespaceId, Offset, Output, Overflow, RequestId, Room, SessionKey, Topic, Transmit, Transport, Wishes,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};

/// How many frames of one client may lie between the hub and the kernel.
const WINDOW_FRAMES: u32 = 16;
/// How many bytes; a larger message goes alone, when nothing else is there.
const WINDOW_BYTES: u64 = 64 * 1024;
/// What the kernel holds per client, which no policy reaches.
const SEND_BUFFER_BYTES: u32 = 64 * 1024;
/// What a client may send at once: lengths come from strangers.
const MAX_FRAME_BYTES: u32 = 1024 * 1024;
/// A client with more answers unread is not listened to any longer.
const MAX_UNREAD_ANSWERS: usize = 64;
/// A client that takes nothing for so long is cut off.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How many inputs are fed before outputs are taken again, so that a flood of publishes does not starve the writers.
const INPUTS_PER_TURN: usize = 64;

/// What the shard hears. Everything that happens anywhere becomes one of these.
enum Input {
    Opened { outgoing: mpsc::Sender<Bytes>, link: oneshot::Sender<LinkKey> },
    Said(LinkKey, Frame),
    Wrote(LinkKey, u64),
    Closed(LinkKey),
}

/// The driver: one task, one hub, all clients.
struct Shard {
    hub: Hub,
    namespace: NamespaceId,
    epoch: Epoch,
    /// The last offset given, per topic: whoever owns the order of a topic numbers its messages.
    offsets: Vec<u64>,
    connections: HashMap<LinkKey, Connection>,
    clients: u64,
}

/// What the shard knows of a client's transport: what was handed to the writer and has not left it yet.
struct Connection {
    session: SessionKey,
    outgoing: mpsc::Sender<Bytes>,
    frames: u32,
    bytes: u64,
}

impl Shard {
    fn new() -> Self {
        let news = Topic::new("news").best_effort(Overflow::DropOldest).max_queued_messages(64).gap_notices(true);
        let promise = AtLeastOnce::default().window(8).ack_timeout(Duration::from_secs(30));
        let orders = Topic::new("orders").at_least_once(promise).max_queued_messages(64).gap_notices(true);
        let namespace = Namespace::new("/tcp").topic_with(news).topic_with(orders);
        let catalog = Arc::new(Catalog::builder().namespace(namespace).build().expect("the policies fit together"));
        // An epoch is one life of the topics' numbering. It should be random; the time of the start will do here.
        let since_1970 = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        let epoch = Epoch(since_1970.as_nanos() as u64);
        Self {
            namespace: catalog.namespace("/tcp").expect("it was just added"),
            offsets: catalog.topics().map(|_| 0).collect(),
            hub: Hub::new(catalog, epoch),
            epoch,
            connections: HashMap::new(),
            clients: 0,
        }
    }

    /// The contract with the driver, whole.
    async fn run(mut self, mut inputs: mpsc::Receiver<Input>) {
        loop {
            let due = self.hub.poll_timeout();
            let timer = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                input = inputs.recv() => match input {
                    Some(input) => self.feed(input, now()),
                    None => return,
                },
                () = timer => {}
            }
            for _ in 1..INPUTS_PER_TURN {
                // A lane of a client that reads is filling up: send before more is published.
                if self.hub.is_crowded() {
                    break;
                }
                let Ok(input) = inputs.try_recv() else { break };
                self.feed(input, now());
            }
            self.hub.handle_timeout(now());
            self.drain(now());
        }
    }

    fn feed(&mut self, input: Input, now: Instant) {
        match input {
            Input::Opened { outgoing, link } => {
                let key = self.hub.open(now);
                self.clients += 1;
                let mut client = [0; 12];
                client[4..].copy_from_slice(&self.clients.to_be_bytes());
                let session = self.hub.join(key, self.namespace, ClientId(client), Transport::Other, now);
                let session = session.expect("the link was just opened");
                self.connections.insert(key, Connection { session, outgoing, frames: 0, bytes: 0 });
                self.report_room(key, now);
                if link.send(key).is_err() {
                    self.close(key, CloseReason::Transport, now);
                }
            }
            Input::Said(link, frame) => self.hear(link, &frame, now),
            Input::Wrote(link, bytes) => {
                if let Some(connection) = self.connections.get_mut(&link) {
                    connection.frames -= 1;
                    connection.bytes -= bytes;
                    self.report_room(link, now);
                }
            }
            Input::Closed(link) => self.close(link, CloseReason::Transport, now),
        }
    }

    /// A client's wishes become calls of the hub. Answers come out of `poll_output` like messages, and in their order.
    fn hear(&mut self, link: LinkKey, frame: &Frame, now: Instant) {
        let Some(connection) = self.connections.get(&link) else { return };
        let session = connection.session;
        if self.hub.control_backlog(link) > MAX_UNREAD_ANSWERS {
            return self.close(link, CloseReason::Stalled, now);
        }
        if frame.kind == kind::PING {
            let number = frame.payload.first_chunk().copied().map_or(0, u64::from_be_bytes);
            let pong = Transmit::Done { namespace: self.namespace, request: RequestId(number) };
            return self.hub.tell(session, pong, now);
        }
        let Some(Found::Topic(topic)) = self.hub.catalog().find(self.namespace, &frame.topic) else {
            return self.refuse(session, ErrorCode::UnknownTopic, "no such topic", frame, now);
        };
        let topic = topic.clone();
        match (frame.kind, read_id(&frame.payload)) {
            (kind::SUBSCRIBE, _) => {
                self.hub.subscribe(session, &topic, Wishes::default(), None, now);
            }
            (kind::PUBLISH, _) => {
                let offset = &mut self.offsets[topic.id.index as usize];
                *offset += 1;
                let id = MessageId { epoch: self.epoch, offset: Offset(*offset) };
                let wants_ack = topic.class.policy.is_at_least_once();
                // Encoded once, whatever the number of clients: every lane keeps a pointer to this.
                let kind = if wants_ack { kind::MESSAGE_TO_ACK } else { kind::MESSAGE };
                let bytes = encode(kind, &frame.topic, &[&id_bytes(id), &frame.payload]);
                let payload = bytes.len() - frame.payload.len()..bytes.len();
                let body = Body { bytes, payload, attachments: Box::default() };
                let message = Message { topic, id, key: None, published: now, expires: None, trace: None, body };
                // What the answer says - how many lanes took it, how many refused - a publisher with a receipt would get.
                let _ = self.hub.publish(&Arc::new(message), None, now);
            }
            (kind::ACK, Some(id)) => {
                self.hub.handle_ack(session, topic.id, id, now);
            }
            _ => self.refuse(session, ErrorCode::BadRequest, "not a request", frame, now),
        }
    }

    fn refuse(&mut self, session: SessionKey, code: ErrorCode, why: &str, frame: &Frame, now: Instant) {
        let (message, topic) = (why.into(), Some(frame.topic.as_str().into()));
        let error = Transmit::Error { namespace: self.namespace, code, message, topic, request: None };
        self.hub.tell(session, error, now);
    }

    /// A level, told again whenever it changes: what still fits between the hub and the kernel.
    fn report_room(&mut self, link: LinkKey, now: Instant) {
        let connection = &self.connections[&link];
        let room = Room {
            frames: WINDOW_FRAMES - connection.frames,
            bytes: WINDOW_BYTES.saturating_sub(connection.bytes),
            is_empty: connection.frames == 0,
        };
        self.hub.handle_room(link, room, now);
    }

    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.hub.poll_output(now) {
            match output {
                Output::Transmit(link, mut batch) => {
                    for what in batch.drain(..) {
                        let Some(frame) = to_frame(what) else { continue };
                        let Some(connection) = self.connections.get_mut(&link) else { continue };
                        connection.frames += 1;
                        connection.bytes += frame.len() as u64;
                        // Never full: the hub was told the room. A writer that is gone says so itself.
                        let _ = connection.outgoing.try_send(frame);
                    }
                    self.hub.recycle(batch);
                }
                // Every writer says its room again whenever it has written, so nothing is owed here.
                Output::Starved(_) => {}
                Output::Disconnect { link, reason, .. } => self.close(link, reason, now),
                // Whoever keeps what was given up would do so here.
                Output::GivenUp(_) => {}
                // And no topic of its spills.
                Output::Spill(_) => {}
                // Who came, who went, who began to lose messages: for a log and for metrics.
                Output::Event(_) => {}
            }
        }
    }

    /// Ends a client; its writer ends when it finds no more frames. A key that is stale already does nothing.
    fn close(&mut self, link: LinkKey, reason: CloseReason, now: Instant) {
        self.hub.close(link, reason, now);
        self.connections.remove(&link);
    }
}

/// Time is an argument of everything the hub does; here is where it comes from.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Accepts clients for ever.
async fn serve(listener: TcpListener) -> io::Result<()> {
    let (inputs, shard_inputs) = mpsc::channel(1024);
    tokio::spawn(Shard::new().run(shard_inputs));
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(connection(stream, inputs.clone()));
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    // Accepted sockets inherit it.
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(1024)
}

/// One client: reads what it says, while a task of its own writes what it is told.
async fn connection(stream: TcpStream, inputs: mpsc::Sender<Input>) {
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    let (outgoing, frames) = mpsc::channel(WINDOW_FRAMES as usize);
    let (link, opened) = oneshot::channel();
    let _ = inputs.send(Input::Opened { outgoing, link }).await;
    let Ok(link) = opened.await else { return };
    let mut writing = tokio::spawn(write(writer, frames, link, inputs.clone()));
    let reading = async {
        let mut reader = BufReader::new(reader);
        // A client that talks too fast waits here for the shard; it never waits for another client.
        while let Ok(frame) = read_frame(&mut reader).await {
            if inputs.send(Input::Said(link, frame)).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = reading => {}
        _ = &mut writing => {}
    }
    writing.abort();
    let _ = inputs.send(Input::Closed(link)).await;
}

async fn write(mut socket: OwnedWriteHalf, mut frames: mpsc::Receiver<Bytes>, link: LinkKey, to: mpsc::Sender<Input>) {
    while let Some(frame) = frames.recv().await {
        let Ok(Ok(())) = tokio::time::timeout(STALL_TIMEOUT, socket.write_all(&frame)).await else { return };
        let _ = to.send(Input::Wrote(link, frame.len() as u64)).await;
    }
}

/// What the hub has to say, in the words of this wire.
fn to_frame(what: Transmit) -> Option<Bytes> {
    Some(match what {
        Transmit::Message { message, .. } => message.body.bytes.clone(),
        Transmit::Subscribed { topic, position, .. } => {
            let last = MessageId { epoch: position.epoch, offset: position.offset };
            encode(kind::SUBSCRIBED, &topic.name, &[&id_bytes(last)])
        }
        Transmit::Gap { topic, gap, .. } => {
            encode(kind::GAP, &topic.name, &[&gap.count.to_be_bytes(), gap.reason.as_str().as_bytes()])
        }
        Transmit::Done { request, .. } => encode(kind::PONG, "", &[&request.0.to_be_bytes()]),
        Transmit::Error { code, message, topic, .. } => {
            let text = format!("{}: {message}", code.as_str());
            encode(kind::ERROR, topic.as_deref().unwrap_or_default(), &[text.as_bytes()])
        }
        // Sessions that survive a connection, names, and unsubscribing have no words on this wire.
        Transmit::Unsubscribed { .. }
        | Transmit::Session { .. }
        | Transmit::NoSession { .. }
        | Transmit::Authenticated { .. } => return None,
    })
}

mod kind {
    pub(crate) const SUBSCRIBE: u8 = 1;
    pub(crate) const PUBLISH: u8 = 2;
    pub(crate) const ACK: u8 = 3;
    pub(crate) const PING: u8 = 4;
    pub(crate) const SUBSCRIBED: u8 = 17;
    pub(crate) const MESSAGE: u8 = 18;
    pub(crate) const MESSAGE_TO_ACK: u8 = 19;
    pub(crate) const PONG: u8 = 20;
    pub(crate) const GAP: u8 = 21;
    pub(crate) const ERROR: u8 = 22;
}

struct Frame {
    kind: u8,
    topic: String,
    payload: Bytes,
}

fn encode(kind: u8, topic: &str, payload: &[&[u8]]) -> Bytes {
    let length = 2 + topic.len() + payload.iter().map(|part| part.len()).sum::<usize>();
    let mut frame = BytesMut::with_capacity(4 + length);
    frame.put_u32(length as u32);
    frame.put_u8(kind);
    frame.put_u8(topic.len() as u8);
    frame.put_slice(topic.as_bytes());
    for part in payload {
        frame.put_slice(part);
    }
    frame.freeze()
}

async fn read_frame(reader: &mut BufReader<OwnedReadHalf>) -> io::Result<Frame> {
    let length = reader.read_u32().await?;
    if length > MAX_FRAME_BYTES {
        return Err(io::Error::other(format!("a frame of {length} bytes; wanted at most {MAX_FRAME_BYTES}")));
    }
    let mut frame = vec![0; length as usize];
    reader.read_exact(&mut frame).await?;
    let cut = || io::Error::other("the frame is shorter than its topic");
    let (&[kind, topic_length], rest) = frame.split_first_chunk().ok_or_else(cut)?;
    let (topic, payload) = rest.split_at_checked(topic_length.into()).ok_or_else(cut)?;
    let topic = String::from_utf8(topic.to_vec()).map_err(io::Error::other)?;
    Ok(Frame { kind, topic, payload: Bytes::copy_from_slice(payload) })
}

const ID_BYTES: usize = 16;

fn id_bytes(id: MessageId) -> [u8; ID_BYTES] {
    ((u128::from(id.epoch.0) << 64) | u128::from(id.offset.0)).to_be_bytes()
}

fn read_id(bytes: &[u8]) -> Option<MessageId> {
    let id = u128::from_be_bytes(*bytes.first_chunk::<ID_BYTES>()?);
    Some(MessageId { epoch: Epoch((id >> 64) as u64), offset: Offset(id as u64) })
}

/// The other end.
struct Client {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Client {
    fn new(stream: TcpStream) -> Self {
        let _ = stream.set_nodelay(true);
        let (reader, writer) = stream.into_split();
        Self { reader: BufReader::new(reader), writer }
    }

    async fn send(&mut self, kind: u8, topic: &str, payload: &[u8]) -> io::Result<()> {
        self.writer.write_all(&encode(kind, topic, &[payload])).await
    }

    /// The next thing the server says; a message that wants it has been acked.
    async fn next(&mut self) -> io::Result<Frame> {
        let frame = read_frame(&mut self.reader).await?;
        if frame.kind == kind::MESSAGE_TO_ACK {
            self.send(kind::ACK, &frame.topic, frame.payload.get(..ID_BYTES).unwrap_or_default()).await?;
        }
        Ok(frame)
    }

    /// Waits until the server has done all that was asked of it.
    async fn settle(&mut self) -> io::Result<()> {
        self.send(kind::PING, "", &7_u64.to_be_bytes()).await?;
        loop {
            let frame = self.next().await?;
            match frame.kind {
                kind::PONG => return Ok(()),
                kind::ERROR => return Err(io::Error::other(String::from_utf8_lossy(&frame.payload).into_owned())),
                _ => {}
            }
        }
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["serve"] => serve(listen(SocketAddr::from(([127, 0, 0, 1], 4000)))?).await,
        ["serve", address] => serve(listen(address.parse().map_err(io::Error::other)?)?).await,
        ["client", address, topic] => {
            let mut client = Client::new(TcpStream::connect(address).await?);
            client.send(kind::SUBSCRIBE, topic, &[]).await?;
            loop {
                let Frame { kind, topic, payload } = client.next().await?;
                match (kind, read_id(&payload)) {
                    (kind::MESSAGE | kind::MESSAGE_TO_ACK, Some(id)) => {
                        println!("{topic} {id} {}", String::from_utf8_lossy(&payload[ID_BYTES..]));
                    }
                    (kind::SUBSCRIBED, Some(id)) => println!("{topic}: subscribed after {id}"),
                    (kind::GAP, _) => println!("{topic}: missed {}", missed(&payload)),
                    _ => println!("{topic}: {}", String::from_utf8_lossy(&payload)),
                }
            }
        }
        ["publish", address, topic, ref texts @ ..] => {
            let mut client = Client::new(TcpStream::connect(address).await?);
            for text in texts {
                client.send(kind::PUBLISH, topic, text.as_bytes()).await?;
            }
            client.settle().await
        }
        ["demo"] => demo().await,
        _ => Err(io::Error::other("usage: tcp serve [ADDR] | client ADDR TOPIC | publish ADDR TOPIC TEXT... | demo")),
    }
}

fn missed(gap: &[u8]) -> u64 {
    gap.first_chunk().copied().map_or(0, u32::from_be_bytes).into()
}

/// What a client of the demo got of each topic.
#[derive(Clone, Debug, Default)]
struct Diary {
    offsets: [BTreeSet<u64>; 2],
    missed: [u64; 2],
    pongs: u64,
}

impl Diary {
    fn note(&mut self, frame: &Frame) {
        let topic = usize::from(frame.topic == TOPICS[1]);
        match (frame.kind, read_id(&frame.payload)) {
            (kind::MESSAGE | kind::MESSAGE_TO_ACK, Some(id)) => {
                self.offsets[topic].insert(id.offset.0);
            }
            (kind::GAP, _) => self.missed[topic] += missed(&frame.payload),
            (kind::PONG, _) => self.pongs += 1,
            _ => {}
        }
    }

    fn accounts_for(&self, total: u64) -> bool {
        (0..2).all(|topic| self.offsets[topic].len() as u64 + self.missed[topic] == total)
    }

    fn counts(&self) -> String {
        format!("{:?}", self.offsets.each_ref().map(BTreeSet::len))
    }

    fn has(&self, last: u64) -> bool {
        self.offsets.iter().all(|offsets| offsets.last() == Some(&last))
    }
}

const TOPICS: [&str; 2] = ["news", "orders"];
/// Bursts that fit a lane, so that a client that reads may hope for all of them.
const BURST: u64 = 16;
const BURSTS: u64 = 100;
const PATIENCE: Duration = Duration::from_secs(20);

/// A client that reads, one that does not, and a publisher who minds neither. Fails when that is not so.
pub(crate) async fn demo() -> io::Result<()> {
    let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(serve(listener));
    let outcome = tokio::time::timeout(PATIENCE, play(address)).await;
    server.abort();
    outcome.map_err(|_| io::Error::other("somebody was kept waiting by the client that does not read"))?
}

async fn play(address: SocketAddr) -> io::Result<()> {
    let mut reading = Client::new(TcpStream::connect(address).await?);
    let small = TcpSocket::new_v4()?;
    small.set_recv_buffer_size(16 * 1024)?;
    let mut stalled = Client::new(small.connect(address).await?);
    for client in [&mut reading, &mut stalled] {
        for topic in TOPICS {
            client.send(kind::SUBSCRIBE, topic, &[]).await?;
        }
        client.settle().await?;
    }
    let (tell, mut told) = watch::channel(Diary::default());
    tokio::spawn(async move {
        while let Ok(frame) = reading.next().await {
            tell.send_modify(|diary| diary.note(&frame));
        }
    });

    let mut publisher = Client::new(TcpStream::connect(address).await?);
    for burst in 1..=BURSTS {
        for _ in 0..BURST {
            for topic in TOPICS {
                publisher.send(kind::PUBLISH, topic, &[b'x'; 1024]).await?;
            }
        }
        publisher.settle().await?;
        told.wait_for(|diary| diary.has(burst * BURST)).await.map_err(io::Error::other)?;
    }
    let total = BURSTS * BURST;
    println!("published {total} messages to each of {TOPICS:?}, while one client did not read");

    // It wakes up. Whatever was published while it slept it gets now, or is told that it missed; what comes last of a
    // topic may be a loss, so one more message of each brings the news of it.
    let (mut diary, mut last) = (Diary::default(), total);
    while !(diary.has(last) && diary.accounts_for(last)) {
        last += 1;
        for topic in TOPICS {
            publisher.send(kind::PUBLISH, topic, b"and one more").await?;
        }
        publisher.settle().await?;
        stalled.send(kind::PING, "", &[]).await?;
        while diary.pongs < last - total {
            let frame = stalled.next().await?;
            diary.note(&frame);
        }
    }
    told.wait_for(|diary| diary.has(last)).await.map_err(io::Error::other)?;
    let reader = told.borrow().clone();
    println!("the reading client got {} and missed {:?} of {last} each", reader.counts(), reader.missed);
    println!("the stalled client got {} and was told that it missed {:?}", diary.counts(), diary.missed);
    if !reader.accounts_for(last) || reader.missed != [0, 0] {
        return Err(io::Error::other("the reading client missed something"));
    }
    if diary.missed.contains(&0) {
        return Err(io::Error::other("the stalled client lost nothing, so this shows nothing"));
    }
    Ok(())
}
