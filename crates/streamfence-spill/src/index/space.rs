//! How much the files of a store take, and whether there may be one more.

use std::io;

use rustix::io::Errno;

use super::Limits;

/// Why a call to the disk failed, as far as it matters for what is done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// There is no room. There will be.
    NoSpace,
    /// The process has no descriptors or memory left for it. It will.
    Busy,
    /// What was asked for is not there.
    Missing,
    /// The disk, or whoever took it away.
    Broken,
}

impl From<&io::Error> for Trouble {
    fn from(error: &io::Error) -> Self {
        match Errno::from_io_error(error) {
            Some(Errno::NOSPC | Errno::DQUOT) => Self::NoSpace,
            Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN) => Self::Busy,
            Some(Errno::NOENT) => Self::Missing,
            _ => Self::Broken,
        }
    }
}

/// What there is, and what there may be.
#[derive(Debug)]
pub(super) struct Space {
    segment_bytes: u64,
    limits: Limits,
    segments: u64,
}

impl Space {
    pub(super) fn new(segment_bytes: u64, limits: Limits) -> Self {
        Self { segment_bytes, limits, segments: 0 }
    }

    /// Whether the quota has room for a segment. After it was full, there must be room for two, so that what is let go
    /// and taken again does not flap; one is enough where there could never be two.
    pub(super) fn has_room(&self, was_full: bool) -> bool {
        let most = self.limits.max_bytes / self.segment_bytes;
        let wanted = if was_full { most.min(2) } else { 1 };
        self.segments + wanted <= most
    }

    /// How many bytes must be free on the file system for one more.
    pub(super) fn free_wanted(&self, was_full: bool) -> u64 {
        let segments = if was_full { 2 } else { 1 };
        self.limits.min_free_bytes.saturating_add(segments * self.segment_bytes)
    }

    pub(super) fn add(&mut self) {
        self.segments += 1;
    }

    pub(super) fn remove(&mut self) {
        self.segments = self.segments.saturating_sub(1);
    }

    /// Bytes and number.
    pub(super) fn taken(&self) -> (u64, u64) {
        (self.segments * self.segment_bytes, self.segments)
    }
}
