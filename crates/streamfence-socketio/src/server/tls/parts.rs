//! What a certificate is made of, as far as somebody here wants to read it. Never what it means.

use pkcs8::der::asn1::{AnyRef, ObjectIdentifier};
use pkcs8::der::{self, Decode, Reader as _, SliceReader, Tag, TagNumber, Tagged};

/// The parts of what is signed in a certificate or a revocation list in DER.
pub(super) fn signed_parts(signed: &[u8]) -> der::Result<Vec<AnyRef<'_>>> {
    let whole = parts(AnyRef::from_der(signed)?)?;
    parts(*whole.first().ok_or_else(|| der::Error::from(der::ErrorKind::Failed))?)
}

/// What an extension of a certificate of these parts says, if it has it.
pub(super) fn extension<'a>(tbs: &[AnyRef<'a>], wanted: ObjectIdentifier) -> der::Result<Option<&'a [u8]>> {
    let Some(extensions) = tbs.iter().find(|part| part.tag() == explicit(3)) else { return Ok(None) };
    let Some(list) = parts(*extensions)?.first().copied() else { return Ok(None) };
    for extension in parts(list)? {
        // Between the two there may be whether it is critical.
        if let [kind, .., value] = parts(extension)?[..]
            && kind.decode_as::<ObjectIdentifier>()? == wanted
        {
            return Ok(Some(value.value()));
        }
    }
    Ok(None)
}

/// What a sequence, a set or anything else that has parts is made of.
pub(super) fn parts(whole: AnyRef<'_>) -> der::Result<Vec<AnyRef<'_>>> {
    let mut reader = SliceReader::new(whole.value())?;
    let mut parts = Vec::new();
    while !reader.is_finished() {
        parts.push(AnyRef::decode(&mut reader)?);
    }
    Ok(parts)
}

pub(super) fn explicit(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}
