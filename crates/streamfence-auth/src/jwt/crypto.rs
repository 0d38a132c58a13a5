//! The cryptography of signed tokens, by ring: the one library for it in the tree, which builds with a C compiler alone.
//!
//! It signs as well as it verifies, though nobody here signs: `jsonwebtoken` has one provider for the process, and an
//! application around us may sign.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result, new_error};
use jsonwebtoken::signature::{Error, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaSigningAlgorithm, RsaEncoding, RsaParameters, RsaPublicKeyComponents};

/// Offers ring to the process, unless it has another provider.
pub(super) fn install() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| match algorithm.family() == key.family() {
            true => Ok(Box::new(RingSigner { algorithm: *algorithm, key: key.clone() })),
            false => Err(new_error(ErrorKind::InvalidKeyFormat)),
        },
        verifier_factory: |algorithm, key| match algorithm.family() == key.family() {
            true => Ok(Box::new(RingVerifier { algorithm: *algorithm, key: key.clone() })),
            false => Err(new_error(ErrorKind::InvalidKeyFormat)),
        },
        key_utils: KeyUtils {
            rsa_pub_components_from_private_key: |_| unsupported(),
            rsa_pub_components_from_public_key: |_| unsupported(),
            ec_pub_components_from_private_key: |_, _| unsupported(),
            ed_pub_components_from_private_key: |_, _| unsupported(),
            compute_digest: |_, _| unsupported(),
        },
    };
    // An error is that there is one already, which is as good.
    let _ = PROVIDER.install_default();
}

fn unsupported<T>() -> Result<T> {
    Err(new_error(ErrorKind::Provider("sets of keys are read and not written here".to_owned())))
}

struct RingVerifier {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        let outcome = match (self.algorithm.family(), self.key.kind()) {
            (AlgorithmFamily::Hmac, DecodingKeyKind::SecretOrDer(secret)) => {
                hmac::verify(&hmac::Key::new(hmac_of(self.algorithm), secret), message, signature)
            }
            (AlgorithmFamily::Rsa, DecodingKeyKind::RsaModulusExponent { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(rsa_of(self.algorithm).0, message, signature)
            }
            (AlgorithmFamily::Rsa, DecodingKeyKind::SecretOrDer(key)) => {
                signature::UnparsedPublicKey::new(rsa_of(self.algorithm).0, key).verify(message, signature)
            }
            (AlgorithmFamily::Ec, DecodingKeyKind::SecretOrDer(key)) => {
                let algorithm = match self.algorithm {
                    Algorithm::ES384 => &signature::ECDSA_P384_SHA384_FIXED,
                    _ => &signature::ECDSA_P256_SHA256_FIXED,
                };
                signature::UnparsedPublicKey::new(algorithm, key).verify(message, signature)
            }
            (AlgorithmFamily::Ed, DecodingKeyKind::SecretOrDer(key)) => {
                signature::UnparsedPublicKey::new(&signature::ED25519, key).verify(message, signature)
            }
            (_, DecodingKeyKind::RsaModulusExponent { .. }) => return Err(Error::new()),
        };
        outcome.map_err(|ring::error::Unspecified| Error::new())
    }
}

struct RingSigner {
    algorithm: Algorithm,
    key: EncodingKey,
}

impl JwtSigner for RingSigner {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Signer<Vec<u8>> for RingSigner {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        let key = self.key.as_bytes();
        let random = SystemRandom::new();
        match self.algorithm.family() {
            AlgorithmFamily::Hmac => {
                Ok(hmac::sign(&hmac::Key::new(hmac_of(self.algorithm), key), message).as_ref().to_vec())
            }
            AlgorithmFamily::Rsa => {
                let pair = signature::RsaKeyPair::from_der(key).map_err(|_| Error::new())?;
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(rsa_of(self.algorithm).1, &random, message, &mut signature).map_err(|_| Error::new())?;
                Ok(signature)
            }
            AlgorithmFamily::Ec => {
                let algorithm: &EcdsaSigningAlgorithm = match self.algorithm {
                    Algorithm::ES384 => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
                    _ => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
                };
                let pair = signature::EcdsaKeyPair::from_pkcs8(algorithm, key, &random).map_err(|_| Error::new())?;
                Ok(pair.sign(&random, message).map_err(|_| Error::new())?.as_ref().to_vec())
            }
            AlgorithmFamily::Ed => {
                // OpenSSL writes keys without their public half.
                let pair = signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(key).map_err(|_| Error::new())?;
                Ok(pair.sign(message).as_ref().to_vec())
            }
        }
    }
}

fn hmac_of(algorithm: Algorithm) -> hmac::Algorithm {
    match algorithm {
        Algorithm::HS384 => hmac::HMAC_SHA384,
        Algorithm::HS512 => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    }
}

/// How RSA verifies and how it signs.
fn rsa_of(algorithm: Algorithm) -> (&'static RsaParameters, &'static dyn RsaEncoding) {
    match algorithm {
        Algorithm::RS384 => (&signature::RSA_PKCS1_2048_8192_SHA384, &signature::RSA_PKCS1_SHA384),
        Algorithm::RS512 => (&signature::RSA_PKCS1_2048_8192_SHA512, &signature::RSA_PKCS1_SHA512),
        Algorithm::PS256 => (&signature::RSA_PSS_2048_8192_SHA256, &signature::RSA_PSS_SHA256),
        Algorithm::PS384 => (&signature::RSA_PSS_2048_8192_SHA384, &signature::RSA_PSS_SHA384),
        Algorithm::PS512 => (&signature::RSA_PSS_2048_8192_SHA512, &signature::RSA_PSS_SHA512),
        _ => (&signature::RSA_PKCS1_2048_8192_SHA256, &signature::RSA_PKCS1_SHA256),
    }
}
