//! Why a server could not be talked to.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio_rustls::rustls::{self, AlertDescription as Alert};

/// Why a server could not be talked to, or not any longer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody is there, or nobody who speaks what we do.
    #[error("cannot reach {target}: {why}")]
    Unreachable {
        /// Where.
        target: String,
        /// What came instead.
        why: String,
    },
    /// It did not answer in time.
    #[error("{target} did not answer within {within:?}")]
    Silent {
        /// Where.
        target: String,
        /// How long was waited.
        within: Duration,
    },
    /// There are no certificates that could vouch for a server.
    #[error("{}: {why}; wanted certificates in PEM", file.as_ref().map_or_else(|| "certificates of the system".to_owned(), |file| file.display().to_string()))]
    Untrusting {
        /// The file, or those that the system trusts.
        file: Option<PathBuf>,
        /// What is wrong with it.
        why: String,
    },
    /// We are asked for a certificate, and ours cannot be used.
    #[error("{}: {why}; wanted a certificate and its private key in PEM", file.display())]
    Unidentified {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The server does not want this client: a code of the protocol such as `AUTH_REJECTED`, the status of an HTTP
    /// answer, or `CERTIFICATE_REQUIRED` and `CERTIFICATE_REFUSED` of TLS.
    #[error("refused by {target}: {code}{}", detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default())]
    Refused {
        /// Where.
        target: String,
        /// The code.
        code: String,
        /// What was said beside it.
        detail: Option<String>,
    },
    /// The connection ended.
    #[error("the connection to {target} ended: {why}")]
    Lost {
        /// Where.
        target: String,
        /// How.
        why: String,
    },
    /// The other side says what nobody expects.
    #[error("{target} does not speak as expected: {why}")]
    Foreign {
        /// Where.
        target: String,
        /// What was said.
        why: String,
    },
    /// An answer that is not what that route answers: something else answers there, or something between.
    #[error("{route} answered what is not understood: {why}")]
    Unreadable {
        /// What was asked.
        route: String,
        /// What is wrong with the answer.
        why: String,
    },
}

impl ClientError {
    /// Why a connection did not come about: the other side refused who we are, or this.
    pub(crate) fn of_connection(target: String, error: &(dyn Error + 'static), why: String) -> Self {
        let refused = |code: &str, alert| Self::Refused {
            target: target.clone(),
            code: code.to_owned(),
            detail: Some(format!("the TLS alert {alert:?}")),
        };
        match alert(error) {
            Some(alert @ Alert::CertificateRequired) => refused("CERTIFICATE_REQUIRED", alert),
            Some(
                alert @ (Alert::BadCertificate
                | Alert::UnsupportedCertificate
                | Alert::CertificateRevoked
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
                | Alert::UnknownCA
                | Alert::AccessDenied
                | Alert::DecryptError),
            ) => refused("CERTIFICATE_REFUSED", alert),
            _ => Self::Unreachable { target, why },
        }
    }
}

/// What the other side said by TLS when it ended the connection, wherever in an error that stands.
fn alert(error: &(dyn Error + 'static)) -> Option<Alert> {
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let inner = inner.map(|inner| -> &(dyn Error + 'static) { inner });
    match inner.unwrap_or(error).downcast_ref::<rustls::Error>() {
        Some(rustls::Error::AlertReceived(alert)) => Some(*alert),
        Some(_) => None,
        None => alert(inner.or_else(|| error.source())?),
    }
}
