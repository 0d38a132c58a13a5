//! From when until when a certificate holds.

use std::fmt;

use pkcs8::der::asn1::{AnyRef, GeneralizedTime, UtcTime};
use pkcs8::der::{self, DateTime, Decode, Tag, Tagged};

/// From when until when a certificate holds, both included.
#[derive(Clone, Copy)]
pub(super) struct Validity {
    pub(super) not_before: DateTime,
    pub(super) not_after: DateTime,
}

impl Validity {
    /// Reads it off a certificate in DER, whatever else that says: who checks certificates is the client.
    pub(super) fn read(certificate: &[u8]) -> Result<Self, String> {
        Self::parse(certificate).map_err(|why| why.to_string())
    }

    /// `Certificate { tbs { [0] version?, serial, algorithm, issuer, validity { notBefore, notAfter }, .. }, .. }`
    fn parse(certificate: &[u8]) -> der::Result<Self> {
        let certificate = Vec::<AnyRef<'_>>::from_der(certificate)?;
        let missing = || der::Error::from(der::ErrorKind::Failed);
        let tbs = certificate.first().ok_or_else(missing)?.decode_as::<Vec<AnyRef<'_>>>()?;
        let has_version = tbs.first().is_some_and(|first| first.tag().is_context_specific());
        let validity = tbs.get(usize::from(has_version) + 3).ok_or_else(missing)?;
        match validity.decode_as::<Vec<AnyRef<'_>>>()?[..] {
            [not_before, not_after] => Ok(Self { not_before: time(not_before)?, not_after: time(not_after)? }),
            _ => Err(missing()),
        }
    }
}

pub(super) fn time(value: AnyRef<'_>) -> der::Result<DateTime> {
    match value.tag() {
        Tag::UtcTime => Ok(value.decode_as::<UtcTime>()?.to_date_time()),
        _ => Ok(value.decode_as::<GeneralizedTime>()?.to_date_time()),
    }
}

impl fmt::Debug for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.not_before, self.not_after)
    }
}
