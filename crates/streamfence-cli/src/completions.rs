//! `streamfence completions SHELL` and `streamfence man DIR`: what a shell and `man` know of the commands.

use std::path::PathBuf;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Args;
use crate::exit::Failure;
use crate::say;

#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell they are for
    shell: Shell,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// The directory to write them to, such as /usr/local/share/man/man1; those of before are replaced
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Prints what completes the commands in a shell.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "streamfence", &mut script);
    say::line(String::from_utf8_lossy(&script).trim_end())
}

/// Writes a page for each command.
pub(crate) fn man(args: &ManArgs) -> Result<(), Failure> {
    let directory = &args.directory;
    let written =
        std::fs::create_dir_all(directory).and_then(|()| clap_mangen::generate_to(Args::command(), directory));
    written.map_err(|why| Failure::Other(format!("{}: cannot be written to: {why}", directory.display())))
}
