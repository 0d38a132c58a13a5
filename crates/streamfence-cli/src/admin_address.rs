//! The address of the HTTP API. Never what it answers.

mod door;

use axum::Router;
use streamfence_config::Listen;
use streamfence_http::{Api, Keys, loopback_hosts_only};
use streamfence_socketio::Address;
use streamfence_socketio::link::Tuning;
use streamfence_socketio::server::bind_unix;
use tokio::net::TcpListener;

use self::door::Door;
use crate::api_keys;
use crate::exit::Failure;

/// How many unsent bytes the kernel keeps of an answer.
const NOT_SENT_LOWAT_BYTES: u32 = 64 * 1024;

/// What serves it, until the process ends: what drains is still worth a look.
pub(crate) struct AdminAddress {
    pub(crate) address: Address,
    api: Api,
    keys: Keys,
    door: Door,
    /// Whether only programs of this machine can reach it.
    is_local: bool,
}

impl AdminAddress {
    /// Begins to listen. Nobody is asked for a key as long as there are none, so without any it is for this machine alone.
    /// `more` are routes beside those of the API.
    pub(crate) async fn serve(api: Api, more: Router, keys: Keys, listen: &Listen) -> Result<Self, Failure> {
        let routes = loopback_hosts_only(streamfence_http::router(api.clone()).merge(more), &keys);
        let door = Door::new(routes);
        let cannot_listen = |why| Failure::Listen(format!("admin: cannot listen on {listen}: {why}"));
        let (address, is_local) = match listen {
            Listen::Tcp { host, port } => {
                let listener = TcpListener::bind((host.as_str(), *port)).await.map_err(cannot_listen)?;
                let bound = listener.local_addr().map_err(cannot_listen)?;
                // A name may have been taken for a loopback one, but names are looked up: what counts is where it ended.
                let is_local = bound.ip().is_loopback();
                if !is_local && keys.is_empty() {
                    return Err(api_keys::missing(&format!("admin: {listen}, which is {bound},")));
                }
                let address = Address::Tcp { host: bound.ip().to_string(), port: bound.port() };
                // What the kernel would keep unsent for a peer that reads nothing, it would not tell us of.
                let tuning = Tuning { not_sent_lowat_bytes: NOT_SENT_LOWAT_BYTES };
                tokio::spawn(door.clone().open(listener, |peer| Some(*peer), move |stream| tuning.apply(stream)));
                (address, is_local)
            }
            Listen::Unix(path) => {
                let listener = bind_unix(path).await.map_err(cannot_listen)?;
                tokio::spawn(door.clone().open(listener, |_nobody_knows| None, |_stream| {}));
                (Address::Unix(path.clone()), true)
            }
        };
        tracing::info!(code = "listening", server = "admin", address = %address, keys = !keys.is_empty(), "listening");
        Ok(Self { address, api, keys, door, is_local })
    }

    /// Refuses keys under which it must not stay where it is.
    pub(crate) fn check(&self, keys: &Keys) -> Result<(), Failure> {
        if self.is_local || !keys.is_empty() {
            return Ok(());
        }
        Err(api_keys::missing(&format!("admin: {}", self.address)))
    }

    /// Goes by other keys from now on.
    pub(crate) fn adopt(&self, keys: &Keys) {
        self.keys.adopt(keys);
    }

    /// Answers nothing more, and leaves a moment to what is being answered.
    pub(crate) async fn finish(&self) {
        self.api.end_events();
        self.door.close().await;
    }
}
