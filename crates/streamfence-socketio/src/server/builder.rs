//! A server of a fence: what `streamfence serve` runs, for embedders too.

use std::io;
use std::sync::Arc;

use socketioxide::SocketIo;
use socketioxide::adapter::LocalAdapter;
use socketioxide::handler::ConnectHandler;
use streamfence_auth::TokenValidator;
use streamfence_core::Event;
use streamfence_runtime::Fence;
use tokio::net::TcpListener;

use super::{Identity, Listener, Server, TlsError, bind_unix, identity};
use crate::adapter::{AdapterBuilder, AdapterError, SocketIoAdapter};
use crate::options::{Address, ServerOptions};

/// Gathers what a server needs. Made by [`Server::builder`].
#[derive(Debug)]
pub struct ServerBuilder {
    adapter: AdapterBuilder,
    fence: Fence,
    options: ServerOptions,
    name: Option<Arc<str>>,
}

impl Server {
    /// Starts a server of a fence.
    ///
    /// ```
    /// use streamfence_runtime::{Fence, Namespace, Payload};
    /// use streamfence_socketio::{Address, Server, ServerOptions};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let fence = Fence::builder().namespace(Namespace::new("/feed").topic("snapshot")).build()?;
    /// let address = Address::Tcp { host: "127.0.0.1".into(), port: 0 };
    /// let options = ServerOptions { address, ..ServerOptions::default() };
    /// let server = Server::builder(fence.clone()).options(options).start().await?;
    /// println!("listening on {}", server.address());
    /// fence.publish("/feed", "snapshot", Payload::serialize("hello")?).await?;
    /// server.stop().await;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn builder(fence: Fence) -> ServerBuilder {
        let options = ServerOptions::default();
        ServerBuilder { adapter: SocketIoAdapter::builder(fence.clone()), fence, options, name: None }
    }
}

impl ServerBuilder {
    /// Sets the options.
    #[must_use]
    pub fn options(mut self, options: ServerOptions) -> Self {
        self.options = options;
        self
    }

    /// Gives it a name, by which events, metrics and the log tell of its certificates. Default: its address.
    #[must_use]
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Serves only these namespaces of the fence. Default: all of them.
    #[must_use]
    pub fn namespaces<P: Into<String>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.adapter = self.adapter.namespaces(paths);
        self
    }

    /// Calls the application's handler, with its middlewares, when a client enters a fenced namespace.
    #[must_use]
    pub fn on_connect<H, T>(mut self, path: impl Into<String>, handler: H) -> Self
    where
        H: ConnectHandler<LocalAdapter, T> + Send + Sync + 'static,
        T: Send + Sync + 'static,
    {
        self.adapter = self.adapter.on_connect(path, handler);
        self
    }

    /// Looks at the tokens that clients show: [`AdapterBuilder::token_validator`].
    #[must_use]
    pub fn token_validator(mut self, validator: impl TokenValidator) -> Self {
        self.adapter = self.adapter.token_validator(validator);
        self
    }

    /// Binds the address of the options and serves.
    ///
    /// # Errors
    /// [`StartError`], when the files of TLS cannot be used, the address cannot be had or the adapter cannot be built.
    pub async fn start(self) -> Result<Server, StartError> {
        let identity = identity(&self.options)?;
        let address = self.options.address.clone();
        self.fence.announce(&Event::ServerStarting { address: address.to_string().into() });
        let cannot_bind = |why| StartError::Bind { address: address.clone(), why };
        match &address {
            Address::Tcp { host, port } => {
                let listener = TcpListener::bind((host.as_str(), *port)).await.map_err(cannot_bind)?;
                self.start_as(identity, listener)
            }
            Address::Unix(path) => {
                let listener = bind_unix(path).await.map_err(cannot_bind)?;
                self.start_as(identity, listener)
            }
        }
    }

    /// Serves on a listener that is there already: a socket handed over, or memory in a test.
    ///
    /// # Errors
    /// [`StartError`], when the files of TLS cannot be used or the adapter cannot be built.
    pub fn start_on<L: Listener>(self, listener: L) -> Result<Server, StartError> {
        let identity = identity(&self.options)?;
        self.start_as(identity, listener)
    }

    fn start_as<L: Listener>(self, identity: Option<Identity>, listener: L) -> Result<Server, StartError> {
        let (layer, _io): (_, SocketIo) = self.adapter.options(self.options.clone()).build()?;
        let fence = Some(self.fence.clone());
        let expires = identity.as_ref().map(Identity::expires);
        let server = Server::start_for(fence, self.name, listener, &layer, &self.options, identity);
        let address: Arc<str> = server.address().to_string().into();
        if let Some(expires) = expires {
            self.fence.announce(&Event::TlsLoaded { server: Arc::clone(&server.name), expires });
        }
        self.fence.announce(&Event::ServerStarted { address });
        Ok(server)
    }
}

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be had.
    #[error("cannot listen on {address}: {why}")]
    Bind {
        /// The address wanted.
        address: Address,
        /// What the system says.
        #[source]
        why: io::Error,
    },
    /// The certificates or the key cannot be used.
    #[error("cannot speak TLS: {0}")]
    Tls(#[from] TlsError),
    /// The adapter cannot be built.
    #[error(transparent)]
    Adapter(#[from] AdapterError),
}
