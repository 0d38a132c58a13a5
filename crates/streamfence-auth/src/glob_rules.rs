//! What the holder of a token may do, said with patterns.

use crate::glob::Glob;
use crate::validator::{Action, Rules};

/// What a token allows: whatever one of its rules allows.
///
/// ```
/// use streamfence_auth::{Action, GlobRule, GlobRules, Rules as _};
///
/// let rules = GlobRules::from_iter([
///     GlobRule::new("/feed").topics(["orders.*", "news"]).actions([Action::Subscribe]),
///     GlobRule::new("/chat-*"),
/// ]);
/// assert!(rules.allow("/feed", Some("orders.eu"), Action::Subscribe));
/// assert!(!rules.allow("/feed", Some("orders.eu"), Action::Publish));
/// assert!(!rules.allow("/feed", Some("orders"), Action::Subscribe));
/// assert!(rules.allow("/chat-7", Some("room"), Action::Publish));
/// // Whoever may do something in a namespace may join it.
/// assert!(rules.allow("/feed", None, Action::Connect));
/// assert!(!rules.allow("/", None, Action::Connect));
/// ```
#[derive(Clone, Debug, Default)]
pub struct GlobRules(Vec<GlobRule>);

/// One thing a token allows: some actions on some topics of some namespaces.
///
/// In each pattern `*` stands for any characters, none among them, dots and slashes too; everything else for itself.
#[derive(Clone, Debug)]
pub struct GlobRule {
    namespace: Glob,
    /// `None` is all of them.
    topics: Option<Vec<Glob>>,
    may_subscribe: bool,
    may_publish: bool,
}

impl GlobRule {
    /// Everything in the namespaces of this pattern.
    #[must_use]
    pub fn new(namespace: &str) -> Self {
        Self { namespace: Glob::new(namespace), topics: None, may_subscribe: true, may_publish: true }
    }

    /// Only topics of one of these patterns; none where there is no pattern.
    #[must_use]
    pub fn topics<T: AsRef<str>>(mut self, patterns: impl IntoIterator<Item = T>) -> Self {
        self.topics = Some(patterns.into_iter().map(|pattern| Glob::new(pattern.as_ref())).collect());
        self
    }

    /// Only these actions. To connect is always among them.
    #[must_use]
    pub fn actions(mut self, actions: impl IntoIterator<Item = Action>) -> Self {
        (self.may_subscribe, self.may_publish) = (false, false);
        for action in actions {
            match action {
                Action::Connect => {}
                Action::Subscribe => self.may_subscribe = true,
                Action::Publish => self.may_publish = true,
            }
        }
        self
    }

    fn allows(&self, namespace: &str, topic: Option<&str>, action: Action) -> bool {
        let has_action = match action {
            Action::Connect => return self.namespace.matches(namespace),
            Action::Subscribe => self.may_subscribe,
            Action::Publish => self.may_publish,
        };
        let has_topic = || match (&self.topics, topic) {
            (None, _) => true,
            (Some(patterns), Some(topic)) => patterns.iter().any(|pattern| pattern.matches(topic)),
            (Some(_), None) => false,
        };
        has_action && self.namespace.matches(namespace) && has_topic()
    }
}

impl FromIterator<GlobRule> for GlobRules {
    fn from_iter<I: IntoIterator<Item = GlobRule>>(rules: I) -> Self {
        Self(rules.into_iter().collect())
    }
}

impl Rules for GlobRules {
    fn allow(&self, namespace: &str, topic: Option<&str>, action: Action) -> bool {
        self.0.iter().any(|rule| rule.allows(namespace, topic, action))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_rule_allows_nothing_and_no_action_only_to_join() {
        assert!(!GlobRules::default().allow("/a", None, Action::Connect));
        let rules = GlobRules::from_iter([GlobRule::new("/a").actions([])]);
        assert!(rules.allow("/a", None, Action::Connect));
        assert!(!rules.allow("/a", Some("t"), Action::Subscribe) && !rules.allow("/a", Some("t"), Action::Publish));
        let rules = GlobRules::from_iter([GlobRule::new("/a").topics::<&str>([])]);
        assert!(!rules.allow("/a", Some("t"), Action::Subscribe));
    }
}
