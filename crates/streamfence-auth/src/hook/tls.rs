//! How the other side proves that it is the one to ask.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::HttpHookError;

/// Certificates that vouch for a hook, read from its file. Two are equal where they are the same certificates.
#[derive(Clone)]
pub struct HookCertificates {
    certificates: Vec<CertificateDer<'static>>,
    roots: RootCertStore,
}

/// More than the certificates of all authorities there are.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

impl HookCertificates {
    pub(super) fn read(file: &Path) -> Result<Self, HttpHookError> {
        let bad = |why: String| HttpHookError::BadCertificates { file: file.to_owned(), why };
        let pem = read(file).map_err(|why| bad(why.to_string()))?;
        let certificates = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
        let certificates = certificates.map_err(|why| bad(why.to_string()))?;
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots.add(certificate.clone()).map_err(|why| bad(why.to_string()))?;
        }
        if roots.is_empty() {
            return Err(bad("it holds no certificate".to_owned()));
        }
        Ok(Self { certificates, roots })
    }

    pub(super) fn connector(&self) -> HttpsConnector<HttpConnector> {
        connector(self.roots.clone())
    }
}

impl PartialEq for HookCertificates {
    fn eq(&self, other: &Self) -> bool {
        self.certificates == other.certificates
    }
}

impl Eq for HookCertificates {}

impl fmt::Debug for HookCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HookCertificates").field("certificates", &self.certificates.len()).finish()
    }
}

/// Connects without TLS, or with it to whom those vouch for that the system trusts.
pub(super) fn connector_of_system(is_https: bool) -> Result<HttpsConnector<HttpConnector>, HttpHookError> {
    let mut roots = RootCertStore::empty();
    if is_https {
        // What of them cannot be read vouches for nobody; the rest does.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(HttpHookError::NoCertificates);
        }
    }
    Ok(connector(roots))
}

fn connector(roots: RootCertStore) -> HttpsConnector<HttpConnector> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring knows TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build()
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    // Before it is opened: a pipe that nobody writes to would be waited for.
    if !std::fs::metadata(file)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut bytes = Vec::new();
    File::open(file)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is larger than {MAX_FILE_BYTES} bytes")));
    }
    Ok(bytes)
}
