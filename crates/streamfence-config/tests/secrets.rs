//! Secrets that everybody on the machine can read are warned of; nothing else is, and what they are is never said.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use streamfence_config::load;

const SECRET: &str = "correct horse";

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn warnings(password: &str, config_mode: u32, secret_mode: u32) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let tls = format!("{{certChainPemPath: c.pem, privateKeyPemPath: k.pem{password}}}");
    let file = format!("servers: {{s: {{transport: WSS, tls: {tls}, namespaces: [{{path: /n, topics: [a]}}]}}}}");
    write(&directory.path().join("f.yaml"), &file, config_mode);
    write(&directory.path().join("secret"), SECRET, secret_mode);
    let settings = load(directory.path().join("f.yaml")).unwrap();
    let directory = directory.path().display().to_string();
    let said: Vec<_> = settings.warnings.iter().map(|said| said.to_string().replace(&directory, "DIR")).collect();
    assert!(!said.concat().contains(SECRET));
    said
}

#[test]
fn a_secret_everybody_may_read_is_warned_of() {
    let outright = format!(", privateKeyPassword: {SECRET}");
    let said = warnings(&outright, 0o644, 0o600);
    let wanted = "DIR/f.yaml:1:108: privateKeyPassword is a secret in this file, which everybody may read (mode 0644); \
                  wanted 0600 or 0640 (servers.s.tls)";
    assert_eq!(said, [wanted]);
    assert_eq!(warnings(&outright, 0o640, 0o600), [""; 0]);

    let elsewhere = ", privateKeyPassword: '${file:secret}'";
    let said = warnings(elsewhere, 0o644, 0o604);
    assert!(
        said.len() == 1 && said[0].contains("a secret in DIR/secret, which everybody may read (mode 0604)"),
        "{said:?}"
    );
    assert_eq!(warnings(elsewhere, 0o644, 0o600), [""; 0]);
    // Without a secret a file may be for everybody.
    assert_eq!(warnings("", 0o644, 0o644), [""; 0]);
}
