//! Tokens that are known beforehand.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use sha2::{Digest as _, Sha256};
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};

use crate::revision;
use crate::token::Token;
use crate::validator::{Asked, AuthDecision, TokenValidator, Validating};

/// Principals and the token of each.
///
/// Kept are digests alone. A token is compared with all of them, in a time that says nothing of which it is or how much
/// of one it resembles. Its holder may do everything.
///
/// ```
/// use streamfence_auth::{Action, Asked, AuthDecision, StaticTokens, Token, TokenValidator as _};
///
/// let tokens = StaticTokens::new([
///     ("alice", "correct horse battery staple"),
///     ("bob", "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"), // of `test`
/// ])?;
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// let token = Token::from("test");
/// let asked = Asked { token: &token, namespace: "/feed", topic: None, action: Action::Connect };
/// let AuthDecision::Accept(grant) = tokens.validate(asked).await else { panic!("it is bob's") };
/// assert_eq!(&*grant.principal, "bob");
/// # });
/// # Ok::<(), streamfence_auth::StaticTokenError>(())
/// ```
pub struct StaticTokens(ArcSwap<Known>);

/// What is wrong with a list of tokens. It names principals and never a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StaticTokenError {
    /// What follows `sha256:` is no digest.
    #[error("the token of {principal:?} is not a digest; wanted `sha256:` and 64 hexadecimal digits")]
    NotADigest {
        /// Whose it is.
        principal: Arc<str>,
    },
    /// A token that everybody knows.
    #[error("the token of {principal:?} is empty, or the digest of nothing; wanted a text, or its digest")]
    Empty {
        /// Whose it is.
        principal: Arc<str>,
    },
    /// Nobody could say whose it is.
    #[error("the token of {second:?} is that of {first:?} too; wanted one of its own")]
    Shared {
        /// Who had it first.
        first: Arc<str>,
        /// Who has it as well.
        second: Arc<str>,
    },
}

impl StaticTokens {
    /// Takes principals, each with its token or with `sha256:` and the 64 hexadecimal digits of its digest.
    ///
    /// A principal may be there twice with two tokens, so that one can be exchanged for the other at leisure.
    ///
    /// # Errors
    /// A token is empty, is no digest where it says it is one, or is that of two principals.
    pub fn new<P, T>(tokens: impl IntoIterator<Item = (P, T)>) -> Result<Self, StaticTokenError>
    where
        P: Into<Arc<str>>,
        T: AsRef<str>,
    {
        Ok(Self(ArcSwap::from_pointee(Known { entries: entries(tokens)?, revision: revision::next() })))
    }

    /// Takes other principals and tokens from now on; what was accepted and is not among them is refused. Says whether
    /// anything has changed.
    ///
    /// # Errors
    /// As [`new`](Self::new); then nothing has changed.
    pub fn replace<P, T>(&self, tokens: impl IntoIterator<Item = (P, T)>) -> Result<bool, StaticTokenError>
    where
        P: Into<Arc<str>>,
        T: AsRef<str>,
    {
        let entries = entries(tokens)?;
        let has_changed = self.0.load().entries != entries;
        if has_changed {
            self.0.store(Arc::new(Known { entries, revision: revision::next() }));
        }
        Ok(has_changed)
    }

    /// Whose token it is, for whoever asks no more than that.
    #[must_use]
    pub fn holder(&self, token: &Token) -> Option<Arc<str>> {
        let known = self.0.load();
        let digest = Sha256::digest(token.expose().as_bytes()).into();
        let index = choose(known.entries.iter().map(|entry| &entry.digest), &digest)?;
        Some(known.entries[index].principal.clone())
    }

    fn decide(&self, token: &Token) -> AuthDecision {
        match self.holder(token) {
            Some(principal) => AuthDecision::accept(principal),
            None => AuthDecision::reject("the token is none of those known"),
        }
    }
}

impl TokenValidator for StaticTokens {
    fn validate<'a>(&'a self, asked: Asked<'a>) -> Validating<'a> {
        Box::pin(std::future::ready(self.decide(asked.token)))
    }

    fn revision(&self) -> u64 {
        self.0.load().revision
    }
}

impl fmt::Debug for StaticTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.0.load();
        let principals: Vec<_> = known.entries.iter().map(|entry| &entry.principal).collect();
        f.debug_struct("StaticTokens").field("principals", &principals).finish()
    }
}

struct Known {
    /// No two with the same digest.
    entries: Box<[Entry]>,
    revision: u64,
}

#[derive(PartialEq, Eq)]
struct Entry {
    principal: Arc<str>,
    digest: Sha256Digest,
}

type Sha256Digest = [u8; 32];

fn entries<P, T>(tokens: impl IntoIterator<Item = (P, T)>) -> Result<Box<[Entry]>, StaticTokenError>
where
    P: Into<Arc<str>>,
    T: AsRef<str>,
{
    let mut entries: Vec<Entry> = Vec::new();
    for (principal, token) in tokens {
        let (principal, token) = (principal.into(), token.as_ref());
        let digest = match token.strip_prefix("sha256:") {
            _ if token.is_empty() => return Err(StaticTokenError::Empty { principal }),
            Some(hex) => digest(hex).ok_or_else(|| StaticTokenError::NotADigest { principal: principal.clone() })?,
            None => Sha256::digest(token.as_bytes()).into(),
        };
        // Whoever shows an empty token would have it.
        if digest == Sha256Digest::from(Sha256::digest(b"")) {
            return Err(StaticTokenError::Empty { principal });
        }
        if let Some(first) = entries.iter().find(|entry| entry.digest == digest) {
            return Err(StaticTokenError::Shared { first: first.principal.clone(), second: principal });
        }
        entries.push(Entry { principal, digest });
    }
    Ok(entries.into())
}

fn digest(hex: &str) -> Option<Sha256Digest> {
    let mut digest = Sha256Digest::default();
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    if pairs.len() != digest.len() || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(pairs) {
        let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
        *byte = (high? << 4 | low?) as u8;
    }
    Some(digest)
}

/// Which of them it is, found by looking at all: stopping early would tell how far the search came.
fn choose<'a>(known: impl Iterator<Item = &'a Sha256Digest>, digest: &Sha256Digest) -> Option<usize> {
    let mut found = u64::MAX;
    for (index, known) in known.enumerate() {
        found.conditional_assign(&(index as u64), known.ct_eq(digest));
    }
    usize::try_from(found).ok().filter(|_| found != u64::MAX)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    fn who(tokens: &StaticTokens, token: &str) -> Option<String> {
        let token = Token::from(token);
        let decided = match tokens.decide(&token) {
            AuthDecision::Accept(grant) => Some(grant.principal),
            AuthDecision::Reject(_) | AuthDecision::Unavailable(_) => None,
        };
        assert_eq!(tokens.holder(&token), decided);
        decided.map(|principal| principal.to_string())
    }

    #[test]
    fn every_entry_is_looked_at_wherever_the_right_one_stands() {
        let known: Vec<Sha256Digest> = (0..9_u8).map(|byte| [byte; 32]).collect();
        for wanted in 0..10 {
            let visited = Cell::new(0);
            let counted = known.iter().inspect(|_| visited.set(visited.get() + 1));
            assert_eq!(choose(counted, &[wanted; 32]), (wanted < 9).then_some(usize::from(wanted)));
            assert_eq!(visited.get(), known.len());
        }
    }

    #[test]
    fn a_token_is_whose_it_is_and_its_digest_is_no_token() {
        let digest = "sha256:9F86D081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let tokens = StaticTokens::new([("alice", "one"), ("bob", digest), ("alice", "two")]).unwrap();
        assert_eq!(who(&tokens, "one").as_deref(), Some("alice"));
        assert_eq!(who(&tokens, "two").as_deref(), Some("alice"));
        assert_eq!(who(&tokens, "test").as_deref(), Some("bob"));
        for wrong in ["", "on", "one ", "ONE", digest, &digest[7..]] {
            assert_eq!(who(&tokens, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_no_list_of_tokens_is_refused_without_a_word_of_them() {
        let refused = |tokens: &[(&str, &str)]| StaticTokens::new(tokens.iter().copied()).unwrap_err().to_string();
        let empty = "the token of \"a\" is empty, or the digest of nothing; wanted a text, or its digest";
        let of_nothing = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!([refused(&[("a", "")]), refused(&[("a", of_nothing)])], [empty, empty]);
        let short = "the token of \"a\" is not a digest; wanted `sha256:` and 64 hexadecimal digits";
        assert_eq!(refused(&[("a", "sha256:abc")]), short);
        assert_eq!(refused(&[("a", &format!("sha256:{}", "é".repeat(32)))]), short);
        let same = [("a", "test"), ("b", "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")];
        assert_eq!(refused(&same), "the token of \"b\" is that of \"a\" too; wanted one of its own");
    }

    #[test]
    fn a_token_that_was_replaced_is_refused_and_the_revision_tells() {
        let tokens = StaticTokens::new([("alice", "one"), ("bob", "two")]).unwrap();
        let first = tokens.revision();
        assert!(!tokens.replace([("alice", "one"), ("bob", "two")]).unwrap());
        assert_eq!(tokens.revision(), first);
        assert!(tokens.replace([("bob", "two")]).unwrap());
        assert!(tokens.revision() > first);
        assert_eq!((who(&tokens, "one"), who(&tokens, "two").as_deref()), (None, Some("bob")));
        let second = tokens.revision();
        assert!(tokens.replace([("bob", "")]).is_err());
        assert_eq!((tokens.revision(), who(&tokens, "two").as_deref()), (second, Some("bob")));
        assert!(StaticTokens::new([("bob", "two")]).unwrap().revision() > second);
    }

    #[test]
    fn principals_are_shown_and_tokens_are_not() {
        let tokens = StaticTokens::new([("alice", "hunter2")]).unwrap();
        assert_eq!(format!("{tokens:?}"), r#"StaticTokens { principals: ["alice"] }"#);
    }

    proptest! {
        #[test]
        fn exactly_the_known_tokens_are_accepted(
            known in prop::collection::btree_set("[a-c]{1,3}", 0..8),
            shown in "[a-c]{0,3}",
        ) {
            let tokens = StaticTokens::new(known.iter().map(|token| (format!("holder of {token}"), token))).unwrap();
            prop_assert_eq!(who(&tokens, &shown), known.contains(&shown).then(|| format!("holder of {shown}")));
        }
    }
}
