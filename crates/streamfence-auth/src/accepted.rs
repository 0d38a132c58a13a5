//! Which tokens were accepted of late.

use std::fmt;
use std::hash::{BuildHasher, RandomState};

use crate::token::Token;

/// Remembers tokens that were accepted, so that who has one is not taken for whoever offers wrong ones from the same
/// address. It says nothing of whether they are good still: that is the validator's.
///
/// It takes 256 KiB and never more: 16,384 tokens are remembered, and where there are more, those give way that were
/// shown longest ago. No token is kept, only 64 bits of a hash of it with a key that nobody knows: two tokens are as good
/// as never the same.
///
/// ```
/// use streamfence_auth::{AcceptedTokens, Token};
///
/// let mut accepted = AcceptedTokens::new();
/// accepted.note(&Token::from("hunter2"));
/// assert!(accepted.knows(&Token::from("hunter2")) && !accepted.knows(&Token::from("hunter3")));
/// accepted.forget(&Token::from("hunter2"));
/// assert!(!accepted.knows(&Token::from("hunter2")));
/// ```
pub struct AcceptedTokens<S = RandomState> {
    hasher: S,
    /// Sets of [`WAYS`] entries, one after the other.
    entries: Box<[Entry]>,
    /// How many were noted, which is what is newer than what.
    noted: u64,
}

/// How many tokens one set holds.
const WAYS: usize = 8;
/// How many tokens are remembered in all.
const ENTRIES: usize = 16_384;

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    tag: u64,
    /// When it was noted last; 0 where there is none.
    noted: u64,
}

impl AcceptedTokens {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self { hasher: RandomState::new(), entries: vec![Entry::default(); ENTRIES].into(), noted: 0 }
    }
}

impl Default for AcceptedTokens {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: BuildHasher> AcceptedTokens<S> {
    /// Remembers a token that was accepted.
    pub fn note(&mut self, token: &Token) {
        self.noted += 1;
        let (tag, set) = self.place(token);
        let set = &mut self.entries[set];
        let known = set.iter().position(|entry| entry.noted > 0 && entry.tag == tag);
        let oldest = || (0..set.len()).min_by_key(|&index| set[index].noted).expect("a set has ways");
        let index = known.unwrap_or_else(oldest);
        set[index] = Entry { tag, noted: self.noted };
    }

    /// Whether a token is remembered.
    #[must_use]
    pub fn knows(&self, token: &Token) -> bool {
        let (tag, set) = self.place(token);
        self.entries[set].iter().any(|entry| entry.noted > 0 && entry.tag == tag)
    }

    /// Forgets a token that is accepted no more.
    pub fn forget(&mut self, token: &Token) {
        let (tag, set) = self.place(token);
        for entry in self.entries[set].iter_mut().filter(|entry| entry.tag == tag) {
            *entry = Entry::default();
        }
    }

    fn place(&self, token: &Token) -> (u64, std::ops::Range<usize>) {
        let tag = self.hasher.hash_one(token.expose());
        let set = (tag as usize % (ENTRIES / WAYS)) * WAYS;
        (tag, set..set + WAYS)
    }
}

impl<S> fmt::Debug for AcceptedTokens<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptedTokens").field("noted", &self.noted).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(number: u32) -> Token {
        Token::from(format!("token {number}"))
    }

    #[test]
    fn a_million_tokens_take_no_more_room_and_the_newest_are_known() {
        let mut accepted = AcceptedTokens::new();
        let room = size_of_val(&*accepted.entries);
        assert_eq!(room, 256 << 10);
        for number in 0..1_000_000 {
            accepted.note(&token(number));
            assert!(accepted.knows(&token(number)));
        }
        assert_eq!(size_of_val(&*accepted.entries), room);
        let known = (0..1_000_000).filter(|number| accepted.knows(&token(*number))).count();
        assert!((ENTRIES * 99 / 100..=ENTRIES).contains(&known), "{known}");
        assert!((998_000..1_000_000).filter(|number| accepted.knows(&token(*number))).count() > 1_980);
    }

    #[test]
    fn whoever_shows_theirs_again_and_again_is_not_forgotten() {
        let mut accepted = AcceptedTokens::new();
        for number in 1..100_000 {
            if number % 100 == 1 {
                accepted.note(&token(0));
            }
            accepted.note(&token(number));
        }
        assert!(accepted.knows(&token(0)));
    }

    #[test]
    fn nothing_shows_a_token() {
        let mut accepted = AcceptedTokens::new();
        accepted.note(&Token::from("hunter2"));
        assert_eq!(format!("{accepted:?}"), "AcceptedTokens { noted: 1, .. }");
    }
}
