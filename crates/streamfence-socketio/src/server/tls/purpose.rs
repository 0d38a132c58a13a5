//! What a certificate says that it may be used for.

use pkcs8::der::asn1::{AnyRef, ObjectIdentifier};
use pkcs8::der::{self, Decode as _};

use super::parts::{extension, parts, signed_parts};

/// Whether clients take a certificate in DER as that of a server: one that names its purposes must name this one, or any.
pub(super) fn is_for_servers(certificate: &[u8]) -> der::Result<bool> {
    let Some(purposes) = extension(&signed_parts(certificate)?, PURPOSES)? else { return Ok(true) };
    for purpose in parts(AnyRef::from_der(purposes)?)? {
        if [SERVERS, ANY].contains(&purpose.decode_as::<ObjectIdentifier>()?) {
            return Ok(true);
        }
    }
    Ok(false)
}

const PURPOSES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const SERVERS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const ANY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");

#[cfg(test)]
mod tests {
    use rcgen::ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};
    use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair};

    use super::*;

    fn certificate(purposes: &[ExtendedKeyUsagePurpose]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.extended_key_usages = purposes.to_vec();
        let key = KeyPair::generate().expect("there is randomness");
        params.self_signed(&key).expect("it can be signed").der().to_vec()
    }

    #[test]
    fn one_that_names_its_purposes_must_name_servers() {
        let cases: [(&[_], bool); 5] = [
            (&[], true),
            (&[ServerAuth], true),
            (&[ClientAuth, ServerAuth], true),
            (&[Any], true),
            (&[ClientAuth], false),
        ];
        for (purposes, wanted) in cases {
            assert_eq!(is_for_servers(&certificate(purposes)), Ok(wanted), "{purposes:?}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_for_nobody_and_nothing_panics() {
        let whole = certificate(&[ClientAuth]);
        for at in 0..whole.len() {
            assert!(is_for_servers(&whole[..at]).is_err(), "cut at {at}");
            let mut broken = whole.clone();
            broken[at] ^= 0xff;
            let _whatever = is_for_servers(&broken);
        }
    }
}
