//! The few things that are asked of a file system, so that tests can fill, break and tear one.
//!
//! A file is named by numbers: no text that anybody chose can become a path. Never logic.

#[cfg(test)]
mod faulty;
mod real;
#[cfg(test)]
mod simulated;

use std::fmt;
use std::io;

#[cfg(test)]
pub(crate) use faulty::{Fault, FaultyFs};
pub(crate) use real::RealFs;
#[cfg(test)]
pub(crate) use simulated::SimulatedFs;

/// A file of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Name {
    /// A part of a log.
    Segment(u64),
}

impl Name {
    /// The name a file has, if it is one of ours: exactly as we would write it.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let digits = text.strip_prefix(b"s-")?.strip_suffix(b".seg")?;
        if digits.len() != 16 || !digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        let number = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        Some(Self::Segment(number))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Segment(number) => write!(f, "s-{number:016x}.seg"),
        }
    }
}

/// A directory of segments.
pub(crate) trait SpillFs: Send + Sync + 'static {
    type File: SpillFile;

    /// Makes a file that was not there, with so much room kept for it as the file system can keep. When that fails,
    /// nothing is left of it.
    fn create(&self, name: Name, reserve: u64) -> io::Result<Self::File>;

    /// Opens a file to read and to write.
    fn open(&self, name: Name) -> io::Result<Self::File>;

    /// Removes a file.
    fn remove(&self, name: Name) -> io::Result<()>;

    /// How many bytes are free for us.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// An open segment.
pub(crate) trait SpillFile: Send + Sync + 'static {
    /// Writes some of the bytes.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Adds what can be read into the spare capacity of a buffer.
    fn read_at(&self, into: &mut Vec<u8>, offset: u64) -> io::Result<usize>;
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn only_what_we_would_write_is_ours() {
        for number in [0, 7, u64::MAX] {
            let name = Name::Segment(number);
            assert_eq!(Name::parse(name.to_string().as_bytes()), Some(name));
        }
        for foreign in ["", "s-.seg", "s-7.seg", "s-000000000000000G.seg", "s-000000000000000A.seg", "LOCK"] {
            assert_eq!(Name::parse(foreign.as_bytes()), None, "{foreign}");
        }
        for foreign in ["../s-0000000000000001.seg", "s-0000000000000001.seg~", "s-+000000000000001.seg"] {
            assert_eq!(Name::parse(foreign.as_bytes()), None, "{foreign}");
        }
    }
}
