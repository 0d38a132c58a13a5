//! A certificate for one run, which its clients trust.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{CertificateParams, KeyPair};
use streamfence_socketio::TlsOptions;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A certificate that is its own root, and its key, in a directory that goes with it.
pub(crate) struct Certificate {
    pub(crate) directory: PathBuf,
}

impl Certificate {
    pub(crate) fn make() -> anyhow::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("streamfence-bench-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory)?;
        let made = Self { directory };
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec![NAME.to_owned()])?.self_signed(&key)?;
        std::fs::write(made.directory.join(CHAIN), certificate.pem())?;
        std::fs::write(made.directory.join(KEY), key.serialize_pem())?;
        Ok(made)
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.directory);
    }
}

/// What a server needs of a certificate in this directory.
pub(crate) fn of_server(directory: &Path) -> TlsOptions {
    TlsOptions::new(directory.join(CHAIN), directory.join(KEY))
}

/// What a client needs of it, and the name it expects.
pub(crate) fn of_client(directory: &Path) -> anyhow::Result<(TlsConnector, ServerName<'static>)> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(directory.join(CHAIN))?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok((TlsConnector::from(Arc::new(config)), ServerName::try_from(NAME)?))
}

const NAME: &str = "localhost";
const CHAIN: &str = "chain.pem";
const KEY: &str = "key.pem";
