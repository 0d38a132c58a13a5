//! Open files: a few, however many logs there are.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::filesystem::{Name, SpillFs};
use crate::index::Trouble;

/// How many files are open at once, but for those in use.
const MOST: usize = 64;

/// Files that were used of late.
pub(super) struct Files<F: SpillFs> {
    state: Mutex<State<F>>,
}

struct State<F: SpillFs> {
    open: HashMap<u64, (Arc<F::File>, u64)>,
    uses: u64,
}

impl<F: SpillFs> Files<F> {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new(State { open: HashMap::new(), uses: 0 }) }
    }

    /// The file of a segment.
    pub(super) fn get(&self, fs: &F, segment: u64) -> io::Result<Arc<F::File>> {
        match self.find(segment) {
            Some(file) => Ok(file),
            None => self.add(segment, || fs.open(Name::Segment(segment))),
        }
    }

    /// Opens or makes the file of a segment, and keeps it. When the process has no descriptors left, one of ours is given
    /// up for it.
    pub(super) fn add(&self, segment: u64, open: impl Fn() -> io::Result<F::File>) -> io::Result<Arc<F::File>> {
        let file = match open() {
            Err(error) if Trouble::from(&error) == Trouble::Busy => {
                self.give_up_oldest();
                open()
            }
            opened => opened,
        };
        Ok(self.insert(segment, file?))
    }

    fn insert(&self, segment: u64, file: F::File) -> Arc<F::File> {
        let file = Arc::new(file);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.uses += 1;
        let uses = state.uses;
        state.open.insert(segment, (Arc::clone(&file), uses));
        drop(state);
        self.keep(MOST);
        file
    }

    /// Closes a file.
    pub(super) fn forget(&self, segment: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let file = state.open.remove(&segment);
        drop(state);
        drop(file);
    }

    /// Closes all but so many, those first that were not used for longest.
    pub(super) fn keep(&self, most: usize) {
        let mut closed = Vec::new();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.open.len() > most {
            let Some(oldest) = state.open.iter().min_by_key(|(_, (_, used))| *used).map(|(segment, _)| *segment) else {
                break;
            };
            closed.extend(state.open.remove(&oldest));
        }
        // Closing may write, and takes its time.
        drop(state);
        drop(closed);
    }

    /// Closes the file that was not used for longest, and no more: whoever else wants descriptors would have them, and we
    /// none to go on with.
    fn give_up_oldest(&self) {
        let open = self.state.lock().unwrap_or_else(PoisonError::into_inner).open.len();
        self.keep(open.saturating_sub(1));
    }

    fn find(&self, segment: u64) -> Option<Arc<F::File>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.uses += 1;
        let uses = state.uses;
        let (file, used) = state.open.get_mut(&segment)?;
        *used = uses;
        Some(Arc::clone(file))
    }

    /// How many files are kept open.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).open.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filesystem::SimulatedFs;

    #[test]
    fn the_file_that_was_not_used_for_longest_is_given_up_and_no_other() {
        let (fs, files) = (SimulatedFs::new(1 << 20), Files::new());
        for segment in 1..=3 {
            files.add(segment, || fs.create(Name::Segment(segment), 4096)).expect("there is room");
        }
        files.get(&fs, 1).expect("it is open");
        files.give_up_oldest();
        let is_open = |segment| files.find(segment).is_some();
        assert_eq!([1, 2, 3].map(is_open), [true, false, true]);
    }
}
