//! How fast a store is, against what the machine can do at all: ratios, taken in one process in turns, because absolute
//! numbers say more about the machine than about the store.
//!
//! `cargo bench -p streamfence-spill [-- DIRECTORY]`; by default in the directory for temporary files. The best of some
//! rounds counts. It needs about 1 GiB there, and gives it back.

#![expect(clippy::print_stdout, reason = "a report")]

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use bytes::Bytes;
use streamfence_core::{
    Audience, Body, Epoch, LogId, LogPosition, MessageId, Offset, Record, SpillBackend, SpillCommand, SpillCompletion,
    StoreId,
};
use streamfence_spill::{Store, StoreConfig};

const ROUNDS: usize = 7;
const MIB: usize = 1 << 20;
const TOTAL: usize = 256 * MIB;
const SEGMENT: usize = 16 * MIB;
/// As a hub sends them.
const APPEND_BYTES: usize = 256 << 10;
const READ_BYTES: u32 = 256 << 10;
/// Reads that a hub has under way.
const READS: usize = 4;

fn main() {
    let root = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).map(PathBuf::from);
    let root = root.unwrap_or_else(std::env::temp_dir);
    let root = tempfile::tempdir_in(root).expect("the directory can be written to");
    let path = root.path();
    let mut best: [Rate; 9] = Default::default();
    for round in 0..=ROUNDS {
        let rates = [
            raw_write(path),
            spill(path, 1024),
            spill(path, 200),
            pread(path),
            pread_checked(path),
            refill(path, 1024, 0),
            refill(path, 200, 0),
            refill(path, 1024, TOTAL * 2),
            file_per_message(path),
        ];
        // The first round touches memory that nobody has touched before.
        if round > 0 {
            for (best, rate) in best.iter_mut().zip(rates) {
                best.keep(rate);
            }
        }
    }
    let [write, spill_1k, spill_200, read, checked, refill_1k, refill_200, cached, files] = best;
    println!("{:<44} {:>9} {:>12} {:>8} {:>8}", "", "MB/s", "CPU us/MiB", "ratio", "target");
    let row = |name: &str, rate: &Rate, of: Option<(&Rate, f64)>| {
        print!("{name:<44} {:>9.0} {:>12.0}", rate.bytes_per_second / 1e6, rate.cpu_us_per_mib);
        match of {
            None => println!(),
            Some((limit, target)) => {
                let ratio = rate.bytes_per_second / limit.bytes_per_second;
                let verdict = if ratio >= target { "" } else { "  missed" };
                println!(" {ratio:>8.2} {target:>8.2}{verdict}");
            }
        }
    };
    row("write, 1 MiB a call", &write, None);
    row("spill, 1 KiB records", &spill_1k, Some((&write, 0.55)));
    row("spill, 200 B records", &spill_200, Some((&write, 0.40)));
    row("pread, 256 KiB a call", &read, None);
    row("pread, 32 KiB a call, with a checksum", &checked, Some((&read, 0.0)));
    row("refill, 1 KiB records, against pread", &refill_1k, Some((&read, 0.0)));
    row("refill, 1 KiB records", &refill_1k, Some((&checked, 0.75)));
    row("refill, 200 B records", &refill_200, Some((&checked, 0.55)));
    row("refill, 1 KiB records, blocks in memory", &cached, Some((&checked, 0.75)));
    row("a file for each 1 KiB record", &files, None);
    row("spill, 1 KiB records, against that", &spill_1k, Some((&files, 100.0)));
}

/// How fast something was, in bytes of bodies.
#[derive(Clone, Copy, Default)]
struct Rate {
    bytes_per_second: f64,
    cpu_us_per_mib: f64,
}

impl Rate {
    fn of(bytes: usize, work: impl FnOnce()) -> Self {
        let (begun, cpu) = (Instant::now(), cpu_time());
        work();
        let (took, cpu) = (begun.elapsed(), cpu_time().saturating_sub(cpu));
        Self {
            bytes_per_second: bytes as f64 / took.as_secs_f64(),
            cpu_us_per_mib: cpu.as_secs_f64() * 1e6 / (bytes as f64 / MIB as f64),
        }
    }

    fn keep(&mut self, other: Self) {
        if other.bytes_per_second > self.bytes_per_second {
            self.bytes_per_second = other.bytes_per_second;
        }
        if self.cpu_us_per_mib == 0.0 || other.cpu_us_per_mib < self.cpu_us_per_mib {
            self.cpu_us_per_mib = other.cpu_us_per_mib;
        }
    }
}

fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Files as ours, written with nothing in between: each goes when the next one is written, as of a log that is let go of.
fn raw_write(path: &Path) -> Rate {
    let block = vec![7; MIB];
    Rate::of(TOTAL, || {
        for number in 0..TOTAL / SEGMENT {
            let name = |number: usize| path.join(format!("raw-{number}"));
            let file = File::create(name(number)).expect("it can be made");
            rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::KEEP_SIZE, 0, SEGMENT as u64)
                .expect("there is room");
            for at in (0..SEGMENT).step_by(MIB) {
                file.write_all_at(&block, at as u64).expect("there is room");
            }
            drop(file);
            if number >= 1 {
                std::fs::remove_file(name(number - 1)).expect("it is there");
            }
        }
        std::fs::remove_file(path.join(format!("raw-{}", TOTAL / SEGMENT - 1))).expect("it is there");
    })
}

fn pread(path: &Path) -> Rate {
    let path = path.join("read");
    std::fs::write(&path, vec![7; TOTAL / 2]).expect("there is room");
    let file = File::open(&path).expect("it is there");
    let mut buffer = vec![0; READ_BYTES as usize];
    let rate = Rate::of(TOTAL / 2, || {
        for at in (0..TOTAL / 2).step_by(buffer.len()) {
            file.read_exact_at(&mut buffer, at as u64).expect("it is there");
            black_box(&buffer);
        }
    });
    std::fs::remove_file(path).expect("it is there");
    rate
}

/// The least a reader can do that gives away what it read and lets nobody have damage: memory that is not the last
/// read's, and a checksum for each block.
fn pread_checked(path: &Path) -> Rate {
    const BLOCK: usize = 32 << 10;
    const BUFFERS: usize = 64;
    let path = path.join("read");
    std::fs::write(&path, vec![7; TOTAL / 2]).expect("there is room");
    let file = File::open(&path).expect("it is there");
    let mut buffers = vec![vec![0; BLOCK]; BUFFERS];
    let rate = Rate::of(TOTAL / 2, || {
        for (number, at) in (0..TOTAL / 2).step_by(BLOCK).enumerate() {
            let buffer = &mut buffers[number % BUFFERS];
            file.read_exact_at(buffer, at as u64).expect("it is there");
            black_box(crc32c::crc32c(buffer));
        }
    });
    std::fs::remove_file(path).expect("it is there");
    rate
}

/// What was done before: a file for each message, renamed when it is whole.
fn file_per_message(path: &Path) -> Rate {
    const COUNT: usize = 3000;
    let directory = path.join("files");
    std::fs::create_dir(&directory).expect("it can be made");
    let body = vec![7; 1024];
    let rate = Rate::of(COUNT * 1024, || {
        for number in 0..COUNT {
            let new = directory.join(format!("{number:08}.tmp"));
            std::fs::write(&new, &body).expect("there is room");
            std::fs::rename(&new, directory.join(format!("{number:08}.json"))).expect("it is there");
        }
    });
    std::fs::remove_dir_all(directory).expect("it is there");
    rate
}

fn spill(path: &Path, size: usize) -> Rate {
    let store = open(path, 0);
    let mut log = Log::new(&store, size);
    let rate = Rate::of(TOTAL / size * size, || log.write(TOTAL / size, true));
    drop(log);
    rate
}

fn refill(path: &Path, size: usize, cache_bytes: usize) -> Rate {
    let store = open(path, cache_bytes);
    let mut log = Log::new(&store, size);
    let count = TOTAL / 2 / size;
    log.write(count, false);
    if cache_bytes > 0 {
        log.read(count);
    }
    Rate::of(count * size, || log.read(count))
}

fn open(path: &Path, cache_bytes: usize) -> Store {
    let config = StoreConfig { min_free_bytes: 0, cache_bytes, ..StoreConfig::new(path.join("spill")) };
    Store::open(config).expect("it is ours")
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A log as a hub uses it.
struct Log {
    backend: Box<dyn SpillBackend>,
    waker: Waker,
    body: Bytes,
    granted: u64,
    appended: u64,
}

const ID: LogId = LogId { store: StoreId(0), number: 1 };

impl Log {
    fn new(store: &Store, size: usize) -> Self {
        let mut backend = store.backend(0, None);
        let open = SpillCommand::Open { log: ID, namespace: "/feed".into(), topic: "tick".into() };
        backend.submit(open).expect("there is room");
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut log = Self { backend, waker, body: vec![7; size].into(), granted: 0, appended: 0 };
        while log.granted == 0 {
            log.hear();
        }
        log
    }

    fn hear(&mut self) -> Option<(LogPosition, Vec<Record>)> {
        loop {
            match self.backend.poll(&mut Context::from_waker(&self.waker)) {
                Poll::Pending => thread::park(),
                Poll::Ready(SpillCompletion::Granted { bytes, .. }) => {
                    self.granted += bytes;
                    return None;
                }
                Poll::Ready(SpillCompletion::Appended { upto, .. }) => {
                    self.appended = upto.0;
                    return None;
                }
                Poll::Ready(SpillCompletion::Records { next, records, lost, .. }) => {
                    assert_eq!(lost, []);
                    return Some((next, records));
                }
                Poll::Ready(health @ SpillCompletion::Health { .. }) => panic!("{health:?}"),
            }
        }
    }

    /// Appends so many records, no further ahead of the disk than a hub would be, and lets go of what is written.
    fn write(&mut self, count: usize, lets_go: bool) {
        let ahead = 8 * MIB / self.body.len();
        let batch = APPEND_BYTES / self.body.len();
        let (mut next, mut released) = (0, 0);
        while next < count as u64 {
            let upto = (next + batch as u64).min(count as u64);
            let records: Vec<Record> = (next..upto).map(|position| self.record(position)).collect();
            let stored: u64 = records.iter().map(Record::stored_bytes).sum();
            while self.granted < stored || next > self.appended + ahead as u64 {
                self.hear();
            }
            self.granted -= stored;
            self.submit(SpillCommand::Append { log: ID, records });
            next = upto;
            if lets_go && self.appended > released + 1000 {
                released = self.appended;
                self.submit(SpillCommand::Release { log: ID, upto: LogPosition(released) });
            }
        }
        while self.appended < count as u64 {
            self.hear();
        }
    }

    /// Reads all of them, with some reads under way that follow each other.
    fn read(&mut self, count: usize) {
        let (mut read, mut asked) = (0, 0);
        let each = READ_BYTES as usize / self.body.len();
        let mut under_way = 0;
        while read < count {
            while under_way < READS && asked < count {
                let from = LogPosition(asked as u64);
                // Each a part of its own, of which some at the end is read twice; only what is asked for counts.
                self.submit(SpillCommand::Read { log: ID, from, most_bytes: READ_BYTES });
                (asked, under_way) = (asked + each, under_way + 1);
            }
            if let Some((_, records)) = self.hear() {
                under_way -= 1;
                read += each;
                black_box(&records);
            }
        }
    }

    fn record(&self, position: u64) -> Record {
        Record {
            position: LogPosition(position),
            audience: Audience::All,
            id: MessageId { epoch: Epoch(1), offset: Offset(position + 1) },
            key: None,
            published_us: position,
            expires_us: None,
            body: Body::plain(self.body.clone()),
        }
    }

    fn submit(&mut self, command: SpillCommand) {
        self.backend.submit(command).expect("there is room");
    }
}
