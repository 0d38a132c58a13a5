//! Commands that show a certificate to a server that asks for one.

#![expect(dead_code, reason = "the helpers are those of all tests of the binary")]

mod process;

use process::{Directory, Finished, Running, run};
use rcgen::{CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, KeyPair};

const CONFIG: &str = "
servers:
  main:
    host: 127.0.0.1
    port: 0
    transport: WSS
    tls:
      certChainPemPath: chain.pem
      privateKeyPemPath: key.pem
      clientAuth: required
      clientCaPemPath: clients.pem
    namespaces: [{path: /feed, topics: [tick]}]
admin: {port: 0}
";

/// A server that lets in whom its authority has signed for.
struct Scene {
    running: Running,
    url: String,
    admin: String,
    authority: CertifiedIssuer<'static, KeyPair>,
    directory: Directory,
}

impl Scene {
    fn start() -> Self {
        let directory = Directory::new();
        let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a name is enough");
        directory.write("chain.pem", &certified.cert.pem());
        directory.write("key.pem", &certified.signing_key.serialize_pem());
        let authority = authority();
        directory.write("clients.pem", &authority.pem());
        let file = directory.write("tls.yaml", CONFIG);
        let mut running = Running::start(&["serve", "--log-format", "json", "-c", &file]);
        let port = running.address("main").rsplit(':').next().expect("it has a port").to_owned();
        let admin = running.address("admin");
        Self { running, url: format!("wss://localhost:{port}"), admin, authority, directory }
    }

    /// The certificate of a client, and its key.
    fn client(&self, name: &str, authority: &CertifiedIssuer<'static, KeyPair>) -> (String, String) {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("there is randomness");
        (params.signed_by(&key, authority).expect("it can be signed").pem(), key.serialize_pem())
    }

    fn subscribe(&self, more: &[&str], variables: &[(&str, &str)]) -> Running {
        let cacert = self.directory.path("chain.pem");
        let words = ["subscribe", "--server", &self.url, "/feed", "tick", "--timeout", "30", "--cacert", &cacert];
        Running::start_with(&[&words[..], more].concat(), variables)
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate().expect("there is randomness");
    CertifiedIssuer::self_signed(params, key).expect("it can be signed")
}

#[test]
fn who_shows_a_certificate_is_who_it_names() {
    let scene = Scene::start();
    let (certificate, key) = scene.client("ann", &scene.authority);
    let certificate_file = scene.directory.write("ann.pem", &certificate);
    let key_file = scene.directory.write("ann.key", &key);
    let both = scene.directory.write("both.pem", &(certificate + &key));

    let apart = ["--client-cert", &certificate_file, "--client-key", &key_file];
    let variables = [("STREAMFENCE_CLIENT_CERT", &*certificate_file), ("STREAMFENCE_CLIENT_KEY", &key_file)];
    for (more, variables) in [(&apart[..], &[][..]), (&["--client-cert", &both], &[]), (&[], &variables)] {
        let mut subscriber = scene.subscribe(&[more, &["--count", "1"]].concat(), variables);
        subscriber.until("it is subscribed", |subscriber| {
            assert_eq!(subscriber.status(), None, "{}", subscriber.said());
            subscriber.said().contains("subscribed to tick")
        });
        let publish = ["publish", "--admin", &scene.admin, "/feed", "tick", "7", "--to-principal", "ann"];
        assert_eq!(run(&publish).code, Some(0));
        assert_eq!(subscriber.wait().stdout, "tick 7\n", "it is known as ann");
    }
    // So do the clients of a load, whose publisher needs none.
    let cacert = scene.directory.path("chain.pem");
    let bench = ["bench", "/feed", "tick", "--server", &scene.url, "--admin", &scene.admin, "--cacert", &cacert];
    let load = ["--clients", "2", "--duration", "0.1", "--quiet"];
    assert_eq!(run(&[&bench[..], &load, &apart].concat()).code, Some(0));
    assert_eq!(run(&[&bench[..], &load].concat()).code, Some(6));
}

#[test]
fn who_shows_none_or_one_that_is_not_good_is_told_so() {
    let scene = Scene::start();
    let refused = |more: &[&str], code: &str| {
        let Finished { code: found, stdout, stderr } = scene.subscribe(more, &[]).wait();
        assert_eq!((found, stdout.as_str()), (Some(6), ""), "{stderr}");
        assert!(stderr.contains(code), "{stderr}");
    };
    refused(&[], "CERTIFICATE_REQUIRED");
    let (certificate, key) = scene.client("ann", &authority());
    let stranger = scene.directory.write("stranger.pem", &(certificate + &key));
    refused(&["--client-cert", &stranger], "CERTIFICATE_REFUSED");

    let (certificate, _) = scene.client("ann", &scene.authority);
    let ann = scene.directory.write("ann.pem", &certificate);
    let garbage = scene.directory.write("garbage.pem", "garbage");
    let locked = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let locked = scene.directory.write("locked.pem", locked);
    for (more, code, wanted) in [
        (&["--client-cert", &ann][..], 4, "ann.pem: it holds no private key"),
        (
            &["--client-cert", &ann, "--client-key", &locked],
            4,
            "locked.pem: its private key needs a password; `openssl",
        ),
        (&["--client-cert", "/dev/zero"], 4, "/dev/zero: it is no regular file"),
        (&["--client-cert", &ann, "--client-key", &stranger], 4, "stranger.pem: "),
        (&["--client-cert", &garbage], 4, "garbage.pem: it holds no certificate"),
        (&["--client-cert", "/nowhere"], 4, "/nowhere: "),
        (&["--client-key", &stranger], 2, "wanted --client-cert"),
    ] {
        let Finished { code: found, stderr, .. } = scene.subscribe(more, &[]).wait();
        assert!(found == Some(code) && stderr.contains(wanted), "{more:?}: {found:?}, {stderr}");
    }
}
