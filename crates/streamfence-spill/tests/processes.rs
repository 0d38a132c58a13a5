//! Processes that die, that fight over a directory, that run out of disk: each is this program again, told by its
//! environment what to be.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use streamfence_core::{
    Audience, Body, Epoch, LogId, LogPosition, MessageId, Offset, Record, SpillBackend, SpillCommand, SpillCompletion,
    SpillHealth, StoreId,
};
use streamfence_spill::{OpenError, Store, StoreConfig, inspect};

const ROLE: &str = "STREAMFENCE_SPILL_TEST_DIRECTORY";
const LOG: LogId = LogId { store: StoreId(0), number: 1 };

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A log that takes records as fast as they are granted.
struct Writer {
    backend: Box<dyn SpillBackend>,
    granted: u64,
    next: u64,
    appended: u64,
    health: SpillHealth,
}

impl Writer {
    fn new(store: &Store) -> Self {
        let mut backend = store.backend(0, None);
        let open = SpillCommand::Open { log: LOG, namespace: "/feed".into(), topic: "tick".into() };
        backend.submit(open).expect("there is room");
        Self { backend, granted: 0, next: 0, appended: 0, health: SpillHealth::Healthy }
    }

    /// Waits for a completion, and gives back what was read.
    fn hear(&mut self) -> Option<(LogPosition, Vec<Record>)> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let completion = loop {
            match self.backend.poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(completion) => break completion,
                Poll::Pending => thread::park(),
            }
        };
        match completion {
            SpillCompletion::Granted { bytes, .. } => self.granted += bytes,
            SpillCompletion::Appended { upto, .. } => self.appended = upto.0,
            SpillCompletion::Health { health, .. } => self.health = health,
            SpillCompletion::Records { next, records, lost, .. } => {
                assert_eq!(lost, []);
                return Some((next, records));
            }
        }
        None
    }

    /// Appends some records, as many as are granted.
    fn append(&mut self) -> bool {
        let mut records = Vec::new();
        for position in self.next..self.next + 50 {
            let record = Record {
                position: LogPosition(position),
                audience: Audience::All,
                id: MessageId { epoch: Epoch(1), offset: Offset(position + 1) },
                key: None,
                published_us: 0,
                expires_us: None,
                body: Body::plain(position.to_le_bytes().repeat(128).into()),
            };
            if record.stored_bytes() > self.granted {
                break;
            }
            self.granted -= record.stored_bytes();
            records.push(record);
        }
        self.next += records.len() as u64;
        let is_some = !records.is_empty();
        if is_some {
            self.backend.submit(SpillCommand::Append { log: LOG, records }).expect("there is room");
        }
        is_some
    }

    /// Reads all that is written, and says how much that is.
    fn read_all(&mut self) -> u64 {
        let mut position = LogPosition(0);
        while position.0 < self.appended {
            let read = SpillCommand::Read { log: LOG, from: position, most_bytes: 1 << 20 };
            self.backend.submit(read).expect("there is room");
            let (next, records) = loop {
                if let Some(read) = self.hear() {
                    break read;
                }
            };
            for (at, record) in (position.0..).zip(&records) {
                assert_eq!((record.position.0, &record.body.bytes[1016..]), (at, &at.to_le_bytes()[..]));
            }
            position = next;
        }
        position.0
    }
}

fn config(path: &Path) -> StoreConfig {
    StoreConfig { min_free_bytes: 0, ..StoreConfig::new(path) }
}

/// What a child does: it spills for ever, and says how far it is.
#[test]
fn child() {
    let Some(path) = env::var_os(ROLE) else { return };
    let store = Store::open(config(path.as_ref())).expect("the parent sees to it");
    let mut writer = Writer::new(&store);
    let mut released = 0;
    loop {
        while writer.appended + 1000 > writer.next && writer.append() {}
        writer.hear();
        use std::io::Write;
        let mut out = std::io::stderr();
        writeln!(out, "appended {}", writer.appended).expect("the parent listens");
        if writer.appended > released + 60_000 {
            released = writer.appended - 30_000;
            let release = SpillCommand::Release { log: LOG, upto: LogPosition(released) };
            writer.backend.submit(release).expect("there is room");
        }
    }
}

/// A child that is ended with the test.
struct Spilling(Child);

impl Spilling {
    /// Starts one and waits until it has written so much.
    fn begin(path: &Path, records: u64) -> Self {
        let program = env::current_exe().expect("a process has a program");
        let child = Command::new(program)
            .args(["--exact", "child", "--nocapture"])
            .env(ROLE, path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = Self(child.expect("it starts"));
        let lines = BufReader::new(child.0.stderr.take().expect("it is piped")).lines();
        let mut lines = lines.map(|line| line.expect("it is text"));
        let far = |line: String| line.strip_prefix("appended ").and_then(|count| count.parse().ok()) >= Some(records);
        assert!(lines.any(far), "it gets there");
        // Somebody must go on listening, or it would wait for room in the pipe.
        thread::spawn(move || lines.for_each(drop));
        child
    }

    fn kill(mut self) {
        self.0.kill().expect("it is ours");
        self.0.wait().expect("it ends");
    }
}

impl Drop for Spilling {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_process_that_is_killed_leaves_a_directory_that_can_be_read_and_used_again() {
    let root = tempfile::tempdir().expect("there is a place for it");
    let path = root.path().join("spill");
    for round in 0..12 {
        let child = Spilling::begin(&path, 1 + round * 7_000);
        let pid = child.0.id();
        if round % 3 == 0 {
            assert!(
                matches!(Store::open(config(&path)), Err(OpenError::Locked { pid: Some(found), .. }) if found == pid)
            );
            // A snapshot of a store at work.
            let report = inspect(&path).expect("it can be read");
            assert_eq!((report.pid, report.logs.len()), (Some(pid), 1), "{report}");
        }
        child.kill();
        let report = inspect(&path).expect("it can be read");
        assert!(report.is_whole(), "what is written is whole: {report}");
        assert_eq!((report.logs[0].topic.as_str(), report.logs[0].number), ("tick", 1));

        let store = Store::open(config(&path)).expect("the lock died with it");
        let report = inspect(&path).expect("it can be read");
        assert_eq!((report.logs.len(), report.unused), (0, 0), "nothing is left of it: {report}");
        let mut writer = Writer::new(&store);
        while writer.next < 200 {
            if !writer.append() {
                writer.hear();
            }
        }
        while writer.appended < writer.next {
            writer.hear();
        }
        assert_eq!(writer.read_all(), writer.next);
    }
}

/// Runs a test again as a child whose mounts are its own, where that is allowed.
fn in_own_mounts(test: &str, path: &Path) -> bool {
    let program = env::current_exe().expect("a process has a program");
    let allowed = Command::new("unshare").args(["-Urm", "true"]).stderr(Stdio::null()).status();
    if !allowed.is_ok_and(|status| status.success()) {
        return false;
    }
    let status = Command::new("unshare")
        .args(["-Urm", "sh", "-c", "mount -t tmpfs -o size=80m tmpfs \"$0\" && exec \"$@\""])
        .arg(path)
        .arg(program)
        .args(["--exact", test, "--nocapture"])
        .env(ROLE, path)
        .status();
    assert!(status.expect("it starts").success(), "the child fails");
    true
}

#[test]
fn a_full_disk_refuses_nothing_that_was_granted_and_recovers() {
    let Some(path) = env::var_os(ROLE) else {
        let root = tempfile::tempdir().expect("there is a place for it");
        if !in_own_mounts("a_full_disk_refuses_nothing_that_was_granted_and_recovers", root.path()) {
            #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
            {
                eprintln!("skipped: this machine lets nobody mount a file system of its own");
            }
        }
        return;
    };
    let path = Path::new(&path).join("spill");
    let store = Store::open(config(&path)).expect("it is ours");
    let mut writer = Writer::new(&store);
    while writer.health == SpillHealth::Healthy {
        // Not far ahead of the disk, so that some of what is granted is left when it is full.
        if writer.next > writer.appended + 1000 || !writer.append() {
            writer.hear();
        }
    }
    let stats = store.stats();
    assert!(stats.segments >= 3 && writer.next > 30_000, "{stats:?}");
    let files = std::fs::read_dir(&path).expect("it is there").map(|entry| entry.expect("it can be read").file_name());
    let segments = files.filter(|name| name.to_string_lossy().starts_with("s-")).count();
    assert_eq!(segments as u64, stats.segments, "nothing is left of the one that could not be made");
    // Somebody else takes all the rest. What was granted has its place all the same.
    let mut rest = std::fs::File::create(path.join("rest")).expect("it can be made");
    while std::io::Write::write(&mut rest, &[0; 65536]).is_ok_and(|count| count > 0) {}
    let before = writer.next;
    while writer.append() || writer.appended < writer.next {
        if !writer.append() {
            writer.hear();
        }
    }
    assert!(writer.next > before + 1000, "there was some left: {before}, {}", writer.next);
    assert_eq!((writer.health, store.stats().failures - stats.failures), (SpillHealth::Full, 0));
    let all = writer.read_all();
    assert_eq!(all, writer.next);
    drop(rest);
    std::fs::remove_file(path.join("rest")).expect("it is there");
    let release = SpillCommand::Release { log: LOG, upto: LogPosition(all) };
    writer.backend.submit(release).expect("there is room");
    while writer.health == SpillHealth::Full {
        writer.hear();
    }
    while writer.next < all + 20_000 {
        if !writer.append() {
            writer.hear();
        }
    }
    while writer.appended < writer.next {
        writer.hear();
    }
}
