//! How a server stands, for whoever looks after it while somebody else runs it. Never a change of anything.

use std::sync::Arc;
use std::time::SystemTime;

use super::Server;
use super::tls::Acceptor;
use crate::options::{Address, LiveOptions};
use crate::registry::Registry;

/// A look at a server, for as long as anybody wants one: its server may end meanwhile.
#[derive(Clone, Debug)]
pub struct Standing {
    address: Address,
    registry: Registry,
    options: LiveOptions,
    tls: Option<Arc<Acceptor>>,
}

impl Server {
    /// A look at it that outlives it.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing {
            address: self.address.clone(),
            registry: self.registry.clone(),
            options: self.options.clone(),
            tls: self.tls.clone(),
        }
    }
}

impl Standing {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// How many clients are connected: websockets, and sessions that poll.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.registry.len()
    }

    /// The path of its endpoint.
    #[must_use]
    pub fn path(&self) -> String {
        self.options.now().path.clone()
    }

    /// When the certificate expires that new connections are shown; `None` where it speaks no TLS.
    #[must_use]
    pub fn certificate_expires(&self) -> Option<SystemTime> {
        self.tls.as_ref().map(|tls| tls.expires())
    }
}
