//! The files of a server that speaks TLS, and clients that trust them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{CertificateParams, KeyPair};
use streamfence_socketio::{ServerOptions, TlsOptions};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::WantsClientCert;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, ConfigBuilder, RootCertStore, SupportedProtocolVersion};

use crate::app;

/// A certificate that is its own root, and its key.
pub(crate) struct Pair {
    pub(crate) chain: String,
    pub(crate) key: String,
    pub(crate) certificate: CertificateDer<'static>,
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    pub(crate) fn expired() -> Self {
        Self::with(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1))
    }

    fn with(more: impl FnOnce(&mut CertificateParams)) -> Self {
        let key = KeyPair::generate().expect("there is randomness");
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("the name is valid");
        more(&mut params);
        let certificate = params.self_signed(&key).expect("it can be signed");
        Self { chain: certificate.pem(), key: key.serialize_pem(), certificate: certificate.der().clone() }
    }
}

/// A pair, in a directory that goes with it.
pub(crate) struct Files {
    pub(crate) directory: PathBuf,
    certificate: CertificateDer<'static>,
}

impl Files {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("streamfence-tls-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("the temporary directory is writable");
        let pair = Pair::new();
        let files = Self { directory, certificate: pair.certificate.clone() };
        files.write("chain.pem", &pair.chain);
        files.write("key.pem", &pair.key);
        files
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.join(name), text).expect("the directory is writable");
    }

    pub(crate) fn tls(&self) -> TlsOptions {
        TlsOptions::new(self.directory.join("chain.pem"), self.directory.join("key.pem"))
    }

    pub(crate) fn options(&self) -> ServerOptions {
        ServerOptions { tls: Some(self.tls()), ..app::options() }
    }

    /// What a client trusts, and which version it speaks.
    pub(crate) fn client(&self, version: &'static SupportedProtocolVersion) -> ClientConfig {
        trusting([&self.certificate], version).with_no_client_auth()
    }

    /// What the server's clients have trusted since it began.
    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Shakes hands as a client that trusts the server.
    pub(crate) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> TlsStream<S> {
        shake_hands(self.client(&TLS13), stream).await.expect("the server is trusted")
    }

    /// The same, with TLS 1.2.
    pub(crate) async fn connect_tls12<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> std::io::Result<TlsStream<S>> {
        shake_hands(self.client(&TLS12), stream).await
    }
}

/// A client that trusts these.
pub(crate) fn trusting<'a>(
    certificates: impl IntoIterator<Item = &'a CertificateDer<'static>>,
    version: &'static SupportedProtocolVersion,
) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.clone()).expect("it is a certificate");
    }
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .expect("the provider has suites for it")
        .with_root_certificates(roots)
}

pub(crate) async fn shake_hands<S: AsyncRead + AsyncWrite + Unpin>(
    config: impl Into<Arc<ClientConfig>>,
    stream: S,
) -> std::io::Result<TlsStream<S>> {
    let name = ServerName::try_from("localhost").expect("it is a name");
    TlsConnector::from(config.into()).connect(name, stream).await
}

impl Drop for Files {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.directory);
    }
}
