//! The directory of a store: that it is ours, that nobody else has it open, and that it is empty.

use std::collections::hash_map::RandomState;
use std::fs::{DirBuilder, File, TryLockError};
use std::hash::BuildHasher;
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::filesystem::{Name, RealFs, SpillFs};

/// Says that a directory is ours. We remove files only where it lies.
pub(crate) const MARKER: &str = "STREAMFENCE-SPILL";
/// Held by the process that has the directory open.
pub(crate) const LOCK: &str = "LOCK";
/// What the marker says first.
const HEADLINE: &str = "streamfence spill directory";
/// Raised whenever an older store would misread what lies there.
const VERSION: u32 = 1;
/// More than a marker or a lock ever holds.
const LONGEST_TEXT: u64 = 4096;

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another store has it open, perhaps of this very process.
    #[error("spill directory {}: in use by pid {}, wanted one that nobody else uses", path.display(), pid.map_or("unknown".into(), |pid| pid.to_string()))]
    Locked {
        /// The directory.
        path: PathBuf,
        /// Who has it, if that can be read.
        pid: Option<u32>,
    },
    /// There are files in it, and none says that it is ours.
    #[error(
        "spill directory {}: found `{found}` and no file {MARKER}, wanted an empty directory or one of ours",
        path.display()
    )]
    NotOurs {
        /// The directory.
        path: PathBuf,
        /// Something that lies there.
        found: String,
    },
    /// Others could read it, or exchange what lies in it.
    #[error("spill directory {}: found {found}, wanted {wanted}", path.display())]
    Insecure {
        /// The directory, or the file in it.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
        /// What would be right.
        wanted: &'static str,
    },
    /// It was written by a version that does things differently.
    #[error("spill directory {}: found {found}, wanted version {VERSION}", path.display())]
    Version {
        /// The directory.
        path: PathBuf,
        /// What its marker says.
        found: String,
    },
    /// The quota is less than one file.
    #[error("spill directory {}: found a limit of {found} bytes, wanted at least {wanted}", path.display())]
    TooSmall {
        /// The directory.
        path: PathBuf,
        /// The limit.
        found: u64,
        /// One segment.
        wanted: u64,
    },
    /// The disk refuses.
    #[error("spill directory {}: {doing} it failed", path.display())]
    Io {
        /// The directory, or the file in it.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

/// What an operator should hear about a directory that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// What is spilled there stays in memory.
    #[error("spill directory {}: found {kind}, which lies in memory, wanted a disk", path.display())]
    InMemory {
        /// The directory.
        path: PathBuf,
        /// The kind of file system.
        kind: &'static str,
    },
    /// A file of a process that died cannot be removed, and takes room that is not counted.
    #[error("spill directory {}: `{name}` is left over and cannot be removed: {why}", path.display())]
    Leftover {
        /// The directory.
        path: PathBuf,
        /// The file.
        name: String,
        /// What the system says.
        why: String,
    },
}

/// An open directory. Dropping it lets others have it.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    id: [u8; 16],
    /// Locked as long as it is open.
    _lock: File,
}

impl Directory {
    /// Makes it if it is not there, makes sure that it is ours, locks it and wipes it.
    pub(super) fn open(path: &Path) -> Result<(Self, RealFs, Vec<Warning>), OpenError> {
        // Without a slash at the end, with which a link is followed, whatever is said of links.
        let path = &path.components().collect::<PathBuf>();
        let failed = |doing| move |source| OpenError::Io { path: path.to_owned(), doing, source };
        if let Some(above) = path.parent() {
            std::fs::create_dir_all(above).map_err(failed("making the one above"))?;
        }
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed("making")(error)),
            _ => {}
        }
        if std::fs::symlink_metadata(path).map_err(failed("looking at"))?.is_symlink() {
            return Err(insecure(path, "a symbolic link".into(), "a directory"));
        }
        let fs = RealFs::open(path).map_err(failed("opening"))?;
        check_owner(path, &fs)?;

        let is_new = !is_ours(path, &fs)?;
        // Only what is ours, or nobody's, gets as much as a lock.
        let lock = lock(path, &fs)?;
        if is_new {
            mark(&fs).map_err(failed("marking"))?;
        }
        let mut warnings = wipe(path, &fs).map_err(failed("emptying"))?;
        if let Some(kind) = fs.in_memory().map_err(failed("looking at the file system of"))? {
            warnings.push(Warning::InMemory { path: path.to_owned(), kind });
        }
        Ok((Self { path: path.to_owned(), id: random(), _lock: lock }, fs, warnings))
    }

    /// Random, and different each time.
    pub(super) fn id(&self) -> [u8; 16] {
        self.id
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn insecure(path: &Path, found: String, wanted: &'static str) -> OpenError {
    OpenError::Insecure { path: path.to_owned(), found, wanted }
}

/// Refuses a directory that others own, or may look into.
fn check_owner(path: &Path, fs: &RealFs) -> Result<(), OpenError> {
    let stat = rustix::fs::fstat(fs.directory()).map_err(|error| OpenError::Io {
        path: path.to_owned(),
        doing: "looking at",
        source: error.into(),
    })?;
    let us = rustix::process::geteuid().as_raw();
    if stat.st_uid != us {
        let found = format!("owner {}, while this process is {us}", stat.st_uid);
        return Err(insecure(path, found, "a directory of its own"));
    }
    let mode = stat.st_mode & 0o777;
    if mode & 0o077 != 0 {
        return Err(insecure(path, format!("mode {mode:04o}"), "mode 0700"));
    }
    Ok(())
}

/// Whether it has our marker. One that has none must be empty.
fn is_ours(path: &Path, fs: &RealFs) -> Result<bool, OpenError> {
    let io = |source| OpenError::Io { path: path.join(MARKER), doing: "reading", source };
    match fs.open_to_read(MARKER) {
        Ok(marker) => {
            let text = read_text(&marker).map_err(io)?;
            // A marker that was begun and not finished says nothing, and there is nothing beside it yet.
            if text.is_empty() {
                return Ok(false);
            }
            let mut lines = text.lines();
            let version = lines.next().filter(|line| *line == HEADLINE).and_then(|_| lines.next());
            match version.and_then(|line| line.strip_prefix("version ")) {
                Some(version) if version == VERSION.to_string() => Ok(true),
                Some(version) => {
                    Err(OpenError::Version { path: path.to_owned(), found: format!("version {version:.40}") })
                }
                None => Err(OpenError::Version { path: path.to_owned(), found: "another text in its marker".into() }),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let names = fs.list().map_err(io)?;
            match names.into_iter().find(|name| name != LOCK.as_bytes()) {
                None => Ok(false),
                Some(name) => Err(OpenError::NotOurs {
                    path: path.to_owned(),
                    found: String::from_utf8_lossy(&name).into_owned(),
                }),
            }
        }
        Err(error) => Err(OpenError::Io { path: path.join(MARKER), doing: "opening", source: error }),
    }
}

/// Random bytes, as the standard library seeds its maps with them. They tell one life of a directory from another; nobody
/// gains anything by guessing them.
fn random() -> [u8; 16] {
    let [low, high] = [0u8, 1].map(|half| RandomState::new().hash_one(half));
    (u128::from(low) | u128::from(high) << 64).to_le_bytes()
}

/// Takes the lock, and writes down who has it.
fn lock(path: &Path, fs: &RealFs) -> Result<File, OpenError> {
    let at = path.join(LOCK);
    let io = |doing| {
        let path = at.clone();
        move |source| OpenError::Io { path, doing, source }
    };
    let file = fs.open_to_write(LOCK, OFlags::CREATE).map_err(io("opening"))?;
    let links = file.metadata().map_err(io("looking at"))?.nlink();
    if links != 1 {
        return Err(insecure(&at, format!("a file with {links} names"), "a file with one"));
    }
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let pid = read_text(&file).ok().and_then(|text| text.trim().parse().ok());
            return Err(OpenError::Locked { path: path.to_owned(), pid });
        }
        Err(TryLockError::Error(error)) => return Err(io("locking")(error)),
    }
    // For people alone: a disk too full for it does not matter.
    let _ = file.set_len(0).and_then(|()| file.write_all_at(format!("{}\n", std::process::id()).as_bytes(), 0));
    Ok(file)
}

/// Says that the directory is ours.
fn mark(fs: &RealFs) -> io::Result<()> {
    let mut marker = fs.open_to_write(MARKER, OFlags::CREATE)?;
    marker.write_all(format!("{HEADLINE}\nversion {VERSION}\nmode overflow\n").as_bytes())
}

/// Removes what a store that died has left. What is not ours stays.
fn wipe(path: &Path, fs: &RealFs) -> io::Result<Vec<Warning>> {
    let mut warnings = Vec::new();
    for name in fs.list()?.iter().filter_map(|name| Name::parse(name)) {
        if let Err(error) = fs.remove(name) {
            warnings.push(Warning::Leftover { path: path.to_owned(), name: name.to_string(), why: error.to_string() });
        }
    }
    Ok(warnings)
}

fn read_text(file: &File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.take(LONGEST_TEXT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
