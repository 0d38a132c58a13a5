//! What was asked for, on stdout.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use crate::exit::Failure;

/// Writes a line. A reader that has gone has read enough; anything else that keeps it from being written is a failure.
pub(crate) fn line(text: impl Display) -> Result<(), Failure> {
    let mut stdout = std::io::stdout();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(why) if why.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Other(format!("cannot write to stdout: {why}")))
        }
        _ => Ok(()),
    }
}

/// Says something beside what was asked for, on stderr.
#[expect(clippy::print_stderr, reason = "what a command has to say about its data is no data, and no log either")]
pub(crate) fn aside(text: impl Display) {
    eprintln!("{text}");
}
