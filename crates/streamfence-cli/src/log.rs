//! Logs on stderr, for people or for machines.

use std::io::IsTerminal;

use streamfence_config::LogLevel;
use tracing_subscriber::EnvFilter;

use crate::args::LogFormat;
use crate::exit::Failure;

/// What writes down every message at the level `trace`, and so the tokens in them, whatever was asked for.
const QUIET: [&str; 3] = ["tungstenite=debug", "tungstenite::protocol=debug", "tungstenite::protocol::frame=debug"];

/// What decides which lines are written, for as long as the process runs.
pub(crate) struct Level {
    /// `None` where the command line has said it: then the file does not count.
    filter: Option<Box<dyn Fn(EnvFilter) -> bool + Send + Sync>>,
}

impl Level {
    /// One that no configuration changes.
    #[cfg(test)]
    pub(crate) fn fixed() -> Self {
        Self { filter: None }
    }

    /// Writes lines from this level up, where that is for the configuration to say. Whether it is.
    pub(crate) fn set(&self, level: LogLevel) -> bool {
        self.filter.as_ref().is_some_and(|set| set(quiet(EnvFilter::new(level.as_str()))))
    }
}

/// Starts logging at the level that the command line names, or else the configuration. Only the first call of a process
/// counts.
pub(crate) fn start(format: LogFormat, asked: Option<&str>, configured: LogLevel) -> Result<Level, Failure> {
    let level = asked.unwrap_or(configured.as_str());
    let filter = EnvFilter::try_new(level).map_err(|why| {
        Failure::Usage(format!("log level {level:?}: {why}; wanted error, warn, info, debug, trace or a filter"))
    })?;
    let filter = quiet(filter);
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let (started, filter): (_, Box<dyn Fn(EnvFilter) -> bool + Send + Sync>) = match format {
        LogFormat::Json => {
            let logs = logs.json().flatten_event(true).with_target(false).with_filter_reloading();
            let handle = logs.reload_handle();
            (logs.try_init(), Box::new(move |filter| handle.reload(filter).is_ok()))
        }
        LogFormat::Text => {
            let has_colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            let logs = logs.with_ansi(has_colour).with_target(false).with_filter_reloading();
            let handle = logs.reload_handle();
            (logs.try_init(), Box::new(move |filter| handle.reload(filter).is_ok()))
        }
    };
    started.map_err(Failure::other)?;
    Ok(Level { filter: asked.is_none().then_some(filter) })
}

/// The same without those who would write down what must not be shown.
fn quiet(filter: EnvFilter) -> EnvFilter {
    let directive = |directive: &str| directive.parse().expect("a directive of ours can be read");
    QUIET.iter().fold(filter, |filter, quiet| filter.add_directive(directive(quiet)))
}
