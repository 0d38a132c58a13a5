//! What says whether a token is good, and for what.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::token::Token;

/// Says who holds a token and what that client may do.
///
/// It is asked outside every shard and every lock, so it may take its time; whoever asks has a time limit and takes
/// silence for a refusal.
pub trait TokenValidator: fmt::Debug + Send + Sync + 'static {
    /// Decides whether a token is good, and what for. Whoever asks looks whether that [allows](Access::allows) the wish:
    /// a good token that is not good for this is no wrong one, and is not counted against its holder.
    fn validate<'a>(&'a self, asked: Asked<'a>) -> Validating<'a>;

    /// A number that changes whenever a token that was accepted may be refused now: clients that are in are then asked
    /// about again. The default never changes.
    fn revision(&self) -> u64 {
        0
    }

    /// How many more questions it can look at now without one of them waiting for another. A wish for many topics is asked
    /// about in that many questions at once, and in one after the other where there are none; nobody waits for there being
    /// some. The default is any number.
    fn spare(&self) -> usize {
        usize::MAX
    }
}

impl<V: TokenValidator + ?Sized> TokenValidator for Arc<V> {
    fn validate<'a>(&'a self, asked: Asked<'a>) -> Validating<'a> {
        (**self).validate(asked)
    }

    fn revision(&self) -> u64 {
        (**self).revision()
    }

    fn spare(&self) -> usize {
        (**self).spare()
    }
}

/// A decision to come.
pub type Validating<'a> = Pin<Box<dyn Future<Output = AuthDecision> + Send + 'a>>;

/// What a validator is asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What the client shows.
    pub token: &'a Token,
    /// Where it wants something.
    pub namespace: &'a str,
    /// Of which topic, where it is about one.
    pub topic: Option<&'a str>,
    /// What it wants.
    pub action: Action,
}

/// What a client wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// To join a namespace.
    Connect,
    /// To subscribe to a topic.
    Subscribe,
    /// To publish to a topic.
    Publish,
}

impl Action {
    /// Its name: `connect`, `subscribe`, `publish`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
        }
    }
}

/// What a validator says.
#[derive(Clone, Debug)]
pub enum AuthDecision {
    /// The token is good.
    Accept(Grant),
    /// It is not. The reason is for the operator; the client hears only that it was refused.
    Reject(Arc<str>),
    /// Nobody could say, for a reason that is for the operator. The client is refused all the same, but it has not
    /// offered a wrong token, so nothing is counted against its address.
    Unavailable(Arc<str>),
}

impl AuthDecision {
    /// Accepts whoever this is, for everything, until further notice.
    #[must_use]
    pub fn accept(principal: impl Into<Arc<str>>) -> Self {
        let principal = principal.into();
        Self::Accept(Grant { principal, expires: None, ask_again: None, access: Access::All })
    }

    /// Refuses, and says the operator why. The reason must not hold the token.
    #[must_use]
    pub fn reject(reason: impl Into<Arc<str>>) -> Self {
        Self::Reject(reason.into())
    }

    /// Refuses because nobody could say, and says the operator why. The reason must not hold the token.
    #[must_use]
    pub fn unavailable(reason: impl Into<Arc<str>>) -> Self {
        Self::Unavailable(reason.into())
    }
}

/// What an accepted token is good for.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Who holds it.
    pub principal: Arc<str>,
    /// From when on it is no good any more, by the wall clock.
    pub expires: Option<SystemTime>,
    /// How long it stands, while its holder is there, before the validator is asked about it again; `None` is until its
    /// [`revision`](TokenValidator::revision) changes. Where it does not answer then, what was granted goes on to stand for
    /// twice as long.
    pub ask_again: Option<Duration>,
    /// What its holder may do without being asked for another token.
    pub access: Access,
}

/// What the holder of a token may do.
#[derive(Clone, Debug)]
pub enum Access {
    /// Everything.
    All,
    /// What the rules say of a namespace, a topic and an action.
    Rules(Arc<dyn Rules>),
    /// The validator wants to be asked for each wish.
    Ask,
}

impl Access {
    /// Whether it allows this, as far as that is known: where the validator wants to be asked, it has been for this wish.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use streamfence_auth::{Access, Action, GlobRule, GlobRules};
    ///
    /// let access = Access::Rules(Arc::new(GlobRules::from_iter([GlobRule::new("/feed")])));
    /// assert!(access.allows("/feed", Some("news"), Action::Subscribe));
    /// assert!(!access.allows("/chat", None, Action::Connect));
    /// ```
    #[must_use]
    pub fn allows(&self, namespace: &str, topic: Option<&str>, action: Action) -> bool {
        match self {
            Self::All | Self::Ask => true,
            Self::Rules(rules) => rules.allow(namespace, topic, action),
        }
    }
}

/// What a token allows, known once it is read.
pub trait Rules: fmt::Debug + Send + Sync + 'static {
    /// Whether its holder may do this.
    fn allow(&self, namespace: &str, topic: Option<&str>, action: Action) -> bool;
}
