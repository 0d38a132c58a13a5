//! A file system of which some operation goes wrong.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;

use super::{Name, SpillFile, SpillFs};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails, and does nothing.
    Error(Errno),
    /// A write or a read does half of what it should. Other operations are as they should be.
    Half,
    /// A write does half of what it should, and fails all the same.
    Torn,
}

/// Another file system, but for a range of operations, counted from 0.
#[derive(Clone, Debug)]
pub(crate) struct FaultyFs<F> {
    inner: F,
    plan: Arc<Mutex<Plan>>,
}

#[derive(Debug)]
struct Plan {
    count: u64,
    from: u64,
    upto: u64,
    fault: Fault,
}

/// A file of it.
#[derive(Debug)]
pub(crate) struct FaultyFile<F> {
    inner: F,
    plan: Arc<Mutex<Plan>>,
}

impl<F> FaultyFs<F> {
    /// The operations in the range go wrong.
    pub(crate) fn new(inner: F, range: std::ops::Range<u64>, fault: Fault) -> Self {
        let plan = Plan { count: 0, from: range.start, upto: range.end, fault };
        Self { inner, plan: Arc::new(Mutex::new(plan)) }
    }

    /// How many operations there were.
    pub(crate) fn count(&self) -> u64 {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).count
    }

    /// From the next operation on, so many go wrong in this way.
    pub(crate) fn break_next(&self, operations: u64, with: Fault) {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        (plan.from, plan.upto, plan.fault) = (plan.count, plan.count.saturating_add(operations), with);
    }
}

fn fault(plan: &Mutex<Plan>) -> Option<Fault> {
    let mut plan = plan.lock().unwrap_or_else(PoisonError::into_inner);
    plan.count += 1;
    (plan.from..plan.upto).contains(&(plan.count - 1)).then_some(plan.fault)
}

fn check(plan: &Mutex<Plan>) -> io::Result<()> {
    match fault(plan) {
        Some(Fault::Error(error)) => Err(error.into()),
        Some(Fault::Half | Fault::Torn) | None => Ok(()),
    }
}

impl<F: SpillFs> SpillFs for FaultyFs<F> {
    type File = FaultyFile<F::File>;

    fn create(&self, name: Name, reserve: u64) -> io::Result<Self::File> {
        check(&self.plan)?;
        Ok(FaultyFile { inner: self.inner.create(name, reserve)?, plan: Arc::clone(&self.plan) })
    }

    fn open(&self, name: Name) -> io::Result<Self::File> {
        check(&self.plan)?;
        Ok(FaultyFile { inner: self.inner.open(name)?, plan: Arc::clone(&self.plan) })
    }

    fn remove(&self, name: Name) -> io::Result<()> {
        check(&self.plan)?;
        self.inner.remove(name)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        check(&self.plan)?;
        self.inner.free_bytes()
    }
}

impl<F: SpillFile> SpillFile for FaultyFile<F> {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let half = &bytes[..bytes.len().div_ceil(2)];
        match fault(&self.plan) {
            None => self.inner.write_at(bytes, offset),
            Some(Fault::Error(error)) => Err(error.into()),
            Some(Fault::Half) => self.inner.write_at(half, offset),
            Some(Fault::Torn) => {
                self.inner.write_at(half, offset)?;
                Err(Errno::IO.into())
            }
        }
    }

    fn read_at(&self, into: &mut Vec<u8>, offset: u64) -> io::Result<usize> {
        match fault(&self.plan) {
            None => self.inner.read_at(into, offset),
            Some(Fault::Error(error)) => Err(error.into()),
            Some(Fault::Torn) => Err(Errno::IO.into()),
            Some(Fault::Half) => {
                let mut half = Vec::with_capacity((into.capacity() - into.len()).div_ceil(2));
                self.inner.read_at(&mut half, offset)?;
                half.truncate((into.capacity() - into.len()).div_ceil(2));
                into.extend_from_slice(&half);
                Ok(half.len())
            }
        }
    }
}
