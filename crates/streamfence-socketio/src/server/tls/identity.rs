//! Who a server is: its certificates and their key, read from files and found to belong together.
//!
//! Never a connection: what is wrong with a file is said before anything listens.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use pkcs8::der::SecretDocument;
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer, PrivatePkcs8KeyDer,
};
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::{CertifiedKey, SigningKey};
use tokio_rustls::rustls::{Error, RootCertStore};

use super::validity::Validity;
use super::{old_encryption, purpose, revocations};
use crate::options::{ClientAuth, Password, TlsOptions};

/// The certificates of a server and the key of the first of them.
///
/// ```no_run
/// use streamfence_socketio::{TlsOptions, server::Identity};
///
/// let identity = Identity::load(&TlsOptions::new("chain.pem", "key.pem"))?;
/// for warning in identity.warnings() {
///     eprintln!("{warning}");
/// }
/// # Ok::<(), streamfence_socketio::server::TlsError>(())
/// ```
pub struct Identity {
    key: Arc<CertifiedKey>,
    validity: Validity,
    warnings: Vec<TlsWarning>,
    clients: Option<Clients>,
}

/// Whose certificates a server takes from its clients.
struct Clients {
    verifier: Arc<dyn ClientCertVerifier>,
    /// Those whose word counts, as their file has them.
    authorities: Vec<CertificateDer<'static>>,
    /// What they have taken back.
    revocations: Vec<CertificateRevocationListDer<'static>>,
}

impl Identity {
    /// Reads the files of the options and checks that the key is that of the first certificate.
    ///
    /// This reads files and decrypts keys: not for a task that must not wait.
    ///
    /// # Errors
    /// [`TlsError`], when one of the files does not hold what it should.
    pub fn load(options: &TlsOptions) -> Result<Self, TlsError> {
        let (chain_file, key_file) = (&options.cert_chain, &options.private_key);
        let chain = certificates(chain_file)?;
        let mut warnings = Vec::new();
        let key = private_key(key_file, options.private_key_password.as_ref(), &mut warnings)?;
        let key = signing_key(key, key_file)?;
        let unreadable = |at: usize, why| TlsError::BadCertificate { file: chain_file.clone(), number: at + 1, why };
        let mut validities = Vec::with_capacity(chain.len());
        for (at, certificate) in chain.iter().enumerate() {
            validities.push(Validity::read(certificate).map_err(|why| unreadable(at, why))?);
        }
        let belongs = |certificate: &CertificateDer<'static>| {
            CertifiedKey::new(vec![certificate.clone()], Arc::clone(&key)).keys_match()
        };
        match belongs(&chain[0]) {
            Ok(()) => {}
            Err(Error::InconsistentKeys(_)) => {
                let (certificates, key) = (chain_file.clone(), key_file.clone());
                let number = chain.iter().position(|certificate| belongs(certificate).is_ok()).map(|at| at + 1);
                return Err(TlsError::Mismatch { certificates, key, number });
            }
            Err(why) => return Err(unreadable(0, why.to_string())),
        }
        match purpose::is_for_servers(&chain[0]) {
            Ok(true) => {}
            Ok(false) => return Err(TlsError::NotForServers { file: chain_file.clone() }),
            Err(why) => return Err(unreadable(0, why.to_string())),
        }
        let validity = validities[0];
        let now = SystemTime::now();
        if validity.not_after.to_system_time() < now {
            warnings.push(TlsWarning::Expired { file: chain_file.clone(), since: validity.not_after.to_string() });
        }
        if now < validity.not_before.to_system_time() {
            warnings.push(TlsWarning::NotYetValid { file: chain_file.clone(), until: validity.not_before.to_string() });
        }
        let clients = clients(options, &mut warnings)?;
        Ok(Self { key: Arc::new(CertifiedKey::new(chain, key)), validity, warnings, clients })
    }

    /// What is odd and yet no error.
    #[must_use]
    pub fn warnings(&self) -> &[TlsWarning] {
        &self.warnings
    }

    /// When the server's own certificate expires.
    #[must_use]
    pub fn expires(&self) -> SystemTime {
        self.validity.not_after.to_system_time()
    }

    /// Whether both show and ask for the same certificates, whatever their files are called.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let asks = |identity: &'_ Self| {
            identity.clients.as_ref().map(|clients| (clients.authorities.clone(), clients.revocations.clone()))
        };
        self.key.cert == other.key.cert && asks(self) == asks(other)
    }

    /// Fails where the certificate is not valid now.
    pub(super) fn check_is_valid(&self) -> Result<(), TlsError> {
        let is_about_time =
            |why: &&TlsWarning| matches!(why, TlsWarning::Expired { .. } | TlsWarning::NotYetValid { .. });
        match self.warnings.iter().find(is_about_time) {
            Some(why) => Err(TlsError::NotValid(why.clone())),
            None => Ok(()),
        }
    }

    /// Whether the certificate is valid at this moment, whatever it was when it was loaded.
    pub(super) fn is_valid(&self) -> bool {
        let now = SystemTime::now();
        (self.validity.not_before.to_system_time()..=self.expires()).contains(&now)
    }

    /// Who says whether a client's certificate is a good one, where clients are asked for one.
    pub(super) fn clients(&self) -> Option<Arc<dyn ClientCertVerifier>> {
        self.clients.as_ref().map(|clients| Arc::clone(&clients.verifier))
    }

    pub(super) fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.key)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificates", &self.key.cert.len())
            .field("validity", &self.validity)
            .field("warnings", &self.warnings)
            .field("authorities", &self.clients.as_ref().map_or(0, |clients| clients.authorities.len()))
            .field("revocation lists", &self.clients.as_ref().map_or(0, |clients| clients.revocations.len()))
            .finish_non_exhaustive()
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let (pem, _) = read(file)?;
    let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|why| not_pem(file, &why))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { file: file.to_owned(), found: found(&pem) });
    }
    Ok(chain)
}

fn clients(options: &TlsOptions, warnings: &mut Vec<TlsWarning>) -> Result<Option<Clients>, TlsError> {
    let auth = &options.client_auth;
    let Some(file) = auth.authorities() else { return Ok(None) };
    let authorities = certificates(file)?;
    let unusable = |at: usize, why: String| TlsError::BadCertificate { file: file.clone(), number: at + 1, why };
    let mut roots = RootCertStore::empty();
    for (at, authority) in authorities.iter().enumerate() {
        roots.add(authority.clone()).map_err(|why| unusable(at, why.to_string()))?;
    }
    let revocations = match &options.client_revocations {
        Some(file) => revocations::load(file, warnings)?,
        None => Vec::new(),
    };
    let provider = Arc::new(ring::default_provider());
    // Where there are lists, whoever is on none of them because its signer has none is refused too.
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).with_crls(revocations.clone());
    let builder = match auth {
        ClientAuth::Optional { .. } => builder.allow_unauthenticated(),
        ClientAuth::None | ClientAuth::Required { .. } => builder,
    };
    let verifier = builder.build().map_err(|why| match (&options.client_revocations, why) {
        (Some(file), VerifierBuilderError::InvalidCrl(why)) => {
            TlsError::BadRevocations { file: file.clone(), number: None, why: format!("{why:?}") }
        }
        (_, why) => unusable(0, why.to_string()),
    })?;
    Ok(Some(Clients { verifier, authorities, revocations }))
}

fn private_key(
    file: &Path,
    password: Option<&Password>,
    warnings: &mut Vec<TlsWarning>,
) -> Result<PrivateKeyDer<'static>, TlsError> {
    let (pem, mode) = read(file)?;
    if mode & READABLE_BY_OTHERS != 0 {
        warnings.push(TlsWarning::KeyReadable { file: file.to_owned(), mode: mode & PERMISSIONS });
    }
    let text = String::from_utf8_lossy(&pem);
    if let Some(found) = old_encryption::of_openssl(&text) {
        return Err(TlsError::OldEncryption { file: file.to_owned(), found });
    }
    let mut keys = text.lines().map(str::trim_end).filter(|line| KEYS_BEGIN.contains(line));
    let is_encrypted = match (keys.next(), keys.count()) {
        (None, _) => return Err(TlsError::NoKey { file: file.to_owned(), found: found(&pem) }),
        (Some(label), 0) => label == ENCRYPTED_BEGINS,
        (Some(_), more) => return Err(TlsError::ManyKeys { file: file.to_owned(), count: more + 1 }),
    };
    match (is_encrypted, password) {
        (true, password) => decrypted(&text, password, file),
        (false, password) => {
            if password.is_some() {
                warnings.push(TlsWarning::PasswordUnused { file: file.to_owned() });
            }
            PrivateKeyDer::from_pem_slice(&pem).map_err(|why| not_pem(file, &why))
        }
    }
}

fn decrypted(text: &str, password: Option<&Password>, file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let not_pem = |why: pkcs8::der::Error| TlsError::NotPem { file: file.to_owned(), why: why.to_string() };
    let begins = text.find(ENCRYPTED_BEGINS).expect("its first line was found");
    let ends = text.find(ENCRYPTED_ENDS).map_or(text.len(), |at| at + ENCRYPTED_ENDS.len());
    let section = text.get(begins..ends).unwrap_or_default();
    let (_, key) = SecretDocument::from_pem(section).map_err(not_pem)?;
    // Before anybody looks for the password of what cannot be read with one.
    if let Some(found) = old_encryption::of_pkcs8(key.as_bytes()) {
        return Err(TlsError::OldEncryption { file: file.to_owned(), found });
    }
    let Some(password) = password else { return Err(TlsError::Encrypted { file: file.to_owned() }) };
    let key: EncryptedPrivateKeyInfoRef<'_> = key.decode_msg().map_err(not_pem)?;
    let wrong = |why: String| TlsError::WrongPassword { file: file.to_owned(), why };
    let key = key.decrypt(password.reveal()).map_err(|why| wrong(why.to_string()))?;
    // What a wrong password makes of a key may by chance look decrypted.
    key.decode_msg::<PrivateKeyInfoRef<'_>>().map_err(|why| wrong(why.to_string()))?;
    Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into())
}

fn signing_key(key: PrivateKeyDer<'static>, file: &Path) -> Result<Arc<dyn SigningKey>, TlsError> {
    let loaded = ring::default_provider().key_provider.load_private_key(key);
    loaded.map_err(|_| TlsError::UnusableKey { file: file.to_owned() })
}

/// What a file holds, and its mode.
pub(super) fn read(file: &Path) -> Result<(Vec<u8>, u32), TlsError> {
    let unreadable = |why| TlsError::Unreadable { file: file.to_owned(), why };
    // Before it is opened: a pipe that nobody writes to would be waited for.
    if !std::fs::metadata(file).map_err(unreadable)?.is_file() {
        return Err(unreadable(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")));
    }
    let opened = File::open(file).map_err(unreadable)?;
    let mode = opened.metadata().map_err(unreadable)?.mode();
    let mut bytes = Vec::new();
    opened.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(TlsError::TooLarge { file: file.to_owned() });
    }
    Ok((bytes, mode))
}

/// That a section of a file is broken, in words: the library shows what it looked for as numbers.
pub(super) fn not_pem(file: &Path, why: &pem::Error) -> TlsError {
    let why = match why {
        pem::Error::MissingSectionEnd { end_marker } => {
            format!("a section of it has no end ({})", String::from_utf8_lossy(end_marker))
        }
        pem::Error::IllegalSectionStart { .. } => "a section of it has no proper beginning".to_owned(),
        other => other.to_string(),
    };
    TlsError::NotPem { file: file.to_owned(), why }
}

/// What a PEM file holds, by the labels of its sections.
pub(super) fn found(pem: &[u8]) -> String {
    let text = String::from_utf8_lossy(pem);
    let label = |line: &str| Some(line.strip_prefix("-----BEGIN ")?.strip_suffix("-----")?.to_owned());
    let labels: Vec<String> = text.lines().map(str::trim_end).filter_map(label).take(MAX_LABELS).collect();
    if labels.is_empty() { "nothing in PEM".to_owned() } else { labels.join(", ") }
}

/// Why the files of a server cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: cannot be read: {why}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        #[source]
        why: io::Error,
    },
    /// A file is larger than any real one.
    #[error("{}: is larger than {MAX_FILE_BYTES} bytes; wanted certificates or a key", .file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
    },
    /// A file has a section that is broken.
    #[error("{}: is not PEM: {why}", .file.display())]
    NotPem {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file of certificates has none.
    #[error("{}: holds {found}; wanted at least one CERTIFICATE", .file.display())]
    NoCertificate {
        /// The file.
        file: PathBuf,
        /// What it holds instead.
        found: String,
    },
    /// A certificate is not one.
    #[error("{}: certificate {number} cannot be read: {why}", .file.display())]
    BadCertificate {
        /// The file.
        file: PathBuf,
        /// Which of its certificates, from 1.
        number: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The server's certificate names what it is for, and that is not this: clients would refuse it.
    #[error("{}: the first certificate is not for servers; wanted one whose extended key usage has serverAuth, or one without", .file.display())]
    NotForServers {
        /// The file.
        file: PathBuf,
    },
    /// The file of revocation lists has none.
    #[error("{}: holds {found}; wanted at least one X509 CRL", .file.display())]
    NoRevocations {
        /// The file.
        file: PathBuf,
        /// What it holds instead.
        found: String,
    },
    /// A revocation list is not one.
    #[error("{}: {} cannot be used: {why}", .file.display(), list(*.number))]
    BadRevocations {
        /// The file.
        file: PathBuf,
        /// Which of its lists, from 1, where that is known.
        number: Option<usize>,
        /// What is wrong with it.
        why: String,
    },
    /// The file of the key has none.
    #[error("{}: holds {found}; wanted one PRIVATE KEY", .file.display())]
    NoKey {
        /// The file.
        file: PathBuf,
        /// What it holds instead.
        found: String,
    },
    /// The file of the key has several.
    #[error("{}: holds {count} private keys; wanted one", .file.display())]
    ManyKeys {
        /// The file.
        file: PathBuf,
        /// How many it has.
        count: usize,
    },
    /// The key is encrypted and there is no password.
    #[error("{}: the key is encrypted; wanted its password, or a key that is not", .file.display())]
    Encrypted {
        /// The file.
        file: PathBuf,
    },
    /// The key is encrypted in a way that protects it badly.
    #[error(
        "{}: the key is encrypted by {found}; wanted PKCS#8 by PBES2 with AES, as `openssl pkcs8 -topk8 -v2 aes-256-cbc \
         -in OLD -out NEW` writes it (with `-provider legacy -provider default` where openssl refuses to read the old one)",
        .file.display()
    )]
    OldEncryption {
        /// The file.
        file: PathBuf,
        /// How it is encrypted.
        found: String,
    },
    /// The key cannot be decrypted.
    #[error("{}: the key cannot be decrypted with the password given: {why}", .file.display())]
    WrongPassword {
        /// The file.
        file: PathBuf,
        /// What failed; never the password.
        why: String,
    },
    /// The key is not of a kind that is spoken.
    #[error("{}: the key cannot be used; wanted RSA of 2048 bits or more, ECDSA P-256, P-384 or Ed25519", .file.display())]
    UnusableKey {
        /// The file.
        file: PathBuf,
    },
    /// The key is not that of the first certificate.
    #[error(
        "{}: is the key of {} in {}; wanted the key of the first",
        .key.display(), certificate(*.number), .certificates.display()
    )]
    Mismatch {
        /// The file of the certificates.
        certificates: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// Which of the certificates it is the key of, from 1.
        number: Option<usize>,
    },
    /// The certificate is not valid now, and was to replace one that is.
    #[error("{0}; wanted one that is valid now, as the one in use is")]
    NotValid(TlsWarning),
}

fn certificate(number: Option<usize>) -> String {
    number.map_or_else(|| "no certificate".to_owned(), |number| format!("certificate {number}"))
}

fn list(number: Option<usize>) -> String {
    number.map_or_else(|| "a revocation list".to_owned(), |number| format!("revocation list {number}"))
}

/// What is odd about the files of a server and yet no error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsWarning {
    /// Clients refuse the certificate, or will have to be told not to look.
    #[error("{}: the certificate has expired on {since}", .file.display())]
    Expired {
        /// The file.
        file: PathBuf,
        /// When it expired.
        since: String,
    },
    /// The same, because the clock is wrong or the certificate early.
    #[error("{}: the certificate is not valid before {until}", .file.display())]
    NotYetValid {
        /// The file.
        file: PathBuf,
        /// When it becomes valid.
        until: String,
    },
    /// Every user of the machine may read the key.
    #[error("{}: the key is readable by everybody (mode {mode:03o}); wanted 600 or 640", .file.display())]
    KeyReadable {
        /// The file.
        file: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// There should be a newer list by now; what this one has revoked stays so.
    #[error("{}: revocation list {number} was to be replaced by {since}", .file.display())]
    RevocationsOutOfDate {
        /// The file.
        file: PathBuf,
        /// Which of its lists, from 1.
        number: usize,
        /// Until when it was to be replaced.
        since: String,
    },
    /// A password was given for a key that needs none.
    #[error("{}: the key is not encrypted, and its password has no effect", .file.display())]
    PasswordUnused {
        /// The file.
        file: PathBuf,
    },
}

/// The first lines of the keys that can be read.
const KEYS_BEGIN: [&str; 4] = [
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----",
    "-----BEGIN EC PRIVATE KEY-----",
    ENCRYPTED_BEGINS,
];
const ENCRYPTED_BEGINS: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
const ENCRYPTED_ENDS: &str = "-----END ENCRYPTED PRIVATE KEY-----";
const READABLE_BY_OTHERS: u32 = 0o004;
const PERMISSIONS: u32 = 0o777;
/// The most bytes a file of certificates or a key may have.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// How many sections of a file an error names.
const MAX_LABELS: usize = 3;

#[cfg(test)]
mod tests;
