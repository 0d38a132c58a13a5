//! The store as it is: threads, a real directory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use bytes::Bytes;
use streamfence_core::{LogId, LogPosition, SpillBackend, SpillCommand, SpillCompletion, StoreId};

use crate::store::{Store, StoreConfig};
use crate::testing::{record, spelled};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for the next completion.
fn hear(backend: &mut dyn SpillBackend) -> SpillCompletion {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match backend.poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(completion) => return completion,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn what_one_shard_spills_it_reads_back_and_nothing_is_left_behind() {
    let root = tempfile::tempdir().expect("there is a place for it");
    let path = root.path().join("spill");
    let store = Store::open(StoreConfig { min_free_bytes: 0, ..StoreConfig::new(&path) }).expect("it is ours");
    let alive = Arc::new(AtomicUsize::new(0));
    let own = {
        let alive = Arc::clone(&alive);
        move |bytes: Bytes| {
            alive.fetch_add(bytes.len(), Ordering::Relaxed);
            Bytes::from_owner(Owned(bytes, Arc::clone(&alive)))
        }
    };
    let mut backend = store.backend(3, Some(Arc::new(own)));
    let log = LogId::new(StoreId(0), 3, 1);
    let submit = |backend: &mut dyn SpillBackend, command| backend.submit(command).expect("there is room");
    submit(&mut *backend, SpillCommand::Open { log, namespace: "/feed".into(), topic: "../../etc".into() });
    let SpillCompletion::Granted { bytes, .. } = hear(&mut *backend) else { panic!("room comes first") };
    assert_eq!(bytes, (16 << 20) - 4096);

    // More than one segment: what is granted along the way is enough.
    let records: Vec<_> = (0..30_000).map(|position| record(position, 1000)).collect();
    let mut granted = bytes;
    let mut written = LogPosition(0);
    for batch in records.chunks(100) {
        let bytes: u64 = batch.iter().map(streamfence_core::Record::stored_bytes).sum();
        while granted < bytes {
            match hear(&mut *backend) {
                SpillCompletion::Granted { bytes, .. } => granted += bytes,
                SpillCompletion::Appended { upto, .. } => written = upto,
                other => panic!("{other:?}"),
            }
        }
        granted -= bytes;
        submit(&mut *backend, SpillCommand::Append { log, records: batch.to_vec() });
    }
    while written < LogPosition(30_000) {
        if let SpillCompletion::Appended { upto, .. } = hear(&mut *backend) {
            written = upto;
        }
    }
    let mut position = LogPosition(0);
    let mut found = Vec::new();
    while position < written {
        submit(&mut *backend, SpillCommand::Read { log, from: position, most_bytes: 256 << 10 });
        let (next, records, lost) = loop {
            match hear(&mut *backend) {
                SpillCompletion::Records { next, records, lost, .. } => break (next, records, lost),
                SpillCompletion::Granted { .. } => {}
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(lost, []);
        assert!(alive.load(Ordering::Relaxed) > 0, "memory is counted while records are there");
        found.extend(records.iter().map(spelled));
        position = next;
    }
    assert!(found == records.iter().map(spelled).collect::<Vec<_>>(), "all of it, once and in order");
    assert_eq!(alive.load(Ordering::Relaxed), 0, "and not after");
    let stats = backend.stats();
    assert!(stats.segments >= 2 && stats.written_bytes > 30_000_000, "{stats:?}");

    drop(store);
    let left: Vec<_> =
        std::fs::read_dir(&path).expect("it is there").map(|it| it.expect("readable").file_name()).collect();
    assert_eq!(left.len(), 2, "marker and lock alone: {left:?}");
}

/// One shard that opens, fills, reads, lets go of and closes logs, one after the other.
fn live(store: &Store, shard: u16, lives: u64) {
    let mut backend = store.backend(shard, None);
    for life in 0..lives {
        let log = LogId::new(StoreId(0), shard, life);
        let submit = |backend: &mut dyn SpillBackend, command| backend.submit(command).expect("there is room");
        submit(&mut *backend, SpillCommand::Open { log, namespace: "/feed".into(), topic: "tick".into() });
        let (mut written, mut granted) = (0, 0);
        for round in 0..20 {
            let records: Vec<_> = (round * 30..round * 30 + 30).map(|at| record(at, 700)).collect();
            let bytes: u64 = records.iter().map(streamfence_core::Record::stored_bytes).sum();
            let mut is_sent = Some(SpillCommand::Append { log, records });
            let (mut read, mut from) = (0, LogPosition(0));
            while written < (round + 1) * 30 {
                if granted >= bytes
                    && let Some(append) = is_sent.take()
                {
                    granted -= bytes;
                    submit(&mut *backend, append);
                }
                match hear(&mut *backend) {
                    SpillCompletion::Granted { bytes, .. } => granted += bytes,
                    SpillCompletion::Appended { upto, .. } => written = upto.0,
                    // Of the log before, which was closed.
                    SpillCompletion::Records { .. } | SpillCompletion::Health { .. } => {}
                }
            }
            while from.0 < written {
                submit(&mut *backend, SpillCommand::Read { log, from, most_bytes: 5000 });
                match hear(&mut *backend) {
                    SpillCompletion::Records { next, records, lost, .. } => {
                        assert_eq!(lost, []);
                        read += records.len() as u64;
                        from = next;
                    }
                    SpillCompletion::Granted { bytes, .. } => granted += bytes,
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(read, written, "all of it, from the beginning");
        }
        submit(&mut *backend, SpillCommand::Close { log });
    }
}

#[test]
fn shards_share_a_store_and_none_waits_for_ever() {
    let root = tempfile::tempdir().expect("there is a place for it");
    let config = StoreConfig { min_free_bytes: 0, ..StoreConfig::new(root.path().join("spill")) };
    let store = Store::open(config).expect("it is ours");
    thread::scope(|scope| {
        for shard in 0..4 {
            let store = &store;
            scope.spawn(move || live(store, shard, 10));
        }
    });
    // Their logs are closed with them.
    while store.stats().segments > 0 {
        thread::yield_now();
    }
}

#[test]
fn a_backend_that_takes_the_place_of_another_closes_its_logs_and_one_that_outlives_its_store_is_harmless() {
    let root = tempfile::tempdir().expect("there is a place for it");
    let config = StoreConfig { min_free_bytes: 0, ..StoreConfig::new(root.path().join("spill")) };
    let store = Store::open(config).expect("it is ours");
    let log = LogId { store: StoreId(0), number: 1 };
    let open = || SpillCommand::Open { log, namespace: "/feed".into(), topic: "tick".into() };
    let mut first = store.backend(0, None);
    first.submit(open()).expect("there is room");
    assert!(matches!(hear(&mut *first), SpillCompletion::Granted { .. }));
    let mut second = store.backend(0, None);
    while store.stats().segments > 0 {
        thread::yield_now();
    }
    second.submit(SpillCommand::Read { log, from: LogPosition(0), most_bytes: 1 }).expect("there is room");
    assert!(
        matches!(hear(&mut *second), SpillCompletion::Records { next: LogPosition(0), .. }),
        "there is no such log"
    );
    second.submit(open()).expect("there is room");
    assert!(matches!(hear(&mut *second), SpillCompletion::Granted { .. }));
    drop(first);
    assert_eq!(second.stats().segments, 1, "it closes only its own");

    drop(store);
    second.submit(SpillCommand::Append { log, records: vec![record(0, 10)] }).expect("it comes to nothing");
    assert!(second.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(std::fs::read_dir(root.path().join("spill")).expect("it is there").count(), 2);
}

/// Bytes that are counted while they are there.
struct Owned(Bytes, Arc<AtomicUsize>);

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.1.fetch_sub(self.0.len(), Ordering::Relaxed);
    }
}
