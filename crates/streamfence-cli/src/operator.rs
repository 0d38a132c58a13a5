//! What somebody who operates this process asks of it over HTTP. What is done about it is done by whoever serves.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Instant, UNIX_EPOCH};

use streamfence_config::LogLevel;
use streamfence_http::{About, Answer, LogLevelError, NotHere, Process, ReloadError, Reloaded, ServerState};
use streamfence_socketio::Server;
use streamfence_socketio::Standing;
use tokio::sync::{mpsc, oneshot};

use crate::exit::Failure;
use crate::log::Level;

/// How many wishes may wait; then whoever wishes does.
const MOST_WISHES: usize = 16;

/// Something to be done.
pub(crate) enum Wish {
    /// Read the configuration again, or only look what that would change.
    Reload { dry_run: bool, answer: oneshot::Sender<Result<Reloaded, ReloadError>> },
    /// Stop as for SIGTERM.
    Drain,
}

/// The process, as its API sees it.
pub(crate) struct Operator {
    began: Instant,
    config_file: Option<PathBuf>,
    level: Arc<Level>,
    known: Arc<Known>,
    wishes: mpsc::Sender<Wish>,
}

/// What is known once it is there.
#[derive(Default)]
pub(crate) struct Known {
    servers: OnceLock<Vec<(String, Standing)>>,
    /// How many reloads have come to something.
    reloads: std::sync::atomic::AtomicU64,
}

impl Known {
    /// These servers listen.
    pub(crate) fn listen<'a>(&self, servers: impl IntoIterator<Item = (&'a str, &'a Server)>) {
        let servers = servers.into_iter().map(|(name, server)| (name.to_owned(), server.standing()));
        assert!(self.servers.set(servers.collect()).is_ok(), "servers begin once");
    }

    /// Another configuration holds; which it is, from 1.
    pub(crate) fn reloaded(&self) -> u64 {
        self.reloads.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 2
    }

    pub(crate) fn generation(&self) -> u64 {
        self.reloads.load(std::sync::atomic::Ordering::Relaxed) + 1
    }
}

impl Operator {
    /// And where its wishes come from.
    pub(crate) fn new(
        config_file: Option<PathBuf>,
        level: Arc<Level>,
        known: Arc<Known>,
    ) -> (Self, mpsc::Receiver<Wish>) {
        let (wishes, inbox) = mpsc::channel(MOST_WISHES);
        (Self { began: Instant::now(), config_file, level, known, wishes }, inbox)
    }
}

impl Process for Operator {
    fn about(&self) -> About {
        About {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime: self.began.elapsed(),
            generation: self.known.generation(),
            config_file: self.config_file.as_ref().map(|file| file.display().to_string()),
            log_level: Some(self.level.now()),
        }
    }

    fn servers(&self) -> Vec<ServerState> {
        let servers = self.known.servers.get().into_iter().flatten();
        let state = |(name, standing): &(String, Standing)| {
            let expires = standing.certificate_expires();
            let since_1970 = expires.map(|at| at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64);
            ServerState {
                name: name.clone(),
                address: standing.address().to_string(),
                transport: if expires.is_some() { "WSS" } else { "WS" },
                path: standing.path(),
                connections: standing.connections() as u64,
                certificate_expires_at: since_1970,
            }
        };
        servers.map(state).collect()
    }

    fn reload(&self, dry_run: bool) -> Answer<'_, Result<Reloaded, ReloadError>> {
        Box::pin(async move {
            if self.config_file.is_none() {
                return Err(NotHere("there is no configuration file to read again".into()).into());
            }
            let (answer, heard) = oneshot::channel();
            let wish = Wish::Reload { dry_run, answer };
            self.wishes.send(wish).await.map_err(|_| ReloadError::Stopping)?;
            heard.await.map_err(|_| ReloadError::Stopping)?
        })
    }

    fn drain(&self) -> Answer<'_, Result<(), NotHere>> {
        Box::pin(async {
            // One that stops already does what was wished for.
            let _is_stopping = self.wishes.send(Wish::Drain).await;
            Ok(())
        })
    }

    fn set_log_level(&self, wanted: &str) -> Result<String, LogLevelError> {
        let level = LogLevel::ALL.into_iter().find(|level| level.as_str() == wanted).ok_or_else(|| {
            let words = LogLevel::ALL.map(LogLevel::as_str).join(", ");
            LogLevelError::Unknown { why: format!("level is {wanted:?}; wanted one of {words}") }
        })?;
        Ok(self.level.change(level).ok_or(NotHere("the log takes no other level".into()))?)
    }
}

/// Why a configuration does not hold, as the API says it.
pub(crate) fn invalid(why: &Failure) -> ReloadError {
    ReloadError::Invalid { errors: why.why().lines().map(str::to_owned).collect() }
}
