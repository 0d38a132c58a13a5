//! A validator that may be another one tomorrow.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::revision;
use crate::validator::{Asked, TokenValidator, Validating};

/// A validator in whose place another can be put while clients are in: those whose token the new one does not accept are
/// asked to leave. Clones are the same one.
///
/// ```
/// use streamfence_auth::{Action, Asked, AuthDecision, LiveValidator, StaticTokens, Token, TokenValidator as _};
///
/// let validator = LiveValidator::new(StaticTokens::new([("ann", "old")])?);
/// let before = validator.revision();
/// validator.replace(StaticTokens::new([("ann", "new")])?);
/// assert_ne!(validator.revision(), before);
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// let (old, new) = (Token::from("old"), Token::from("new"));
/// let asked = |token| Asked { token, namespace: "/feed", topic: None, action: Action::Connect };
/// assert!(matches!(validator.validate(asked(&old)).await, AuthDecision::Reject(_)));
/// assert!(matches!(validator.validate(asked(&new)).await, AuthDecision::Accept(_)));
/// # });
/// # Ok::<(), streamfence_auth::StaticTokenError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LiveValidator(Arc<ArcSwap<Held>>);

#[derive(Debug)]
struct Held {
    validator: Box<dyn TokenValidator>,
    /// Of its being put here.
    since: u64,
}

impl LiveValidator {
    /// Begins with this one.
    #[must_use]
    pub fn new(validator: impl TokenValidator) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Held::new(validator))))
    }

    /// Asks this one from now on. What is being asked already is answered by the one before.
    pub fn replace(&self, validator: impl TokenValidator) {
        self.0.store(Arc::new(Held::new(validator)));
    }
}

impl Held {
    fn new(validator: impl TokenValidator) -> Self {
        Self { validator: Box::new(validator), since: revision::next() }
    }
}

impl TokenValidator for LiveValidator {
    fn validate<'a>(&'a self, asked: Asked<'a>) -> Validating<'a> {
        let held = self.0.load_full();
        Box::pin(async move { held.validator.validate(asked).await })
    }

    fn revision(&self) -> u64 {
        let held = self.0.load();
        // A number of this one's own as well: an embedder's validators may all say the same.
        (held.since << 32).wrapping_add(held.validator.revision())
    }

    fn spare(&self) -> usize {
        self.0.load().validator.spare()
    }
}
