//! Tokens signed by someone else: JSON Web Tokens.

mod claims;
mod crypto;
mod keys;

pub use keys::{JwtAlgorithm, JwtKeyError, JwtKeys};

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode, decode_header};
use serde_json::{Map, Value};

use crate::revision;
use crate::validator::{Asked, AuthDecision, TokenValidator, Validating};

/// What is asked of a token beside its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtOptions {
    /// The issuers (`iss`) that are believed. Where there are none, any is, and a token need not name one.
    pub issuers: Vec<String>,
    /// The audiences (`aud`), one of which a token must name. Where there are none, a token that names any is refused:
    /// it is meant for somebody else.
    pub audiences: Vec<String>,
    /// How far the clocks of issuer and server may lie apart, in whole seconds; what is left of one counts as one, and a
    /// day is the most.
    pub leeway: Duration,
    /// Whether a token must say when it expires (`exp`). One that says so is held to it either way.
    pub require_expiry: bool,
    /// The claim that names the principal: a text of 1 to 128 bytes without control characters.
    pub principal_claim: String,
    /// The claim that lists what its holder may do.
    pub rules_claim: String,
    /// Whether a token without that claim may do everything, or else nothing.
    pub allow_without_rules: bool,
}

impl Default for JwtOptions {
    /// Any issuer, no audience, 5 s of leeway, `exp` required, principals from `sub`, rules from `streamfence`, and
    /// everything allowed without them.
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            audiences: Vec::new(),
            leeway: Duration::from_secs(5),
            require_expiry: true,
            principal_claim: "sub".to_owned(),
            rules_claim: "streamfence".to_owned(),
            allow_without_rules: true,
        }
    }
}

/// Believes tokens that were signed with one of its keys.
///
/// The algorithm is that of the keys: a token that names another, or none, is refused before anything else. `nbf` and
/// `exp` hold where they are given. A claim lists what its holder may do:
///
/// ```json
/// {"sub": "alice", "exp": 1924992000, "streamfence": [
///     {"namespace": "/feed", "topics": ["orders.*"], "actions": ["subscribe"]}
/// ]}
/// ```
///
/// `topics` and `actions` (`connect`, `subscribe`, `publish`) are patterns and actions of a
/// [`GlobRule`](crate::GlobRule); without them all are meant. A token whose list is anything else is refused. One that
/// is good is accepted whatever is asked, and its rules say what for ([`Access::allows`](crate::Access::allows)).
///
/// The cryptography is ring's. It is offered to the crate `jsonwebtoken` as the provider of the process with the first
/// keys; where the application has installed one of its own before, that one is used.
///
/// ```
/// use streamfence_auth::{Action, Asked, AuthDecision, JwtKeys, JwtOptions, JwtValidator, Token, TokenValidator as _};
///
/// let secret = b"a secret of thirty-two bytes or more";
/// let validator = JwtValidator::new(JwtKeys::secret(secret)?, JwtOptions::default());
/// let claims = serde_json::json!({"sub": "alice", "exp": 4_000_000_000_u64});
/// let key = jsonwebtoken::EncodingKey::from_secret(secret);
/// let token = Token::from(jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap());
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// let asked = Asked { token: &token, namespace: "/feed", topic: None, action: Action::Connect };
/// let AuthDecision::Accept(grant) = validator.validate(asked).await else { panic!("it is signed") };
/// assert_eq!(&*grant.principal, "alice");
/// # });
/// # Ok::<(), streamfence_auth::JwtKeyError>(())
/// ```
pub struct JwtValidator {
    options: JwtOptions,
    current: ArcSwap<Current>,
}

/// Keys, and what goes with them.
struct Current {
    keys: JwtKeys,
    validation: Validation,
    revision: u64,
}

/// The longest token that is looked at: room for a few hundred rules, and for nobody to have us decode for long.
const MAX_TOKEN_BYTES: usize = 16 * 1024;
const MAX_LEEWAY: Duration = Duration::from_secs(24 * 60 * 60);

impl JwtValidator {
    /// Believes tokens signed with these keys.
    #[must_use]
    pub fn new(keys: JwtKeys, options: JwtOptions) -> Self {
        let current = Current { validation: validation(&options, &keys), keys, revision: revision::next() };
        Self { options, current: ArcSwap::from_pointee(current) }
    }

    /// Believes tokens signed with these keys from now on, and no others. Says whether they are other keys than before.
    pub fn set_keys(&self, keys: JwtKeys) -> bool {
        let has_changed = self.current.load().keys != keys;
        if has_changed {
            let validation = validation(&self.options, &keys);
            self.current.store(Arc::new(Current { keys, validation, revision: revision::next() }));
        }
        has_changed
    }

    fn decide(&self, token: &str) -> AuthDecision {
        self.read(token).unwrap_or_else(AuthDecision::reject)
    }

    fn read(&self, token: &str) -> Result<AuthDecision, &'static str> {
        let Current { keys, validation, .. } = &**self.current.load();
        if token.len() > MAX_TOKEN_BYTES {
            return Err("the token is longer than 16384 bytes");
        }
        // Nothing can be said of times, and `jsonwebtoken` would try to.
        if SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default() < MAX_LEEWAY {
            return Ok(AuthDecision::unavailable("the clock of this machine is not set"));
        }
        let header = decode_header(token).map_err(|_| NO_TOKEN)?;
        if header.alg != keys.algorithm().id() {
            return Err("the token is signed in another way than those that are believed");
        }
        if header.crit.is_some() {
            return Err("the token demands that its reader knows an extension");
        }
        let key = keys.find(header.kid.as_deref())?;
        let claims = decode::<Map<String, Value>>(token, key, validation).map_err(|why| reason(why.kind()))?.claims;
        claims::grant(&claims, &self.options).map(AuthDecision::Accept)
    }
}

impl TokenValidator for JwtValidator {
    fn validate<'a>(&'a self, asked: Asked<'a>) -> Validating<'a> {
        // A signature takes a tenth of a millisecond at most to check: less than to hand it to another thread.
        Box::pin(async move { self.decide(asked.token.expose()) })
    }

    fn revision(&self) -> u64 {
        self.current.load().revision
    }
}

impl fmt::Debug for JwtValidator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let current = self.current.load();
        f.debug_struct("JwtValidator").field("keys", &current.keys).field("options", &self.options).finish()
    }
}

fn validation(options: &JwtOptions, keys: &JwtKeys) -> Validation {
    let mut validation = Validation::new(keys.algorithm().id());
    validation.leeway = leeway_seconds(options);
    validation.validate_nbf = true;
    let mut required = Vec::new();
    if options.require_expiry {
        required.push("exp");
    }
    if !options.issuers.is_empty() {
        validation.set_issuer(&options.issuers);
        required.push("iss");
    }
    if !options.audiences.is_empty() {
        validation.set_audience(&options.audiences);
        required.push("aud");
    }
    validation.set_required_spec_claims(&required);
    validation
}

fn leeway_seconds(options: &JwtOptions) -> u64 {
    let leeway = options.leeway.min(MAX_LEEWAY);
    leeway.as_secs() + u64::from(leeway.subsec_nanos() > 0)
}

const NO_TOKEN: &str = "the token is not a JSON Web Token of a known algorithm";

/// What the operator reads, which holds nothing of the token.
fn reason(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidSignature => "the signature of the token is not by a key that is believed",
        ErrorKind::ExpiredSignature => "the token has expired",
        ErrorKind::ImmatureSignature => "the token is not valid yet",
        ErrorKind::InvalidIssuer => "the issuer of the token is not one that is believed",
        ErrorKind::InvalidAudience => "the token is meant for another audience",
        ErrorKind::InvalidAlgorithm => "the token is signed in another way than those that are believed",
        ErrorKind::MissingRequiredClaim(claim) => match claim.as_str() {
            "exp" => "the token does not say when it expires",
            "iss" => "the token does not name its issuer",
            _ => "the token names no audience",
        },
        ErrorKind::InvalidClaimFormat(_) => "a time in the token is not a number",
        _ => NO_TOKEN,
    }
}
