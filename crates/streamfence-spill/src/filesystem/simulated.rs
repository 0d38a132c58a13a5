//! A file system in memory, as large as a test wants it, that keeps what it promised.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use super::{Name, SpillFile, SpillFs};

/// A directory. Its clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct SimulatedFs {
    disk: Arc<Mutex<Disk>>,
}

#[derive(Debug)]
struct Disk {
    /// How many bytes it has room for.
    size: u64,
    /// Whether room can be kept for a file in advance.
    can_reserve: bool,
    files: BTreeMap<Name, SimulatedFile>,
}

/// An open file: it can be read after it was removed.
#[derive(Clone, Debug)]
pub(crate) struct SimulatedFile {
    content: Arc<Mutex<Content>>,
    disk: Arc<Mutex<Disk>>,
}

#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    reserved: u64,
}

impl SimulatedFs {
    pub(crate) fn new(size: u64) -> Self {
        Self { disk: Arc::new(Mutex::new(Disk { size, can_reserve: true, files: BTreeMap::new() })) }
    }

    /// One where nothing can be kept in advance, so that a write may find the disk full.
    pub(crate) fn without_reservation(size: u64) -> Self {
        let fs = Self::new(size);
        lock(&fs.disk).can_reserve = false;
        fs
    }

    /// Makes the disk larger or smaller.
    pub(crate) fn resize(&self, size: u64) {
        lock(&self.disk).size = size;
    }

    /// The files there are.
    pub(crate) fn names(&self) -> Vec<Name> {
        lock(&self.disk).files.keys().copied().collect()
    }

    /// Changes what lies in a file, as a bad disk would.
    pub(crate) fn damage(&self, name: Name, change: impl FnOnce(&mut Vec<u8>)) {
        let file = lock(&self.disk).files.get(&name).cloned().expect("the file is there");
        change(&mut lock(&file.content).bytes);
    }
}

impl Disk {
    fn free(&self) -> u64 {
        let taken: u64 = self
            .files
            .values()
            .map(|file| lock(&file.content))
            .map(|content| content.reserved.max(content.bytes.len() as u64))
            .sum();
        self.size.saturating_sub(taken)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SpillFs for SimulatedFs {
    type File = SimulatedFile;

    fn create(&self, name: Name, reserve: u64) -> io::Result<SimulatedFile> {
        let mut disk = lock(&self.disk);
        if disk.files.contains_key(&name) {
            return Err(Errno::EXIST.into());
        }
        let reserved = if disk.can_reserve { reserve } else { 0 };
        if disk.free() < reserved {
            return Err(Errno::NOSPC.into());
        }
        let content = Arc::new(Mutex::new(Content { bytes: Vec::new(), reserved }));
        let file = SimulatedFile { content, disk: Arc::clone(&self.disk) };
        disk.files.insert(name, file.clone());
        Ok(file)
    }

    fn open(&self, name: Name) -> io::Result<SimulatedFile> {
        lock(&self.disk).files.get(&name).cloned().ok_or_else(|| Errno::NOENT.into())
    }

    fn remove(&self, name: Name) -> io::Result<()> {
        lock(&self.disk).files.remove(&name).map(|_| ()).ok_or_else(|| Errno::NOENT.into())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(lock(&self.disk).free())
    }
}

impl SpillFile for SimulatedFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let disk = lock(&self.disk);
        let end = offset + bytes.len() as u64;
        let (has, reserved) = {
            let content = lock(&self.content);
            (content.bytes.len() as u64, content.reserved)
        };
        if end > has.max(reserved) && end - has.max(reserved) > disk.free() {
            return Err(Errno::NOSPC.into());
        }
        let mut content = lock(&self.content);
        if (content.bytes.len() as u64) < end {
            content.bytes.resize(end as usize, 0);
        }
        content.bytes[offset as usize..end as usize].copy_from_slice(bytes);
        Ok(bytes.len())
    }

    fn read_at(&self, into: &mut Vec<u8>, offset: u64) -> io::Result<usize> {
        let content = lock(&self.content);
        let rest = content.bytes.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(into.capacity() - into.len());
        into.extend_from_slice(&rest[..count]);
        Ok(count)
    }
}
