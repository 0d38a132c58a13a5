#![expect(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rcgen::{CertificateParams, CertifiedIssuer, DistinguishedName, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};

use super::*;

/// A directory with the files of one server.
struct Files(PathBuf);

impl Files {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("streamfence-identity-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).expect("the temporary directory is writable");
        Self(directory)
    }

    fn with(chain: &str, key: &str) -> Self {
        let files = Self::new();
        files.write("chain.pem", chain, 0o644);
        files.write("key.pem", key, 0o600);
        files
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let file = self.0.join(name);
        fs::write(&file, text).expect("the directory is writable");
        fs::set_permissions(file, Permissions::from_mode(mode)).expect("the file is ours");
    }

    fn options(&self) -> TlsOptions {
        TlsOptions::new(self.0.join("chain.pem"), self.0.join("key.pem"))
    }

    fn load(&self, password: Option<&str>) -> Result<Identity, TlsError> {
        Identity::load(&TlsOptions { private_key_password: password.map(Password::from), ..self.options() })
    }

    /// What is wrong, with the directory left out.
    fn error(&self, password: Option<&str>) -> String {
        self.shown(self.load(password).expect_err("something is wrong"))
    }

    fn warnings(&self, password: Option<&str>) -> Vec<String> {
        let identity = self.load(password).unwrap_or_else(|why| panic!("{why}"));
        identity.warnings().iter().map(|warning| self.shown(warning)).collect()
    }

    fn shown(&self, what: impl fmt::Display) -> String {
        what.to_string().replace(&format!("{}/", self.0.display()), "")
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

fn params() -> CertificateParams {
    CertificateParams::new(vec!["localhost".to_owned()]).expect("the name is valid")
}

fn key() -> KeyPair {
    KeyPair::generate().expect("there is randomness")
}

fn self_signed(params: &CertificateParams, key: &KeyPair) -> String {
    params.self_signed(key).expect("it can be signed").pem()
}

/// A certificate that is valid from so many days from now until so many.
fn valid(from_days: i64, until_days: i64, key: &KeyPair) -> String {
    let now = rcgen::date_time_ymd(1970, 1, 1)
        + SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later than 1970");
    let day = |days: i64| Duration::from_secs(days.unsigned_abs() * 86_400);
    let at = |days: i64| if days < 0 { now - day(days) } else { now + day(days) };
    let mut params = params();
    (params.not_before, params.not_after) = (at(from_days), at(until_days));
    self_signed(&params, key)
}

#[test]
fn a_certificate_and_its_key_are_an_identity_without_warnings() {
    for key in
        [key(), KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap(), KeyPair::generate_for(&PKCS_ED25519).unwrap()]
    {
        let files = Files::with(&valid(-1, 30, &key), &key.serialize_pem());
        assert_eq!(files.warnings(None), Vec::<String>::new());
        let left = files.load(None).unwrap().expires().duration_since(SystemTime::now()).unwrap();
        assert!((29 * 86_400..=30 * 86_400).contains(&left.as_secs()), "{left:?}");
    }
}

#[test]
fn what_is_no_file_is_refused_and_not_waited_for() {
    let files = Files::with(&self_signed(&params(), &key()), &key().serialize_pem());
    let path = files.options().private_key;
    fs::remove_file(&path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let error = files.error(None);
    assert!(error.contains("key.pem") && error.contains("no regular file"), "{error}");
}

#[test]
fn a_key_of_another_certificate_is_refused_and_both_files_are_named() {
    let files = Files::with(&self_signed(&params(), &key()), &key().serialize_pem());
    assert_eq!(files.error(None), "key.pem: is the key of no certificate in chain.pem; wanted the key of the first");
}

#[test]
fn a_chain_in_the_wrong_order_is_told_by_the_place_of_its_certificate() {
    let mut root = CertificateParams::new(Vec::new()).unwrap();
    root.distinguished_name = DistinguishedName::new();
    root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(root, key()).unwrap();
    let key = key();
    let leaf = params().signed_by(&key, &root).unwrap().pem();
    let key = key.serialize_pem();
    let wrong = Files::with(&(root.pem() + &leaf), &key);
    assert_eq!(wrong.error(None), "key.pem: is the key of certificate 2 in chain.pem; wanted the key of the first");
    let right = Files::with(&(leaf + &root.pem()), &key);
    assert_eq!(right.load(None).unwrap().certified_key().cert.len(), 2);
}

#[test]
fn a_certificate_of_a_client_is_refused_as_a_servers() {
    let key = key();
    let mut params = params();
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let files = Files::with(&self_signed(&params, &key), &key.serialize_pem());
    assert_eq!(
        files.error(None),
        "chain.pem: the first certificate is not for servers; wanted one whose extended key usage has serverAuth, or one \
         without"
    );
    params.extended_key_usages.push(rcgen::ExtendedKeyUsagePurpose::ServerAuth);
    let files = Files::with(&self_signed(&params, &key), &key.serialize_pem());
    assert_eq!(files.warnings(None), Vec::<String>::new());
}

#[test]
fn revocation_lists_are_read_and_told_of_where_they_are_none_or_out_of_date() {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
    let authority = CertifiedIssuer::self_signed(authority, key()).unwrap();
    let list = |until: i32| {
        let params = rcgen::CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2020, 1, 1),
            next_update: rcgen::date_time_ymd(until, 1, 1),
            crl_number: rcgen::SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        params.signed_by(&authority).unwrap().pem().unwrap()
    };
    let key = key();
    let certificate = self_signed(&params(), &key);
    let loaded = |lists: &str| {
        let files = Files::with(&certificate, &key.serialize_pem());
        files.write("ca.pem", &authority.pem(), 0o644);
        files.write("crl.pem", lists, 0o644);
        let client_auth = ClientAuth::Required { authorities: files.0.join("ca.pem") };
        let client_revocations = Some(files.0.join("crl.pem"));
        match Identity::load(&TlsOptions { client_auth, client_revocations, ..files.options() }) {
            Ok(identity) => identity.warnings().iter().map(|why| files.shown(why)).collect(),
            Err(why) => files.shown(why),
        }
    };
    assert_eq!(loaded(&(list(2990) + &list(2991))), "");
    assert_eq!(
        loaded(&(list(2990) + &list(2021))),
        "crl.pem: revocation list 2 was to be replaced by 2021-01-01T00:00:00Z"
    );
    assert_eq!(loaded(""), "crl.pem: holds nothing in PEM; wanted at least one X509 CRL");
    assert_eq!(loaded(&certificate), "crl.pem: holds CERTIFICATE; wanted at least one X509 CRL");
    let nonsense = "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n";
    let error = loaded(nonsense);
    assert!(error.starts_with("crl.pem: revocation list 1 cannot be used: "), "{error}");
    // What reads the dates may be content, and what looks at the rest not.
    let list = pkcs8::der::Document::from_pem(&list(2990)).unwrap().1;
    for at in 0..list.as_bytes().len() {
        let mut broken = list.as_bytes().to_vec();
        broken[at] ^= 0xff;
        let broken = pkcs8::der::Document::try_from(broken);
        if let Ok(broken) = broken {
            let _whatever = loaded(&broken.to_pem("X509 CRL", pkcs8::der::pem::LineEnding::LF).unwrap());
        }
    }
}

#[test]
fn each_file_says_what_it_holds_and_what_is_wanted() {
    let key = key();
    let (certificate, key) = (self_signed(&params(), &key), key.serialize_pem());
    let broken = certificate.replace("MII", "!!!");
    let no_certificate = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    let weak = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    let ssh = "-----BEGIN OPENSSH PRIVATE KEY-----\nMAA=\n-----END OPENSSH PRIVATE KEY-----\n";
    let odd = "-----BEGIN ODDLY ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ODDLY ENCRYPTED PRIVATE KEY-----\n";
    for (chain, key, wanted) in [
        (&*certificate, ssh, "key.pem: holds OPENSSH PRIVATE KEY; wanted one PRIVATE KEY"),
        (&certificate, odd, "key.pem: holds ODDLY ENCRYPTED PRIVATE KEY; wanted one PRIVATE KEY"),
        ("", &*key, "chain.pem: holds nothing in PEM; wanted at least one CERTIFICATE"),
        (&key, &key, "chain.pem: holds PRIVATE KEY; wanted at least one CERTIFICATE"),
        (&certificate, "", "key.pem: holds nothing in PEM; wanted one PRIVATE KEY"),
        (&certificate, &certificate, "key.pem: holds CERTIFICATE; wanted one PRIVATE KEY"),
        (&certificate, &(key.clone() + &key), "key.pem: holds 2 private keys; wanted one"),
        (
            &certificate,
            weak,
            "key.pem: the key cannot be used; wanted RSA of 2048 bits or more, ECDSA P-256, P-384 or Ed25519",
        ),
    ] {
        assert_eq!(Files::with(chain, key).error(None), wanted);
    }
    let version1 = include_str!("../../../../tests/keys/version1.pem");
    let sec1 = include_str!("../../../../tests/keys/sec1.pem");
    for (chain, key, wanted) in [
        (version1, sec1, "chain.pem: certificate 1 cannot be read: "),
        (&*broken, &*key, "chain.pem: is not PEM: "),
        (&(certificate.clone() + no_certificate), &key, "chain.pem: certificate 2 cannot be read: "),
        (no_certificate, &key, "chain.pem: certificate 1 cannot be read: "),
        (&certificate, &key.replace("MIG", "!!!"), "key.pem: is not PEM: "),
    ] {
        let error = Files::with(chain, key).error(None);
        assert!(error.starts_with(wanted), "{error}");
    }
    let half = Files::with(&certificate[..certificate.len() / 2], &key).error(None);
    assert_eq!(half, "chain.pem: is not PEM: a section of it has no end (CERTIFICATE)");
    let large = Files::with(&certificate, &" ".repeat(2 * 1024 * 1024));
    assert_eq!(large.error(None), "key.pem: is larger than 1048576 bytes; wanted certificates or a key");
    let files = Files::new();
    assert_eq!(files.error(None), "chain.pem: cannot be read: No such file or directory (os error 2)");
    files.write("chain.pem", &certificate, 0o644);
    assert_eq!(files.error(None), "key.pem: cannot be read: No such file or directory (os error 2)");
}

#[test]
fn a_key_under_a_password_is_decrypted_and_the_password_never_shown() {
    let certificate = include_str!("../../../../tests/keys/certificate.pem");
    for key in [include_str!("../../../../tests/keys/pbkdf2.pem"), include_str!("../../../../tests/keys/scrypt.pem")] {
        let files = Files::with(certificate, key);
        let identity = files.load(Some("hunter2")).unwrap_or_else(|why| panic!("{why}"));
        assert!(!format!("{identity:?}").contains("hunter2"));
        assert_eq!(files.error(None), "key.pem: the key is encrypted; wanted its password, or a key that is not");
        let wrong = files.error(Some("hunter3"));
        assert!(wrong.starts_with("key.pem: the key cannot be decrypted with the password given: "), "{wrong}");
        assert!(!wrong.contains("hunter3"), "{wrong}");
        let options = TlsOptions { private_key_password: Some("hunter3".into()), ..files.options() };
        assert!(!format!("{options:?}").contains("hunter3"));
    }
}

/// Whether or not there is a password: it would not help.
#[test]
fn a_key_that_is_encrypted_as_nobody_should_is_refused_with_how_to_change_that() {
    let certificate = include_str!("../../../../tests/keys/certificate.pem");
    for (key, found) in [
        (
            include_str!("../../../../tests/keys/old.pem"),
            "OpenSSL's own encryption (`Proc-Type: 4,ENCRYPTED`, AES-256-CBC)",
        ),
        (include_str!("../../../../tests/keys/pbes1-3des.pem"), "PBES1 or its like (pbeWithSHA1And3-KeyTripleDES-CBC)"),
        (include_str!("../../../../tests/keys/pbes1-md5.pem"), "PBES1 or its like (pbeWithMD5AndDES-CBC)"),
        (include_str!("../../../../tests/keys/pbes2-3des.pem"), "PBES2 with des-ede3-cbc"),
        (include_str!("../../../../tests/keys/pbes2-sha1.pem"), "PBES2 with hmacWithSHA1"),
    ] {
        let files = Files::with(certificate, key);
        let wanted = format!(
            "key.pem: the key is encrypted by {found}; wanted PKCS#8 by PBES2 with AES, as `openssl pkcs8 -topk8 -v2 \
             aes-256-cbc -in OLD -out NEW` writes it (with `-provider legacy -provider default` where openssl refuses to \
             read the old one)"
        );
        assert_eq!([files.error(Some("hunter2")), files.error(None)], [wanted.clone(), wanted]);
    }
}

#[test]
fn keys_are_read_in_each_of_their_forms_with_whatever_stands_around_them() {
    let certificate = include_str!("../../../../tests/keys/certificate.pem");
    let sec1 = include_str!("../../../../tests/keys/sec1.pem");
    for key in [sec1.to_owned(), sec1.replace('\n', "\r\n"), format!("{certificate}{sec1}")] {
        let files = Files::with(certificate, &key);
        files.load(None).unwrap_or_else(|why| panic!("{why}: {key}"));
    }
    let encrypted = include_str!("../../../../tests/keys/pbkdf2.pem").replace('\n', "\r\n");
    Files::with(certificate, &encrypted).load(Some("hunter2")).unwrap();
    for (wanted, broken) in [
        ("is not PEM", encrypted.replace("-----END", "-----END OF")),
        ("is not PEM", encrypted.replace("MIHs", "MIHt")),
        ("the key cannot be used", encrypted.replace("ZWlt", "ZWls")),
    ] {
        let error = Files::with(certificate, &broken).error(Some("hunter2"));
        assert!(error.contains(wanted), "{error}");
    }
}

#[test]
fn what_is_odd_is_a_warning() {
    let key = key();
    let pem = key.serialize_pem();
    let [expired] = &Files::with(&valid(-30, -1, &key), &pem).warnings(None)[..] else { panic!("one warning") };
    assert!(expired.starts_with("chain.pem: the certificate has expired on 20"), "{expired}");
    let [early] = &Files::with(&valid(1, 30, &key), &pem).warnings(None)[..] else { panic!("one warning") };
    assert!(early.starts_with("chain.pem: the certificate is not valid before 20"), "{early}");

    let files = Files::with(&valid(-1, 30, &key), &pem);
    assert_eq!(files.warnings(Some("a")), ["key.pem: the key is not encrypted, and its password has no effect"]);
    files.write("key.pem", &pem, 0o644);
    assert_eq!(files.warnings(None), ["key.pem: the key is readable by everybody (mode 644); wanted 600 or 640"]);
    // A group of its own is how distributions share keys with servers.
    files.write("key.pem", &pem, 0o640);
    assert_eq!(files.warnings(None), Vec::<String>::new());
}
