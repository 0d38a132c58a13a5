//! Logs on stderr, for people or for machines.

use std::io::{IsTerminal, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::args::LogFormat;
use crate::exit::Failure;

/// Starts logging. Only the first call of a process counts.
pub(crate) fn start(format: LogFormat, level: &str) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(level).map_err(|why| {
        Failure::Usage(format!("log level {level:?}: {why}; wanted error, warn, info, debug, trace or a filter"))
    })?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter);
    let started = match format {
        LogFormat::Json => logs.with_writer(std::io::stderr).json().flatten_event(true).with_target(false).try_init(),
        LogFormat::Text => {
            let has_colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            logs.with_writer(OneLine { has_colour }).with_ansi(has_colour).with_target(false).try_init()
        }
    };
    started.map_err(Failure::other)
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
    use super::one_line;

    #[test]
    fn an_event_is_one_line_and_nothing_a_terminal_obeys() {
        let event = "10:00 INFO topic=a\r\nb\u{1b}[31m\u{9b}é\t\u{0}\n".as_bytes();
        let plain = r"10:00 INFO topic=a\r\nb\u{1b}[31m\u{9b}é\t\u{0}";
        assert_eq!(one_line(event, false), format!("{plain}\n").into_bytes());
        let coloured = plain.replace("\\u{1b}", "\u{1b}");
        assert_eq!(one_line(event, true), format!("{coloured}\n").into_bytes());
    }
}
