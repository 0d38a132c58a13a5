//! An HTTP/1.1 server for one layer: the accept loop and its limits.
//!
//! Never a topic: what is served comes as a [`FenceLayer`].

mod builder;
mod health;
mod listener;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use streamfence_core::{CloseReason, Event};
use streamfence_runtime::Fence;
use tokio::io::AsyncWriteExt;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tower::Layer;

pub use self::builder::{ServerBuilder, StartError};
pub use self::health::Health;
pub use self::listener::{Listener, MemoryConnector, MemoryListener, bind_unix, memory};
use crate::layer::{FenceLayer, FenceService};
use crate::link::{Peer, Stream};
use crate::namespaces::Namespaces;
use crate::options::{Address, ServerOptions};
use crate::registry::Registry;

/// A running server. Dropping it stops accepting; [`Self::stop`] ends its connections too.
#[derive(Debug)]
pub struct Server {
    local_addr: Option<SocketAddr>,
    address: Address,
    accepting: watch::Sender<bool>,
    is_ready: Arc<AtomicBool>,
    accept_loop: JoinHandle<()>,
    places: Arc<Semaphore>,
    registry: Registry,
    max_connections: u32,
    shutdown_drain: Duration,
    /// Whose events tell of this server, where it was built for one.
    fence: Option<Fence>,
    /// What of the fence it serves.
    namespaces: Option<Arc<Namespaces>>,
}

impl Server {
    /// Serves the layer, and [`Health`] beside it, on a listener.
    pub fn start<L: Listener>(listener: L, layer: &FenceLayer, options: &ServerOptions) -> Self {
        Self::start_for(None, listener, layer, options)
    }

    /// The same, for a fence: its memory decides with whether it is ready, and its events tell of this server.
    fn start_for<L: Listener>(fence: Option<Fence>, listener: L, layer: &FenceLayer, options: &ServerOptions) -> Self {
        let is_ready = Arc::new(AtomicBool::new(true));
        let (accepting, stopped) = watch::channel(true);
        let places = Arc::new(Semaphore::new(options.max_connections as usize));
        let local_addr = listener.local_addr();
        let health = Health::new(Arc::clone(&is_ready));
        let health = match &fence {
            Some(fence) => health.with_fence(fence.clone()),
            None => health,
        };
        let accept_loop = AcceptLoop {
            listener,
            service: layer.layer(health),
            options: options.clone(),
            places: Arc::clone(&places),
            accepting: stopped,
        };
        let address = match local_addr {
            Some(address) => Address::Tcp { host: address.ip().to_string(), port: address.port() },
            None => options.address.clone(),
        };
        Self {
            local_addr,
            address,
            accepting,
            is_ready,
            accept_loop: tokio::spawn(accept_loop.run()),
            places,
            registry: layer.registry().clone(),
            max_connections: options.max_connections,
            shutdown_drain: options.shutdown_drain,
            fence,
            namespaces: layer.namespaces().cloned(),
        }
    }

    /// Where it listens: with the port that the system chose, if it was asked to.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The address it listens on, if it is one.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local_addr
    }

    /// How many clients are connected: websockets, and sessions that poll.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.registry.len()
    }

    /// Serves these namespaces of the fence too, which a reload has brought. A server that serves all of them does so by
    /// itself.
    pub fn serve_namespaces<P: Into<String>>(&self, paths: impl IntoIterator<Item = P>) {
        if let Some(namespaces) = &self.namespaces {
            namespaces.serve_now(paths.into_iter().map(Into::into));
        }
    }

    /// Takes no more clients: new ones are answered 503. Those that live go on, polling ones with the requests that
    /// takes, so that they can be drained.
    pub fn refuse_clients(&self) {
        if self.is_ready.swap(false, Ordering::SeqCst) {
            self.registry.close();
            self.announce(|address| Event::ServerStopping { address });
        }
    }

    /// Ends the clients that live, then takes no more connections. Whoever was told to go gets a moment to do so, and
    /// whoever polls to hear of it; the rest is cut, and waited for within the drain time.
    pub async fn stop(self) {
        self.refuse_clients();
        let _all_left = tokio::time::timeout(FAREWELL, self.registry.emptied()).await;
        self.accepting.send_replace(false);
        self.registry.kill_all(CloseReason::ShuttingDown);
        if !self.all_gone(self.shutdown_drain).await {
            tracing::warn!(left = self.registry.len(), "connections outlived the drain time");
        }
        self.accept_loop.abort();
        self.announce(|address| Event::ServerStopped { address });
    }

    async fn all_gone(&self, within: Duration) -> bool {
        tokio::time::timeout(within, self.places.acquire_many(self.max_connections)).await.is_ok()
    }

    fn announce(&self, event: impl Fn(Arc<str>) -> Event) {
        if let Some(fence) = &self.fence {
            fence.announce(&event(self.address.to_string().into()));
        }
    }
}

struct AcceptLoop<L> {
    listener: L,
    service: FenceService<Health>,
    options: ServerOptions,
    places: Arc<Semaphore>,
    accepting: watch::Receiver<bool>,
}

impl<L: Listener> AcceptLoop<L> {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        loop {
            let accepted = tokio::select! {
                _ = self.accepting.wait_for(|is_accepting| !is_accepting) => return,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    backoff = Backoff::default();
                    self.admit(stream, peer);
                }
                Err(error) => backoff.wait(&error).await,
            }
        }
    }

    fn admit(&self, mut stream: Stream, peer: Peer) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            tokio::spawn(async move {
                let _turned_away = tokio::time::timeout(TURN_AWAY, stream.write_all(FULL)).await;
            });
            return;
        };
        stream.tune(&self.options.tuning());
        let service = self.service.clone();
        let service = tower::ServiceExt::<hyper::Request<hyper::body::Incoming>>::map_request(
            service,
            move |mut request: hyper::Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(peer.clone());
                request
            },
        );
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(self.options.header_timeout)
            .max_buf_size(MAX_HEADER_BYTES)
            .max_headers(MAX_HEADERS);
        let connection = http
            .serve_connection(TokioIo::new(stream.holding(place)), TowerToHyperService::new(service))
            .with_upgrades();
        let mut accepting = self.accepting.clone();
        tokio::spawn(async move {
            tokio::pin!(connection);
            let stopping = accepting.wait_for(|is_accepting| !is_accepting);
            tokio::select! {
                ended = connection.as_mut() => return log_end(ended),
                _ = stopping => connection.as_mut().graceful_shutdown(),
            }
            log_end(connection.await);
        });
    }
}

fn log_end(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended in its HTTP part");
    }
}

/// Waits longer after each failure to accept, and logs the first of a series only.
#[derive(Debug, Default)]
struct Backoff {
    failures: u32,
}

impl Backoff {
    async fn wait(&mut self, error: &io::Error) {
        // The peer gave up before it was accepted: the next one may be fine.
        if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
            return;
        }
        if self.failures == 0 {
            tracing::error!(%error, "cannot accept connections; those that live are served on");
        }
        let pause = FIRST_BACKOFF * 2_u32.pow(self.failures.min(BACKOFF_DOUBLINGS));
        self.failures += 1;
        tokio::time::sleep(pause).await;
    }
}

const MAX_HEADER_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;
/// 10 ms, 20 ms and so on up to 1.28 s: descriptors come back one connection at a time.
const FIRST_BACKOFF: Duration = Duration::from_millis(10);
const BACKOFF_DOUBLINGS: u32 = 7;
/// How long clients that were told to go may take, before they are cut.
const FAREWELL: Duration = Duration::from_millis(500);
/// How long a connection over the limit is kept for its answer.
const TURN_AWAY: Duration = Duration::from_secs(1);
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
