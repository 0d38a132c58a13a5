//! What can be wrong with a file: the place, the value found and the value wanted, because the reader is an operator
//! at night.

use std::fmt;
use std::sync::Arc;

use streamfence_core::CatalogError;

use crate::raw::Place;
use crate::source::Source;

/// Everything that is wrong with a file, in the order of the file. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    errors: Vec<ConfigError>,
    sources: Vec<Source>,
}

impl ConfigErrors {
    pub(crate) fn new(mut errors: Vec<ConfigError>) -> Self {
        assert!(!errors.is_empty(), "a refused file has an error");
        errors.sort_by_key(|error| error.place);
        // What a namespace says wrongly is as wrong for each of its topics; once is enough.
        errors.dedup_by(|next, first| next.place == first.place && next.problem == first.problem);
        Self { errors, sources: Vec::new() }
    }

    /// The same of a file that was read from these.
    pub(crate) fn read_from(self, sources: Vec<Source>) -> Self {
        Self { sources, ..self }
    }

    /// The files that were read, or should have been, as far as it came to that: where one of them changes, or is there
    /// after all, it may be worth another look.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// How many of them are told where all are shown.
    pub const MOST_TOLD: usize = 100;

    /// Each of them.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfigError> {
        self.errors.iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().take(Self::MOST_TOLD).enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        match self.errors.len().saturating_sub(Self::MOST_TOLD) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl std::error::Error for ConfigErrors {}

/// One thing that is wrong, or in a warning odd, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// The place in it; `None` where it is the file as a whole.
    pub place: Option<Place>,
    /// Which part of the file it is about, such as `servers.feed.namespaces[0] /alerts`; empty at the top.
    pub part: String,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if let Some(place) = self.place {
            write!(f, "{place}:")?;
        }
        write!(f, " {}", self.problem)?;
        if !self.part.is_empty() {
            write!(f, " ({})", self.part)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.problem)
    }
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file cannot be read.
    #[error("cannot be read: {why}")]
    Unreadable {
        /// What the system said.
        why: String,
    },
    /// The file is larger than any real one.
    #[error("is larger than {limit} bytes; wanted a smaller file")]
    FileTooLarge {
        /// The most a file may have.
        limit: u64,
    },
    /// The name does not say what the file holds.
    #[error("extension is {found:?}; wanted .yaml, .yml or .json")]
    UnknownExtension {
        /// What it ends in.
        found: String,
    },
    /// It is not YAML or JSON, or not a reasonable one.
    #[error("{why}")]
    Syntax {
        /// What the parser said.
        why: String,
    },
    /// A key is given twice in one spelling.
    #[error("`{key}` is there twice; wanted each key once")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// A key is given in camelCase and in snake_case.
    #[error("`{second}` is `{first}` again in another spelling; wanted one of the two")]
    BothSpellings {
        /// The spelling that came first.
        first: String,
        /// The spelling found here.
        second: String,
    },
    /// There is no such key.
    #[error("unknown key {key}{hint}")]
    UnknownKey {
        /// The key as it was written.
        key: String,
        /// What may have been meant.
        hint: String,
    },
    /// The contract knows the value and this build does not.
    #[error("{key} {found} is not in this build; wanted {wanted}")]
    ValueNotInThisBuild {
        /// The key.
        key: String,
        /// The value.
        found: String,
        /// What it may be.
        wanted: String,
    },
    /// A key that must be given is not.
    #[error("`{key}` is missing; wanted {wanted}")]
    Missing {
        /// The key.
        key: String,
        /// What it should be.
        wanted: String,
    },
    /// A value is not of the kind, or not in the range, that its key takes.
    #[error("{key} is {found}; wanted {wanted}")]
    WrongValue {
        /// The key.
        key: String,
        /// What was found.
        found: String,
        /// What it may be.
        wanted: String,
    },
    /// A `${..}` stands for nothing.
    #[error("{reference} cannot be expanded: {why}")]
    Expansion {
        /// The reference as it was written.
        reference: String,
        /// Why.
        why: String,
    },
    /// A name or an address is given to two things.
    #[error("{key} {found} is already at {first}; wanted each {scope}")]
    Twice {
        /// The key.
        key: String,
        /// What it is in both places.
        found: String,
        /// Where it was given first.
        first: String,
        /// Where it may be given once.
        scope: &'static str,
    },
    /// A window could never fill, because the lane holds less.
    #[error("maxInFlight {window} exceeds maxQueuedMessagesPerClient {limit}")]
    WindowExceedsQueue {
        /// The window.
        window: u64,
        /// How many messages a lane holds.
        limit: u64,
    },
    /// A client would be evicted before anybody is told that it is slow.
    #[error("{soft_key} {soft} exceeds {hard_key} {hard}")]
    SoftExceedsHard {
        /// The soft limit's key.
        soft_key: &'static str,
        /// The soft limit.
        soft: u64,
        /// The hard limit's key.
        hard_key: &'static str,
        /// The hard limit.
        hard: u64,
    },
    /// A setting would break the promise of at-least-once.
    #[error("{key} is {found}; AT_LEAST_ONCE wants {wanted}")]
    BreaksAtLeastOnce {
        /// The key.
        key: &'static str,
        /// What was found.
        found: String,
        /// What it may be.
        wanted: &'static str,
    },
    /// A setting that only at-least-once knows, where nothing is at-least-once. A warning.
    #[error("{key} has no effect: {why}")]
    NoEffect {
        /// The key.
        key: &'static str,
        /// Why.
        why: &'static str,
    },
    /// A key of an ancestor's file that means something else here, or nothing. A note.
    #[error("{key}: {why}")]
    Converted {
        /// The key.
        key: &'static str,
        /// What it means here.
        why: &'static str,
    },
    /// A secret stands where everybody on the machine can read it. A warning.
    #[error("{key} is a secret in {file}, which everybody may read (mode {mode:04o}); wanted 0600 or 0640")]
    OpenSecret {
        /// The key.
        key: String,
        /// The file it stands in.
        file: String,
        /// Who may do what with that file.
        mode: u32,
    },
    /// A setting that does what it says, which is hardly what is wanted. A warning.
    #[error("{key} is {found}: {why}")]
    Unwise {
        /// The key.
        key: &'static str,
        /// What it is.
        found: &'static str,
        /// Why it is a bad idea.
        why: &'static str,
    },
    /// The catalog does not take it.
    #[error("{0}")]
    Catalog(#[from] CatalogError),
}
