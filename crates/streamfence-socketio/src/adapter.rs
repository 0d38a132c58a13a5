//! The fence beside an application's own Socket.IO handlers.

use std::collections::HashMap;
use std::sync::Arc;

use socketioxide::SocketIo;
use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler;
use streamfence_auth::TokenValidator;
use streamfence_runtime::{EncoderInUse, Fence};

use crate::auth::{Gate, Watch};
use crate::connection::Shared;
use crate::engine;
use crate::layer::FenceLayer;
use crate::namespaces::{Namespaces, Register, entrance};
use crate::options::{LiveOptions, ServerOptions};
use crate::protocol::SocketIoEncoder;

/// Puts a fence under Socket.IO.
///
/// The application keeps all of socketioxide for its own namespaces, and a connect handler of its own on fenced ones.
/// On a fenced namespace, leave `socket.on_disconnect` and the events `subscribe`, `unsubscribe`, `publish` and `ack`
/// to the fence, and do not call `io.ns` with its path: that would put the fence out.
///
/// The application says who a client is in its connect middleware, with a [`Principal`](crate::Principal).
///
/// ```
/// use socketioxide::extract::SocketRef;
/// use streamfence_runtime::{Fence, Namespace};
/// use streamfence_socketio::SocketIoAdapter;
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let fence = Fence::builder().namespace(Namespace::new("/feed").topic("snapshot")).build()?;
/// let (layer, io) = SocketIoAdapter::builder(fence.clone())
///     .on_connect("/feed", async |socket: SocketRef| println!("{} is here", socket.ns()))
///     .build()?;
/// io.ns("/chat", async |socket: SocketRef| drop(socket.emit("welcome", "hello")));
/// let app: axum::Router = axum::Router::new().layer(layer);
/// # drop(app);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct SocketIoAdapter;

impl SocketIoAdapter {
    /// Starts an adapter of a fence.
    #[must_use]
    pub fn builder(fence: Fence) -> AdapterBuilder {
        AdapterBuilder {
            fence,
            options: ServerOptions::default(),
            namespaces: None,
            entrances: HashMap::new(),
            validator: None,
        }
    }
}

/// Gathers what an adapter needs. Made by [`SocketIoAdapter::builder`].
pub struct AdapterBuilder {
    fence: Fence,
    options: ServerOptions,
    namespaces: Option<Vec<String>>,
    entrances: HashMap<String, Register>,
    validator: Option<Arc<dyn TokenValidator>>,
}

impl AdapterBuilder {
    /// Sets the options; the address and the port are for the server that owns a listener.
    #[must_use]
    pub fn options(mut self, options: ServerOptions) -> Self {
        self.options = options;
        self
    }

    /// Serves only these namespaces of the fence. Default: all of them, and those that come with a reload.
    #[must_use]
    pub fn namespaces<P: Into<String>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.namespaces = Some(paths.into_iter().map(Into::into).collect());
        self
    }

    /// Calls the application's handler, with its middlewares, when a client enters a fenced namespace.
    #[must_use]
    pub fn on_connect<H, T>(mut self, path: impl Into<String>, handler: H) -> Self
    where
        H: ConnectHandler<LocalAdapter, T> + Send + Sync + 'static,
        T: Send + Sync + 'static,
    {
        let path = path.into();
        self.entrances.insert(path.clone(), entrance(path, handler));
        self
    }

    /// Looks at the tokens that clients show, when they come in and with a wish; without one none is looked at.
    ///
    /// A wrong token is refused wherever it is shown, with `AUTH_REJECTED`. Which namespaces and topics want one is said
    /// with [`auth_required`](streamfence_core::Namespace::auth_required). The principal of a token is that of the
    /// client, and stands in the extensions as a [`Principal`](crate::Principal) when the application's middleware is
    /// called, which may have another word for it.
    ///
    /// ```
    /// use streamfence_auth::{Asked, AuthDecision, TokenValidator, Validating};
    /// use streamfence_runtime::{Fence, Namespace};
    /// use streamfence_socketio::SocketIoAdapter;
    ///
    /// #[derive(Debug)]
    /// struct Guests;
    ///
    /// impl TokenValidator for Guests {
    ///     fn validate<'a>(&'a self, asked: Asked<'a>) -> Validating<'a> {
    ///         Box::pin(async move {
    ///             // A real one looks the token up, and compares in constant time.
    ///             match asked.token.expose().strip_prefix("guest-") {
    ///                 Some(name) => AuthDecision::accept(name),
    ///                 None => AuthDecision::reject("no guest"),
    ///             }
    ///         })
    ///     }
    /// }
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let feed = Namespace::new("/feed").topic("snapshot").auth_required(true);
    /// let fence = Fence::builder().namespace(feed).build()?;
    /// let (layer, _io) = SocketIoAdapter::builder(fence).token_validator(Guests).build()?;
    /// # drop(layer);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn token_validator(mut self, validator: impl TokenValidator) -> Self {
        self.validator = Some(Arc::new(validator));
        self
    }

    /// Builds the layer, and the handle for the application's own namespaces.
    ///
    /// # Errors
    /// [`AdapterError`], when a namespace is not the fence's or the fence has another kind of adapter's encoder.
    pub fn build(mut self) -> Result<(FenceLayer, SocketIo), AdapterError> {
        let catalog = self.fence.catalog();
        self.fence.use_encoder(Arc::new(SocketIoEncoder))?;
        let serves_all = self.namespaces.is_none();
        let paths = match self.namespaces {
            Some(paths) => paths,
            None => catalog.namespaces().map(|(_, entry)| entry.path.to_string()).collect(),
        };
        let find = |path: &str| {
            let unknown = || AdapterError::UnknownNamespace { namespace: path.to_owned() };
            catalog.namespace(path).ok_or_else(unknown)
        };
        let (engine, io) = engine::build(&self.options);
        let options = LiveOptions::new(self.options);
        let layer = FenceLayer::live(engine, options.clone());
        let refusals = layer.admission().refusals().clone();
        refusals.set_fence(self.fence.clone());
        let gate = Gate::new(self.validator, self.fence.clone(), options.clone());
        let shared = Arc::new(Shared { fence: self.fence, options, refusals, gate, watch: Watch::default() });
        let namespaces = Namespaces::new(io.clone(), shared, layer.served(), serves_all);
        for path in paths {
            let id = find(&path)?;
            let register =
                self.entrances.remove(&path).unwrap_or_else(|| entrance(path.clone(), async |_: SocketRef| ()));
            namespaces.register(&path, id, register);
        }
        if let Some(path) = self.entrances.into_keys().next() {
            return Err(AdapterError::UnknownNamespace { namespace: path });
        }
        layer.keep(namespaces);
        Ok((layer, io))
    }
}

impl std::fmt::Debug for AdapterBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdapterBuilder").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Why an adapter cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdapterError {
    /// The fence has no such namespace, or this adapter does not serve it.
    #[error("namespace `{namespace}` is not one this adapter serves")]
    UnknownNamespace {
        /// The path.
        namespace: String,
    },
    /// The fence speaks another adapter's protocol.
    #[error(transparent)]
    EncoderInUse(#[from] EncoderInUse),
}
