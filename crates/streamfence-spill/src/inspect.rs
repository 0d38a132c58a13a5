//! What lies in a directory, for people who want to know: read-only, whether a store has it open or not, and whatever is
//! in the files.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use streamfence_core::{LogId, StoreId};

use crate::filesystem::{Name, RealFs};
use crate::format::{BLOCK_HEADER_BYTES, BlockHeader, FormatError, SEGMENT_HEADER_BYTES, SegmentHeader, check_block};
use crate::store::{LOCK, MARKER};

/// What a directory holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The directory.
    pub path: PathBuf,
    /// The process that has it open, as its lock says; it may have died since.
    pub pid: Option<u32>,
    /// The logs, by number.
    pub logs: Vec<Log>,
    /// Segments that were made in advance and hold nothing yet.
    pub unused: u64,
    /// How many bytes all segments take on disk.
    pub bytes: u64,
    /// Files that could not be read as segments, with the reason.
    pub unreadable: Vec<(String, String)>,
}

/// A topic's log on one shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// Its number: the shard in the upper 16 bits.
    pub number: u64,
    /// The namespace's path.
    pub namespace: String,
    /// The topic's name.
    pub topic: String,
    /// Its segments, by position.
    pub segments: Vec<Segment>,
}

impl Log {
    /// The shard whose log it is.
    #[must_use]
    pub fn shard(&self) -> u16 {
        LogId { store: StoreId::default(), number: self.number }.shard()
    }
}

/// A file of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Its name.
    pub file: String,
    /// The position of its first record, and of its last; `None` without records.
    pub positions: Option<(u64, u64)>,
    /// When it was begun, in milliseconds since 1970.
    pub created_ms: u64,
    /// How many blocks can be read.
    pub blocks: u64,
    /// How many records there are in them.
    pub records: u64,
    /// How many bytes they take, framing and all.
    pub bytes: u64,
    /// What cannot be read, with readable blocks behind it.
    pub damage: Vec<Damage>,
    /// What lies behind the last readable block and is none, such as one that was being written: where, and why.
    pub tail: Option<(u64, String)>,
}

/// A place of a file that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub bytes: u64,
    /// The positions that may lie there: after the last before it, up to the first behind it.
    pub positions: (u64, u64),
    /// What is wrong.
    pub why: String,
}

/// What is longer was not made by a store, which makes segments of 16 MiB. It may claim to be longer than any disk.
const LONGEST_SEGMENT_BYTES: u64 = 32 << 20;

/// Why a directory cannot be looked into.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// The directory itself cannot be read.
    #[error("spill directory {}: it cannot be read", path.display())]
    Unreadable {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Nothing in it says that it is a store's. To call it empty and whole would hide a misspelt path.
    #[error("{} is no spill directory: found no file {MARKER} in it, wanted the directory of a store", path.display())]
    NotOurs {
        /// The directory.
        path: PathBuf,
    },
}

/// Looks into a directory. Nothing is changed, and nothing waited for; of a store that is at work it is a snapshot that
/// may be torn.
///
/// # Errors
/// When the directory itself cannot be read, or is none of a store's. Damage is not an error but part of the report.
pub fn inspect(path: &Path) -> Result<Report, InspectError> {
    let failed = |source| InspectError::Unreadable { path: path.to_owned(), source };
    // What an operator names may well be a link.
    let path_itself = path.canonicalize().map_err(failed)?;
    let fs = RealFs::open(&path_itself).map_err(failed)?;
    match fs.open_to_read(MARKER) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(InspectError::NotOurs { path: path.to_owned() });
        }
        // What is wrong with the marker itself is for the store to say; the files are there to be looked at.
        _ => {}
    }
    let mut report = Report { path: path.to_owned(), pid: pid(&fs), ..Report::default() };
    let mut logs: BTreeMap<u64, Log> = BTreeMap::new();
    for name in fs.list().map_err(failed)?.iter().filter_map(|name| Name::parse(name)) {
        let file = name.to_string();
        let read = fs.open_to_read(&file).and_then(|open| {
            let metadata = open.metadata()?;
            report.bytes += metadata.blocks() * 512;
            if metadata.len() > LONGEST_SEGMENT_BYTES {
                let (found, most) = (metadata.len(), LONGEST_SEGMENT_BYTES);
                return Err(io::Error::other(format!("found {found} bytes, wanted {most} at most")));
            }
            look(&open, metadata.len(), file.clone())
        });
        match read {
            Ok(Some((header, segment))) => {
                let log = logs.entry(header.log).or_insert_with(|| Log {
                    number: header.log,
                    namespace: header.namespace.to_string(),
                    topic: header.topic.to_string(),
                    segments: Vec::new(),
                });
                log.segments.push(segment);
            }
            Ok(None) => report.unused += 1,
            // A store at work removes files.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => report.unreadable.push((file, error.to_string())),
        }
    }
    report.logs = logs.into_values().collect();
    for log in &mut report.logs {
        log.segments.sort_by_key(|segment| (segment.positions.is_none(), segment.positions, segment.created_ms));
    }
    Ok(report)
}

fn pid(fs: &RealFs) -> Option<u32> {
    let mut bytes = [0; 32];
    let count = read_up_to(&fs.open_to_read(LOCK).ok()?, &mut bytes, 0).ok()?;
    std::str::from_utf8(&bytes[..count]).ok()?.trim().parse().ok()
}

/// Bytes that are read at a place.
pub(crate) trait Source {
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize>;
}

impl Source for File {
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        FileExt::read_at(self, into, at)
    }
}

#[cfg(any(test, feature = "fuzzing"))]
impl Source for &[u8] {
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        let rest = self.get(at as usize..).unwrap_or_default();
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

/// Reads a segment block by block. `None` when it holds nothing yet.
pub(crate) fn look(file: &impl Source, length: u64, name: String) -> io::Result<Option<(SegmentHeader, Segment)>> {
    let mut head = vec![0; SEGMENT_HEADER_BYTES];
    let count = read_up_to(file, &mut head, 0)?;
    if head[..count].iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let header = SegmentHeader::decode(&head[..count]).map_err(io::Error::other)?;
    let mut segment = Segment { file: name, created_ms: header.created_ms, ..Segment::default() };
    let mut at = SEGMENT_HEADER_BYTES as u64;
    // Where what cannot be read began, and why.
    let mut bad: Option<(u64, String)> = None;
    let mut buffer = Vec::new();
    while at < length {
        match block_at(file, at, length, header.epoch, &mut buffer) {
            Ok(block) => {
                if let Some((offset, why)) = bad.take() {
                    let before = segment.positions.map_or(header.base, |(_, last)| last.saturating_add(1));
                    let positions = (before, block.first.0);
                    segment.damage.push(Damage { offset, bytes: at - offset, positions, why });
                }
                segment.positions = Some((segment.positions.map_or(block.first.0, |(first, _)| first), block.last.0));
                segment.blocks += 1;
                segment.records += u64::from(block.count);
                segment.bytes += block.block_bytes();
                at += block.block_bytes();
            }
            Err(why) => {
                let was_good = bad.is_none();
                bad.get_or_insert_with(|| (at, why.to_string()));
                // A header that holds says where the next block is; without one, it is looked for.
                let next = header_at(file, at, header.epoch).filter(|_| was_good).map(|found| at + found.block_bytes());
                match next
                    .filter(|next| *next < length)
                    .map_or_else(|| find(file, at + 1, length, header.epoch), |next| Ok(Some(next)))?
                {
                    Some(next) => at = next,
                    None => break,
                }
            }
        }
    }
    segment.tail = bad;
    Ok(Some((header, segment)))
}

fn header_at(file: &impl Source, at: u64, epoch: u64) -> Option<BlockHeader> {
    let mut head = [0; BLOCK_HEADER_BYTES];
    let count = read_up_to(file, &mut head, at).ok()?;
    BlockHeader::decode(&head[..count]).ok().filter(|header| header.epoch == epoch)
}

/// Reads and checks the block at a place.
fn block_at(
    file: &impl Source,
    at: u64,
    length: u64,
    epoch: u64,
    buffer: &mut Vec<u8>,
) -> Result<BlockHeader, FormatError> {
    let mut head = [0; BLOCK_HEADER_BYTES];
    let unread = |_| FormatError::Short { what: "block", found: 0, wanted: BLOCK_HEADER_BYTES as u64 };
    let count = read_up_to(file, &mut head, at).map_err(unread)?;
    let header = BlockHeader::decode(&head[..count])?;
    // Before anything is allocated for it.
    let (found, wanted) = (length - at, header.block_bytes());
    if found < wanted {
        return Err(FormatError::Short { what: "block", found, wanted });
    }
    buffer.resize(wanted as usize, 0);
    let count = read_up_to(file, buffer, at).map_err(unread)?;
    check_block(&buffer[..count], epoch)
}

/// Finds the next block of this use of the file.
fn find(file: &impl Source, from: u64, length: u64, epoch: u64) -> io::Result<Option<u64>> {
    const WINDOW: usize = 64 << 10;
    let mut window = vec![0; WINDOW + BLOCK_HEADER_BYTES];
    let mut at = from;
    while at < length {
        let count = read_up_to(file, &mut window, at)?;
        let found = window[..count].windows(BLOCK_HEADER_BYTES).take(WINDOW).position(|bytes| {
            // The magic number first: everything else would be a checksum for each byte.
            BlockHeader::decode(bytes).is_ok_and(|header| header.epoch == epoch)
        });
        if let Some(found) = found {
            return Ok(Some(at + found as u64));
        }
        at += WINDOW as u64;
    }
    Ok(None)
}

fn read_up_to(file: &impl Source, into: &mut [u8], at: u64) -> io::Result<usize> {
    let mut count = 0;
    while count < into.len() {
        match file.read_at(&mut into[count..], at + count as u64) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

impl Report {
    /// Whether everything that was written can be read. A torn tail is none of that.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let segments = || self.logs.iter().flat_map(|log| &log.segments);
        self.unreadable.is_empty() && segments().all(|segment| segment.damage.is_empty())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} bytes on disk, {} logs", self.path.display(), self.bytes, self.logs.len())?;
        writeln!(f, ", {} segments made in advance", self.unused)?;
        if let Some(pid) = self.pid {
            writeln!(f, "last opened by pid {pid}")?;
        }
        for log in &self.logs {
            let Log { number, namespace, topic, segments } = log;
            writeln!(f, "log {number:016x}: {} on {}", topic.escape_debug(), namespace.escape_debug())?;
            segments.iter().try_for_each(|segment| write!(f, "{segment}"))?;
        }
        for (file, why) in &self.unreadable {
            writeln!(f, "{file}: cannot be read: {why}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, blocks, records, bytes, .. } = self;
        match self.positions {
            Some((first, last)) => write!(f, "  {file}: positions {first} to {last}")?,
            None => write!(f, "  {file}: no positions")?,
        }
        writeln!(f, ", {records} records in {blocks} blocks, {bytes} bytes")?;
        for Damage { offset, bytes, positions: (from, to), why } in &self.damage {
            writeln!(f, "    damaged at byte {offset}, {bytes} bytes, positions {from} up to {to}: {why}")?;
        }
        if let Some((offset, why)) = &self.tail {
            writeln!(f, "    ends at byte {offset}: {why}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
