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
    let log = LogId { store: StoreId(0), number: 3 << 48 | 1 };
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
