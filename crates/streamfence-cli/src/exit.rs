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
    /// 4
    Listen(String),
    /// 130
    Interrupted(String),
}

impl Failure {
    pub(crate) fn other(why: impl Display) -> Self {
        Self::Other(why.to_string())
    }

    #[expect(clippy::print_stderr, reason = "the last word of a failed command belongs to its user, not to a log")]
    pub(crate) fn report(&self) -> ExitCode {
        let (code, why) = match self {
            Self::Other(why) => (1, why),
            Self::Usage(why) => (2, why),
            Self::Config(why) => (3, why),
            Self::Listen(why) => (4, why),
            Self::Interrupted(why) => (130, why),
        };
        eprintln!("streamfence: {why}");
        ExitCode::from(code)
    }
}
