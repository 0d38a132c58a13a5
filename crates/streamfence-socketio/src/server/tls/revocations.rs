//! Lists of certificates that are good no more. Never the certificates.

use std::path::Path;
use std::time::SystemTime;

use pkcs8::der::{self, Tag, Tagged as _};
use tokio_rustls::rustls::pki_types::CertificateRevocationListDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;

use super::identity::{TlsError, TlsWarning, found, not_pem, read};
use super::parts::signed_parts;
use super::validity::time;

/// The lists of a file in PEM. What of them is out of date counts, and is worth a warning.
pub(super) fn load(
    file: &Path,
    warnings: &mut Vec<TlsWarning>,
) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let (pem, _) = read(file)?;
    let lists = CertificateRevocationListDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let lists = lists.map_err(|why| not_pem(file, &why))?;
    if lists.is_empty() {
        return Err(TlsError::NoRevocations { file: file.to_owned(), found: found(&pem) });
    }
    for (at, list) in lists.iter().enumerate() {
        let bad = |why: der::Error| TlsError::BadRevocations {
            file: file.to_owned(),
            number: Some(at + 1),
            why: why.to_string(),
        };
        let next = next_update(list).map_err(bad)?;
        if let Some(since) = next.filter(|next| next.to_system_time() < SystemTime::now()) {
            let (file, number) = (file.to_owned(), at + 1);
            warnings.push(TlsWarning::RevocationsOutOfDate { file, number, since: since.to_string() });
        }
    }
    Ok(lists)
}

/// `CertificateList { tbs { version?, algorithm, issuer, thisUpdate, nextUpdate?, .. }, .. }`
fn next_update(list: &[u8]) -> der::Result<Option<der::DateTime>> {
    let tbs = signed_parts(list)?;
    let has_version = tbs.first().is_some_and(|first| first.tag() == Tag::Integer);
    let next = tbs.get(usize::from(has_version) + 3);
    let is_time = |tag| matches!(tag, Tag::UtcTime | Tag::GeneralizedTime);
    next.filter(|next| is_time(next.tag())).map(|next| time(*next)).transpose()
}
