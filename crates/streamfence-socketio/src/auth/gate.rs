//! Asks the validator, for a limited time, and tells of what it refuses. Never what a client is told in words.

use std::fmt;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::SystemTime;

use futures_util::FutureExt;
use streamfence_auth::{Access, Action, Asked, AuthDecision, Grant, Token, TokenValidator};
use streamfence_core::{ErrorCode, Event};
use streamfence_runtime::Fence;
use tokio::time::Instant;

use super::failures::Failures;
use super::recheck::Recheck;
use super::under_way::UnderWay;
use crate::options::LiveOptions;

/// What all connections of an adapter show their tokens to.
pub(crate) struct Gate {
    validator: Option<Arc<dyn TokenValidator>>,
    fence: Fence,
    options: LiveOptions,
    failures: Failures,
    under_way: UnderWay,
    /// How many tokens were accepted: each is looked at again at a moment of its own.
    accepted: AtomicU32,
}

/// What the validator is asked.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) token: Token,
    pub(crate) namespace: Arc<str>,
    pub(crate) topic: Option<Arc<str>>,
    pub(crate) action: Action,
}

/// A token that was accepted.
#[derive(Debug)]
pub(crate) struct Shown {
    /// For what it was.
    pub(crate) question: Question,
    pub(crate) grant: Grant,
    /// Of the validator, when it was asked.
    pub(crate) revision: u64,
    /// Whether it is asked again: then another one takes this one's place, or none.
    pub(crate) is_asked_again: AtomicBool,
    /// When it is to be confirmed, where the validator wants that.
    pub(super) recheck: Option<Recheck>,
    /// Whether that is being done.
    pub(super) is_being_confirmed: AtomicBool,
}

/// Why a client is refused, and in words that are for the operator.
pub(crate) type Denied = (Refused, Arc<str>);

/// Why a client is not let in, or may not do what it wishes. The operator has heard of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The token is wrong.
    Wrong,
    /// It is good, but not for this.
    NotForThis,
    /// Nobody could say in time whether it is good.
    Silence,
    /// Nobody looked: too many wrong ones came from where the client is.
    TooMany,
}

impl Shown {
    fn new(question: Question, grant: Grant, revision: u64, recheck: Option<Recheck>) -> Self {
        let (is_asked_again, is_being_confirmed) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { question, grant, revision, is_asked_again, recheck, is_being_confirmed }
    }

    /// The same, to be confirmed another time.
    pub(super) fn put_off(&self, recheck: Recheck) -> Self {
        Self::new(self.question.clone(), self.grant.clone(), self.revision, Some(recheck))
    }
}

impl Refused {
    pub(crate) fn code(self) -> ErrorCode {
        match self {
            Self::Wrong | Self::NotForThis | Self::Silence => ErrorCode::AuthRejected,
            Self::TooMany => ErrorCode::AuthRateLimited,
        }
    }

    /// What the client is told: nothing that would help it to guess.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Wrong => "the token is not accepted",
            Self::NotForThis => "the token does not allow this",
            Self::TooMany => "too many wrong tokens came from your address; try again later",
            Self::Silence => "the token could not be checked; try again later",
        }
    }
}

impl Gate {
    pub(crate) fn new(validator: Option<Arc<dyn TokenValidator>>, fence: Fence, options: LiveOptions) -> Self {
        let (failures, under_way) = (Failures::default(), UnderWay::default());
        Self { validator, fence, options, failures, under_way, accepted: AtomicU32::new(0) }
    }

    /// Whether there is somebody who could look at tokens.
    pub(crate) fn has_validator(&self) -> bool {
        self.validator.is_some()
    }

    /// Whether tokens are looked at.
    pub(crate) fn takes_tokens(&self) -> bool {
        self.validator.is_some() && self.options.now().takes_tokens
    }

    /// What changes when accepted tokens may be good no more.
    pub(crate) fn revision(&self) -> u64 {
        self.validator.as_ref().map_or(0, TokenValidator::revision)
    }

    /// Asks about a token that a client shows. What is refused is told to whoever listens, and counted against the
    /// client's address.
    pub(crate) async fn admit(&self, question: Question, from: Option<IpAddr>) -> Result<Shown, Refused> {
        let (namespace, token) = (question.namespace.clone(), question.token.clone());
        // Whose token was good does not pay for a neighbour behind the same address.
        let limited = from.filter(|_| self.options.now().auth_failures.is_some() && !self.failures.knows(&token));
        let _turn = match limited.filter(|address| !self.failures.are_too_many(*address)) {
            Some(address) => Some(self.under_way.turn(address).await),
            None => None,
        };
        // Those before it in the line may have been too many.
        if let Some(address) = limited.filter(|address| self.failures.are_too_many(*address)) {
            self.fence.announce(&Event::AuthRateLimited { namespace, address });
            return Err(Refused::TooMany);
        }
        let answer = self.ask(question).await;
        match &answer {
            Ok(_) => self.failures.pardon(&token),
            Err((Refused::Wrong, _)) => self.failures.forget(&token),
            Err(_) => {}
        }
        answer.map_err(|denied| self.deny(&namespace, from, denied, true))
    }

    /// Asks about a wish of a client whose token is good: what is refused is told, and counts against nobody.
    pub(crate) async fn ask_for(&self, question: Question, from: Option<IpAddr>) -> Result<Shown, Refused> {
        let namespace = question.namespace.clone();
        self.ask(question).await.map_err(|denied| self.deny(&namespace, from, denied, false))
    }

    /// Tells of what is refused, and counts it where it may be a wrong token; else it is a good one that is not good for
    /// this.
    pub(super) fn deny(
        &self,
        namespace: &Arc<str>,
        from: Option<IpAddr>,
        (refused, reason): Denied,
        may_be_wrong: bool,
    ) -> Refused {
        let is_wrong = refused == Refused::Wrong;
        if is_wrong && may_be_wrong {
            let options = self.options.now();
            if let Some(failures) = self.failures.count(from, options.auth_failures, options.auth_alarm) {
                self.fence.announce(&Event::AuthAlarm { namespace: namespace.clone(), failures });
            }
        }
        self.tell(namespace, from, &reason);
        if is_wrong && !may_be_wrong { Refused::NotForThis } else { refused }
    }

    /// How many more questions the validator can look at now without one of them waiting.
    pub(super) fn spare(&self) -> usize {
        self.validator.as_ref().map_or(0, TokenValidator::spare)
    }

    /// Asks again about a token that was accepted before, for the same or for another wish of its holder.
    pub(crate) async fn ask(&self, question: Question) -> Result<Shown, Denied> {
        let Some(validator) = self.validator.as_ref().filter(|_| self.takes_tokens()) else {
            // A reload has changed that while it was asked about: the token may be as good as any.
            return Err((Refused::Silence, "there is nobody to look at tokens".into()));
        };
        let revision = validator.revision();
        let Question { token, namespace, topic, action } = &question;
        let asked = Asked { token, namespace, topic: topic.as_deref(), action: *action };
        // A validator is the embedder's: what panics there must end neither a reader nor a wish without an answer.
        let validating = AssertUnwindSafe(async { validator.validate(asked).await }).catch_unwind();
        let limit = self.options.now().validation_timeout;
        let grant = match tokio::time::timeout(limit, validating).await {
            Err(_elapsed) => {
                let reason = format!("the validator has not answered in {} ms", limit.as_millis());
                return Err((Refused::Silence, reason.into()));
            }
            Ok(Err(_panic)) => {
                tracing::error!(code = "validator_panicked", "the validator has panicked; the token counts as wrong");
                return Err((Refused::Silence, "the validator has panicked".into()));
            }
            Ok(Ok(AuthDecision::Reject(reason))) => return Err((Refused::Wrong, without(token, reason))),
            Ok(Ok(AuthDecision::Unavailable(reason))) => return Err((Refused::Silence, without(token, reason))),
            Ok(Ok(AuthDecision::Accept(grant))) => grant,
        };
        if is_over(&grant) {
            return Err((Refused::Wrong, "the token has expired".into()));
        }
        if let Access::Rules(rules) = &grant.access
            && !rules.allow(namespace, topic.as_deref(), *action)
        {
            return Err((Refused::NotForThis, not_allowed(&grant, *action)));
        }
        let recheck = Recheck::of(&grant, self.accepted.fetch_add(1, Ordering::Relaxed), Instant::now());
        Ok(Shown::new(question, grant, revision, recheck))
    }

    /// Tells whoever listens that a client was refused.
    pub(crate) fn tell(&self, namespace: &Arc<str>, address: Option<IpAddr>, reason: &Arc<str>) {
        let (namespace, reason) = (namespace.clone(), reason.clone());
        self.fence.announce(&Event::AuthRejected { namespace, address, reason });
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("validator", &self.validator).finish_non_exhaustive()
    }
}

/// Whether what was granted is good no more.
pub(crate) fn is_over(grant: &Grant) -> bool {
    grant.expires.is_some_and(|expires| expires <= SystemTime::now())
}

/// What the operator is told of a wish beyond what a token is good for.
pub(crate) fn not_allowed(grant: &Grant, action: Action) -> Arc<str> {
    format!("the token of {:?} does not allow to {}", grant.principal, action.as_str()).into()
}

/// A reason as the operator may read it: an embedder may have put the token in it after all.
fn without(token: &Token, reason: Arc<str>) -> Arc<str> {
    if !token.expose().is_empty() && reason.contains(token.expose()) {
        return "it is not accepted".into();
    }
    reason
}
