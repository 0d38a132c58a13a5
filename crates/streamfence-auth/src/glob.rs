//! A pattern with stars.

use std::fmt;

/// A pattern in which `*` stands for any characters, none among them, dots and slashes too; everything else for itself.
///
/// ```
/// use streamfence_auth::Glob;
///
/// let pattern = Glob::new("/feed/orders.*");
/// assert!(pattern.matches("/feed/orders.eu"));
/// assert!(!pattern.matches("/feed/orders"));
/// ```
#[derive(Clone)]
pub struct Glob(Box<str>);

impl Glob {
    /// The pattern that a text is.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        Self(pattern.into())
    }

    /// Whether it stands for all of a text. It goes back to its last `*` and no further, so it takes at most as many
    /// steps as both have bytes, multiplied.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
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
