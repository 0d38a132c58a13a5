//! Files that come, go and change under the real binary, and what it says of that.

#![expect(dead_code, reason = "the helpers are those of all tests of the binary")]

mod process;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use serde_json::Value;

use crate::process::{Directory, Running, get};

/// A certificate that signs for itself, and its key.
fn pair() -> (String, String) {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("the name is valid");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("there is randomness");
    (params.self_signed(&key).expect("it can be signed").pem(), key.serialize_pem())
}

/// A file with one server, `feed`, that has these keys too.
fn config(keys: &str) -> String {
    let feed = "host: 127.0.0.1\n    port: 0\n    namespaces: [{path: /feed, topics: [tick], authRequired: AUTH}]";
    let keys: String = keys.lines().map(|line| format!("    {line}\n")).collect();
    let auth = keys.contains("auth: TOKEN").to_string();
    format!("admin: {{port: 0}}\nservers:\n  feed:\n    {}\n{keys}", feed.replace("AUTH", &auth))
}

fn serve(file: &str) -> Running {
    let mut running = Running::start(&["serve", "-c", file, "--log-format", "json"]);
    running.address("feed");
    running
}

fn count(running: &Running, code: &str) -> usize {
    running.lines().iter().filter(|line| line["code"] == code).count()
}

/// The line with a code, once it has been said so often.
fn said(running: &mut Running, code: &str, times: usize) -> Value {
    running.until(&format!("{code} is said"), |running| count(running, code) >= times);
    let lines = running.lines();
    lines.iter().filter(|line| line["code"] == code).nth(times - 1).expect("it was waited for").clone()
}

#[test]
fn a_refused_file_is_tried_again_when_what_it_refers_to_is_there() {
    let directory = Directory::new();
    let file = directory.write("f.yaml", &config(""));
    let mut running = serve(&file);
    directory.write("f.yaml", &config("maxConnections: \"${file:most}\""));
    let refused = said(&mut running, "reload_refused", 1).to_string();
    assert!(refused.contains("${file:most}"), "{refused}");
    directory.write("most", "none");
    said(&mut running, "reload_refused", 2);
    directory.write("most", "77");
    said(&mut running, "reloaded", 1);
    let changed = said(&mut running, "config_changed", 1);
    assert_eq!((&changed["key"], &changed["to"]), (&"servers.feed.maxConnections".into(), &"77".into()));
    assert_eq!(count(&running, "file_unreadable"), 0, "it was never read from");
}

#[test]
fn a_refused_file_is_tried_again_when_the_key_it_names_is_there_and_good() {
    let directory = Directory::new();
    let file = directory.write("f.yaml", &config("auth: TOKEN\nstaticTokens: {ann: a-token}"));
    let mut running = serve(&file);
    let jwt = "auth: TOKEN\njwt: {algorithm: HS256, keyPath: secret}\nmaxConnections: 78";
    directory.write("f.yaml", &config(jwt));
    said(&mut running, "reload_refused", 1);
    directory.write("secret", "too short");
    let refused = said(&mut running, "reload_refused", 2).to_string();
    assert!(refused.contains("secret of 9 bytes"), "{refused}");
    directory.write("secret", "0123456789abcdef0123456789abcdef");
    said(&mut running, "reloaded", 1);
}

#[test]
fn others_who_vouch_for_the_hook_are_taken_up_alone() {
    let directory = Directory::new();
    let (ca, _) = pair();
    directory.write("ca.pem", &ca);
    let hook = "auth: TOKEN\nauthHook: {url: 'https://127.0.0.1:1/', caCertsPemPath: ca.pem}";
    let file = directory.write("f.yaml", &config(hook));
    let mut running = serve(&file);
    directory.write("ca.pem", "nothing");
    let refused = said(&mut running, "hook_certificates_refused", 1).to_string();
    assert!(refused.contains("ca.pem"), "{refused}");
    directory.write("ca.pem", &pair().0);
    assert_eq!(said(&mut running, "hook_certificates_reloaded", 1)["server"], "feed");
    assert_eq!(count(&running, "reloaded"), 0);
    // With a signal too, though nothing tells of the file where it is not watched.
    let mut unwatched = Running::start(&["serve", "-c", &file, "--log-format", "json", "--no-watch"]);
    unwatched.address("feed");
    directory.write("ca.pem", &pair().0);
    unwatched.signal("HUP");
    said(&mut unwatched, "hook_certificates_reloaded", 1);
}

#[test]
fn a_key_that_is_gone_is_counted_under_the_name_of_its_server_and_comes_back() {
    let directory = Directory::new();
    let ((chain, key), (ca, _)) = (pair(), pair());
    for (name, text) in [("chain.pem", &chain), ("key.pem", &key), ("clients.pem", &ca)] {
        directory.write(name, text);
    }
    let tls = "transport: WSS\ntls: {certChainPemPath: chain.pem, privateKeyPemPath: key.pem, clientAuth: optional, \
               clientCaPemPath: clients.pem}";
    let file = directory.write("f.yaml", &config(tls));
    let mut running = serve(&file);
    let admin = running.address("admin");
    std::fs::remove_file(directory.path("key.pem")).expect("it is there");
    let refused = said(&mut running, "tls_reload_refused", 1);
    assert_eq!(refused["server"], "feed");
    let metrics = get(&admin, "/metrics").1;
    for wanted in [
        "streamfence_tls_certificate_loads_total{server=\"feed\",outcome=\"refused\"} 1\n",
        "streamfence_tls_certificate_loads_total{server=\"feed\",outcome=\"loaded\"} 1\n",
        "streamfence_tls_certificate_expiry_timestamp_seconds{server=\"feed\"} ",
    ] {
        assert!(metrics.contains(wanted), "{wanted}\n{metrics}");
    }
    // Another pair, and after it others who sign for clients, alone.
    let (chain, key) = pair();
    directory.write("chain.pem", &chain);
    directory.write("key.pem", &key);
    assert_eq!(said(&mut running, "tls_reloaded", 1)["server"], "feed");
    directory.write("clients.pem", &pair().0);
    said(&mut running, "tls_reloaded", 2);
}
