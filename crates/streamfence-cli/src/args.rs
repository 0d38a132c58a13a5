//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::bench::BenchArgs;
use crate::clients::{ClientsArgs, InspectArgs};
use crate::completions::{CompletionsArgs, ManArgs};
use crate::publish::PublishArgs;
use crate::steer::{DisconnectArgs, DlqArgs, DrainArgs, LogLevelArgs, ReloadArgs, UnsubscribeArgs};
use crate::subscribe::SubscribeArgs;
use crate::tail::TailArgs;
use crate::top::TopArgs;

/// Delivery control for Socket.IO servers: every client has, for every topic, a bounded queue that feels the network.
#[derive(Debug, Parser)]
#[command(name = "streamfence", version, propagate_version = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve Socket.IO clients, and publish over HTTP; without a configuration, a demo on this machine
    Serve(ServeArgs),
    /// Say whether a configuration file is valid, and what is wrong with it
    #[command(alias = "validate")]
    Check(CheckArgs),
    /// Write configurations: the schema, every default, a start for a purpose, an ancestor's file converted
    Config(ConfigArgs),
    /// Ask a server that runs whether it is ready: exit code 0, 1 when it is not, 5 when nothing answers
    Health(HealthArgs),
    /// Look at what lanes have spilled to disk
    Spill(SpillArgs),
    /// Publish messages over HTTP, and say what became of them
    Publish(Box<PublishArgs>),
    /// Subscribe as a Socket.IO client, and print what comes
    Subscribe(SubscribeArgs),
    /// Show what happens at a server, as it happens: drops, retries, slow clients
    Tail(TailArgs),
    /// Show a server at a glance, as it changes
    Top(TopArgs),
    /// Show who is connected, and how far behind
    Clients(ClientsArgs),
    /// Show one client in full: its lanes, what waits in them and what was dropped
    Inspect(InspectArgs),
    /// Disconnect a client, or all of a principal
    Disconnect(DisconnectArgs),
    /// End one subscription of a client
    Unsubscribe(UnsubscribeArgs),
    /// Have a server read its configuration again
    Reload(ReloadArgs),
    /// Have a server stop as a signal does: take no new clients, deliver what waits, and end
    Drain(DrainArgs),
    /// Show which logs a server writes, or change it
    LogLevel(LogLevelArgs),
    /// Look at messages that were given up, send them again or forget them
    Dlq(DlqArgs),
    /// Put a load on a server, with slow clients in it, and say what became of the messages
    Bench(Box<BenchArgs>),
    /// Print what completes the commands in a shell
    Completions(CompletionsArgs),
    /// Write the manual pages
    Man(ManArgs),
    /// Print the version
    Version(VersionArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// The configuration file, YAML or JSON
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Serve only this server of the file; may be given several times
    #[arg(long = "server", value_name = "NAME", requires = "config")]
    pub(crate) servers: Vec<String>,
    /// Read the file again on SIGHUP alone, and not when it or a file it names changes
    #[arg(long, requires = "config")]
    pub(crate) no_watch: bool,
    /// Listen here instead: HOST:PORT, or unix:PATH; for one server only
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<Listen>,
    /// Publish, metrics and health here instead: HOST:PORT, a loopback address unless the file has keys, or unix:PATH
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) admin_listen: Option<Listen>,
    /// How logs are written to stderr
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// Which logs are written: error, warn, info, debug, trace, or a filter such as `info,streamfence_runtime=debug`
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the JSON Schema of a configuration, for editors
    Schema(OutputArgs),
    /// Print a configuration with every key, what it means and what holds without it
    Defaults {
        /// Print it as JSON, which has no comments: only keys that have a value
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Print a configuration to start from
    Init {
        /// What it is for
        #[arg(long, value_name = "PRESET")]
        preset: Preset,
        /// Print it as JSON, which has no comments
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Read the flat layout of the ancestors, or their old keys, and print it as a configuration
    Convert {
        /// The old file, YAML or JSON
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        output: OutputArgs,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct OutputArgs {
    /// Write to this file instead of stdout; one that is there already is left alone
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Replace a file that is there already
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Preset {
    /// Prices, positions, scores: the newest value of each key
    Ticker,
    /// Rare and important: acked, sent again, never dropped
    Alerts,
    /// Rooms in which clients speak to each other
    Chat,
    /// Everything arrives, in order, by way of the disk where it must
    Bulk,
    /// Readings of which only fresh ones matter
    Telemetry,
}

#[derive(Debug, clap::Args)]
pub(crate) struct HealthArgs {
    /// The admin address, or a public one without TLS: HOST:PORT, http://HOST:PORT, or unix:PATH
    #[arg(value_name = "ADDRESS", env = "STREAMFENCE_ADMIN", default_value = "127.0.0.1:9093", value_parser = asked)]
    pub(crate) address: Listen,
    /// Ask only whether it lives: one that drains, or has no memory left, is not ready and lives
    #[arg(long)]
    pub(crate) live: bool,
    /// How long to wait for an answer, in milliseconds
    #[arg(long, value_name = "MS", default_value = "2000", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) timeout_ms: u32,
    /// Print the answer as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct VersionArgs {
    /// Print it as one JSON object, with the machine it is made for
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SpillArgs {
    #[command(subcommand)]
    pub(crate) command: SpillCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SpillCommand {
    /// Show the files, topics and positions in a directory, and what of it is damaged; it only reads, also beside a
    /// server that runs
    Inspect {
        /// The directory, as `spillRootPath` names it
        #[arg(value_name = "DIR")]
        directory: PathBuf,
        /// Print it as one JSON object
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// The configuration file, YAML or JSON
    #[arg(value_name = "FILE", required_unless_present = "config")]
    file: Option<PathBuf>,
    /// The same, as `serve` takes it
    #[arg(short, long, value_name = "FILE", conflicts_with = "file")]
    config: Option<PathBuf>,
    /// Say how much memory and disk messages may take by it at most
    #[arg(long)]
    pub(crate) explain: bool,
    /// Take warnings for errors
    #[arg(long)]
    pub(crate) strict: bool,
    /// Print the outcome as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

impl CheckArgs {
    pub(crate) fn file(&self) -> &PathBuf {
        self.file.as_ref().or(self.config.as_ref()).expect("clap asks for one of the two")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listen {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

impl Listen {
    /// As it is written on the command line.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Tcp { host, port } => format!("{host}:{port}"),
            Self::Unix(path) => format!("unix:{}", path.display()),
        }
    }
}

impl std::str::FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::Unix(path.into()));
        }
        let wanted = || format!("found {text:?}; wanted HOST:PORT, such as 127.0.0.1:3000 or [::1]:0, or unix:PATH");
        let (host, port) = text.rsplit_once(':').ok_or_else(wanted)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = port.parse().map_err(|_| wanted())?;
        if host.is_empty() { Err(wanted()) } else { Ok(Self::Tcp { host: host.to_owned(), port }) }
    }
}

/// An address that is asked something, which may be written as the URL of it.
fn asked(text: &str) -> Result<Listen, String> {
    let wanted = || format!("found {text:?}; wanted HOST:PORT, http://HOST:PORT with no path, or unix:PATH");
    let Some(authority) = text.strip_prefix("http://") else {
        let is_other_url = text.contains("://") && !text.starts_with("unix:");
        return if is_other_url { Err(wanted()) } else { text.parse().map_err(|_| wanted()) };
    };
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    if authority.contains(['/', '?', '#', '@']) {
        return Err(wanted());
    }
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
    let whole = if has_port { authority.to_owned() } else { format!("{authority}:80") };
    whole.parse().map_err(|_| wanted())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_whose_name_begins_with_a_hyphen_can_be_named() {
        const CLIENT: &str = "-bcdefghijklmnop";
        for line in [
            &["inspect", CLIENT, "--json"][..],
            &["inspect", "--json", CLIENT],
            &["disconnect", CLIENT, "--reason", "a"],
            &["unsubscribe", "--json", CLIENT, "tick"],
            &["tail", "--client", CLIENT, "--count", "1"],
            &["dlq", "list", "--client", CLIENT, "--json"],
            &["dlq", "purge", "/a", "b", "--client", CLIENT],
            &["publish", "/a", "b", "1", "--to", CLIENT, "--except", CLIENT, "--json"],
        ] {
            let parsed = Args::try_parse_from([&["streamfence"], line].concat());
            let parsed = format!("{:?}", parsed.unwrap_or_else(|why| panic!("{line:?}: {why}")).command);
            assert!(
                parsed.contains(CLIENT) && parsed.contains("json: true") == line.contains(&"--json"),
                "{line:?}: {parsed}"
            );
        }
    }

    #[test]
    fn what_no_server_can_know_is_refused_before_it_is_asked() {
        for line in [
            &["inspect", "nope"][..],
            &["disconnect", "nope"],
            &["unsubscribe", "nope", "tick"],
            &["tail", "--client", "nope"],
            &["tail", "--kind", "nope"],
            &["tail", "--kind", "server_started,nope"],
            &["dlq", "list", "--client", "nope"],
            &["dlq", "purge", "/a", "b", "--client", "nope"],
            &["publish", "/a", "b", "1", "--to", "nope"],
            &["publish", "/a", "b", "1", "--except", "nope"],
            &["publish", "/a", "b", "1", "--count", "0"],
            &["log-level", "nope"],
        ] {
            let refused = Args::try_parse_from([&["streamfence"], line].concat()).map(|args| args.command);
            assert_eq!(refused.expect_err("it is wrong").exit_code(), 2, "{line:?}");
        }
        assert!(Args::try_parse_from(["streamfence", "tail", "--kind", "server_starting, server_started"]).is_ok());
        assert!(Args::try_parse_from(["streamfence", "log-level", "debug"]).is_ok());
    }

    #[test]
    fn what_is_asked_may_be_named_by_its_url() {
        for (text, wanted) in [
            ("127.0.0.1:9093", "127.0.0.1:9093"),
            ("http://127.0.0.1:9093", "127.0.0.1:9093"),
            ("http://[::1]:9093/", "[::1]:9093"),
            ("http://[::1]", "[::1]:80"),
            ("http://a.example", "a.example:80"),
            ("unix:/run/a.sock", "unix:/run/a.sock"),
        ] {
            assert_eq!(asked(text).map(|address| address.describe()), Ok(wanted.to_owned()), "{text}");
        }
        for wrong in ["", "http://", "https://a:1", "http://a:1/path", "http://a:x", "http://u@a:1", "a"] {
            assert!(asked(wrong).is_err_and(|why| why.contains("wanted HOST:PORT, http://")), "{wrong}");
        }
    }

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn addresses_are_read() {
        let tcp = |host: &str, port| Ok(Listen::Tcp { host: host.into(), port });
        assert_eq!("127.0.0.1:0".parse(), tcp("127.0.0.1", 0));
        assert_eq!("[::1]:3000".parse(), tcp("::1", 3000));
        assert_eq!("localhost:3000".parse(), tcp("localhost", 3000));
        assert_eq!("unix:/run/a.sock".parse(), Ok(Listen::Unix("/run/a.sock".into())));
        for written in ["127.0.0.1:0", "[::1]:3000", "localhost:3000", "unix:/run/a.sock"] {
            assert_eq!(written.parse::<Listen>().map(|listen| listen.describe()).as_deref(), Ok(written));
        }
        for wrong in ["", "3000", ":3000", "host:", "host:99999"] {
            assert!(wrong.parse::<Listen>().is_err(), "{wrong:?}");
        }
    }
}
