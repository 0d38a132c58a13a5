//! The clients and the publishers.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::json;
use streamfence_client::{Connector, Incoming, Message, Pace, Socket, SocketOptions};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::BenchArgs;
use super::counts::{Counts, Group};
use super::publisher::Publisher;
use crate::exit::Failure;
use crate::remote::failure;
use crate::say;

/// How many connect at once.
const CONNECTING: usize = 64;

/// What all clients and publishers share.
#[derive(Clone)]
pub(super) struct Load {
    pub(super) args: Arc<BenchArgs>,
    pub(super) counts: Arc<Counts>,
    connector: Connector,
    /// Tells messages of this run from those of others.
    run: Arc<str>,
    /// When times in messages begin.
    epoch: Instant,
    /// Messages that a publisher has taken on.
    pub(super) taken: Arc<AtomicU64>,
}

/// What a message carries.
#[derive(Deserialize)]
struct Sent<'a> {
    bench: &'a str,
    /// When it was sent, in microseconds of the run.
    at: u64,
}

impl Load {
    pub(super) fn new(args: &Arc<BenchArgs>, counts: Arc<Counts>) -> Result<Self, Failure> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        Ok(Self {
            args: args.clone(),
            counts,
            connector: args.admin.trust().connector(&args.server)?,
            run: format!("{:x}-{now:x}", std::process::id()).into(),
            epoch: Instant::now(),
            taken: Arc::default(),
        })
    }

    /// Connects all clients; returns when each has its subscription.
    pub(super) async fn connect(
        &self,
        clients: &mut JoinSet<()>,
        stopped: &watch::Receiver<bool>,
    ) -> Result<(), Failure> {
        let turns = Arc::new(Semaphore::new(CONNECTING));
        let mut connecting = JoinSet::new();
        for number in 0..self.args.clients + self.args.slow {
            let (load, turns) = (self.clone(), turns.clone());
            let pace = (number >= self.args.clients).then_some(Pace(self.args.slow_bps));
            connecting.spawn(async move {
                let _turn = turns.acquire_owned().await.map_err(Failure::other)?;
                Ok::<_, Failure>((load.join(pace).await?, pace.is_some()))
            });
        }
        while let Some(connected) = connecting.join_next().await {
            let (socket, is_slow) = connected.map_err(Failure::other)??;
            let (load, stopped) = (self.clone(), stopped.clone());
            clients.spawn(async move { load.listen(socket, is_slow, stopped).await });
        }
        Ok(())
    }

    async fn join(&self, pace: Option<Pace>) -> Result<Socket, Failure> {
        let options = SocketOptions {
            path: self.args.path.clone(),
            token: self.args.token.clone(),
            pace,
            ..SocketOptions::new(self.args.namespace.as_str())
        };
        let mut socket = Socket::connect(&self.connector, &options).await.map_err(failure)?;
        socket.emit("subscribe", &json!({ "topic": self.args.topic })).await.map_err(failure)?;
        loop {
            let Incoming::Event(event) = socket.next().await.map_err(failure)? else {
                return Err(Failure::Unreachable("the server ended the connection".into()));
            };
            match event.name.as_str() {
                "subscribed" => return Ok(socket),
                "error" => {
                    let error = event.first();
                    let code = error["code"].as_str().unwrap_or_default();
                    let why = say::visible(&format!("{} ({code})", error["message"].as_str().unwrap_or_default()));
                    return Err(if crate::remote::is_auth(code) { Failure::Auth(why) } else { Failure::Other(why) });
                }
                // What was there before us: the newest values of a topic.
                _ => {}
            }
        }
    }

    async fn listen(&self, mut socket: Socket, is_slow: bool, mut stopped: watch::Receiver<bool>) {
        let group = if is_slow { &self.counts.slow } else { &self.counts.quick };
        loop {
            tokio::select! {
                heard = socket.next() => {
                    if self.hear(&mut socket, group, heard).await.is_none() {
                        group.lose();
                        return;
                    }
                }
                () = over(&mut stopped) => return socket.close().await,
            }
        }
    }

    /// Counts a message and acks it; `None` at the end of the connection.
    async fn hear(
        &self,
        socket: &mut Socket,
        group: &Group,
        heard: Result<Incoming, streamfence_client::ClientError>,
    ) -> Option<()> {
        let Ok(Incoming::Event(event)) = heard else { return None };
        let Some(message) = Message::from_event(event) else { return Some(()) };
        if let Ok(Sent { bench, at }) = serde_json::from_str(message.payload.get())
            && bench == &*self.run
        {
            group.hear(self.now_us().saturating_sub(at));
        }
        if message.wants_ack()
            && let Some(id) = message.id()
        {
            socket.emit("ack", &json!({ "topic": message.topic, "messageId": id })).await.ok()?;
        }
        Some(())
    }

    /// Publishes at the rate, from several connections.
    pub(super) fn publish(&self, publishers: &mut JoinSet<Result<(), Failure>>, begin: Instant) -> Result<(), Failure> {
        for _ in 0..self.args.publishers.get() {
            let publisher = Publisher { load: self.clone(), api: self.args.admin.api()?, begin };
            publishers.spawn(publisher.run());
        }
        Ok(())
    }

    /// A message as the API takes it, sent at this time of the run.
    pub(super) fn message(&self, number: u64, at: u64) -> String {
        let run = &self.run;
        let head = format!(r#"{{"bench":"{run}","at":{at},"number":{number},"pad":""#);
        let pad = (self.args.payload_bytes as usize).saturating_sub(head.len() + 2);
        let place = json!({ "namespace": self.args.namespace, "topic": self.args.topic }).to_string();
        let place = place.strip_suffix('}').expect("an object ends with a brace");
        format!(r#"{place},"payload":{head}{}"}}}}"#, "x".repeat(pad))
    }

    /// How large one of them is, about.
    pub(super) fn message_bytes(&self) -> usize {
        const AROUND: usize = 256;
        self.args.payload_bytes as usize + self.args.namespace.len() + self.args.topic.len() + AROUND
    }

    pub(super) fn now_us(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// Waits until it is over; whoever says so may have gone already.
async fn over(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|is_stopped| *is_stopped).await;
}
