//! Who a client is and what it may do: tokens, what validates them, and what is counted against an address.
//!
//! Never a socket and never a configuration: an adapter finds the token and asks, whoever embeds it chooses the
//! validator.

mod address;
mod token;
mod validator;

pub use address::AddressKey;
pub use token::Token;
pub use validator::{Access, Action, Asked, AuthDecision, Grant, Rules, TokenValidator, Validating};
