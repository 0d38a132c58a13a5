//! What was asked for, on stdout.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use crate::exit::Failure;

/// Writes a line. A reader that has gone has read enough; anything else that keeps it from being written is a failure.
pub(crate) fn line(text: impl Display) -> Result<(), Failure> {
    one_of_many(text).map(|_| ())
}

/// Writes a line of those that come as long as somebody reads them: whether somebody does.
pub(crate) fn one_of_many(text: impl Display) -> Result<bool, Failure> {
    let mut stdout = std::io::stdout();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(why) if why.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(why) => Err(Failure::Other(format!("cannot write to stdout: {why}"))),
    }
}

/// Somebody else's text, for people: on one line, and with nothing in it that a terminal obeys.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() { shown.extend(letter.escape_default()) } else { shown.push(letter) }
    }
    shown
}

/// Says something beside what was asked for, on stderr.
#[expect(clippy::print_stderr, reason = "what a command has to say about its data is no data, and no log either")]
pub(crate) fn aside(text: impl Display) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn a_terminal_obeys_nothing_of_others() {
        assert_eq!(visible("a\u{1b}[2J\r\nb\u{9b}é"), "a\\u{1b}[2J\\r\\nb\\u{9b}é");
    }
}
