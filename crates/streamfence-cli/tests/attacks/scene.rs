//! A server with one client that behaves, and what the server takes of the system.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::process::{Directory, Finished, PATIENCE, Running, get, post};
use crate::socket::Socket;

const CONFIG: &str = "
servers:
  feed:
    host: 127.0.0.1
    port: 0
    maxPayloadBytes: 4096
    headerTimeoutMs: 1000
    bodyTimeoutMs: 1000
    connectTimeoutMs: 2000
    stallTimeoutMs: 1000
    pingIntervalMs: 500
    pingTimeoutMs: 3000
    allowedOrigins: [https://example.org]
    namespaces:
      - path: /feed
        topics: [tick, 'room/*']
        maxTopics: 100
        clientPublish: relay
admin: {port: 0}
";

/// The most one message of a client may have, everything around it included: twice the payload and 4 KiB.
pub(crate) const MAX_PACKET: usize = 2 * 4096 + 4096;
/// How much memory the server may grow by, whatever is done to it: what an allocator keeps of what it gave back is in it.
const GROWTH_BYTES: u64 = 24 * 1024 * 1024;

/// How long a message may take to a client that behaves, but for one of a hundred: enough for a machine that does much
/// else, and far less than it would be if anybody had to wait for an attacker.
const GOOD_CLIENT_WAITS: Duration = Duration::from_secs(1);

/// A server under attack.
pub(crate) struct Scene {
    pub(crate) running: Running,
    pub(crate) address: String,
    pub(crate) admin: String,
    /// What the client that behaves hears.
    heard: mpsc::Receiver<String>,
    published: u64,
    base: Base,
    directory: Directory,
    /// How long each message took that others were served with.
    waits: Vec<Duration>,
}

/// What the server took before anybody attacked it.
struct Base {
    descriptors: usize,
    resident: u64,
    series: BTreeSet<String>,
}

impl Scene {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        Self::serve(CONFIG, arguments)
    }

    /// The same with other limits at the door.
    pub(crate) fn start_as(max_connections: u32, connect_timeout_ms: u32) -> Self {
        let limits = format!("maxConnections: {max_connections}\n    connectTimeoutMs: {connect_timeout_ms}");
        Self::serve(&CONFIG.replace("connectTimeoutMs: 2000", &limits), &[])
    }

    /// The same with another namespace beside.
    pub(crate) fn start_with_namespace(namespace: &str) -> Self {
        Self::serve(&CONFIG.replace("admin: {port: 0}", &format!("{}admin: {{port: 0}}", &namespace[1..])), &[])
    }

    /// The same with more said of the server.
    pub(crate) fn start_with_server(keys: &str) -> Self {
        Self::start_with_server_and(keys, &[])
    }

    pub(crate) fn start_with_server_and(keys: &str, arguments: &[&str]) -> Self {
        let keys = format!("connectTimeoutMs: 2000\n    {keys}");
        Self::serve(&CONFIG.replace("connectTimeoutMs: 2000", &keys), arguments)
    }

    fn serve(config: &str, arguments: &[&str]) -> Self {
        let directory = Directory::new();
        let file = directory.write("feed.yaml", config);
        let mut running = Running::start(&[&["serve", "--log-format", "json", "-c", &file], arguments].concat());
        let (address, admin) = (running.address("feed"), running.address("admin"));
        // Files are watched from then on, which takes descriptors.
        running.until("it is ready", |running| running.lines().iter().any(|line| line["code"] == "ready"));
        let mut bystander = Socket::join(&address, "/feed");
        bystander.say(r#"42/feed,["subscribe",{"topic":"tick"}]"#);
        bystander.hear("subscribed");
        // On a thread of its own, because it answers pings while others attack. It ends with the server.
        let (hears, heard) = mpsc::channel();
        std::thread::spawn(move || while bystander.listen().is_some_and(|text| hears.send(text).is_ok()) {});
        let base = Base { descriptors: 0, resident: 0, series: BTreeSet::new() };
        let mut scene = Self { running, address, admin, heard, published: 0, base, directory, waits: Vec::new() };
        // Once for everything that is made when it is first needed.
        for _ in 0..20 {
            scene.serves_others();
        }
        scene.base = Base { descriptors: scene.descriptors(), resident: scene.status("VmRSS"), series: scene.series() };
        scene
    }

    /// Publishes and has the bystander get it, soon; says how soon.
    pub(crate) fn serves_others(&mut self) -> Duration {
        self.published += 1;
        let wanted = format!(r#"42/feed,["tick",{}]"#, self.published);
        let began = Instant::now();
        let message = json!({"namespace": "/feed", "topic": "tick", "payload": self.published});
        let (status, report) = post(&self.admin, "/v1/publish", &message);
        assert_eq!(status, 202, "{report}");
        let soon = Duration::from_secs(5);
        // What others publish may come in between.
        while self.heard.recv_timeout(soon.saturating_sub(began.elapsed())) != Ok(wanted.clone()) {
            assert!(began.elapsed() < soon, "the good client did not hear {wanted} within {soon:?}");
        }
        self.waits.push(began.elapsed());
        began.elapsed()
    }

    /// Where the configuration lies, and what is made beside it.
    pub(crate) fn folder(&self) -> PathBuf {
        self.directory.path("").into()
    }

    /// Waits until the server takes no more of the system than before, and looks that nothing has happened meanwhile
    /// that must not: memory beyond bounds, new metric series, a panic.
    pub(crate) fn settles(mut self) {
        self.serves_others();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (now, before, active) = (self.descriptors(), self.base.descriptors, self.metric(ACTIVE));
            if now <= before && active <= 1.0 {
                break;
            }
            assert!(
                Instant::now() < deadline,
                "{now} descriptors, and {before} before; {active} clients, and 1 before"
            );
            self.serves_others();
            std::thread::sleep(Duration::from_millis(20));
        }
        self.waits.sort_unstable();
        let most = self.waits[(self.waits.len() - 1) * 99 / 100];
        assert!(most < GOOD_CLIENT_WAITS, "99 of 100 messages took up to {most:?} to a good client");
        // The most it ever had, not what it has given back since.
        let grown = self.grown();
        assert!(grown < GROWTH_BYTES, "it grew by {} KiB", grown / 1024);
        let new: Vec<_> = self.series().difference(&self.base.series).cloned().collect();
        assert!(new.iter().all(|series| is_expected(series)), "new metric series: {new:?}");
        let Finished { code, stderr, .. } = self.running.interrupt("TERM");
        assert_eq!(code, Some(0), "{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }

    /// By how many bytes it has been larger than it was at first.
    pub(crate) fn grown(&self) -> u64 {
        self.status("VmHWM").saturating_sub(self.base.resident)
    }

    pub(crate) fn metric(&self, name: &str) -> f64 {
        let (_, metrics) = get(&self.admin, "/metrics");
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in\n{metrics}")).parse().expect("a number")
    }

    /// Waits until a metric has come to this.
    pub(crate) fn counts(&mut self, name: &str, wanted: f64) {
        let deadline = Instant::now() + PATIENCE;
        while self.metric(name) < wanted {
            assert!(Instant::now() < deadline, "{name} is {}; wanted {wanted}", self.metric(name));
            self.serves_others();
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Every metric with its labels, without its value.
    fn series(&self) -> BTreeSet<String> {
        let (_, metrics) = get(&self.admin, "/metrics");
        let names = metrics.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
        names.map(|(name, _)| name.to_owned()).collect()
    }

    fn descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.running.pid());
        std::fs::read_dir(folder).expect("a process has descriptors").count()
    }

    /// A size of the process in bytes, by its name in `/proc`.
    fn status(&self, name: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.running.pid())).expect("it runs");
        let size = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib: u64 = size.and_then(|size| size.trim().strip_suffix("kB")?.trim().parse().ok()).expect("a size");
        kib * 1024
    }

    /// The log so far.
    pub(crate) fn log(&self) -> Vec<Value> {
        self.running.lines()
    }
}

const ACTIVE: &str = "streamfence_connections_active{namespace=\"/feed\"}";

/// Reasons and outcomes are closed sets of their own, which show when they first happen.
fn is_expected(series: &str) -> bool {
    series.contains("reason=\"") || series.contains("outcome=\"")
}
