//! Many clients in one process: they count, check the order, take the time, and tell how far they are.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::BufRead;
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use crate::certificate;
use crate::client::{Client, Got};
use crate::latency::{Histogram, Spread, now_ns};
use crate::message::{QUIET, TOPIC};
use crate::server::say;
use crate::storm;
use crate::usage::raise_descriptors;

#[derive(Args, Debug)]
pub(crate) struct ClientsArgs {
    /// Where to connect to.
    #[arg(long)]
    port: u16,
    /// Where to tell how far all clients are, if anybody wants to know.
    #[arg(long)]
    control: Option<u16>,
    /// How many clients.
    #[arg(long)]
    clients: u32,
    /// How many more that never read again once they have subscribed.
    #[arg(long, default_value_t = 0)]
    stuck: u32,
    /// Whether every message is acknowledged.
    #[arg(long)]
    ack: bool,
    /// Speaks TLS, and trusts the certificate in this directory.
    #[arg(long)]
    tls: Option<PathBuf>,
    /// Waits for orders to storm the server, and subscribes to a topic of which nothing is published.
    #[arg(long)]
    storm: bool,
}

/// What the clients have seen; said once when they are all in, and after every line of standard input.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Seen {
    pub(crate) clients: u32,
    pub(crate) messages: u64,
    /// How long messages took, from when they were due, since this was last said.
    pub(crate) latency: Spread,
    /// The first thing that was wrong.
    pub(crate) wrong: Option<String>,
}

/// What all clients share; they run on one thread.
struct Crowd {
    seen: Seen,
    latency: Histogram,
    /// How many clients have yet to get each message after `done`.
    missing: VecDeque<u32>,
    /// How many messages all clients have.
    done: u64,
    told: u64,
    control: Option<TcpStream>,
    /// What is read goes through here, so that an idle client costs no buffer.
    scratch: Vec<u8>,
}

/// Opens all clients and serves them until standard input ends.
pub(crate) fn run(args: &ClientsArgs) -> anyhow::Result<()> {
    raise_descriptors(u64::from(args.clients + args.stuck) + 64)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let mut lines = lines();
        if args.storm {
            return storm::run(args.port, args.clients, &mut lines).await;
        }
        let control = match args.control {
            Some(port) => {
                let control = TcpStream::connect(("127.0.0.1", port)).await?;
                control.set_nodelay(true)?;
                Some(control)
            }
            None => None,
        };
        let crowd = Rc::new(RefCell::new(Crowd {
            seen: Seen::default(),
            latency: Histogram::default(),
            missing: VecDeque::new(),
            done: 0,
            told: 0,
            control,
            scratch: vec![0; 256 * 1024],
        }));
        let tls = args.tls.as_deref().map(certificate::of_client).transpose()?;
        let mut stuck = Vec::new();
        while stuck.len() < args.stuck as usize {
            stuck.push(Client::join(args.port, TOPIC, false, tls.clone()).await?);
        }
        // Whoever only waits hears nothing that it would have to check.
        let topic = if args.control.is_some() { TOPIC } else { QUIET };
        let mut left = args.clients;
        while left > 0 {
            let wave = left.min(CONNECTED_AT_ONCE);
            let joining: Vec<_> = (0..wave)
                .map(|_| tokio::task::spawn_local(Client::join(args.port, topic, args.ack, tls.clone())))
                .collect();
            for client in joining {
                let client = tokio::time::timeout(PATIENCE, client).await.context("a client was not let in")???;
                crowd.borrow_mut().seen.clients += 1;
                tokio::task::spawn_local(listen(client, crowd.clone()));
            }
            left -= wave;
        }
        say(&crowd.borrow().seen)?;
        while lines.recv().await.is_some() {
            let mut crowd = crowd.borrow_mut();
            crowd.seen.latency = crowd.latency.take();
            say(&crowd.seen)?;
        }
        // They were there until here, and never read.
        drop(stuck);
        Ok(())
    })
}

async fn listen(mut client: Client, crowd: Rc<RefCell<Crowd>>) {
    loop {
        let heard = std::future::poll_fn(|cx| {
            let mut crowd = crowd.borrow_mut();
            let mut scratch = std::mem::take(&mut crowd.scratch);
            let kept = client.rest().len();
            scratch[..kept].copy_from_slice(client.rest());
            let mut buffer = ReadBuf::new(&mut scratch);
            buffer.set_filled(kept);
            let read = Pin::new(&mut *client.stream).poll_read(cx, &mut buffer);
            let heard = match read {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Ok(())) if buffer.filled().len() > kept => {
                    let now = now_ns();
                    let heard = client.hear(buffer.filled(), |message| crowd.got(&message, now));
                    crowd.tell();
                    Poll::Ready(heard)
                }
                Poll::Ready(_) => Poll::Ready(Err(anyhow::anyhow!("a client was cut off"))),
            };
            crowd.scratch = scratch;
            heard
        });
        let mut outcome = heard.await;
        if outcome.is_ok() && !client.answers.is_empty() {
            outcome = client.answer().await.context("cannot answer");
        }
        if let Err(error) = outcome {
            crowd.borrow_mut().seen.wrong.get_or_insert(format!("{error:#}"));
            return;
        }
    }
}

impl Crowd {
    fn got(&mut self, message: &Got, now_ns: u64) {
        self.seen.messages += 1;
        self.latency.add_ns(now_ns.saturating_sub(message.due_ns));
        // A client cannot get a message twice, so none that all clients have can come again.
        let place = (message.number - self.done - 1) as usize;
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
        let Some(control) = &self.control else { return };
        // A full control connection is told the next time: only the newest number counts.
        if self.done > self.told && control.try_write(&self.done.to_le_bytes()).is_ok() {
            self.told = self.done;
        }
    }
}

/// The lines of standard input; their end ends the process.
pub(crate) fn lines() -> tokio::sync::mpsc::Receiver<String> {
    let (tell, lines) = tokio::sync::mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if tell.blocking_send(line).is_err() {
                break;
            }
        }
        // Whoever wanted to know is gone.
        std::process::exit(0);
    });
    lines
}

pub(crate) const CONNECTED_AT_ONCE: u32 = 64;
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
