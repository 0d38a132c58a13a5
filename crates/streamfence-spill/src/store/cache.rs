//! Blocks in memory, for lanes that read behind others.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use crate::format::BlockHeader;

/// A use of a file, and where the block begins in it. What is in it never changes.
pub(super) type Place = (u64, u64);

/// Checked blocks up to a number of bytes. The oldest goes first, unless it was wanted again since it was looked at last.
#[derive(Debug)]
pub(super) struct Cache {
    limit_bytes: usize,
    bytes: usize,
    blocks: HashMap<Place, Cached>,
    /// Invariant: each block once.
    line: VecDeque<Place>,
}

#[derive(Debug)]
struct Cached {
    header: BlockHeader,
    block: Bytes,
    was_wanted: bool,
}

impl Cache {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes, bytes: 0, blocks: HashMap::new(), line: VecDeque::new() }
    }

    pub(super) fn find(&mut self, place: Place) -> Option<(BlockHeader, Bytes)> {
        let cached = self.blocks.get_mut(&place)?;
        cached.was_wanted = true;
        Some((cached.header, cached.block.clone()))
    }

    pub(super) fn add(&mut self, place: Place, header: BlockHeader, block: Bytes) {
        if block.len() > self.limit_bytes || self.blocks.contains_key(&place) {
            return;
        }
        self.bytes += block.len();
        self.blocks.insert(place, Cached { header, block, was_wanted: false });
        self.line.push_back(place);
        while self.bytes > self.limit_bytes
            && let Some(oldest) = self.line.pop_front()
        {
            match self.blocks.get_mut(&oldest) {
                Some(cached) if cached.was_wanted => {
                    cached.was_wanted = false;
                    self.line.push_back(oldest);
                }
                _ => self.bytes -= self.blocks.remove(&oldest).map_or(0, |cached| cached.block.len()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn what_is_wanted_again_outlives_what_is_not_and_the_limit_holds() {
        let (header, block) = testing::block(7, &[testing::record(0, 100)]);
        let mut cache = Cache::new(block.len() * 3);
        for offset in 0..3 {
            cache.add((7, offset), header, block.clone());
        }
        assert!(cache.find((7, 0)).is_some());
        cache.add((7, 3), header, block.clone());
        cache.add((7, 3), header, block.clone());
        let kept: Vec<u64> = (0..4).filter(|offset| cache.find((7, *offset)).is_some()).collect();
        assert_eq!((kept, cache.bytes), (vec![0, 2, 3], block.len() * 3));
        cache.add((8, 0), header, vec![0; block.len() * 4].into());
        assert!(cache.find((8, 0)).is_none(), "what is larger than the cache would empty it");
    }
}
