//! `streamfence serve`: every server of a file in one process, over one fence.

use std::sync::Arc;
use std::time::Duration;

use streamfence_config::{
    EngineIoTransport, ServerSettings, Settings, Source, SpillSettings, TlsClientAuth, TlsProtocol,
};
use streamfence_http::{Api, ReloadError, Reloaded};
use streamfence_metrics::Metrics;
use streamfence_runtime::Fence;
use streamfence_socketio::{
    Address, ClientAuth, EngineTransport, Password, Server, ServerOptions, TlsOptions, TlsVersion,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::admin_address::AdminAddress;
use crate::args::{Listen, LogFormat, ServeArgs};
use crate::auth::Validators;
use crate::demo::{self, Demo};
use crate::events::{EventLog, Floods};
use crate::exit::Failure;
use crate::log::Level;
use crate::operator::{Known, Operator, Wish};
use crate::reload::Reload;
use crate::seldom::Seldom;
use crate::spill::Stores;
use crate::traces::Traces;
use crate::watching::Watching;
use crate::{api_keys, auth, descriptors, limits, log, memory, operator, reload, say, supervisor};

pub(crate) fn run(args: ServeArgs) -> Result<(), Failure> {
    let settings = settings(&args, &[], &mut Vec::new())?;
    let format = args.log_format.unwrap_or(match settings.log.format {
        streamfence_config::LogFormat::Json => LogFormat::Json,
        streamfence_config::LogFormat::Text => LogFormat::Text,
    });
    let level = Arc::new(log::start(format, args.log_level.as_deref(), settings.log.level)?);
    for warning in &settings.warnings {
        tracing::warn!(code = "config", "{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::other)?;
    let outcome = runtime.block_on(serve(&args, settings, &level));
    // What is still running belongs to clients that were cut, and is not waited for twice; but tasks that gather lines of
    // the log write them when they are dropped.
    runtime.shutdown_timeout(LAST_WORDS);
    outcome
}

/// What the file says, and the command line; the stores that are open already keep what they have. Whatever becomes of it,
/// `read` is what was read for it.
pub(crate) fn settings(args: &ServeArgs, open: &[SpillSettings], read: &mut Vec<Source>) -> Result<Settings, Failure> {
    let mut settings = match &args.config {
        Some(file) => {
            let loaded = streamfence_config::load_beside(file, open);
            *read = loaded.as_ref().map_or_else(|why| why.sources().to_vec(), |settings| settings.sources.clone());
            let loaded = loaded.map_err(|why| Failure::Config(why.to_string()))?;
            loaded.select(&args.servers).map_err(|why| Failure::Usage(why.to_string()))?
        }
        None => Demo::settings()?,
    };
    if let Some(listen) = &args.listen {
        let [server] = &mut settings.servers[..] else {
            let names: Vec<_> = settings.servers.iter().map(|server| server.name.as_str()).collect();
            let names = names.join(", ");
            return Err(Failure::Usage(format!(
                "--listen is for one server and the file has {names}; add --server NAME"
            )));
        };
        server.listen = listen.clone().into();
    }
    if let Some(listen) = &args.admin_listen {
        settings.admin.listen = listen.clone().into();
        if !listen.is_loopback() && settings.admin.keys.is_empty() {
            return Err(api_keys::missing(&format!("--admin-listen {}", settings.admin.listen)));
        }
    }
    Ok(settings)
}

async fn serve(args: &ServeArgs, mut settings: Settings, level: &Arc<Level>) -> Result<(), Failure> {
    // Before anything says that it listens: whoever reads that may stop us at once.
    let mut signals = Signals::new()?;
    // Without a file there is nothing to read again, and a terminal that closes ends the demo.
    let mut hangup = args.config.as_ref().map(|_| signal(SignalKind::hangup())).transpose().map_err(Failure::other)?;
    if is_root(&std::fs::read_to_string("/proc/self/status").unwrap_or_default()) {
        let what =
            "this runs as root and needs nothing of it: a user of its own, and a capability for a port below 1024, do";
        tracing::warn!(code = "runs_as_root", "{what}");
    }
    descriptors::provide(&settings);
    let budget = memory::budget(settings.memory_budget_bytes());
    tracing::info!(
        code = "memory_budget",
        bytes = budget.bytes,
        because = budget.because,
        "memory budget for messages"
    );
    let metrics = Metrics::new(&settings.catalog);
    // Before anything listens, and after everything has stopped: what lanes spill lies there.
    let mut stores = Stores::open(&settings.spill_stores, &metrics)?;
    let fence = Fence::from_catalog(settings.catalog.clone())
        .observer(Arc::new(metrics.clone()))
        .memory_budget(budget.bytes)
        .listener(EventLog { stores: stores.names(), floods: Floods::default(), rejected: Seldom::default() });
    let traces = Traces::start(settings.tracing.as_ref(), &metrics)?;
    let fence = traces.give_to(stores.give_to(fence)).build().map_err(Failure::other)?;

    let mut validators = Validators::new(&settings.servers)?;
    let keys = api_keys::keys(&settings.admin.keys)?;
    let known = Arc::new(Known::default());
    let (operator, mut wishes) = Operator::new(args.config.clone(), Arc::clone(level), Arc::clone(&known));
    let api = Api::new(fence.clone(), move || metrics.encode()).keys(keys.clone()).process(operator).keep_history();
    let demo = args.config.is_none().then(Demo::default);
    let more = demo.as_ref().map(Demo::routes).unwrap_or_default();
    let admin = AdminAddress::serve(api, more, keys, &settings.admin.listen).await?;
    let mut servers = Vec::new();
    for server in &settings.servers {
        let started = Server::builder(fence.clone())
            .options(options(server))
            .name(server.name.as_str())
            .namespaces(server.namespaces.clone())
            .token_validator(validators.of(server))
            .start()
            .await
            .map_err(|why| Failure::Listen(format!("server {}: {why}", server.name)))?;
        let transport = if server.tls.is_some() { "WSS" } else { "WS" };
        tracing::info!(code = "listening", server = server.name, address = %started.address(), transport, "listening");
        servers.push(started);
    }
    known.listen(settings.servers.iter().map(|server| server.name.as_str()).zip(&servers));
    if let Some(demo) = &demo {
        let server = servers.first().expect("the demo has a server").address().to_string();
        demo.begin(&fence, &server)?;
        say::line(demo::guide(&server, &admin.address.to_string()))?;
    }

    let mut watching = Watching::start(args, &settings, &servers);
    // What has replaced certificates and keys since they were read is not told of.
    let mut are_certificates_good = reload::certificates(&servers, false).await;
    validators.read_files(&settings);
    tracing::info!(code = "ready", "ready");
    supervisor::ready();
    supervisor::show_life(&fence);
    loop {
        let news = tokio::select! {
            () = signals.next() => break,
            () = hung_up(&mut hangup) => News::Configuration { is_asked: true, answer: None },
            is_config = watching.changed() => match is_config {
                true => News::Configuration { is_asked: false, answer: None },
                false => News::Files,
            },
            // One that is not valid yet may be some day, and nothing of its file changes then.
            () = tokio::time::sleep(TRY_AGAIN), if !are_certificates_good => News::Files,
            // Its clients hear nothing more; whoever supervises us starts a process that works.
            () = fence.failed() => return Err(Failure::Other("a shard has failed; the log says why".into())),
            Some(wish) = wishes.recv() => match wish {
                Wish::Drain => break,
                Wish::Reload { dry_run: true, answer } => News::Look { answer },
                Wish::Reload { dry_run: false, answer } => News::Configuration { is_asked: true, answer: Some(answer) },
            },
        };
        let (stores, validators) = (&mut stores, &mut validators);
        let mut reload = Reload { args, fence: &fence, servers: &servers, stores, validators, admin: &admin, level };
        let is_asked = match news {
            News::Look { answer } => {
                let generation = known.generation();
                let seen = reload.look(&settings).await.map_err(|why| operator::invalid(&why));
                // Whoever asked may have gone.
                let _ = answer.send(seen.map(|changes| Reloaded::new(false, generation, changes)));
                continue;
            }
            News::Files => false,
            News::Configuration { is_asked, answer } => {
                supervisor::reloading();
                let (now, outcome) = reload.run(settings).await;
                settings = now;
                let (outcome, refused) = match outcome {
                    Ok(changes) => {
                        let generation = known.reloaded();
                        (Ok(Reloaded::new(true, generation, changes)), None)
                    }
                    Err((why, refused)) => (Err(operator::invalid(&why)), Some(refused)),
                };
                if let Some(answer) = answer {
                    // Likewise; it was done all the same.
                    let _ = answer.send(outcome);
                }
                watching.follow(&settings, &servers, refused);
                supervisor::ready();
                is_asked
            }
        };
        // Whoever asks again hears again what is wrong with them.
        are_certificates_good = reload::certificates(&servers, is_asked && !are_certificates_good).await;
        validators.read_files(&settings);
    }
    // Nobody's wish is heard any more.
    drop(wishes);
    let drain = settings.servers.iter().map(|server| server.shutdown_drain).max().unwrap_or_default();
    supervisor::stopping(drain);
    let drain_ms = drain.as_millis() as u64;
    tracing::info!(code = "stopping", drain_ms, "stopping: draining; a second signal ends at once");
    tokio::select! {
        () = async {
            stop(fence, servers, drain).await;
            admin.finish().await;
            traces.finish().await;
        } => {
            tracing::info!(code = "stopped", "stopped");
            Ok(())
        }
        () = signals.next() => Err(Failure::Interrupted("stopped at once: what was not drained is lost".into())),
    }
}

async fn stop(fence: Fence, servers: Vec<Server>, drain: Duration) {
    servers.iter().for_each(Server::refuse_clients);
    fence.shutdown(drain).await;
    let mut stopping = tokio::task::JoinSet::new();
    for server in servers {
        stopping.spawn(server.stop());
    }
    stopping.join_all().await;
    // What was refused since they were refused everything.
    fence.flush_stats().await;
}

/// Waits for the next SIGHUP, where it is listened to.
async fn hung_up(hangup: &mut Option<tokio::signal::unix::Signal>) {
    match hangup {
        Some(hangup) => {
            hangup.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// What a process that serves hears of, beside that it is to stop.
enum News {
    /// Its configuration is to be read again; whoever wants to hear what became of it does.
    Configuration { is_asked: bool, answer: Option<oneshot::Sender<Result<Reloaded, ReloadError>>> },
    /// Somebody wants to know what that would change.
    Look { answer: oneshot::Sender<Result<Reloaded, ReloadError>> },
    /// Certificates and keys are to be looked at again.
    Files,
}

/// SIGTERM and SIGINT, which stop.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(Failure::other)?,
            interrupt: signal(SignalKind::interrupt()).map_err(Failure::other)?,
        })
    }

    /// Waits until it is time to stop.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The options of a server, as its file has them.
pub(crate) fn options(settings: &ServerSettings) -> ServerOptions {
    ServerOptions {
        address: match &settings.listen {
            streamfence_config::Listen::Tcp { host, port } => Address::Tcp { host: host.clone(), port: *port },
            streamfence_config::Listen::Unix(path) => Address::Unix(path.clone()),
        },
        tls: settings.tls.as_ref().map(|tls| TlsOptions {
            private_key_password: tls.private_key_password.as_deref().map(Password::from),
            oldest_version: match tls.protocol {
                TlsProtocol::Tls12 => TlsVersion::Tls12,
                TlsProtocol::Tls13 => TlsVersion::Tls13,
            },
            client_auth: match tls.client_auth.clone() {
                TlsClientAuth::None => ClientAuth::None,
                TlsClientAuth::Optional { authorities } => ClientAuth::Optional { authorities },
                TlsClientAuth::Required { authorities } => ClientAuth::Required { authorities },
            },
            client_revocations: tls.client_revocations.clone(),
            handshake_timeout: tls.handshake_timeout,
            max_handshakes: u32::from(tls.max_handshakes),
            ..TlsOptions::new(&tls.cert_chain, &tls.private_key)
        }),
        path: settings.path.clone(),
        engine_transport: match settings.engine_io_transport {
            EngineIoTransport::WebsocketOrPolling => EngineTransport::WebSocketOrPolling,
            EngineIoTransport::WebsocketOnly => EngineTransport::WebSocketOnly,
        },
        max_connections: settings.max_connections,
        header_timeout: settings.header_timeout,
        body_timeout: settings.body_timeout,
        stall_timeout: settings.stall_timeout,
        splice: settings.splice,
        window_frames: u32::from(settings.window_frames),
        not_sent_lowat_bytes: settings.not_sent_lowat_bytes,
        blocked_read_budget_bytes: settings.blocked_read_budget_bytes,
        ping_interval: settings.ping_interval,
        ping_timeout: settings.ping_timeout,
        connect_timeout: settings.connect_timeout,
        max_payload_bytes: settings.max_payload_bytes.try_into().unwrap_or(u32::MAX),
        allowed_origins: settings.allowed_origins.clone().unwrap_or_default(),
        shutdown_drain: settings.shutdown_drain,
        max_subscriptions_per_client: settings.max_subscriptions_per_client,
        trusted_proxies: limits::trusted_proxies(&settings.limits),
        proxy_protocol: settings.limits.proxy_protocol,
        bind_sid_to_ip: settings.limits.bind_sid_to_ip,
        max_connections_per_ip: settings.limits.max_connections_per_ip,
        handshakes_per_ip: settings.limits.handshakes_per_ip.as_ref().map(limits::rate),
        max_pending_connections: settings.limits.max_pending_connections,
        max_pending_per_ip: settings.limits.max_pending_per_ip,
        inbound_rate: settings.limits.inbound_rate.as_ref().map(limits::inbound_rate),
        ..auth::options(settings.auth.as_ref())
    }
}

impl From<Listen> for streamfence_config::Listen {
    fn from(listen: Listen) -> Self {
        match listen {
            Listen::Tcp { host, port } => Self::Tcp { host, port },
            Listen::Unix(path) => Self::Unix(path),
        }
    }
}

impl Listen {
    fn is_loopback(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp { host, .. } => {
                host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }
}

/// How long the log has at most for what is left to say.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long after certificates that could not be used they are looked at again.
const TRY_AGAIN: Duration = Duration::from_secs(60);

/// Whether a process is root's, by what the kernel says of it.
fn is_root(status: &str) -> bool {
    let mut users = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default().split_whitespace();
    // The real one, and then the one that counts.
    users.nth(1) == Some("0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_root_is_said_by_the_kernel() {
        let status = |users: &str| format!("Name:\tstreamfence\nUmask:\t0022\nUid:\t{users}\nGid:\t0\t0\t0\t0\n");
        assert!(is_root(&status("1000\t0\t0\t0")));
        assert!(is_root(&status("0\t0\t0\t0")));
        assert!(!is_root(&status("0\t1000\t1000\t1000")));
        assert!(!is_root(""), "nobody knows");
    }
}
