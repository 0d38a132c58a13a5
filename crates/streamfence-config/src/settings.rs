//! What a file comes to: typed numbers, with nothing left to check.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use streamfence_core::{Catalog, CatalogBuilder, Namespace, StoreId};

use crate::error::ConfigError;
use crate::limits::LimitSettings;
use crate::source::Source;

mod admin;
mod auth;
mod tracing;

pub use admin::{AdminKeySettings, AdminScope, AdminSettings};
pub use auth::{
    AuthFailureSettings, AuthHookSettings, AuthSettings, JwtAlgorithm, JwtKeySource, JwtSettings, Secret, StaticToken,
};
pub use tracing::{TracingProtocol, TracingSettings};

/// A whole, valid file.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The servers, in the order of the file. Never empty.
    pub servers: Vec<ServerSettings>,
    /// The admin address.
    pub admin: AdminSettings,
    /// The log.
    pub log: LogSettings,
    /// Where traces go; `None` where there are none.
    pub tracing: Option<TracingSettings>,
    /// Whether the files it was read from are watched.
    pub watch: bool,
    /// The files it was read from: itself, and those its values refer to. Empty where it was no file.
    pub sources: Vec<Source>,
    /// The namespaces of all servers.
    pub catalog: Arc<Catalog>,
    /// Where its topics spill, each root once. Empty where none does.
    pub spill_stores: Vec<SpillSettings>,
    /// What it says of stores that were [open](crate::load_beside) and takes effect when they are opened again.
    pub spill_pending: Vec<String>,
    /// What is odd and yet no error, such as a setting without effect.
    pub warnings: Vec<ConfigError>,
}

impl Settings {
    /// The settings of one server.
    ///
    /// # Errors
    /// [`UnknownServer`] when the file has none of that name.
    pub fn server(&self, name: &str) -> Result<&ServerSettings, UnknownServer> {
        self.servers.iter().find(|server| server.name == name).ok_or_else(|| UnknownServer {
            name: name.to_owned(),
            known: self.servers.iter().map(|server| server.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    /// How much memory the messages of all servers may take together: the sum of what they say. `None` where none does.
    #[must_use]
    pub fn memory_budget_bytes(&self) -> Option<u64> {
        self.servers.iter().filter_map(|server| server.memory_budget_bytes).reduce(u64::saturating_add)
    }

    /// The same with only these servers and their namespaces, in the order of the file; no names at all mean every server.
    ///
    /// # Errors
    /// [`UnknownServer`] when the file has none of one of the names.
    pub fn select(mut self, names: &[impl AsRef<str>]) -> Result<Self, UnknownServer> {
        for name in names {
            self.server(name.as_ref())?;
        }
        if !names.is_empty() {
            self.servers.retain(|server| names.iter().any(|name| name.as_ref() == server.name));
            let namespaces = self.servers.iter().flat_map(|server| server.drafts.iter().cloned());
            let builder = namespaces.fold(Catalog::builder(), CatalogBuilder::namespace);
            self.catalog = Arc::new(builder.build().expect("a part of a valid catalog is valid"));
            for store in &mut self.spill_stores {
                store.servers.retain(|server| names.iter().any(|name| name.as_ref() == server));
            }
            self.spill_stores.retain(|store| !store.servers.is_empty());
        }
        Ok(self)
    }
}

/// There is no such server in the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("server `{name}` is not in the file; wanted one of {known}")]
pub struct UnknownServer {
    /// The name that was asked for.
    pub name: String,
    /// The names there are.
    pub known: String,
}

/// One server: where it listens, what it grants a client, and which namespaces it serves.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Its name in the file.
    pub name: String,
    /// Where it listens.
    pub listen: Listen,
    /// How it speaks TLS, if it does.
    pub tls: Option<TlsSettings>,
    /// How clients prove who they are; `None` where nobody is asked.
    pub auth: Option<AuthSettings>,
    /// Which Engine.IO transports a client may use.
    pub engine_io_transport: EngineIoTransport,
    /// The HTTP path of Socket.IO: starts with `/`, ends without.
    pub path: String,
    /// The origins browsers may connect from, `*` among them for any; `None` where origins are not checked.
    pub allowed_origins: Option<Vec<String>>,
    /// How many connections may be open at once.
    pub max_connections: u32,
    /// What one address and one client may want, where it says so.
    pub limits: LimitSettings,
    /// The largest payload a client may publish.
    pub max_payload_bytes: u64,
    /// How many topics of a namespace one client may subscribe to.
    pub max_subscriptions_per_client: u32,
    /// How long after a pong the next ping is sent.
    pub ping_interval: Duration,
    /// How long a client may take to answer a ping.
    pub ping_timeout: Duration,
    /// How long a connection may stay without joining a namespace.
    pub connect_timeout: Duration,
    /// How long the headers of a request may take.
    pub header_timeout: Duration,
    /// How long the body of a request may take.
    pub body_timeout: Duration,
    /// How long a client may accept no byte of what waits for it.
    pub stall_timeout: Duration,
    /// How many frames may lie between a client's lanes and the kernel.
    pub window_frames: u16,
    /// Whether messages are written below the websocket.
    pub splice: bool,
    /// How many unsent bytes the kernel may hold for a connection.
    pub not_sent_lowat_bytes: u32,
    /// How much is read from a client while writing to it is blocked.
    pub blocked_read_budget_bytes: u64,
    /// How long lanes may take to empty when the server stops.
    pub shutdown_drain: Duration,
    /// How much memory messages may take, where it says so.
    pub memory_budget_bytes: Option<u64>,
    /// Where its lanes overflow to disk, if any does: as it was written, or from the directory of the configuration.
    pub spill_root: PathBuf,
    /// How much disk that may take.
    pub spill_max_bytes: u64,
    /// How much of the disk it leaves free.
    pub spill_min_free_bytes: u64,
    /// The paths of the namespaces it serves, in the order of the file.
    pub namespaces: Vec<String>,
    /// The same namespaces, for making a catalog of them.
    pub(crate) drafts: Vec<Namespace>,
}

/// A directory that lanes overflow to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpillSettings {
    /// What the catalog calls it.
    pub store: StoreId,
    /// The directory: as it was written, or from the directory of the configuration.
    pub root: PathBuf,
    /// How many bytes it may take.
    pub max_bytes: u64,
    /// How many bytes of the disk it leaves free.
    pub min_free_bytes: u64,
    /// The servers with topics that spill to it.
    pub servers: Vec<String>,
}

/// How a server speaks TLS.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// The file of the certificates: as it was written, or from the directory of the configuration.
    pub cert_chain: PathBuf,
    /// The file of the key, the same way.
    pub private_key: PathBuf,
    /// What decrypts the key.
    pub private_key_password: Option<String>,
    /// The oldest version that clients may speak.
    pub protocol: TlsProtocol,
    /// Whether clients show a certificate.
    pub client_auth: TlsClientAuth,
    /// The file of what those who sign for clients have revoked: as it was written, or from the directory of the
    /// configuration.
    pub client_revocations: Option<PathBuf>,
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
    /// How many handshakes may go on at once.
    pub max_handshakes: u16,
}

impl fmt::Debug for TlsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSettings")
            .field("cert_chain", &self.cert_chain)
            .field("private_key", &self.private_key)
            .field("has_password", &self.private_key_password.is_some())
            .field("protocol", &self.protocol)
            .field("client_auth", &self.client_auth)
            .field("client_revocations", &self.client_revocations)
            .field("handshake_timeout", &self.handshake_timeout)
            .field("max_handshakes", &self.max_handshakes)
            .finish()
    }
}

/// Whether clients show a certificate, and who signs for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsClientAuth {
    /// They are not asked for one.
    None,
    /// Whoever has one shows it.
    Optional {
        /// The file of those who sign for clients: as it was written, or from the directory of the configuration.
        authorities: PathBuf,
    },
    /// Whoever has none is refused.
    Required {
        /// The same.
        authorities: PathBuf,
    },
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsProtocol {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// What is logged, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// The least important line that is logged: `error`, `warn`, `info`, `debug` or `trace`.
    pub level: LogLevel,
    /// The shape of a line.
    pub format: LogFormat,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A TCP port; 0 lets the system choose.
    Tcp {
        /// A name or an address; IPv6 without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Which Engine.IO transports a client may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineIoTransport {
    /// Websocket, HTTP long polling, and the upgrade from one to the other.
    WebsocketOrPolling,
    /// Websocket alone.
    WebsocketOnly,
}

/// The least important line that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// What failed.
    Error,
    /// What is odd.
    Warn,
    /// What an operator wants to read later.
    Info,
    /// What a developer wants to read.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// All of them, the most important first.
    pub const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// Its name, as filters take it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// The shape of a line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}
