//! From the tree to [`Settings`]: what only shows when values are seen together, each error with its place.
//!
//! Pure: it opens no file and reads no environment but through the lookup it is given.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use streamfence_core::{Catalog, CatalogBuilder};

use crate::admin;
use crate::auth;
use crate::block::{Block, Report};
use crate::error::{ConfigError, ConfigErrors, Problem};
use crate::expand::Lookup;
use crate::keys::Section;
use crate::limits;
use crate::namespaces;
use crate::raw::{self, Node, Place, Value, shown};
use crate::secrets::Secret;
use crate::settings::{EngineIoTransport, Listen, LogFormat, LogLevel, LogSettings};
use crate::settings::{ServerSettings, Settings, SpillSettings};
use crate::spill::{self, Stores};
use crate::tls;
use crate::tracing;

/// What a text is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// YAML 1.2.
    Yaml,
    /// JSON.
    Json,
}

/// Reads a text as a configuration; `file_name` is what errors call it.
///
/// # Errors
/// Everything that is wrong with it, each with its place. A text that is not YAML or JSON at all has one error.
pub fn parse(text: &str, format: Format, file_name: &str, lookup: Lookup<'_>) -> Result<Settings, ConfigErrors> {
    parse_in(Path::new(""), text, format, file_name, lookup, &[]).map(|(settings, _)| settings)
}

/// The same for a file in this directory, beside stores that are open; and what in it is a secret.
pub(crate) fn parse_in(
    directory: &Path,
    text: &str,
    format: Format,
    file_name: &str,
    lookup: Lookup<'_>,
    open: &[SpillSettings],
) -> Result<(Settings, Vec<Secret>), ConfigErrors> {
    let file: Arc<str> = file_name.into();
    let refused = |place, problem| {
        Err(ConfigErrors::new(vec![ConfigError { file: file.clone(), place, part: String::new(), problem }]))
    };
    // JSON is read as the YAML it is, so that both have places; but what only YAML allows is not JSON.
    if format == Format::Json
        && let Err((place, problem)) = raw::check_json(text)
    {
        return refused(place, problem);
    }
    let root = match raw::read(text) {
        Ok(root) => root,
        Err((place, problem)) => return refused(place, problem),
    };
    let mut report =
        Report { file: file.clone(), lookup, errors: Vec::new(), warnings: Vec::new(), secrets: Vec::new() };
    let settings = file_settings(root, Stores::new(directory, open), &mut report);
    if !report.errors.is_empty() {
        return Err(ConfigErrors::new(report.errors));
    }
    report.warnings.sort_by_key(|warning| warning.place);
    match settings {
        Ok(settings) => Ok((Settings { warnings: report.warnings, ..settings }, report.secrets)),
        Err(problem) => refused(None, problem),
    }
}

fn file_settings(root: Node, mut stores: Stores<'_>, report: &mut Report<'_>) -> Result<Settings, Problem> {
    let mut file = Block::read(root, &[Section::File], "", report);
    let mut addresses = Taken::default();
    let mut paths = Taken::default();
    let mut servers = Vec::new();
    match file.take("servers") {
        Some(Node { value: Value::Block(named), .. }) if !named.is_empty() => {
            for (name, node) in named {
                servers.push(server(name.value, node, &mut addresses, &mut paths, &mut stores, report));
            }
        }
        Some(node) if !matches!(node.value, Value::Block(_)) => {
            report.wrong("", "servers", &node, "a block of at least one server");
        }
        None if !file.is_sound => {}
        Some(_) | None => missing("", file.at, "servers", "a block of at least one server", report),
    }
    let mut admin = section(&mut file, "admin", &[Section::Admin], report);
    let log = section(&mut file, "log", &[Section::Log], report);
    let tracing = tracing::resolve(&mut file, report);
    let (spill_stores, spill_pending) = stores.settings();
    let admin_listen = listen(&admin, "admin", &mut addresses, report);
    let settings = Settings {
        admin: admin::resolve(&mut admin, admin_listen, report),
        log: LogSettings {
            level: match log.text("level") {
                "error" => LogLevel::Error,
                "warn" => LogLevel::Warn,
                "info" => LogLevel::Info,
                "debug" => LogLevel::Debug,
                "trace" => LogLevel::Trace,
                other => unreachable!("the table of keys has no level {other}"),
            },
            format: match log.text("format") {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                other => unreachable!("the table of keys has no format {other}"),
            },
        },
        tracing,
        watch: file.flag("watch"),
        sources: Vec::new(),
        catalog: Arc::default(),
        warnings: Vec::new(),
        spill_stores,
        spill_pending,
        servers,
    };
    let drafts = settings.servers.iter().flat_map(|server| server.drafts.iter().cloned());
    let catalog = drafts.fold(Catalog::builder(), CatalogBuilder::namespace).build()?;
    Ok(Settings { catalog: Arc::new(catalog), ..settings })
}

fn section(file: &mut Block, name: &str, sections: &'static [Section], report: &mut Report<'_>) -> Block {
    match file.take(name) {
        Some(node) => Block::read(node, sections, name, report),
        None => Block::absent(sections),
    }
}

fn server(
    name: String,
    node: Node,
    addresses: &mut Taken,
    paths: &mut Taken,
    stores: &mut Stores<'_>,
    report: &mut Report<'_>,
) -> ServerSettings {
    let part = format!("servers.{name}");
    let mut block = Block::read(node, &[Section::Server], &part, report);
    let listen = listen(&block, &part, addresses, report);
    let tls = tls::resolve(&block, &part, report);
    let auth = auth::resolve(&mut block, &part, report);
    let allowed_origins = allowed_origins(&mut block, &part, report);
    let limits = limits::resolve(&mut block, &part, report);
    let spill = stores.wish(&name, &block);
    let namespaces = match block.take("namespaces") {
        Some(Node { value: Value::List(list), .. }) if !list.is_empty() => {
            namespaces::resolve(list, &part, spill.store, paths, report)
        }
        Some(empty) => {
            let problem =
                Problem::Missing { key: "namespaces".to_owned(), wanted: "at least one namespace".to_owned() };
            report.error(&part, empty.at, problem);
            Vec::new()
        }
        // A list that could not be read was reported already.
        None if !block.is_sound => Vec::new(),
        None => {
            missing(&part, block.at, "namespaces", "at least one namespace", report);
            Vec::new()
        }
    };
    if block.is_sound {
        auth::check_required(&block, &namespaces, &part, report);
    }
    if namespaces.iter().any(|namespace| namespace.spills) {
        stores.claim(&name, &part, &block, &spill, report);
    } else {
        spill::warn_without_spill(&block, &part, report);
    }
    let millis = |key| Duration::from_millis(block.number(key));
    ServerSettings {
        listen,
        tls,
        auth,
        engine_io_transport: match block.text("engineIoTransport") {
            "WEBSOCKET_OR_POLLING" => EngineIoTransport::WebsocketOrPolling,
            "WEBSOCKET_ONLY" => EngineIoTransport::WebsocketOnly,
            other => unreachable!("the table of keys has no transport {other}"),
        },
        path: http_path(&block, &part, report),
        allowed_origins,
        limits,
        max_connections: block.number("maxConnections") as u32,
        max_payload_bytes: block.number("maxPayloadBytes"),
        max_subscriptions_per_client: block.number("maxSubscriptionsPerClient") as u32,
        ping_interval: millis("pingIntervalMs"),
        ping_timeout: millis("pingTimeoutMs"),
        connect_timeout: millis("connectTimeoutMs"),
        header_timeout: millis("headerTimeoutMs"),
        body_timeout: millis("bodyTimeoutMs"),
        stall_timeout: millis("stallTimeoutMs"),
        splice: block.flag("splice"),
        window_frames: block.number("windowFrames") as u16,
        not_sent_lowat_bytes: block.number("notSentLowatBytes") as u32,
        blocked_read_budget_bytes: block.number("blockedReadBudgetBytes"),
        shutdown_drain: millis("shutdownDrainMs"),
        memory_budget_bytes: block.optional_number("memoryBudgetBytes"),
        spill_root: spill.root,
        spill_max_bytes: spill.max_bytes,
        spill_min_free_bytes: spill.min_free_bytes,
        namespaces: namespaces.iter().map(|namespace| namespace.path.clone()).collect(),
        drafts: namespaces.into_iter().map(|namespace| namespace.draft).collect(),
        name,
    }
}

fn listen(block: &Block, part: &str, addresses: &mut Taken, report: &mut Report<'_>) -> Listen {
    let host = block.text("host");
    let listen = match host.strip_prefix("unix:") {
        Some(path) => Listen::Unix(PathBuf::from(path)),
        None => Listen::Tcp { host: host.to_owned(), port: block.number("port") as u16 },
    };
    let port_at = block.place_of("port");
    let host_at = block.place_of("host").unwrap_or(block.at);
    match &listen {
        Listen::Unix(path) if path.as_os_str().is_empty() => {
            wrong_text(part, host_at, "host", host, "a path after `unix:`", report);
        }
        Listen::Unix(_) if let Some(at) = port_at => {
            let port = block.number("port").to_string();
            wrong(part, at, "port", &port, "no port, because the host is a Unix socket", report);
        }
        Listen::Tcp { host, .. } if host.contains(|c: char| c.is_whitespace() || "/[]".contains(c)) => {
            wrong_text(part, host_at, "host", host, "a name, an IP address without brackets, or `unix:/path`", report);
        }
        // The system gives every port 0 another one, and an unreadable block may well have meant another address.
        Listen::Tcp { port: 0, .. } => {}
        _ if !block.is_sound => {}
        _ => {
            let at = port_at.unwrap_or(host_at);
            addresses.claim("address", &listen.to_string(), at, part, "address once in the file", report);
        }
    }
    listen
}

fn http_path(block: &Block, part: &str, report: &mut Report<'_>) -> String {
    let written = block.text("path");
    let path = written.trim_end_matches('/');
    let fits = path.starts_with('/')
        && !path.contains("//")
        && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._~-".contains(&byte));
    if !fits {
        let at = block.place_of("path").unwrap_or(block.at);
        let wanted = "`/` and a path of letters, digits and `/ . _ ~ -`";
        wrong_text(part, at, "path", written, wanted, report);
    }
    path.to_owned()
}

fn allowed_origins(block: &mut Block, part: &str, report: &mut Report<'_>) -> Option<Vec<String>> {
    let Node { value: Value::List(list), .. } = block.take("allowedOrigins")? else { return None };
    let mut origins = Vec::with_capacity(list.len());
    let mut any_at = None;
    for mut node in list {
        if !report.expand(part, &mut node) {
            continue;
        }
        match &node.value {
            Value::Text(text) if is_origin(&text.value) => {
                if text.value == "*" {
                    any_at = Some(node.at);
                }
                origins.push(text.value.clone());
            }
            _ => report.wrong(part, "allowedOrigins", &node, "origins such as `https://example.org:8443`, or `*`"),
        }
    }
    if let Some(at) = any_at
        && origins.len() > 1
    {
        let why = "it lets every page in, and the others beside it change nothing about that";
        report.warning(part, at, Problem::Unwise { key: "allowedOrigins", found: "`*` among others", why });
    }
    Some(origins)
}

/// Whether a browser could send this as its origin: no path, not even a slash at the end.
fn is_origin(text: &str) -> bool {
    let is_host = |host: &str| !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || "/?#@*".contains(c));
    let is_scheme = |scheme: &str| !scheme.is_empty() && !NO_PAGES.contains(&scheme);
    text == "*"
        || text == "null"
        || text.split_once("://").is_some_and(|(scheme, host)| is_scheme(scheme) && is_host(host))
}

/// Where no page comes from that a browser names so: those of files are `null`, and a websocket is what a page opens.
const NO_PAGES: [&str; 4] = ["ws", "wss", "ftp", "file"];

/// What may be given once, and where it was.
#[derive(Default)]
pub(crate) struct Taken(HashMap<String, Place>);

impl Taken {
    /// Takes a name, or reports who had it first.
    pub(crate) fn claim(
        &mut self,
        key: &str,
        name: &str,
        at: Place,
        part: &str,
        scope: &'static str,
        report: &mut Report<'_>,
    ) -> bool {
        let Some(first) = self.0.get(name) else {
            self.0.insert(name.to_owned(), at);
            return true;
        };
        let problem = Problem::Twice { key: key.to_owned(), found: name.to_owned(), first: first.to_string(), scope };
        report.error(part, at, problem);
        false
    }
}

fn missing(part: &str, at: Place, key: &str, wanted: &str, report: &mut Report<'_>) {
    report.error(part, at, Problem::Missing { key: key.to_owned(), wanted: wanted.to_owned() });
}

fn wrong(part: &str, at: Place, key: &str, found: &str, wanted: &str, report: &mut Report<'_>) {
    let problem = Problem::WrongValue { key: key.to_owned(), found: found.to_owned(), wanted: wanted.to_owned() };
    report.error(part, at, problem);
}

fn wrong_text(part: &str, at: Place, key: &str, found: &str, wanted: &str, report: &mut Report<'_>) {
    wrong(part, at, key, &shown(found), wanted, report);
}
