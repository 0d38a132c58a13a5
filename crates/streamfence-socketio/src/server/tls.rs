//! TLS at the door: what a handshake is held with, how long it may take and why it failed.
//!
//! Never a byte after the handshake: that is the link's.

mod handshakes;
mod identity;
mod old_encryption;
mod parts;
mod purpose;
mod revocations;
mod subject;
mod validity;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use streamfence_core::HandshakeFailure;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::sign::SingleCertAndKey;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{Error, InvalidMessage, ServerConfig};

pub(super) use self::handshakes::{Handshake, Handshakes};
pub use self::identity::{Identity, TlsError, TlsWarning};
use crate::link::{Encrypted, Stream};
use crate::options::{TlsOptions, TlsVersion};
use crate::principal::Principal;

/// Holds handshakes.
#[derive(Debug)]
pub(super) struct Acceptor {
    /// What the next handshake is held with; those that are over go on with what they had.
    now: ArcSwap<Held>,
    /// Why what was to replace it was not taken, last.
    refused: Mutex<Option<String>>,
}

/// What a handshake is held with.
#[derive(Debug)]
struct Held {
    config: Arc<ServerConfig>,
    identity: Identity,
    options: TlsOptions,
}

/// Why a handshake came to nothing, and what was wrong where somebody said so.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) reason: HandshakeFailure,
    pub(super) why: Option<io::Error>,
}

impl Acceptor {
    pub(super) fn new(identity: Identity, options: TlsOptions) -> Self {
        Self { now: ArcSwap::from_pointee(Held::new(identity, options)), refused: Mutex::default() }
    }

    /// Holds the next handshakes with this.
    pub(super) fn set(&self, identity: Identity, options: TlsOptions) {
        self.now.store(Arc::new(Held::new(identity, options)));
        self.forget_refusal();
    }

    /// When what the next handshake is held with expires.
    pub(super) fn expires(&self) -> SystemTime {
        self.now.load().identity.expires()
    }

    /// How many handshakes may go on at once.
    pub(super) fn max_handshakes(&self) -> u32 {
        self.now.load().options.max_handshakes
    }

    /// Whether the identity is another one than there is; fails where it may not take its place.
    pub(super) fn is_new(&self, identity: &Identity) -> Result<bool, TlsError> {
        let now = self.now.load();
        if now.identity.is_same(identity) {
            return Ok(false);
        }
        if now.identity.is_valid() {
            identity.check_is_valid()?;
        }
        Ok(true)
    }

    /// Notes why something was not taken; whether that is another reason than the last one.
    pub(super) fn is_news(&self, reason: &str) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = refused.as_deref() != Some(reason);
        *refused = Some(reason.to_owned());
        is_news
    }

    pub(super) fn forget_refusal(&self) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Shakes hands over a stream, within the time limit and as long as it need not give way; says whom the client's
    /// certificate names, too.
    pub(super) async fn accept(
        &self,
        stream: Stream,
        handshake: Handshake,
    ) -> Result<(Stream, Option<Principal>), Failed> {
        let held = self.now.load_full();
        let acceptor = TlsAcceptor::from(Arc::clone(&held.config));
        let accepting = tokio::time::timeout(held.options.handshake_timeout, acceptor.accept(stream));
        drop(held);
        let accepted = tokio::select! {
            accepted = accepting => accepted,
            () = handshake.displaced() => return Err(Failed { reason: HandshakeFailure::Displaced, why: None }),
        };
        match accepted {
            Ok(Ok(stream)) => {
                let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                let who = certificate.and_then(|certificate| subject::name(certificate)).map(Principal);
                Ok((Encrypted::from(stream).into(), who))
            }
            Ok(Err(why)) => Err(Failed { reason: reason(&why), why: Some(why) }),
            Err(_elapsed) => Err(Failed { reason: HandshakeFailure::Timeout, why: None }),
        }
    }
}

impl Held {
    fn new(identity: Identity, options: TlsOptions) -> Self {
        Self { config: server_config(&identity, options.oldest_version), identity, options }
    }
}

fn server_config(identity: &Identity, oldest: TlsVersion) -> Arc<ServerConfig> {
    let versions: &[_] = match oldest {
        TlsVersion::Tls12 => &[&TLS13, &TLS12],
        TlsVersion::Tls13 => &[&TLS13],
    };
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .expect("the provider has suites for both versions");
    let mut config = match identity.clients() {
        Some(clients) => config.with_client_cert_verifier(clients),
        None => config.with_no_client_auth(),
    }
    .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified_key())));
    // A client that offers other protocols and not this one would wait for an answer it cannot read.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Whoever comes back within hours brings what was agreed on, and a crowd that comes back costs no signatures. The
    // memory of sessions that rustls has otherwise is for 256.
    match ring::Ticketer::new() {
        Ok(ticketer) => config.ticketer = ticketer,
        Err(error) => tracing::warn!(code = "tls_tickets", %error, "TLS sessions cannot be resumed by tickets"),
    }
    Arc::new(config)
}

/// What an error of a handshake comes to.
fn reason(error: &io::Error) -> HandshakeFailure {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)) => HandshakeFailure::NotTls,
        Some(Error::PeerIncompatible(_) | Error::NoApplicationProtocol) => HandshakeFailure::Incompatible,
        Some(Error::AlertReceived(_)) => HandshakeFailure::Alert,
        Some(Error::NoCertificatesPresented | Error::InvalidCertificate(_) | Error::InvalidCertRevocationList(_)) => {
            HandshakeFailure::Certificate
        }
        Some(_) => HandshakeFailure::Protocol,
        None => HandshakeFailure::Closed,
    }
}
