//! A directory, its lock, the threads that write and read, and what shards talk to.

mod backend;
mod bell;
mod buffers;
mod cache;
mod directory;
mod engine;
mod files;
mod outbox;
mod reader;
mod reads;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use streamfence_core::{SpillBackend, SpillStats};

use self::backend::Backend;
use self::directory::Directory;
pub(crate) use self::directory::{LOCK, MARKER};
pub use self::directory::{OpenError, Warning};
use self::engine::Engine;
use crate::filesystem::RealFs;
use crate::index::{Geometry, Limits};

/// The largest record that is sure to be written, in [stored bytes](streamfence_core::Record::stored_bytes): a hub appends
/// none that is larger. One that is may be lost, and is then told as such when it is read.
pub const MAX_RECORD_BYTES: u64 = streamfence_core::Record::MAX_STORED_BYTES;

/// How files are laid out.
const GEOMETRY: Geometry =
    Geometry { segment_bytes: 16 << 20, block_bytes: 32 << 10, write_bytes: 1 << 20, record_bytes: MAX_RECORD_BYTES };

/// How many threads read.
const READERS: usize = 2;

/// Where a store lies, and how much it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// Its directory. It is made if it is not there, with everything above it.
    pub root: PathBuf,
    /// How many bytes its files may take together, counted in whole segments of 16 MiB. 4 GiB by default.
    pub max_bytes: u64,
    /// How many bytes it leaves free on the file system. 512 MiB by default.
    pub min_free_bytes: u64,
    /// How many bytes of blocks it keeps in memory for those who read behind others. 32 MiB by default.
    pub cache_bytes: usize,
}

impl StoreConfig {
    /// A store in this directory, with the defaults.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), max_bytes: 4 << 30, min_free_bytes: 512 << 20, cache_bytes: 32 << 20 }
    }
}

/// An open directory of logs.
///
/// When there is no room, it looks for some every second. When two calls to write fail in a row for another reason, it
/// writes no more, however long it is open; what it holds can still be read. Dropping it ends its threads, removes its files and lets go of the directory; logs whose
/// backends are still there hear nothing more.
#[derive(Debug)]
pub struct Store {
    engine: Arc<Engine<RealFs>>,
    /// Held for its lock, until the files are gone.
    directory: Directory,
    warnings: Vec<Warning>,
    threads: Vec<JoinHandle<()>>,
}

impl Store {
    /// Opens a directory, wipes what a store that died has left there, and starts the threads.
    ///
    /// # Errors
    /// When another process has it open, when it is not ours to use, or when the disk refuses.
    pub fn open(config: StoreConfig) -> Result<Self, OpenError> {
        if config.max_bytes < GEOMETRY.segment_bytes {
            return Err(OpenError::TooSmall {
                path: config.root,
                found: config.max_bytes,
                wanted: GEOMETRY.segment_bytes,
            });
        }
        let (directory, fs, warnings) = Directory::open(&config.root)?;
        let limits = Limits { max_bytes: config.max_bytes, min_free_bytes: config.min_free_bytes };
        let engine = Arc::new(Engine::new(fs, GEOMETRY, limits, config.cache_bytes, directory.id()));
        let mut store = Self { engine, directory, warnings, threads: Vec::new() };
        store.start().map_err(|source| OpenError::Io { path: config.root, doing: "starting a thread for", source })?;
        Ok(store)
    }

    fn start(&mut self) -> io::Result<()> {
        let mut spawn = |name: &str, work: fn(&Engine<RealFs>)| {
            let engine = Arc::clone(&self.engine);
            let thread = thread::Builder::new().name(name.into()).spawn(move || engine.guard(work))?;
            self.threads.push(thread);
            io::Result::Ok(())
        };
        spawn("spill-writer", Engine::run_writer)?;
        for number in 0..READERS {
            spawn(&format!("spill-reader-{number}"), Engine::run_reader)?;
        }
        Ok(())
    }

    /// What a shard talks to. Its logs are those whose number has the shard in the upper 16 bits; they are closed when
    /// it is dropped. Another one for the same shard takes its place, after closing its logs.
    ///
    /// `own` is given each block that was read, and gives back what its records are slices of: so that memory can be
    /// charged until the last of them is gone.
    pub fn backend(&self, shard: u16, own: Option<Arc<dyn Fn(Bytes) -> Bytes + Send + Sync>>) -> Box<dyn SpillBackend> {
        Box::new(Backend::new(Arc::clone(&self.engine), shard, own))
    }

    /// What an operator should hear.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// How it stands, and what it has done.
    #[must_use]
    pub fn stats(&self) -> SpillStats {
        self.engine.stats()
    }

    /// Its directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.engine.stop();
        for thread in self.threads.drain(..) {
            // Its panic, if it had one, is told where it happened.
            let _ = thread.join();
        }
        self.engine.wipe();
    }
}

#[cfg(test)]
mod tests;
