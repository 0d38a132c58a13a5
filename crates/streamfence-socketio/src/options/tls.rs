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
    /// Whether clients show a certificate. Default: none.
    pub client_auth: ClientAuth,
    /// The file with lists in PEM of the certificates that those who sign for clients have revoked. Where it is there, it
    /// must have one of everybody who has signed in a client's chain; a list that is out of date goes on to count.
    /// Default: none, and nothing is revoked.
    pub client_revocations: Option<PathBuf>,
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
            client_auth: ClientAuth::default(),
            client_revocations: None,
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

/// Whether clients show a certificate, and whose word counts for it.
///
/// Who has one is the [`Principal`](crate::Principal) that it names: its only URI (of the subject's alternative names,
/// such as `spiffe://example.org/feed`), else the only common name of its subject, else its only DNS name. One that
/// names nobody is a certificate all the same, and lets its client in without a principal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// They are not asked for one.
    #[default]
    None,
    /// Whoever has one shows it, and it must be a good one; whoever has none comes in without.
    Optional {
        /// The file with the certificates in PEM of those who sign for clients.
        authorities: PathBuf,
    },
    /// Whoever has none does not come in.
    Required {
        /// The file with the certificates in PEM of those who sign for clients.
        authorities: PathBuf,
    },
}

impl ClientAuth {
    /// The file of those who sign for clients.
    #[must_use]
    pub fn authorities(&self) -> Option<&PathBuf> {
        match self {
            Self::None => None,
            Self::Optional { authorities } | Self::Required { authorities } => Some(authorities),
        }
    }
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
