//! Clients that show a certificate, and who they are by it.

use rcgen::{CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, KeyPair, SanType};
use serde_json::json;
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler;
use streamfence_core::{Event, HandshakeFailure};
use streamfence_runtime::{Fence, Namespace, Payload, To};
use streamfence_socketio::{ClientAuth, Principal, ServerOptions, TlsOptions, TlsVersion};
use tokio::io::DuplexStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, SupportedProtocolVersion};

use crate::app::{App, News, start_with};
use crate::common::client::{Http, POLLING};
use crate::secure::{Files, shake_hands, trusting};
use crate::talk::Client;

/// Signs for clients.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("there is randomness");
        Self(CertifiedIssuer::self_signed(params, key).expect("it can be signed"))
    }

    /// A client with a certificate of this name, and of this URI.
    fn client(&self, files: &Files, name: &str, uri: Option<&str>) -> ClientConfig {
        self.client_of(files, name, uri, &TLS13)
    }

    fn client_of(
        &self,
        files: &Files,
        name: &str,
        uri: Option<&str>,
        version: &'static SupportedProtocolVersion,
    ) -> ClientConfig {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.subject_alt_names.extend(uri.map(|uri| SanType::URI(uri.try_into().expect("it is ASCII"))));
        params.serial_number = Some(number(name));
        let key = KeyPair::generate().expect("there is randomness");
        let certificate = params.signed_by(&key, &self.0).expect("it can be signed");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let trusting = trusting([files.certificate()], version);
        trusting.with_client_auth_cert(vec![certificate.der().clone()], key).expect("they belong together")
    }
}

impl Authority {
    /// A list, in PEM, of the clients whose certificates it has revoked.
    fn revokes(&self, names: &[&str]) -> String {
        let revoked = |name: &&str| rcgen::RevokedCertParams {
            serial_number: number(name),
            revocation_time: rcgen::date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = rcgen::CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2020, 1, 1),
            next_update: rcgen::date_time_ymd(2021, 1, 1),
            crl_number: rcgen::SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: names.iter().map(revoked).collect(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        list.signed_by(&self.0).expect("it can be signed").pem().expect("it can be written")
    }
}

/// The serial number of the certificates of a client.
fn number(name: &str) -> rcgen::SerialNumber {
    rcgen::SerialNumber::from_slice(name.as_bytes())
}

fn start(files: &Files, authority: &Authority, is_required: bool) -> App {
    start_as(files, authority, is_required, None)
}

fn start_as(files: &Files, authority: &Authority, is_required: bool, revocations: Option<&str>) -> App {
    files.write("clients.pem", &authority.0.pem());
    let authorities = files.directory.join("clients.pem");
    let client_auth =
        if is_required { ClientAuth::Required { authorities } } else { ClientAuth::Optional { authorities } };
    let client_revocations = revocations.map(|name| files.directory.join(name));
    let tls = TlsOptions { client_auth, client_revocations, oldest_version: TlsVersion::Tls12, ..files.tls() };
    let feed = Fence::builder().namespace(Namespace::new("/feed").topic("tick"));
    start_with(feed, &ServerOptions { tls: Some(tls), ..files.options() }, |server| {
        let renamed = async |socket: SocketRef| {
            if socket.extensions.get::<Principal>() == Some(Principal("nobody".into())) {
                socket.extensions.insert(Principal("somebody".into()));
            }
            Ok::<(), &'static str>(())
        };
        let door = async |_: SocketRef| ();
        server.on_connect("/feed", door.with(renamed))
    })
}

async fn principal(news: &mut News) -> Option<String> {
    news.find("a client joins", |event| match event {
        Event::Connected { principal, .. } => Some(principal.as_deref().map(str::to_owned)),
        _ => None,
    })
    .await
}

async fn is_refused(app: &mut App, client: ClientConfig) {
    // With TLS 1.3 the client is done before the server has looked: it hears of it when it reads.
    if let Ok(stream) = shake_hands(client, app.dial().await).await {
        let mut http: Http<TlsStream<DuplexStream>> = Http::new(stream);
        assert!(http.answer().await.is_err());
    }
    let reason = app.news.find("a handshake fails", |event| match event {
        Event::HandshakeFailed { reason, .. } => Some(*reason),
        _ => None,
    });
    assert_eq!(reason.await, HandshakeFailure::Certificate);
}

#[tokio::test]
async fn who_a_client_is_stands_in_its_certificate_and_the_application_may_know_better() {
    let (files, authority) = (Files::new(), Authority::new());
    let mut app = start(&files, &authority, true);
    let names = [
        ("ann", None, "ann"),
        ("ann", Some("spiffe://example/ann"), "spiffe://example/ann"),
        ("nobody", None, "somebody"),
    ];
    for (name, uri, wanted) in names {
        for version in [&TLS13, &TLS12] {
            let config = authority.client_of(&files, name, uri, version);
            let stream = shake_hands(config, app.dial().await).await.expect("it is a good certificate");
            let _client = Client::join(stream, "/feed").await;
            assert_eq!(principal(&mut app.news).await.as_deref(), Some(wanted));
        }
    }
}

#[tokio::test]
async fn a_message_to_a_principal_reaches_whoever_has_its_certificate_by_websocket_and_polling() {
    let (files, authority) = (Files::new(), Authority::new());
    let mut app = start(&files, &authority, true);
    let secure = async |name| shake_hands(authority.client(&files, name, None), app.dial().await).await;
    let mut ann = Client::join(secure("ann").await.expect("she is let in"), "/feed").await;
    let mut bob = Client::join(secure("bob").await.expect("he is let in"), "/feed").await;
    for client in [&mut ann, &mut bob] {
        client.subscribe("tick").await;
    }
    let mut polling = Http::new(secure("cid").await.expect("he is let in"));
    let sid = polling.handshake().await;
    let target = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
    assert_eq!(polling.post(&target, "40/feed,").await.status, 200);
    for wanted in ["ann", "bob", "cid"] {
        assert_eq!(principal(&mut app.news).await.as_deref(), Some(wanted));
    }
    let json = Payload::raw_json("1".to_owned()).expect("it is JSON");
    let report = app.fence.publish_to("/feed", To::principal("bob"), "tick", json).await.expect("the topic exists");
    assert_eq!(report.matched, 1);
    assert_eq!(bob.expect("tick").await, json!(1));
}

#[tokio::test]
async fn a_session_that_polls_is_nobody_elses() {
    let (files, authority) = (Files::new(), Authority::new());
    let app = start(&files, &authority, false);
    let secure = async |name| {
        let stream = shake_hands(authority.client(&files, name, None), app.dial().await).await;
        Http::new(stream.expect("it is a good certificate"))
    };
    let sid = secure("ann").await.handshake().await;
    let target = format!("{POLLING}&sid={sid}");
    assert_eq!(secure("bob").await.post(&target, "40/feed,").await.status, 400);
    assert_eq!(Http::new(files.connect(app.dial().await).await).get(&target).await.status, 400);
    assert!(secure("bob").await.upgrade(Some(&sid)).await.is_err());
    assert_eq!(secure("ann").await.post(&target, "40/feed,").await.status, 200);
    let of_nobody = Http::new(files.connect(app.dial().await).await).handshake().await;
    assert_eq!(secure("ann").await.get(&format!("{POLLING}&sid={of_nobody}")).await.status, 400);
}

#[tokio::test]
async fn whoever_has_no_certificate_or_a_strangers_is_refused_where_one_is_required() {
    let (files, authority, stranger) = (Files::new(), Authority::new(), Authority::new());
    let mut app = start(&files, &authority, true);
    is_refused(&mut app, files.client(&TLS13)).await;
    is_refused(&mut app, stranger.client(&files, "ann", None)).await;
}

#[tokio::test]
async fn where_it_is_optional_none_is_no_principal_and_a_strangers_is_refused() {
    let (files, authority, stranger) = (Files::new(), Authority::new(), Authority::new());
    let mut app = start(&files, &authority, false);
    let _client = Client::join(files.connect(app.dial().await).await, "/feed").await;
    assert_eq!(principal(&mut app.news).await, None);
    is_refused(&mut app, stranger.client(&files, "ann", None)).await;
    let stream = shake_hands(authority.client(&files, "ann", None), app.dial().await).await.expect("she is let in");
    let _ann = Client::join(stream, "/feed").await;
    assert_eq!(principal(&mut app.news).await.as_deref(), Some("ann"));
}

#[tokio::test]
async fn other_authorities_are_taken_up_and_what_was_agreed_on_under_the_old_ones_counts_no_more() {
    let (files, old, new) = (Files::new(), Authority::new(), Authority::new());
    let mut app = start(&files, &old, true);
    let ann = std::sync::Arc::new(old.client(&files, "ann", None));
    let stream = shake_hands(std::sync::Arc::clone(&ann), app.dial().await).await.expect("she is let in");
    // Her ticket comes with the answer.
    let mut http = Http::new(stream);
    assert_eq!(http.get("/healthz").await.status, 200);
    files.write("clients.pem", "nothing");
    let refused = app.server.reload_tls().await.expect_err("there is no certificate in it");
    assert!(refused.to_string().contains("clients.pem: holds nothing in PEM"), "{refused}");
    files.write("clients.pem", &new.0.pem());
    assert!(app.server.reload_tls().await.expect("it is good"));
    is_refused(&mut app, (*ann).clone()).await;
    assert_eq!(http.get("/healthz").await.status, 200, "whoever is there is not disturbed");
    shake_hands(new.client(&files, "ann", None), app.dial().await).await.expect("she is let in");
}

#[tokio::test]
async fn whoever_is_revoked_is_refused_from_when_the_list_says_so_and_whoever_no_list_could_name_too() {
    let (files, authority, other) = (Files::new(), Authority::new(), Authority::new());
    files.write("revoked.pem", &authority.revokes(&["eve"]));
    let mut app = start_as(&files, &authority, true, Some("revoked.pem"));
    is_refused(&mut app, authority.client(&files, "eve", None)).await;
    let ann = shake_hands(authority.client(&files, "ann", None), app.dial().await).await.expect("she is let in");
    let mut ann = Http::new(ann);
    assert_eq!(ann.get("/healthz").await.status, 200);

    files.write("revoked.pem", &authority.revokes(&["eve", "ann"]));
    assert!(app.server.reload_tls().await.expect("it is a list"));
    is_refused(&mut app, authority.client(&files, "ann", None)).await;
    assert_eq!(ann.get("/healthz").await.status, 200, "whoever is there is not disturbed");
    let bob = || authority.client(&files, "bob", None);
    let bobs = shake_hands(bob(), app.dial().await).await.expect("he is let in");
    assert_eq!(Http::new(bobs).get("/healthz").await.status, 200);

    files.write("revoked.pem", "nothing");
    app.server.reload_tls().await.expect_err("there is no list in it");
    is_refused(&mut app, authority.client(&files, "ann", None)).await;
    // Of whom nobody could say is not let in.
    files.write("revoked.pem", &other.revokes(&[]));
    assert!(app.server.reload_tls().await.expect("it is a list"));
    is_refused(&mut app, bob()).await;
}
