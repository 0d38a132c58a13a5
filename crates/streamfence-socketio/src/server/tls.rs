//! TLS at the door: what a handshake is held with, how long it may take and why it failed.
//!
//! Never a byte after the handshake: that is the link's.

mod handshakes;
mod identity;
mod validity;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use streamfence_core::HandshakeFailure;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::sign::SingleCertAndKey;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{Error, InvalidMessage, ServerConfig};

pub(super) use self::handshakes::{Handshake, Handshakes};
pub use self::identity::{Identity, TlsError, TlsWarning};
use crate::link::{Encrypted, Stream};
use crate::options::{TlsOptions, TlsVersion};

/// Holds handshakes.
#[derive(Debug)]
pub(super) struct Acceptor {
    /// What the next handshake is held with; those that are over go on with what they had.
    config: watch::Sender<Arc<ServerConfig>>,
    timeout: Duration,
}

/// Why a handshake came to nothing, and what was wrong where somebody said so.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) reason: HandshakeFailure,
    pub(super) why: Option<io::Error>,
}

impl Acceptor {
    pub(super) fn new(identity: &Identity, options: &TlsOptions) -> Self {
        let config = watch::Sender::new(server_config(identity, options.oldest_version));
        Self { config, timeout: options.handshake_timeout }
    }

    /// Shakes hands over a stream, within the time limit and as long as it need not give way.
    pub(super) async fn accept(&self, stream: Stream, handshake: Handshake) -> Result<Stream, Failed> {
        let config = Arc::clone(&self.config.borrow());
        let accepting = tokio::time::timeout(self.timeout, TlsAcceptor::from(config).accept(stream));
        let accepted = tokio::select! {
            accepted = accepting => accepted,
            () = handshake.displaced() => return Err(Failed { reason: HandshakeFailure::Displaced, why: None }),
        };
        match accepted {
            Ok(Ok(stream)) => Ok(Encrypted::from(stream).into()),
            Ok(Err(why)) => Err(Failed { reason: reason(&why), why: Some(why) }),
            Err(_elapsed) => Err(Failed { reason: HandshakeFailure::Timeout, why: None }),
        }
    }
}

fn server_config(identity: &Identity, oldest: TlsVersion) -> Arc<ServerConfig> {
    let versions: &[_] = match oldest {
        TlsVersion::Tls12 => &[&TLS13, &TLS12],
        TlsVersion::Tls13 => &[&TLS13],
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .expect("the provider has suites for both versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified_key())));
    // A client that offers other protocols and not this one would wait for an answer it cannot read.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Whoever comes back within hours brings what was agreed on, and a crowd that comes back costs no signatures. The
    // memory of sessions that rustls has otherwise is for 256.
    match ring::Ticketer::new() {
        Ok(ticketer) => config.ticketer = ticketer,
        Err(error) => tracing::warn!(%error, "TLS sessions cannot be resumed by tickets"),
    }
    Arc::new(config)
}

/// What an error of a handshake comes to.
fn reason(error: &io::Error) -> HandshakeFailure {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)) => HandshakeFailure::NotTls,
        Some(Error::PeerIncompatible(_) | Error::NoApplicationProtocol) => HandshakeFailure::Incompatible,
        Some(Error::AlertReceived(_)) => HandshakeFailure::Alert,
        Some(_) => HandshakeFailure::Protocol,
        None => HandshakeFailure::Closed,
    }
}
