//! What one client has shown in one namespace, and what that allows. It decides without asking where it can.

use std::sync::Arc;

use streamfence_auth::{Access, Action, Token};
use streamfence_core::{TopicEntry, TopicId};
use tokio::time::Instant;

use super::doubt::Doubts;
use super::gate::{Question, Shown, is_over, not_allowed};

/// What one client has shown in one namespace.
#[derive(Debug, Default)]
pub(crate) struct Papers {
    identity: Option<Identity>,
    /// The tokens of single subscriptions, of clients that were somebody before. As few as there are subscriptions.
    lent: Vec<(TopicId, Arc<Shown>)>,
    /// The subscriptions of which nobody could say whether they may go on.
    pub(super) doubts: Doubts,
    /// Since when it should have said who it is.
    pub(super) nobody_since: Option<Instant>,
    /// Whether it is to go, and how often that was tried.
    pub(super) eviction: Option<u32>,
}

/// Who a client is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// In the application's words, where it has some of its own.
    pub(crate) name: Arc<str>,
    /// The token; none where the application alone says who it is.
    pub(crate) shown: Option<Arc<Shown>>,
}

/// What is known of a wish at once.
#[derive(Debug)]
pub(crate) enum Permit {
    Granted,
    /// Why not, for the client and for the operator.
    Refused(&'static str, Arc<str>),
    /// The validator has to be asked.
    Unknown(Question),
}

impl Papers {
    pub(crate) fn new(identity: Option<Identity>) -> Self {
        Self { identity, ..Self::default() }
    }

    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Whether a client may do this with a topic, by a token that it shows for it or by who it is.
    ///
    /// A topic that is for everybody is also for those whose token says nothing of it.
    pub(crate) fn permit(&self, topic: &TopicEntry, action: Action, own: Option<&Token>) -> Permit {
        let question = |token: &Token| Question {
            token: token.clone(),
            namespace: topic.class.path.clone(),
            topic: Some(topic.name.clone()),
            action,
        };
        if let Some(token) = own {
            return Permit::Unknown(question(token));
        }
        if !topic.class.auth_required {
            return Permit::Granted;
        }
        let Some(identity) = &self.identity else {
            return Permit::Refused("this is for clients that say who they are: show a token", "no token".into());
        };
        let Some(shown) = &identity.shown else { return Permit::Granted };
        if self.eviction.is_some() || is_over(&shown.grant) {
            return Permit::Refused("the token is good no more", "a token that is good no more".into());
        }
        match &shown.grant.access {
            Access::All => Permit::Granted,
            Access::Rules(rules) if rules.allow(&topic.class.path, Some(&topic.name), action) => Permit::Granted,
            Access::Rules(_) => Permit::Refused("your token does not allow this", not_allowed(&shown.grant, action)),
            Access::Ask => Permit::Unknown(question(&shown.question.token)),
        }
    }

    /// Whether a subscription may go on: by its own token, or by who the client is now.
    pub(super) fn stand_for(&self, topic: &TopicEntry) -> bool {
        self.is_lent(topic.id) || !matches!(self.permit(topic, Action::Subscribe, None), Permit::Refused(..))
    }

    /// Whether a subscription has a token of its own.
    pub(super) fn is_lent(&self, topic: TopicId) -> bool {
        self.lent.iter().any(|(lent, _)| *lent == topic)
    }

    /// Takes a token that was accepted for one wish: of a client that was nobody it says who that is from now on, and
    /// `true` says so; a subscription lasts as long as its token.
    pub(crate) fn take(&mut self, shown: &Arc<Shown>, subscription: Option<TopicId>) -> bool {
        if self.identity.is_none() {
            return self.identify(shown.clone());
        }
        if let Some(topic) = subscription {
            self.give_back(topic);
            self.lent.push((topic, shown.clone()));
        }
        false
    }

    /// Takes a token that says who the client is. `false` when that is somebody else than it was, or it is to go.
    pub(crate) fn identify(&mut self, shown: Arc<Shown>) -> bool {
        let principal = shown.grant.principal.clone();
        if self.eviction.is_some() {
            return false;
        }
        match &mut self.identity {
            None => self.identity = Some(Identity { name: principal, shown: Some(shown) }),
            Some(known) if known.is(&principal) => known.shown = Some(shown),
            Some(_) => return false,
        }
        self.nobody_since = None;
        true
    }

    /// A subscription is over, and its token with it.
    pub(crate) fn give_back(&mut self, topic: TopicId) {
        self.lent.retain(|(other, _)| *other != topic);
        self.doubts.remove(topic);
    }

    /// All tokens it stands by.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &Arc<Shown>> {
        let own = self.identity.as_ref().and_then(|identity| identity.shown.as_ref());
        own.into_iter().chain(self.lent.iter().map(|(_, shown)| shown))
    }

    /// Puts in place of a token what the validator says of it now.
    pub(super) fn renew(&mut self, old: &Arc<Shown>, new: &Arc<Shown>) {
        let own = self.identity.as_mut().and_then(|identity| identity.shown.as_mut());
        for shown in own.into_iter().chain(self.lent.iter_mut().map(|(_, shown)| shown)) {
            if Arc::ptr_eq(shown, old) {
                *shown = new.clone();
            }
        }
    }
}

impl Identity {
    /// Whether a validator means the same by this name.
    pub(super) fn is(&self, principal: &str) -> bool {
        let said = self.shown.as_ref().map_or(&self.name, |shown| &shown.grant.principal);
        **said == *principal
    }
}
