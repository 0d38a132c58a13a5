//! Logs on stderr, for people or for machines.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use streamfence_config::LogLevel;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::args::LogFormat;
use crate::exit::Failure;

/// What writes down every message at the level `trace`, and so the tokens in them, whatever was asked for.
/// And what writes a line for each change of a file: of the log, too, where that lies beside the configuration.
const QUIET: [&str; 4] =
    ["tungstenite=debug", "tungstenite::protocol=debug", "tungstenite::protocol::frame=debug", "mio=info"];

/// What writes at `info` of each directory that is gone when it is to be watched no more, which is nobody's business.
const NO_DIRECTORIES: &str = "notify=error";

/// What decides which lines are written, for as long as the process runs.
pub(crate) struct Level {
    filter: Box<dyn Fn(EnvFilter) -> bool + Send + Sync>,
    /// Whether the command line has said it: then the file does not count.
    is_fixed: bool,
    /// What holds now.
    now: Mutex<String>,
}

impl Level {
    /// One that no configuration changes.
    #[cfg(test)]
    pub(crate) fn fixed() -> Self {
        Self { filter: Box::new(|_| true), is_fixed: true, now: Mutex::default() }
    }

    /// Writes lines from this level up, where that is for the configuration to say. Whether it is.
    pub(crate) fn set(&self, level: LogLevel) -> bool {
        !self.is_fixed && self.change(level).is_some()
    }

    /// The same, because somebody says so who looks after the process. What held before; `None` where that cannot be.
    pub(crate) fn change(&self, level: LogLevel) -> Option<String> {
        let mut now = self.lock();
        (self.filter)(quiet(EnvFilter::new(level.as_str())))
            .then(|| std::mem::replace(&mut *now, level.as_str().into()))
    }

    /// Whether the configuration has no say.
    pub(crate) fn is_fixed(&self) -> bool {
        self.is_fixed
    }

    /// What holds now.
    pub(crate) fn now(&self) -> String {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, String> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts logging at the level that the command line names, or else the configuration. Only the first call of a process
/// counts.
pub(crate) fn start(format: LogFormat, asked: Option<&str>, configured: LogLevel) -> Result<Level, Failure> {
    let level = asked.unwrap_or(configured.as_str());
    // A word alone would be taken for the name of a target, and nothing would be heard of any other.
    let is_word = !level.contains(['=', ',', '[']);
    if level.is_empty() || is_word && level.parse::<LevelFilter>().is_err() {
        return Err(Failure::Usage(format!("log level {level:?}: wanted error, warn, info, debug, trace or a filter")));
    }
    let filter = EnvFilter::try_new(level).map_err(|why| {
        Failure::Usage(format!("log level {level:?}: {why}; wanted error, warn, info, debug, trace or a filter"))
    })?;
    let logs = tracing_subscriber::fmt().with_env_filter(quiet(filter));
    let (started, filter): (_, Box<dyn Fn(EnvFilter) -> bool + Send + Sync>) = match format {
        LogFormat::Json => {
            let logs =
                logs.with_writer(std::io::stderr).json().flatten_event(true).with_target(false).with_filter_reloading();
            let handle = logs.reload_handle();
            (logs.try_init(), Box::new(move |filter| handle.reload(filter).is_ok()))
        }
        LogFormat::Text => {
            let has_colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            let logs = logs
                .with_writer(OneLine { has_colour })
                .with_ansi(has_colour)
                .with_target(false)
                .with_filter_reloading();
            let handle = logs.reload_handle();
            (logs.try_init(), Box::new(move |filter| handle.reload(filter).is_ok()))
        }
    };
    started.map_err(Failure::other)?;
    Ok(Level { filter, is_fixed: asked.is_some(), now: Mutex::new(level.to_owned()) })
}

/// The same without those who would write down what must not be shown.
fn quiet(filter: EnvFilter) -> EnvFilter {
    let most = filter.max_level_hint().unwrap_or(LevelFilter::TRACE);
    let directive = |directive: &str| directive.parse().expect("a directive of ours can be read");
    // A directive of ours must not let through what the filter holds back.
    if most == LevelFilter::OFF {
        return filter;
    }
    let filter = filter.add_directive(directive(NO_DIRECTORIES));
    if most <= LevelFilter::INFO {
        return filter;
    }
    QUIET.iter().fold(filter, |filter, quiet| filter.add_directive(directive(quiet)))
}

/// Writes an event on one line, whatever the names in it that are a client's: a line break in one would begin a line that
/// nobody logged, and a terminal obeys what it is shown. JSON needs none of this.
#[derive(Clone, Copy)]
struct OneLine {
    /// Whether the formatter colours what it writes; then it has made escape characters of anybody else's harmless.
    has_colour: bool,
}

impl MakeWriter<'_> for OneLine {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}

impl Write for OneLine {
    /// An event comes whole, with one call.
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        std::io::stderr().lock().write_all(&one_line(event, self.has_colour))?;
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

fn one_line(event: &[u8], has_colour: bool) -> Vec<u8> {
    const ESCAPE: char = '\u{1b}';
    let text = String::from_utf8_lossy(event.strip_suffix(b"\n").unwrap_or(event));
    let mut line = String::with_capacity(text.len() + 1);
    for letter in text.chars() {
        match letter {
            ESCAPE if has_colour => line.push(letter),
            letter if letter.is_control() => line.extend(letter.escape_default()),
            letter => line.push(letter),
        }
    }
    line.push('\n');
    line.into_bytes()
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::EnvFilter;

    use super::{one_line, quiet};

    #[test]
    fn what_must_not_be_shown_is_held_back_and_nothing_is_let_through() {
        let quieted = |filter: &str| quiet(EnvFilter::new(filter)).to_string();
        assert_eq!(quieted("off"), "off");
        assert_eq!((quieted("warn"), quieted("info")), ("notify=error,warn".into(), "notify=error,info".into()));
        for loud in ["trace", "debug", "info,tungstenite=trace"] {
            assert!(quieted(loud).contains("tungstenite=debug"), "{loud}: {}", quieted(loud));
            assert!(!quieted(loud).contains("tungstenite=trace"), "{loud}: {}", quieted(loud));
        }
    }

    #[test]
    fn an_event_is_one_line_and_nothing_a_terminal_obeys() {
        let event = "10:00 INFO topic=a\r\nb\u{1b}[31m\u{9b}é\t\u{0}\n".as_bytes();
        let plain = r"10:00 INFO topic=a\r\nb\u{1b}[31m\u{9b}é\t\u{0}";
        assert_eq!(one_line(event, false), format!("{plain}\n").into_bytes());
        let coloured = plain.replace("\\u{1b}", "\u{1b}");
        assert_eq!(one_line(event, true), format!("{coloured}\n").into_bytes());
    }
}
