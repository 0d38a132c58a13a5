//! What the holder of a token may do, said with patterns.

use std::fmt;

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

/// A pattern in which `*` stands for any characters.
#[derive(Clone)]
struct Glob(Box<str>);

impl Glob {
    fn new(pattern: &str) -> Self {
        Self(pattern.into())
    }

    /// Whether it stands for all of a text. It goes back to its last `*` and no further, so it takes at most as many
    /// steps as both have bytes, multiplied.
    fn matches(&self, text: &str) -> bool {
        // `*` is a byte that is part of no other character, so bytes will do.
        let (pattern, text) = (self.0.as_bytes(), text.as_bytes());
        let (mut p, mut t) = (0, 0);
        let mut last_star = None;
        while t < text.len() {
            if pattern.get(p) == Some(&b'*') {
                last_star = Some((p, t));
                p += 1;
            } else if pattern.get(p) == Some(&text[t]) {
                p += 1;
                t += 1;
            } else if let Some((star, taken)) = last_star {
                last_star = Some((star, taken + 1));
                (p, t) = (star + 1, taken + 1);
            } else {
                return false;
            }
        }
        pattern[p..].iter().all(|byte| *byte == b'*')
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_star_is_anything_and_all_else_is_itself() {
        let table = [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "/a.b", true),
            ("orders.*", "orders.", true),
            ("orders.*", "orders", false),
            ("*.eu", "orders.eu", true),
            ("*.eu", "orders.eu.x", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a?c", "abc", false),
            ("[a]", "a", false),
            ("**a", "a", true),
            ("a.c", "abc", false),
            ("A", "a", false),
            ("ü*", "üx", true),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(Glob::new(pattern).matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn no_rule_allows_nothing_and_no_action_only_to_join() {
        assert!(!GlobRules::default().allow("/a", None, Action::Connect));
        let rules = GlobRules::from_iter([GlobRule::new("/a").actions([])]);
        assert!(rules.allow("/a", None, Action::Connect));
        assert!(!rules.allow("/a", Some("t"), Action::Subscribe) && !rules.allow("/a", Some("t"), Action::Publish));
        let rules = GlobRules::from_iter([GlobRule::new("/a").topics::<&str>([])]);
        assert!(!rules.allow("/a", Some("t"), Action::Subscribe));
    }

    /// What a pattern means, said as shortly as possible.
    fn means(pattern: &[u8], text: &[u8]) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', rest @ ..] => (0..=text.len()).any(|taken| means(rest, &text[taken..])),
            [first, rest @ ..] => text.first() == Some(first) && means(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn patterns_match_what_they_mean(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
            prop_assert_eq!(Glob::new(&pattern).matches(&text), means(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
