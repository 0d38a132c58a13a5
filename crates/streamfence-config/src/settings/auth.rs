//! How clients prove who they are.

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

/// What a server with `auth: TOKEN` believes, and what it grants a client that has not proved itself yet.
///
/// At least one of `static_tokens`, `jwt` and `hook` is there. They are asked in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthSettings {
    /// Tokens written in the file, in its order; no principal and no token twice.
    pub static_tokens: Vec<StaticToken>,
    /// Tokens signed by someone else.
    pub jwt: Option<JwtSettings>,
    /// Someone to ask about a token.
    pub hook: Option<AuthHookSettings>,
    /// Whether a token may stand in the query of the handshake.
    pub token_query: bool,
    /// How long a client may stay without a token where one is required, and how long a validator may take.
    pub timeout: Duration,
    /// How many wrong tokens an address may offer; `None` is any number.
    pub failures: Option<AuthFailureSettings>,
    /// How many wrong tokens within a minute, from all addresses together, are told of; `None` is never.
    pub alarm_per_minute: Option<NonZeroU32>,
}

/// One principal and its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticToken {
    /// Who shows it.
    pub principal: String,
    /// The token, or `sha256:` and the 64 hexadecimal digits of its digest.
    pub token: Secret,
}

/// Which signed tokens are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtSettings {
    /// The one algorithm, whatever a token says of itself.
    pub algorithm: JwtAlgorithm,
    /// Where the keys are.
    pub keys: JwtKeySource,
    /// The issuers that are believed; empty is any.
    pub issuers: Vec<String>,
    /// The audiences this server is one of; empty where tokens name none.
    pub audiences: Vec<String>,
    /// How far the clocks of issuer and server may lie apart.
    pub leeway: Duration,
    /// Whether a token must say when it expires.
    pub require_expiry: bool,
    /// The claim that names the principal.
    pub principal_claim: String,
    /// The claim that lists what its holder may do.
    pub rules_claim: String,
    /// Whether a token without that claim may do everything, or else nothing.
    pub allow_without_rules: bool,
}

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwtAlgorithm {
    /// HMAC with SHA-256: who verifies can sign.
    Hs256,
    /// RSA (PKCS #1 v1.5) with SHA-256.
    Rs256,
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

/// Where the keys of signed tokens are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwtKeySource {
    /// A secret that the file says or refers to; with [`JwtAlgorithm::Hs256`] alone.
    Secret(Secret),
    /// A file that holds one key, a public one in PEM or a secret: as it was written, or from the directory of the
    /// configuration.
    File(PathBuf),
    /// A file that holds a set of keys as JSON, each with its `kid`; found the same way.
    Jwks(PathBuf),
}

/// Whom to ask about tokens, and how patiently.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthHookSettings {
    /// The URL that is posted to. Its query is not shown, because it may hold a secret.
    pub url: String,
    /// How long an answer may take.
    pub timeout: Duration,
    /// The file of certificates that vouch for an `https` URL: as it was written, or from the directory of the
    /// configuration. `None` is those that the system trusts.
    pub ca_certs: Option<PathBuf>,
    /// How many questions may be open at once.
    pub max_concurrent: u16,
    /// How long an answer holds.
    pub cache: Duration,
    /// How long who was let in stays before it is asked about again; `None` is until its next wish.
    pub recheck: Option<Duration>,
}

impl fmt::Debug for AuthHookSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthHookSettings")
            .field("url", &self.url.split('?').next().unwrap_or_default())
            .field("ca_certs", &self.ca_certs)
            .field("timeout", &self.timeout)
            .field("max_concurrent", &self.max_concurrent)
            .field("cache", &self.cache)
            .field("recheck", &self.recheck)
            .finish()
    }
}

/// How many wrong tokens an address may offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthFailureSettings {
    /// How many.
    pub max: u32,
    /// Within how long.
    pub window: Duration,
}

/// A text that is never shown.
///
/// ```
/// use streamfence_config::Secret;
///
/// let secret = Secret::from("hunter2");
/// assert_eq!(secret.expose(), "hunter2");
/// assert_eq!(format!("{secret:?}"), "Secret(..)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text of it, for whoever needs it. It belongs in no log, no answer and no error.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
