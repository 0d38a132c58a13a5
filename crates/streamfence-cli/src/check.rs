//! `streamfence check FILE`: whether a configuration is valid, and the certificates and keys it names are what they
//! should be.

use streamfence_socketio::server::Identity;

use crate::args::CheckArgs;
use crate::auth::Validators;
use crate::exit::Failure;
use crate::say;
use crate::serve::options;

pub(crate) fn run(args: &CheckArgs) -> Result<(), Failure> {
    let settings = streamfence_config::load(args.file()).map_err(|why| Failure::Config(why.to_string()))?;
    for warning in &settings.warnings {
        say::line(format_args!("warning: {warning}"))?;
    }
    // Keys that cannot be read, or are none, are wrong here already.
    Validators::new(&settings.servers)?;
    let mut wrong = Vec::new();
    for server in &settings.servers {
        let Some(tls) = options(server).tls else { continue };
        match Identity::load(&tls) {
            Ok(identity) => {
                for warning in identity.warnings() {
                    say::line(format_args!("warning: {warning} (servers.{}.tls)", server.name))?;
                }
            }
            Err(why) => wrong.push(format!("{why} (servers.{}.tls)", server.name)),
        }
    }
    if !wrong.is_empty() {
        return Err(Failure::Listen(wrong.join("\n")));
    }
    let topics = settings.catalog.topics().count();
    let (servers, namespaces) = (settings.servers.len(), settings.catalog.namespaces().count());
    let file = args.file().display();
    say::line(format_args!("{file}: ok: {servers} servers, {namespaces} namespaces, {topics} topics"))
}
