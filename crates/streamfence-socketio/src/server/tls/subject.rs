//! Whom a client's certificate names.
//!
//! Never whether it is a good one: that was found out before anybody asks for its name.

use pkcs8::der::asn1::{AnyRef, ObjectIdentifier};
use pkcs8::der::{self, Decode, Tag, TagNumber, Tagged};

use super::parts::{explicit, extension, parts, signed_parts};

/// Who a certificate in DER says its holder is: the only URI of its alternative names, else the only common name of its
/// subject, else its only DNS name. Where there are several of a kind, none of them is the one.
pub(super) fn name(certificate: &[u8]) -> Option<String> {
    let names = Names::read(certificate).ok()?;
    [names.uris, names.common_names, names.dns_names].into_iter().find_map(|of_a_kind| match &of_a_kind[..] {
        [only] if is_presentable(only) => Some((*only).to_owned()),
        _ => None,
    })
}

/// Whether a name can stand in a log and be compared with others.
fn is_presentable(name: &str) -> bool {
    !name.is_empty() && name.len() <= LONGEST && !name.contains(char::is_control)
}

/// The names of a certificate that count.
#[derive(Default)]
struct Names<'a> {
    uris: Vec<&'a str>,
    common_names: Vec<&'a str>,
    dns_names: Vec<&'a str>,
}

impl<'a> Names<'a> {
    /// `Certificate { tbs { [0] version?, serial, algorithm, issuer, validity, subject, key, .., [3] extensions }, .. }`
    fn read(certificate: &'a [u8]) -> der::Result<Self> {
        let missing = || der::Error::from(der::ErrorKind::Failed);
        let tbs = signed_parts(certificate)?;
        let has_version = tbs.first().is_some_and(|first| first.tag() == explicit(0));
        let subject = tbs.get(usize::from(has_version) + 4).ok_or_else(missing)?;
        let mut names = Self::default();
        for set in parts(*subject)? {
            for attribute in parts(set)? {
                if let [kind, value] = parts(attribute)?[..]
                    && kind.decode_as::<ObjectIdentifier>()? == COMMON_NAME
                    && matches!(value.tag(), Tag::Utf8String | Tag::PrintableString | Tag::Ia5String)
                {
                    names.common_names.extend(str::from_utf8(value.value()));
                }
            }
        }
        let Some(alternative) = extension(&tbs, ALTERNATIVE_NAMES)? else { return Ok(names) };
        for name in parts(AnyRef::from_der(alternative)?)? {
            match name.tag() {
                Tag::ContextSpecific { constructed: false, number: DNS } => &mut names.dns_names,
                Tag::ContextSpecific { constructed: false, number: URI } => &mut names.uris,
                _ => continue,
            }
            .extend(str::from_utf8(name.value()));
        }
        Ok(names)
    }
}

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const ALTERNATIVE_NAMES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const DNS: TagNumber = TagNumber(2);
const URI: TagNumber = TagNumber(6);
/// The most bytes a name may have.
const LONGEST: usize = 1024;

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

    use super::*;

    /// A certificate with these common names and alternative names.
    fn certificate(common: &[&str], alternative: Vec<SanType>) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "an organization");
        for name in common {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        params.subject_alt_names = alternative;
        let key = KeyPair::generate().expect("there is randomness");
        params.self_signed(&key).expect("it can be signed").der().to_vec()
    }

    fn uri(name: &str) -> SanType {
        SanType::URI(name.try_into().expect("it is ASCII"))
    }

    fn dns(name: &str) -> SanType {
        SanType::DnsName(name.try_into().expect("it is ASCII"))
    }

    #[test]
    fn the_only_uri_counts_before_the_common_name_and_that_before_the_only_dns_name() {
        let cases: [(Vec<u8>, Option<&str>); 8] = [
            (
                certificate(&["ann"], vec![dns("ann.example"), uri("spiffe://example/ann")]),
                Some("spiffe://example/ann"),
            ),
            (certificate(&["ann"], vec![dns("ann.example")]), Some("ann")),
            (certificate(&[], vec![dns("ann.example")]), Some("ann.example")),
            (certificate(&["ann"], vec![uri("spiffe://a"), uri("spiffe://b")]), Some("ann")),
            (certificate(&[], vec![dns("a.example"), dns("b.example")]), None),
            (certificate(&[], vec![]), None),
            (certificate(&["Zo\u{eb}"], vec![]), Some("Zo\u{eb}")),
            (certificate(&["ann\0.example"], vec![]), None),
        ];
        for (certificate, wanted) in cases {
            assert_eq!(name(&certificate).as_deref(), wanted);
        }
    }

    #[test]
    fn what_is_no_certificate_names_nobody() {
        let whole = certificate(&["ann"], vec![uri("spiffe://example/ann")]);
        for end in 0..whole.len() {
            assert_eq!(name(&whole[..end]), None, "cut at {end}");
        }
        // Anything may be wrong with any byte, and nothing panics.
        for at in 0..whole.len() {
            let mut broken = whole.clone();
            broken[at] ^= 0xff;
            let _whoever = name(&broken);
        }
        assert_eq!(name(&[0x30, 0x80, 0, 0]), None);
    }
}
