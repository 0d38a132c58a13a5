//! The process around the fence: what it tells of itself, and what it can be asked to do. An application that mounts the
//! routes may leave it out.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

/// What runs the fence. Whatever is not implemented is answered `501 NOT_AVAILABLE`.
pub trait Process: Send + Sync + 'static {
    /// What it is, and how it stands.
    fn about(&self) -> About;

    /// Where clients connect.
    fn servers(&self) -> Vec<ServerState> {
        Vec::new()
    }

    /// Reads the configuration again and lets it hold; with `dry_run`, only says what that would change. Either all of it
    /// holds afterwards, or nothing.
    fn reload(&self, dry_run: bool) -> Answer<'_, Result<Reloaded, ReloadError>> {
        let _ = dry_run;
        Box::pin(async { Err(NotHere("there is no configuration file to read again".into()).into()) })
    }

    /// Has the process stop: no more clients and messages, what waits is flushed, then everything ends. Returns once that is
    /// sure to come.
    fn drain(&self) -> Answer<'_, Result<(), NotHere>> {
        Box::pin(async { Err(NotHere("this process is stopped by whoever runs it".into())) })
    }

    /// Logs lines from this level up, and says what the level was before.
    ///
    /// # Errors
    /// [`LogLevelError`], when there is no such level or the process logs in its own way.
    fn set_log_level(&self, level: &str) -> Result<String, LogLevelError> {
        let _ = level;
        Err(NotHere("this process logs in its own way".into()).into())
    }
}

/// What comes of a question that takes a while.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a process is.
#[derive(Clone, Debug)]
pub struct About {
    /// Its version.
    pub version: String,
    /// For how long it has run.
    pub uptime: Duration,
    /// How many configurations have held, this one included.
    pub generation: u64,
    /// Where its configuration is read from.
    pub config_file: Option<String>,
    /// From which level up lines are logged.
    pub log_level: Option<String>,
}

/// A server that listens.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerState {
    /// Its name in the configuration.
    pub name: String,
    /// Where it listens.
    pub address: String,
    /// `WS` or `WSS`.
    pub transport: &'static str,
    /// The path of the endpoint.
    pub path: String,
    /// How many connections it has.
    pub connections: u64,
    /// When its certificate expires, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_expires_at: Option<u64>,
}

/// What a reload has changed, or would.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reloaded {
    /// Whether it holds, but for what waits for a restart; `false` after a look.
    pub applied: bool,
    /// The generation that holds now.
    pub generation: u64,
    /// Each key that has another value.
    pub changes: Vec<ChangedKey>,
    /// Of those, the keys that go on as they were until the process is started again.
    pub needs_restart: Vec<String>,
}

impl Reloaded {
    /// What has changed, and which of it waits for a restart: the keys whose `effect` says so.
    #[must_use]
    pub fn new(applied: bool, generation: u64, changes: Vec<ChangedKey>) -> Self {
        let waiting = changes.iter().filter(|change| change.effect == ChangedKey::NEEDS_RESTART);
        let needs_restart = waiting.map(|change| change.key.clone()).collect();
        Self { applied, generation, changes, needs_restart }
    }
}

/// One key of the configuration that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ChangedKey {
    /// The key, with the way to it.
    pub key: String,
    /// What held before. Never a secret.
    pub from: String,
    /// What was asked for.
    pub to: String,
    /// From when on: `live`, `new connections` or `needs restart`.
    pub effect: &'static str,
}

impl ChangedKey {
    /// The effect of what holds from the next start on.
    pub const NEEDS_RESTART: &'static str = "needs restart";
}

/// This process has nothing of the kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotHere(pub Cow<'static, str>);

/// Why a configuration does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// It is not valid.
    #[error("{}", .errors.join("; "))]
    Invalid {
        /// Each mistake, with its place.
        errors: Vec<String>,
    },
    /// The process is about to end.
    #[error("the process is about to end")]
    Stopping,
    /// There is none to be read.
    #[error(transparent)]
    NotHere(#[from] NotHere),
}

/// Why lines are logged as before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogLevelError {
    /// There is no such level.
    #[error("{why}")]
    Unknown {
        /// What was asked for, and what can be.
        why: String,
    },
    /// It is not for us to say.
    #[error(transparent)]
    NotHere(#[from] NotHere),
}

/// An application of which nothing more is known.
#[derive(Debug)]
pub(crate) struct Unknown {
    began: Instant,
}

impl Unknown {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now() }
    }
}

impl Process for Unknown {
    fn about(&self) -> About {
        About {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime: self.began.elapsed(),
            generation: 1,
            config_file: None,
            log_level: None,
        }
    }
}
