//! A file that something was read from, and what it held then.

use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// A file that a configuration was read from, or was to be: itself, or one that a value refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    path: PathBuf,
    /// `None` where it could not be read.
    seen: Option<Fingerprint>,
}

impl Source {
    /// A file that held this when it was read.
    pub(crate) fn holding(path: &Path, bytes: &[u8]) -> Self {
        Self { path: path.to_owned(), seen: Some(Fingerprint::of(bytes)) }
    }

    /// A file and what it holds now, or that it cannot be read.
    #[must_use]
    pub fn now(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let seen = Fingerprint::read(&path).ok();
        Self { path, seen }
    }

    /// A file that could not be read.
    pub(crate) fn unread(path: &Path) -> Self {
        Self { path: path.to_owned(), seen: None }
    }

    /// Whether it still holds what it held then, or still cannot be read.
    #[must_use]
    pub fn is_current(&self) -> bool {
        Fingerprint::read(&self.path).ok() == self.seen
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn seen(&self) -> Option<Fingerprint> {
        self.seen
    }
}

/// What tells two contents apart. Not for secrets, and not against whoever may write the file: they could write what
/// they like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(u64);

impl Fingerprint {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        Self(hasher.finish())
    }

    /// What a file holds now, as far as anybody reads it.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        // A pipe would be waited for, and is empty once it was read.
        if !path.metadata()?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(MOST_BYTES).read_to_end(&mut bytes)?;
        Ok(Self::of(&bytes))
    }
}

/// More than a configuration, a certificate or a key may have.
const MOST_BYTES: u64 = 1024 * 1024 + 1;
