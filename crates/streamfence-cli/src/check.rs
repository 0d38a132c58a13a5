//! `streamfence check FILE`: whether a configuration is valid.

use crate::args::CheckArgs;
use crate::exit::Failure;
use crate::say;

pub(crate) fn run(args: &CheckArgs) -> Result<(), Failure> {
    let settings = streamfence_config::load(args.file()).map_err(|why| Failure::Config(why.to_string()))?;
    for warning in &settings.warnings {
        say::line(format_args!("warning: {warning}"))?;
    }
    let topics = settings.catalog.topics().count();
    let (servers, namespaces) = (settings.servers.len(), settings.catalog.namespaces().count());
    let file = args.file().display();
    say::line(format_args!("{file}: ok: {servers} servers, {namespaces} namespaces, {topics} topics"))
}
