//! `streamfence check FILE`: whether a configuration is valid.

use crate::args::CheckArgs;
use crate::exit::Failure;

#[expect(clippy::print_stdout, reason = "the verdict is the data that was asked for")]
pub(crate) fn run(args: &CheckArgs) -> Result<(), Failure> {
    let settings = streamfence_config::load(args.file()).map_err(|why| Failure::Config(why.to_string()))?;
    for warning in &settings.warnings {
        println!("warning: {warning}");
    }
    let topics = settings.catalog.topics().count();
    let (servers, namespaces) = (settings.servers.len(), settings.catalog.namespaces().count());
    println!("{}: ok: {servers} servers, {namespaces} namespaces, {topics} topics", args.file().display());
    Ok(())
}
