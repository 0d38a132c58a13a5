//! Who a client is and what it may do: tokens, what validates them, and what is counted against an address.
//!
//! Never a client's connection and never a configuration: an adapter finds the token and asks, whoever embeds it chooses
//! the validator.

mod token;
mod validator;

mod glob;
mod glob_rules;
mod static_tokens;

#[cfg(feature = "jwt")]
mod jwt;

#[cfg(feature = "hook")]
mod hook;

mod chain;

mod accepted;
mod address;
mod failures;

mod live;
#[cfg(any(feature = "jwt", feature = "hook"))]
mod principal;
mod revision;

pub use accepted::AcceptedTokens;
pub use address::AddressKey;
pub use chain::ValidatorChain;
pub use failures::{FailureLimit, FailureLimiter};
pub use glob::Glob;
pub use glob_rules::{GlobRule, GlobRules};
#[cfg(feature = "hook")]
pub use hook::{HookCertificates, HttpHook, HttpHookError, HttpHookOptions};
#[cfg(feature = "jwt")]
pub use jwt::{JwtAlgorithm, JwtKeyError, JwtKeys, JwtOptions, JwtValidator};
pub use live::LiveValidator;
pub use static_tokens::{StaticTokenError, StaticTokens};
pub use token::Token;
pub use validator::{Access, Action, Asked, AuthDecision, Grant, Rules, TokenValidator, Validating};
