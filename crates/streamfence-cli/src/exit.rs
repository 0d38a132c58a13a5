//! How the process ends when something went wrong.

use std::fmt::Display;
use std::process::ExitCode;

/// Why a command failed, by exit code.
#[derive(Debug)]
pub(crate) enum Failure {
    /// 1
    Other(String),
    /// 2
    Usage(String),
    /// 3
    Config(String),
    /// 4: an address that cannot be had, a certificate or key that cannot be used, or a directory that lanes cannot
    /// spill to.
    Listen(String),
    /// 5: nobody answers, or not any longer.
    Unreachable(String),
    /// 6: the server does not take our key, token or certificate, or it does not allow this.
    Auth(String),
    /// 7: a message was not taken, or not for everybody.
    Rejected(String),
    /// 8
    TimedOut(String),
    /// 130
    Interrupted(String),
}

impl Failure {
    pub(crate) fn other(why: impl Display) -> Self {
        Self::Other(why.to_string())
    }

    /// What went wrong, in words.
    pub(crate) fn why(&self) -> &str {
        match self {
            Self::Other(why)
            | Self::Usage(why)
            | Self::Config(why)
            | Self::Listen(why)
            | Self::Unreachable(why)
            | Self::Auth(why)
            | Self::Rejected(why)
            | Self::TimedOut(why)
            | Self::Interrupted(why) => why,
        }
    }

    #[expect(clippy::print_stderr, reason = "the last word of a failed command belongs to its user, not to a log")]
    pub(crate) fn report(&self) -> ExitCode {
        let code = match self {
            Self::Other(_) => 1,
            Self::Usage(_) => 2,
            Self::Config(_) => 3,
            Self::Listen(_) => 4,
            Self::Unreachable(_) => 5,
            Self::Auth(_) => 6,
            Self::Rejected(_) => 7,
            Self::TimedOut(_) => 8,
            Self::Interrupted(_) => 130,
        };
        eprintln!("streamfence: {}", self.why());
        ExitCode::from(code)
    }
}
