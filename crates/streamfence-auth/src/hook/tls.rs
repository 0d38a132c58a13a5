//! How the other side proves that it is the one to ask.

use std::path::Path;
use std::sync::Arc;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::HttpHookError;

/// Connects without TLS, or with it to whom these certificates vouch for; without a file those that the system trusts.
pub(super) fn connector(is_https: bool, file: Option<&Path>) -> Result<HttpsConnector<HttpConnector>, HttpHookError> {
    let roots = match file {
        _ if !is_https => RootCertStore::empty(),
        Some(file) => from_file(file)?,
        None => from_system()?,
    };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring knows TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build())
}

fn from_file(file: &Path) -> Result<RootCertStore, HttpHookError> {
    let bad = |why: String| HttpHookError::BadCertificates { file: file.to_owned(), why };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|why| bad(why.to_string()))? {
        roots.add(certificate.map_err(|why| bad(why.to_string()))?).map_err(|why| bad(why.to_string()))?;
    }
    if roots.is_empty() {
        return Err(bad("it holds no certificate".to_owned()));
    }
    Ok(roots)
}

fn from_system() -> Result<RootCertStore, HttpHookError> {
    let mut roots = RootCertStore::empty();
    // What of them cannot be read vouches for nobody; the rest does.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(HttpHookError::NoCertificates) } else { Ok(roots) }
}
