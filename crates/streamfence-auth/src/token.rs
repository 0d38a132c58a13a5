//! A secret that a client shows.

use std::fmt;

use subtle::ConstantTimeEq as _;

/// A token as a client sent it. It is shown to validators alone: `Debug` hides it, and it has no `Display`.
///
/// ```
/// use streamfence_auth::Token;
///
/// let token = Token::from("hunter2");
/// assert_eq!(token.expose(), "hunter2");
/// assert_eq!(format!("{token:?}"), "Token(..)");
/// assert!(token.is(&Token::from("hunter2")) && !token.is(&Token::from("hunter3")) && !token.is(&Token::from("")));
/// ```
#[derive(Clone)]
pub struct Token(Box<str>);

impl Token {
    /// The text of it, for whoever checks it. It belongs in no log, event, metric, answer or error.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether this is the same token, in a time that says nothing of how much of it is.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl From<&str> for Token {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Token {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}
