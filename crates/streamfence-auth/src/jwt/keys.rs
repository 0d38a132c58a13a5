//! Keys that tokens are signed with: one, or a set that tokens choose from.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::crypto;

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JwtAlgorithm {
    /// HMAC with SHA-256. Whoever verifies can sign.
    Hs256,
    /// RSA (PKCS #1 v1.5) with SHA-256.
    Rs256,
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl JwtAlgorithm {
    /// Its name in a token: `HS256`, `RS256`, `ES256`, `EdDSA`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    pub(super) fn id(self) -> Algorithm {
        match self {
            Self::Hs256 => Algorithm::HS256,
            Self::Rs256 => Algorithm::RS256,
            Self::Es256 => Algorithm::ES256,
            Self::EdDsa => Algorithm::EdDSA,
        }
    }
}

impl fmt::Display for JwtAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The keys that are believed, all of one algorithm. `Debug` shows their names and nothing else of them.
///
/// ```
/// use streamfence_auth::{JwtAlgorithm, JwtKeys};
///
/// let set = br#"{"keys": [
///     {"kid": "2026", "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
///     {"kid": "old", "kty": "oct", "k": "c2VjcmV0"}
/// ]}"#;
/// let keys = JwtKeys::jwks(JwtAlgorithm::EdDsa, set)?;
/// assert_eq!(keys.ids().collect::<Vec<_>>(), ["2026"]); // the other is of no use for EdDSA
///
/// // A public key is no secret.
/// assert!(JwtKeys::secret(b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA").is_err());
/// # Ok::<(), streamfence_auth::JwtKeyError>(())
/// ```
#[derive(Clone)]
pub struct JwtKeys {
    algorithm: JwtAlgorithm,
    /// Never empty. No two with the same id.
    keys: Vec<Key>,
    /// Whether a token chooses among them.
    is_set: bool,
    /// The digest of what they were read from.
    fingerprint: [u8; 32],
}

#[derive(Clone)]
struct Key {
    id: Option<Arc<str>>,
    key: DecodingKey,
}

/// Why something is no key, or no set of keys. It never says anything of what was read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwtKeyError {
    /// The file cannot be read.
    #[error("cannot be read: {why}")]
    Unreadable {
        /// What the system said.
        why: String,
    },
    /// The file is larger than any real one.
    #[error("is larger than {limit} bytes; wanted a file of keys")]
    TooLarge {
        /// The most it may have.
        limit: u64,
    },
    /// A secret that can be guessed.
    #[error("is a secret of {found} bytes; wanted 32 or more")]
    ShortSecret {
        /// How many bytes it has.
        found: usize,
    },
    /// A public key where a secret belongs: everybody who has it could sign.
    #[error("is a key in PEM; wanted a secret, because the algorithm is HS256")]
    NotASecret,
    /// It is not such a key, or not such a one.
    #[error("is not {wanted}")]
    NotAKey {
        /// What it should be.
        wanted: &'static str,
    },
    /// It is not a set of keys.
    #[error("is not a set of keys; wanted JSON such as {{\"keys\": [..]}}")]
    NotASet,
    /// No key of the set is one for this algorithm.
    #[error("has no key for {algorithm}; wanted at least one of {wanted}")]
    NoneFits {
        /// The algorithm.
        algorithm: JwtAlgorithm,
        /// What its keys are.
        wanted: &'static str,
    },
    /// A key of the set is broken.
    #[error("has a key {id:?} that is not {wanted}")]
    Broken {
        /// Its `kid`; empty where it has none.
        id: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// A token could not choose.
    #[error("has two keys {id:?} for the same algorithm; wanted each `kid` once")]
    Twice {
        /// Their `kid`; empty where they have none.
        id: String,
    },
}

/// The most bytes a file of keys may have.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// The least bytes of a secret: as many as the digest has (RFC 7518, 3.2).
const MIN_SECRET_BYTES: usize = 32;
/// The least bytes of a modulus of RSA: 2048 bits.
const MIN_MODULUS_BYTES: usize = 256;

impl JwtKeys {
    /// The secret of HS256, of 32 bytes or more.
    ///
    /// # Errors
    /// It is too short, or it is a key in PEM.
    pub fn secret(secret: &[u8]) -> Result<Self, JwtKeyError> {
        if secret.trim_ascii_start().starts_with(b"-----BEGIN") {
            return Err(JwtKeyError::NotASecret);
        }
        if secret.len() < MIN_SECRET_BYTES {
            return Err(JwtKeyError::ShortSecret { found: secret.len() });
        }
        Ok(Self::one(JwtAlgorithm::Hs256, DecodingKey::from_secret(secret), secret))
    }

    /// One public key in PEM: `PUBLIC KEY`, or `RSA PUBLIC KEY`.
    ///
    /// # Errors
    /// It is not a public key of this algorithm; of HS256 there are none.
    pub fn pem(algorithm: JwtAlgorithm, pem: &[u8]) -> Result<Self, JwtKeyError> {
        let wanted = wanted(algorithm);
        // What else PEM can hold would be taken for something it is not: a certificate, a private key.
        let is_public = [&b"-----BEGIN PUBLIC KEY-----"[..], b"-----BEGIN RSA PUBLIC KEY-----"]
            .iter()
            .any(|begin| pem.trim_ascii_start().starts_with(begin));
        let key = match algorithm {
            _ if !is_public => None,
            JwtAlgorithm::Hs256 => None,
            JwtAlgorithm::Rs256 => DecodingKey::from_rsa_pem(pem).ok(),
            JwtAlgorithm::Es256 => DecodingKey::from_ec_pem(pem).ok(),
            JwtAlgorithm::EdDsa => DecodingKey::from_ed_pem(pem).ok(),
        };
        let key = key.filter(|key| is_sound(algorithm, key)).ok_or(JwtKeyError::NotAKey { wanted })?;
        Ok(Self::one(algorithm, key, pem))
    }

    /// A set of keys as JSON (RFC 7517), of which a token chooses one by its `kid`. A token without one is believed only
    /// where there is no choice. Keys for other algorithms, or for something else than signatures, are passed over.
    ///
    /// # Errors
    /// It is no set of keys, none is for this algorithm, or one that is for it is broken or there twice.
    pub fn jwks(algorithm: JwtAlgorithm, json: &[u8]) -> Result<Self, JwtKeyError> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<serde_json::Value>,
        }
        let set: Set = serde_json::from_slice(json).map_err(|_| JwtKeyError::NotASet)?;
        let mut keys: Vec<Key> = Vec::new();
        for value in set.keys {
            // What cannot be read is a key of a kind that is not known, as tomorrow's may be.
            let Ok(jwk) = Jwk::deserialize(value) else { continue };
            if !is_meant(algorithm, &jwk) {
                continue;
            }
            let id = || jwk.common.key_id.clone().unwrap_or_default();
            let key = DecodingKey::from_jwk(&jwk).ok().filter(|key| is_sound(algorithm, key));
            let key = key.ok_or_else(|| JwtKeyError::Broken { id: id(), wanted: wanted(algorithm) })?;
            let known = jwk.common.key_id.as_deref();
            if keys.iter().any(|key| key.id.as_deref() == known) {
                return Err(JwtKeyError::Twice { id: id() });
            }
            keys.push(Key { id: known.map(Arc::from), key });
        }
        if keys.is_empty() {
            return Err(JwtKeyError::NoneFits { algorithm, wanted: wanted(algorithm) });
        }
        crypto::install();
        Ok(Self { algorithm, keys, is_set: true, fingerprint: Sha256::digest(json).into() })
    }

    /// Reads one key from a file: a public key in PEM, or for HS256 a secret, of which a newline at the end is not part.
    ///
    /// # Errors
    /// It cannot be read, or as [`pem`](Self::pem) and [`secret`](Self::secret).
    pub fn read_key(algorithm: JwtAlgorithm, file: &Path) -> Result<Self, JwtKeyError> {
        let bytes = read(file)?;
        match algorithm {
            JwtAlgorithm::Hs256 => {
                let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
                Self::secret(line.strip_suffix(b"\r").unwrap_or(line))
            }
            _ => Self::pem(algorithm, &bytes),
        }
    }

    /// Reads a set of keys from a file.
    ///
    /// # Errors
    /// It cannot be read, or as [`jwks`](Self::jwks).
    pub fn read_jwks(algorithm: JwtAlgorithm, file: &Path) -> Result<Self, JwtKeyError> {
        Self::jwks(algorithm, &read(file)?)
    }

    /// The algorithm of all of them.
    #[must_use]
    pub fn algorithm(&self) -> JwtAlgorithm {
        self.algorithm
    }

    /// The names (`kid`) of those that have one.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().filter_map(|key| key.id.as_deref())
    }

    /// The key that a token names, or the one there is.
    pub(super) fn find(&self, id: Option<&str>) -> Result<&DecodingKey, &'static str> {
        match (&self.keys[..], id) {
            ([only], _) if !self.is_set => Ok(&only.key),
            (keys, Some(id)) => match keys.iter().find(|key| key.id.as_deref() == Some(id)) {
                Some(key) => Ok(&key.key),
                None => Err("the key that the token names is not known"),
            },
            ([only], None) => Ok(&only.key),
            (_, None) => Err("the token does not name its key"),
        }
    }

    fn one(algorithm: JwtAlgorithm, key: DecodingKey, text: &[u8]) -> Self {
        crypto::install();
        let fingerprint = Sha256::digest(text).into();
        Self { algorithm, keys: vec![Key { id: None, key }], is_set: false, fingerprint }
    }
}

/// Keys are the same where they were read from the same text.
impl PartialEq for JwtKeys {
    fn eq(&self, other: &Self) -> bool {
        (self.algorithm, self.is_set, self.fingerprint) == (other.algorithm, other.is_set, other.fingerprint)
    }
}

impl Eq for JwtKeys {}

impl fmt::Debug for JwtKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.ids().collect();
        f.debug_struct("JwtKeys").field("algorithm", &self.algorithm).field("ids", &ids).finish_non_exhaustive()
    }
}

fn read(file: &Path) -> Result<Vec<u8>, JwtKeyError> {
    let unreadable = |why: std::io::Error| JwtKeyError::Unreadable { why: why.to_string() };
    // Before it is opened: a pipe that nobody writes to would be waited for.
    if !std::fs::metadata(file).map_err(unreadable)?.is_file() {
        return Err(JwtKeyError::Unreadable { why: "it is no regular file".to_owned() });
    }
    let mut bytes = Vec::new();
    // The size a file claims may be wrong, as a device's is; what is read is not.
    File::open(file).map_err(unreadable)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(JwtKeyError::TooLarge { limit: MAX_FILE_BYTES });
    }
    Ok(bytes)
}

fn wanted(algorithm: JwtAlgorithm) -> &'static str {
    match algorithm {
        JwtAlgorithm::Hs256 => "a secret of 32 bytes or more",
        JwtAlgorithm::Rs256 => "a public key of RSA, of 2048 to 8192 bits",
        JwtAlgorithm::Es256 => "a public key of ECDSA over P-256",
        JwtAlgorithm::EdDsa => "a public key of Ed25519",
    }
}

/// Whether a key of a set is for signatures of this algorithm, as far as it says.
fn is_meant(algorithm: JwtAlgorithm, jwk: &Jwk) -> bool {
    let is_kind = match &jwk.algorithm {
        AlgorithmParameters::OctetKey(_) => algorithm == JwtAlgorithm::Hs256,
        AlgorithmParameters::RSA(_) => algorithm == JwtAlgorithm::Rs256,
        AlgorithmParameters::EllipticCurve(key) => algorithm == JwtAlgorithm::Es256 && key.curve == EllipticCurve::P256,
        AlgorithmParameters::OctetKeyPair(key) => {
            algorithm == JwtAlgorithm::EdDsa && key.curve == EllipticCurve::Ed25519
        }
        _ => false,
    };
    let named = match algorithm {
        JwtAlgorithm::Hs256 => KeyAlgorithm::HS256,
        JwtAlgorithm::Rs256 => KeyAlgorithm::RS256,
        JwtAlgorithm::Es256 => KeyAlgorithm::ES256,
        JwtAlgorithm::EdDsa => KeyAlgorithm::EdDSA,
    };
    let common = &jwk.common;
    is_kind
        && common.key_algorithm.is_none_or(|algorithm| algorithm == named)
        && common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature)
        && common.key_operations.as_ref().is_none_or(|may| may.contains(&KeyOperations::Verify))
}

/// Whether a key is one that its algorithm can use, so that a file says so and not each token.
fn is_sound(algorithm: JwtAlgorithm, key: &DecodingKey) -> bool {
    match (algorithm, key.family(), key.kind()) {
        (JwtAlgorithm::Hs256, AlgorithmFamily::Hmac, DecodingKeyKind::SecretOrDer(secret)) => {
            secret.len() >= MIN_SECRET_BYTES
        }
        (JwtAlgorithm::Rs256, AlgorithmFamily::Rsa, DecodingKeyKind::RsaModulusExponent { n, e }) => {
            let zeros = n.iter().take_while(|byte| **byte == 0).count();
            (MIN_MODULUS_BYTES..=1024).contains(&(n.len() - zeros)) && !e.is_empty()
        }
        // A sequence of modulus and exponent.
        (JwtAlgorithm::Rs256, AlgorithmFamily::Rsa, DecodingKeyKind::SecretOrDer(der)) => {
            der.first() == Some(&0x30) && (MIN_MODULUS_BYTES..1100).contains(&der.len())
        }
        (JwtAlgorithm::Es256, AlgorithmFamily::Ec, DecodingKeyKind::SecretOrDer(point)) => {
            point.len() == 65 && point[0] == 4
        }
        (JwtAlgorithm::EdDsa, AlgorithmFamily::Ed, DecodingKeyKind::SecretOrDer(point)) => point.len() == 32,
        _ => false,
    }
}
