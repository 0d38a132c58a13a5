//! Logs on stderr, for people or for machines.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::args::LogFormat;
use crate::exit::Failure;

/// What writes down every message at the level `trace`, and so the tokens in them, whatever was asked for.
const QUIET: [&str; 3] = ["tungstenite=debug", "tungstenite::protocol=debug", "tungstenite::protocol::frame=debug"];

/// Starts logging. Only the first call of a process counts.
pub(crate) fn start(format: LogFormat, level: &str) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(level).map_err(|why| {
        Failure::Usage(format!("log level {level:?}: {why}; wanted error, warn, info, debug, trace or a filter"))
    })?;
    let filter = QUIET
        .iter()
        .fold(filter, |filter, quiet| filter.add_directive(quiet.parse().expect("a directive of ours can be read")));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Json => logs.json().flatten_event(true).with_target(false).try_init(),
        LogFormat::Text => {
            let has_colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            logs.with_ansi(has_colour).with_target(false).try_init()
        }
    };
    started.map_err(Failure::other)
}
