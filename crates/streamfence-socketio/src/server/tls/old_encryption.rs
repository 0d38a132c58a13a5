//! Keys that are encrypted as nobody should any more: which way that is, so that its owner knows what to change.

use pkcs8::der::asn1::{AnyRef, OctetStringRef};
use pkcs8::der::{Decode as _, Reader as _, SliceReader};
use pkcs8::{AlgorithmIdentifierRef, ObjectIdentifier};

/// How a key in PEM is encrypted that OpenSSL wrote in its own way, before there was PKCS#8.
pub(super) fn of_openssl(pem: &str) -> Option<String> {
    const MARK: &str = "Proc-Type: 4,ENCRYPTED";
    let (_, after) = pem.split_once(MARK)?;
    let cipher = after.lines().find_map(|line| line.strip_prefix("DEK-Info: ")?.split(',').next());
    // From a file, and so of any length.
    let cipher: String = cipher.unwrap_or("no cipher").chars().take(32).collect();
    Some(format!("OpenSSL's own encryption (`{MARK}`, {cipher})"))
}

/// How a key in PKCS#8 is encrypted, where that is not by PBES2 with AES and one of the hashes that are not broken.
pub(super) fn of_pkcs8(key: &[u8]) -> Option<String> {
    let scheme = scheme(key).ok()?;
    if scheme.oid != PBES2 {
        return Some(format!("PBES1 or its like ({})", name(scheme.oid)));
    }
    let (derivation, cipher) = scheme.parameters.and_then(|parameters| pbes2(parameters).ok())?;
    if !AES.contains(&cipher.oid) {
        return Some(format!("PBES2 with {}", name(cipher.oid)));
    }
    let hash = (derivation.oid == PBKDF2).then(|| hash(derivation.parameters?).ok()).flatten()?;
    WEAK_HASHES.contains(&hash).then(|| format!("PBES2 with {}", name(hash)))
}

/// The scheme of an `EncryptedPrivateKeyInfo`, whatever it is.
fn scheme(key: &[u8]) -> Result<AlgorithmIdentifierRef<'_>, pkcs8::der::Error> {
    SliceReader::new(key)?.sequence(|info| {
        let scheme = AlgorithmIdentifierRef::decode(info)?;
        <&OctetStringRef>::decode(info)?;
        Ok(scheme)
    })
}

/// What makes a key of the password, and what encrypts with it.
fn pbes2(
    parameters: AnyRef<'_>,
) -> Result<(AlgorithmIdentifierRef<'_>, AlgorithmIdentifierRef<'_>), pkcs8::der::Error> {
    parameters.sequence(|inside| Ok((inside.decode()?, inside.decode()?)))
}

/// The hash of PBKDF2, of which SHA-1 is the one that is not said.
fn hash(parameters: AnyRef<'_>) -> Result<ObjectIdentifier, pkcs8::der::Error> {
    let parts: Vec<AnyRef<'_>> = parameters.sequence(|inside| {
        let mut parts = Vec::new();
        while !inside.is_finished() {
            parts.push(inside.decode()?);
        }
        Ok::<_, pkcs8::der::Error>(parts)
    })?;
    let hash = parts.iter().find_map(|part| part.decode_as::<AlgorithmIdentifierRef<'_>>().ok());
    Ok(hash.map_or(HMAC_SHA1, |hash| hash.oid))
}

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

const PBES2: ObjectIdentifier = oid("1.2.840.113549.1.5.13");
const PBKDF2: ObjectIdentifier = oid("1.2.840.113549.1.5.12");
const HMAC_SHA1: ObjectIdentifier = oid("1.2.840.113549.2.7");
const WEAK_HASHES: [ObjectIdentifier; 2] = [HMAC_SHA1, oid("1.2.840.113549.2.6")];
/// AES in CBC with 128, 192 and 256 bits.
const AES: [ObjectIdentifier; 3] =
    [oid("2.16.840.1.101.3.4.1.2"), oid("2.16.840.1.101.3.4.1.22"), oid("2.16.840.1.101.3.4.1.42")];

/// What OpenSSL calls it; the number of what it is seldom seen with.
fn name(oid: ObjectIdentifier) -> String {
    const NAMES: [(&str, &str); 15] = [
        ("1.2.840.113549.1.5.1", "pbeWithMD2AndDES-CBC"),
        ("1.2.840.113549.1.5.3", "pbeWithMD5AndDES-CBC"),
        ("1.2.840.113549.1.5.4", "pbeWithMD2AndRC2-CBC"),
        ("1.2.840.113549.1.5.6", "pbeWithMD5AndRC2-CBC"),
        ("1.2.840.113549.1.5.10", "pbeWithSHA1AndDES-CBC"),
        ("1.2.840.113549.1.5.11", "pbeWithSHA1AndRC2-CBC"),
        ("1.2.840.113549.1.12.1.1", "pbeWithSHA1And128BitRC4"),
        ("1.2.840.113549.1.12.1.2", "pbeWithSHA1And40BitRC4"),
        ("1.2.840.113549.1.12.1.3", "pbeWithSHA1And3-KeyTripleDES-CBC"),
        ("1.2.840.113549.1.12.1.4", "pbeWithSHA1And2-KeyTripleDES-CBC"),
        ("1.2.840.113549.1.12.1.5", "pbeWithSHA1And128BitRC2-CBC"),
        ("1.2.840.113549.1.12.1.6", "pbeWithSHA1And40BitRC2-CBC"),
        ("1.2.840.113549.3.7", "des-ede3-cbc"),
        ("1.3.14.3.2.7", "des-cbc"),
        ("1.2.840.113549.2.7", "hmacWithSHA1"),
    ];
    let text = oid.to_string();
    NAMES.iter().find(|(known, _)| *known == text).map_or(text, |(_, name)| (*name).to_owned())
}
