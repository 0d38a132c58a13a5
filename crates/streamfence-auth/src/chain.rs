//! Several validators in the place of one.

use std::sync::Arc;

use crate::validator::{Asked, AuthDecision, TokenValidator, Validating};

/// Asks validators one after the other; the first that accepts decides.
///
/// Where none accepts, the reasons of all are told, and one that could not say leaves it open. A chain of none refuses
/// everything.
///
/// ```
/// use streamfence_auth::{Action, Asked, AuthDecision, StaticTokens, Token, TokenValidator as _, ValidatorChain};
///
/// let staff = StaticTokens::new([("alice", "one")])?;
/// let machines = StaticTokens::new([("sensor-7", "two")])?;
/// let chain = ValidatorChain::new().then(staff).then(machines);
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// let token = Token::from("two");
/// let asked = Asked { token: &token, namespace: "/feed", topic: None, action: Action::Connect };
/// let AuthDecision::Accept(grant) = chain.validate(asked).await else { panic!("the second knows it") };
/// assert_eq!(&*grant.principal, "sensor-7");
/// # });
/// # Ok::<(), streamfence_auth::StaticTokenError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ValidatorChain(Vec<Arc<dyn TokenValidator>>);

impl ValidatorChain {
    /// Asks nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks this one too, after all that are asked already. An `Arc` of a validator will do, for who wants to keep it.
    #[must_use]
    pub fn then(mut self, validator: impl TokenValidator) -> Self {
        self.0.push(Arc::new(validator));
        self
    }
}

impl FromIterator<Arc<dyn TokenValidator>> for ValidatorChain {
    fn from_iter<I: IntoIterator<Item = Arc<dyn TokenValidator>>>(validators: I) -> Self {
        Self(validators.into_iter().collect())
    }
}

impl TokenValidator for ValidatorChain {
    fn validate<'a>(&'a self, asked: Asked<'a>) -> Validating<'a> {
        Box::pin(async move {
            let mut reasons = Vec::new();
            let mut is_open = false;
            for validator in &self.0 {
                match validator.validate(asked).await {
                    accepted @ AuthDecision::Accept(_) => return accepted,
                    AuthDecision::Reject(why) => reasons.push(why),
                    AuthDecision::Unavailable(why) => {
                        is_open = true;
                        reasons.push(why);
                    }
                }
            }
            let why = match &reasons[..] {
                [] => "there is nobody who knows tokens".into(),
                [why] => why.clone(),
                all => all.join("; ").into(),
            };
            if is_open { AuthDecision::Unavailable(why) } else { AuthDecision::Reject(why) }
        })
    }

    /// The sum of all, which changes with every one of them where they only rise.
    fn revision(&self) -> u64 {
        self.0.iter().map(TokenValidator::revision).fold(0, u64::wrapping_add)
    }

    /// As many as the busiest of them can look at: what the others do not accept comes to it.
    fn spare(&self) -> usize {
        self.0.iter().map(TokenValidator::spare).min().unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::static_tokens::StaticTokens;
    use crate::token::Token;
    use crate::validator::Action;

    /// Says what it is told to, and counts.
    #[derive(Debug)]
    struct Says(AuthDecision, AtomicU64);

    impl TokenValidator for Says {
        fn validate<'a>(&'a self, _: Asked<'a>) -> Validating<'a> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Box::pin(std::future::ready(self.0.clone()))
        }
    }

    fn says(decision: AuthDecision) -> Arc<Says> {
        Arc::new(Says(decision, AtomicU64::new(0)))
    }

    fn outcome(validators: &[Arc<Says>]) -> String {
        let chain = validators.iter().cloned().fold(ValidatorChain::new(), ValidatorChain::then);
        let token = Token::from("t");
        let asked = Asked { token: &token, namespace: "/feed", topic: None, action: Action::Connect };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        match runtime.block_on(chain.validate(asked)) {
            AuthDecision::Accept(grant) => format!("accepted {}", grant.principal),
            AuthDecision::Reject(why) => format!("rejected: {why}"),
            AuthDecision::Unavailable(why) => format!("open: {why}"),
        }
    }

    #[test]
    fn the_first_that_accepts_decides_and_the_rest_are_not_asked() {
        let (no, alice, bob) =
            (says(AuthDecision::reject("no")), says(AuthDecision::accept("alice")), says(AuthDecision::accept("bob")));
        assert_eq!(outcome(&[no.clone(), alice.clone(), bob.clone()]), "accepted alice");
        assert_eq!([no, alice, bob].map(|says| says.1.load(Ordering::Relaxed)), [1, 1, 0]);
    }

    #[test]
    fn where_none_accepts_all_reasons_are_told_and_an_open_question_stays_open() {
        let (no, never, down) = (
            says(AuthDecision::reject("no")),
            says(AuthDecision::reject("never")),
            says(AuthDecision::unavailable("down")),
        );
        assert_eq!(outcome(&[]), "rejected: there is nobody who knows tokens");
        assert_eq!(outcome(std::slice::from_ref(&no)), "rejected: no");
        assert_eq!(outcome(&[no.clone(), never.clone()]), "rejected: no; never");
        assert_eq!(outcome(&[down.clone(), never]), "open: down; never");
        assert_eq!(outcome(&[down, says(AuthDecision::accept("alice"))]), "accepted alice");
    }

    #[test]
    fn its_revision_rises_with_each_of_them() {
        let tokens = |name: &str| Arc::new(StaticTokens::new([(name, name)]).unwrap());
        let (one, two) = (tokens("a"), tokens("b"));
        let chain = ValidatorChain::new().then(one.clone()).then(two.clone());
        let mut last = chain.revision();
        for (of, token) in [(&one, "c"), (&two, "d"), (&one, "e")] {
            of.replace([("x", token)]).unwrap();
            assert!(chain.revision() > last);
            last = chain.revision();
        }
        assert_eq!(ValidatorChain::new().revision(), 0);
    }
}
