//! Why a server could not be talked to.

use std::path::PathBuf;
use std::time::Duration;

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
    /// The server does not want this client: a code of the protocol such as `AUTH_REJECTED`, or the status of an HTTP
    /// answer.
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
