//! What can be chosen for a server, with the defaults of the configuration file.

mod change;
mod live;
mod tls;

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use streamfence_auth::FailureLimit;
use streamfence_core::Tier;

pub use self::change::{Change, Effect};
pub(crate) use self::live::LiveOptions;
pub use self::tls::{ClientAuth, Password, TlsOptions, TlsVersion};

use crate::admission::{Rate, TrustedProxies};
use crate::inbound::InboundRate;
use crate::link::{LinkLimits, Tuning};

/// The options of one server. [`Default`] gives those of the configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerOptions {
    /// The address to listen on. Only for a [`Server`](crate::Server), which owns its listener.
    pub address: Address,
    /// How it speaks TLS, if it does. Only for a [`Server`](crate::Server), like the address.
    pub tls: Option<TlsOptions>,
    /// Where Socket.IO is served.
    pub path: String,
    /// Which transports are offered.
    pub engine_transport: EngineTransport,
    /// How many connections live at a time, polling sessions included; more are turned away.
    pub max_connections: u32,
    /// How long a request's header may take, and a kept-alive connection may idle.
    pub header_timeout: Duration,
    /// How long a request's body may take.
    pub body_timeout: Duration,
    /// How long a peer may accept no byte while there is something to write.
    pub stall_timeout: Duration,
    /// How many frames of the fence may lie between its lanes and the kernel where the Socket.IO library emits them.
    pub window_frames: u32,
    /// Whether messages are written below the websocket, encoded once for all their receivers and many with one call.
    /// Without it, and always for clients that poll and for native acks, the Socket.IO library emits each.
    pub splice: bool,
    /// How many unsent bytes the kernel keeps of one connection.
    pub not_sent_lowat_bytes: u32,
    /// How many bytes are read from a peer that reads nothing.
    pub blocked_read_budget_bytes: u64,
    /// How often a client is pinged.
    pub ping_interval: Duration,
    /// How long a client may take to answer a ping.
    pub ping_timeout: Duration,
    /// How long a client may take to join a first namespace.
    pub connect_timeout: Duration,
    /// The largest payload a client may publish. More is answered; more than [`Self::max_packet_bytes`] cuts it off.
    pub max_payload_bytes: u32,
    /// Whether tokens are looked at, where there is a validator.
    pub takes_tokens: bool,
    /// How long a client may be nobody, in a namespace that wants to know who it is.
    pub auth_timeout: Duration,
    /// How long a validator may take to say whether a token is good; after that it is not.
    pub validation_timeout: Duration,
    /// How many wrong tokens an address may show; `None` is any number. A client whose address is not known is not
    /// limited.
    pub auth_failures: Option<FailureLimit>,
    /// How many wrong tokens within a minute, from all addresses together, are told of; `None` is never.
    pub auth_alarm: Option<NonZeroU32>,
    /// Whether a token may stand in the query of a client's first request, where proxies and logs may see it.
    pub token_query: bool,
    /// Which origins a browser may connect from; empty checks nothing, `*` allows all.
    pub allowed_origins: Vec<String>,
    /// How long a stopping server waits for its clients.
    pub shutdown_drain: Duration,
    /// How many topics one client may subscribe to.
    pub max_subscriptions_per_client: u32,
    /// Whose word about the address of a client is believed.
    pub trusted_proxies: TrustedProxies,
    /// Whether those proxies say in the PROXY protocol, version 1 or 2, who each connection is from. Only for a
    /// [`Server`](crate::Server).
    pub proxy_protocol: bool,
    /// Whether all requests of a session must come from the address that opened it; IPv6 by its first 64 bits.
    pub bind_sid_to_ip: bool,
    /// How many sessions one address may have, and a third of how many streams; IPv6 by its first 64 bits.
    pub max_connections_per_ip: Option<NonZeroU32>,
    /// How many sessions one address may open in a while, and a third of how many handshakes of TLS it may begin.
    pub handshakes_per_ip: Option<Rate>,
    /// How many sessions there may be that have joined no namespace yet.
    pub max_pending_connections: Option<NonZeroU32>,
    /// How many sessions one address may have that have joined no namespace yet, or ended before they did and not longer
    /// ago than [`Self::connect_timeout`].
    pub max_pending_per_ip: Option<NonZeroU32>,
    /// How often a client may want something.
    pub inbound_rate: Option<InboundRate>,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A host name or address, IPv4 or IPv6, and a port; port 0 lets the system choose.
    Tcp {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket. One left over by a process that is gone is replaced.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Which Engine.IO transports are offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineTransport {
    /// Websocket, and HTTP long polling with or without an upgrade.
    #[default]
    WebSocketOrPolling,
    /// Websocket from the first request on.
    WebSocketOnly,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            address: Address::Tcp { host: "0.0.0.0".into(), port: 3000 },
            tls: None,
            path: "/socket.io".into(),
            engine_transport: EngineTransport::default(),
            max_connections: 10_000,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(30),
            window_frames: 32,
            splice: true,
            not_sent_lowat_bytes: 16_384,
            blocked_read_budget_bytes: 262_144,
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(10),
            max_payload_bytes: 65_536,
            takes_tokens: true,
            auth_timeout: Duration::from_secs(10),
            validation_timeout: Duration::from_secs(5),
            auth_failures: Some(FailureLimit::default()),
            auth_alarm: NonZeroU32::new(300),
            token_query: false,
            allowed_origins: Vec::new(),
            shutdown_drain: Duration::from_secs(10),
            max_subscriptions_per_client: 64,
            trusted_proxies: TrustedProxies::default(),
            proxy_protocol: false,
            bind_sid_to_ip: false,
            max_connections_per_ip: None,
            handshakes_per_ip: None,
            max_pending_connections: None,
            max_pending_per_ip: None,
            inbound_rate: None,
        }
    }
}

impl ServerOptions {
    /// The largest packet the transport takes in: a payload may double when it is escaped, and has an envelope.
    #[must_use]
    pub fn max_packet_bytes(&self) -> usize {
        self.max_payload_bytes as usize * 2 + 4096
    }

    /// What bounds each connection.
    #[must_use]
    pub fn link_limits(&self) -> LinkLimits {
        LinkLimits {
            window_frames: self.window_frames,
            stall_timeout: self.stall_timeout,
            silence: self.ping_interval + self.ping_timeout,
            blocked_read_budget_bytes: self.blocked_read_budget_bytes,
            max_message_bytes: self.max_packet_bytes() as u64,
            tier: if self.splice { Tier::Splice } else { Tier::Emit },
        }
    }

    /// What the kernel is asked for each connection.
    #[must_use]
    pub fn tuning(&self) -> Tuning {
        Tuning { not_sent_lowat_bytes: self.not_sent_lowat_bytes }
    }
}
