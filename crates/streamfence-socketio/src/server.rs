//! An HTTP/1.1 server for one layer: the accept loop and its limits.
//!
//! Never a topic: what is served comes as a [`FenceLayer`].

mod builder;
mod door;
mod health;
mod listener;
mod places;
mod proxy_protocol;
mod reload;
mod standing;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use streamfence_core::{CloseReason, Event};
use streamfence_runtime::Fence;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower::Layer;

pub use self::builder::{ServerBuilder, StartError};
use self::door::Door;
pub use self::health::Health;
pub use self::listener::{Listener, MemoryConnector, MemoryListener, bind_unix, memory};
use self::places::Places;
pub use self::reload::Plan;
pub use self::standing::Standing;
use self::tls::{Acceptor, Handshakes};
pub use self::tls::{Identity, TlsError, TlsWarning};
use crate::layer::FenceLayer;
use crate::namespaces::Namespaces;
use crate::options::{Address, LiveOptions, ServerOptions};
use crate::registry::Registry;

/// A running server. Dropping it stops accepting; [`Self::stop`] ends its connections too.
#[derive(Debug)]
pub struct Server {
    local_addr: Option<SocketAddr>,
    address: Address,
    /// What events call it.
    name: Arc<str>,
    accepting: watch::Sender<bool>,
    is_ready: Arc<AtomicBool>,
    accept_loop: JoinHandle<()>,
    places: Arc<Places>,
    registry: Registry,
    options: LiveOptions,
    /// What it shakes hands with, where it speaks TLS.
    tls: Option<Arc<Acceptor>>,
    /// Whose events tell of this server, where it was built for one.
    fence: Option<Fence>,
    /// What of the fence it serves.
    namespaces: Option<Arc<Namespaces>>,
}

impl Server {
    /// Serves the layer, and [`Health`] beside it, on a listener.
    ///
    /// # Errors
    /// [`StartError::Tls`], when the options want TLS and its files cannot be used.
    pub fn start<L: Listener>(listener: L, layer: &FenceLayer, options: &ServerOptions) -> Result<Self, StartError> {
        let identity = identity(options)?;
        Ok(Self::start_for(None, None, listener, layer, options, identity))
    }

    /// The same, for a fence: its memory decides with whether it is ready, and its events tell of this server.
    fn start_for<L: Listener>(
        fence: Option<Fence>,
        name: Option<Arc<str>>,
        listener: L,
        layer: &FenceLayer,
        options: &ServerOptions,
        identity: Option<Identity>,
    ) -> Self {
        let is_ready = Arc::new(AtomicBool::new(true));
        let (accepting, stopped) = watch::channel(true);
        let places = Arc::new(Places::new(options.max_connections));
        let local_addr = listener.local_addr();
        let health = Health::new(Arc::clone(&is_ready));
        let health = match &fence {
            Some(fence) => health.with_fence(fence.clone()),
            None => health,
        };
        let address = match local_addr {
            Some(address) => Address::Tcp { host: address.ip().to_string(), port: address.port() },
            None => options.address.clone(),
        };
        let door = Door {
            service: layer.layer(health),
            options: layer.options().clone(),
            admission: layer.admission().clone(),
            places: Arc::clone(&places),
            accepting: stopped,
            address: address.to_string().into(),
            fence: fence.clone(),
        };
        let tls = options.tls.as_ref().zip(identity).map(|(options, identity)| Tls {
            acceptor: Arc::new(Acceptor::new(identity, options.clone())),
            handshakes: Handshakes::new(options.max_handshakes),
        });
        let acceptor = tls.as_ref().map(|tls| Arc::clone(&tls.acceptor));
        let accept_loop = AcceptLoop { listener, door: Arc::new(door), tls };
        Self {
            local_addr,
            name: name.unwrap_or_else(|| address.to_string().into()),
            address,
            accepting,
            is_ready,
            accept_loop: tokio::spawn(accept_loop.run()),
            places,
            registry: layer.registry().clone(),
            options: layer.options().clone(),
            tls: acceptor,
            fence,
            namespaces: layer.namespaces().cloned(),
        }
    }

    /// Where it listens: with the port that the system chose, if it was asked to.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What events, metrics and the log call it: the name it was [given](ServerBuilder::name), else its address.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
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
        if !self.all_gone().await {
            tracing::warn!(code = "drain_over", left = self.registry.len(), "connections outlived the drain time");
        }
        self.accept_loop.abort();
        self.announce(|address| Event::ServerStopped { address });
    }

    async fn all_gone(&self) -> bool {
        let within = self.options.now().shutdown_drain;
        tokio::time::timeout(within, self.places.all_free()).await.is_ok()
    }

    fn announce(&self, event: impl Fn(Arc<str>) -> Event) {
        self.tell(&event(self.address.to_string().into()));
    }

    fn tell(&self, event: &Event) {
        if let Some(fence) = &self.fence {
            fence.announce(event);
        }
    }
}

/// Who the server is, where its options want TLS.
fn identity(options: &ServerOptions) -> Result<Option<Identity>, TlsError> {
    let Some(tls) = &options.tls else { return Ok(None) };
    let identity = Identity::load(tls)?;
    for warning in identity.warnings() {
        tracing::warn!(code = "tls", "{warning}");
    }
    Ok(Some(identity))
}

struct AcceptLoop<L> {
    listener: L,
    door: Arc<Door>,
    tls: Option<Tls>,
}

/// What an accept loop needs for TLS.
struct Tls {
    acceptor: Arc<Acceptor>,
    handshakes: Handshakes,
}

impl<L: Listener> AcceptLoop<L> {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        let mut accepting = self.door.accepting.clone();
        loop {
            let accepted = tokio::select! {
                _ = accepting.wait_for(|is_accepting| !is_accepting) => return,
                accepted = self.accept() => accepted,
            };
            match accepted {
                Ok(()) => backoff = Backoff::default(),
                Err(error) => backoff.wait(&error).await,
            }
        }
    }

    /// Waits for a connection and sees it in. May be dropped and called again.
    async fn accept(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => {
                let (stream, peer) = self.listener.accept().await?;
                self.door.admit(stream, peer);
            }
            Some(tls) => {
                tls.handshakes.allow(tls.acceptor.max_handshakes());
                let place = tls.handshakes.place().await;
                let (stream, peer) = self.listener.accept().await?;
                self.door.admit_by_tls(&tls.acceptor, tls.handshakes.begin(place), stream, peer);
            }
        }
        Ok(())
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
            tracing::error!(code = "cannot_accept", %error, "cannot accept connections; those that live are served on");
        }
        let pause = FIRST_BACKOFF * 2_u32.pow(self.failures.min(BACKOFF_DOUBLINGS));
        self.failures += 1;
        tokio::time::sleep(pause).await;
    }
}

/// 10 ms, 20 ms and so on up to 1.28 s: descriptors come back one connection at a time.
const FIRST_BACKOFF: Duration = Duration::from_millis(10);
const BACKOFF_DOUBLINGS: u32 = 7;
/// How long clients that were told to go may take, before they are cut.
const FAREWELL: Duration = Duration::from_millis(500);
