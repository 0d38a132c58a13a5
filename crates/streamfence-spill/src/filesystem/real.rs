//! A directory of the operating system, held open, so that nobody can exchange it under us.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::{Name, SpillFile, SpillFs};

/// A directory, by its descriptor.
#[derive(Debug)]
pub(crate) struct RealFs {
    directory: OwnedFd,
}

/// Never through a link, never kept over an exec.
const CAREFUL: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC);

impl RealFs {
    /// Opens a directory that is there and is no link.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let directory = rustix::fs::open(path, OFlags::DIRECTORY | OFlags::RDONLY | CAREFUL, Mode::empty())?;
        Ok(Self { directory })
    }

    /// The directory.
    pub(crate) fn directory(&self) -> &OwnedFd {
        &self.directory
    }

    /// Opens a file that is there, to read it alone.
    pub(crate) fn open_to_read(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        // Without NONBLOCK, opening a pipe that somebody has put there would wait for its writer.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | CAREFUL;
        regular(rustix::fs::openat(&self.directory, name.as_ref().as_bytes(), flags, Mode::empty())?)
    }

    /// Opens a file to read and to write, and makes it if `how` says so.
    pub(crate) fn open_to_write(&self, name: impl AsRef<OsStr>, how: OFlags) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::NONBLOCK | CAREFUL | how;
        regular(rustix::fs::openat(&self.directory, name.as_ref().as_bytes(), flags, Mode::RUSR | Mode::WUSR)?)
    }

    /// The names of all files in it.
    pub(crate) fn list(&self) -> io::Result<Vec<Vec<u8>>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(name.to_vec());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Whether what lies in it lies in memory, and which kind of file system that is. Elsewhere than on Linux, nobody
    /// knows.
    pub(crate) fn in_memory(&self) -> io::Result<Option<&'static str>> {
        #[cfg(target_os = "linux")]
        let kind = rustix::fs::fstatfs(&self.directory)?.f_type as u64 & 0xffff_ffff;
        #[cfg(not(target_os = "linux"))]
        let kind = 0;
        Ok(match kind {
            0x0102_1994 => Some("tmpfs"),
            0x8584_58f6 => Some("ramfs"),
            _ => None,
        })
    }
}

/// Keeps room on the file system for so many bytes of a file, which does not become longer by it.
#[cfg(target_os = "linux")]
fn reserve(file: &File, bytes: u64) -> Result<(), Errno> {
    loop {
        match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::KEEP_SIZE, 0, bytes) {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}

/// No other system does it without making the file longer.
#[cfg(not(target_os = "linux"))]
fn reserve(_file: &File, _bytes: u64) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Refuses what is no file: a pipe would wait, a device would do whatever it does.
fn regular(descriptor: OwnedFd) -> io::Result<File> {
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&descriptor)?.st_mode);
    if kind != FileType::RegularFile {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("found a {kind:?}, wanted a file")));
    }
    Ok(File::from(descriptor))
}

impl SpillFs for RealFs {
    type File = File;

    fn create(&self, name: Name, reserve: u64) -> io::Result<File> {
        let file = self.open_to_write(name.to_string(), OFlags::CREATE | OFlags::EXCL)?;
        match self::reserve(&file, reserve) {
            // Where nothing can be kept, what is free says whether there will be room.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(file),
            Err(error) => {
                // It leaves what it got; whether that can be removed changes nothing about the error.
                let _ = self.remove(name);
                Err(error.into())
            }
        }
    }

    fn open(&self, name: Name) -> io::Result<File> {
        self.open_to_write(name.to_string(), OFlags::empty())
    }

    fn remove(&self, name: Name) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.directory, name.to_string(), AtFlags::empty())?)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let space = rustix::fs::fstatvfs(&self.directory)?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }
}

impl SpillFile for File {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        Ok(rustix::io::pwrite(self, bytes, offset)?)
    }

    fn read_at(&self, into: &mut Vec<u8>, offset: u64) -> io::Result<usize> {
        Ok(rustix::io::pread(self, rustix::buffer::spare_capacity(into), offset)?)
    }
}
