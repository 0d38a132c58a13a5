//! What can be chosen for TLS.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How a server speaks TLS.
///
/// ```
/// use streamfence_socketio::{ServerOptions, TlsOptions};
///
/// let tls = TlsOptions::new("/etc/streamfence/chain.pem", "/etc/streamfence/key.pem");
/// let options = ServerOptions { tls: Some(tls), ..ServerOptions::default() };
/// # assert_eq!(options.tls.unwrap().max_handshakes, 256);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsOptions {
    /// The file with the certificates in PEM: the server's own first, then those that lead to a root.
    pub cert_chain: PathBuf,
    /// The file with the key of the first certificate, in PEM: PKCS#8, PKCS#1 or SEC1.
    pub private_key: PathBuf,
    /// What decrypts the key, where it is an encrypted one (PKCS#8).
    pub private_key_password: Option<Password>,
    /// The oldest version that clients may speak. Default: TLS 1.3.
    pub oldest_version: TlsVersion,
    /// How long a handshake may take. Default: 10 seconds.
    pub handshake_timeout: Duration,
    /// How many handshakes may go on at once, at least 1; more connections wait in the system's backlog. Default: 256.
    pub max_handshakes: u32,
}

impl TlsOptions {
    /// The defaults with these two files.
    #[must_use]
    pub fn new(cert_chain: impl Into<PathBuf>, private_key: impl Into<PathBuf>) -> Self {
        Self {
            cert_chain: cert_chain.into(),
            private_key: private_key.into(),
            private_key_password: None,
            oldest_version: TlsVersion::default(),
            handshake_timeout: Duration::from_secs(10),
            max_handshakes: 256,
        }
    }
}

/// A version of TLS. Older ones are not spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    #[default]
    Tls13,
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Password {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}
