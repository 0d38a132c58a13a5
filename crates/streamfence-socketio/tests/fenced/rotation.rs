//! Files of TLS that are replaced under a server that runs.

use std::os::unix::fs::symlink;
use std::sync::Arc;

use serde_json::json;
use streamfence_core::Event;
use streamfence_runtime::{Fence, FenceBuilder, Namespace, Overflow};
use streamfence_socketio::server::TlsError;
use streamfence_socketio::{ServerOptions, TlsOptions};
use tokio::io::DuplexStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::HandshakeKind;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::version::TLS13;

use crate::app::{App, News, start_with};
use crate::common::client::Http;
use crate::secure::{Files, Pair, shake_hands, trusting};
use crate::talk::Client;

fn feed() -> FenceBuilder {
    let namespace = Namespace::new("/feed").topic("tick").best_effort(Overflow::DropOldest).max_queued_messages(64);
    Fence::builder().namespace(namespace)
}

fn start(options: &ServerOptions) -> App {
    start_with(feed(), options, |server| server)
}

/// The certificate that a client is shown now.
async fn shown(app: &App, known: &[&CertificateDer<'static>]) -> CertificateDer<'static> {
    let client = trusting(known.iter().copied(), &TLS13).with_no_client_auth();
    let stream = shake_hands(client, app.dial().await).await.expect("the server is trusted");
    first(&stream)
}

fn first(stream: &TlsStream<DuplexStream>) -> CertificateDer<'static> {
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    shown.expect("a server shows a certificate").clone().into_owned()
}

/// Why the next reload to be refused was.
async fn refusal(news: &mut News) -> String {
    news.find("a reload is refused", |event| match event {
        Event::TlsReloadRefused { reason, .. } => Some(reason.to_string()),
        _ => None,
    })
    .await
}

async fn loaded(news: &mut News) {
    news.find("a certificate is told of", |event| matches!(event, Event::TlsLoaded { .. }).then_some(())).await;
}

#[tokio::test]
async fn a_new_pair_is_shown_to_new_clients_whichever_file_comes_first_and_old_clients_live_on() {
    for order in [["chain.pem", "key.pem"], ["key.pem", "chain.pem"]] {
        let files = Files::new();
        let mut app = start(&files.options());
        loaded(&mut app.news).await;
        let mut old = Client::join(files.connect(app.dial().await).await, "/feed").await;
        old.subscribe("tick").await;
        let new = Pair::new();
        let known = [files.certificate(), &new.certificate];
        let text = |name| if name == "chain.pem" { &new.chain } else { &new.key };

        files.write(order[0], text(order[0]));
        for _ in 0..2 {
            let refused = app.server.reload_tls().await.expect_err("the pair is half the old one");
            assert!(matches!(refused, TlsError::Mismatch { .. }), "{refused}");
        }
        assert!(refusal(&mut app.news).await.contains("is the key of no certificate"));
        assert_eq!(&shown(&app, &known).await, files.certificate());

        files.write(order[1], text(order[1]));
        assert!(app.server.reload_tls().await.expect("it is whole"));
        // The same reason twice is told once, so this is what comes next.
        app.news
            .find("the new certificate is told of", |event| match event {
                Event::TlsReloadRefused { reason, .. } => panic!("refused again: {reason}"),
                event => matches!(event, Event::TlsLoaded { .. }).then_some(()),
            })
            .await;
        assert_eq!(shown(&app, &known).await, new.certificate);
        app.publish("/feed", "tick", "1").await;
        assert_eq!(old.expect("tick").await, json!(1), "whoever is there is not disturbed");
    }
}

#[tokio::test]
async fn what_cannot_be_used_or_is_not_valid_replaces_nothing() {
    let files = Files::new();
    let mut app = start(&files.options());
    let (other, expired) = (Pair::new(), Pair::expired());
    let half = &other.chain[..other.chain.len() / 2];
    type Case<'a> = (&'a str, &'a str, &'a str);
    let cases: [Case<'_>; 5] = [
        (half, &other.key, "chain.pem: is not PEM"),
        ("", &other.key, "chain.pem: holds nothing in PEM"),
        (&other.chain, "", "key.pem: holds nothing in PEM"),
        (&other.chain, &expired.key, "key.pem: is the key of no certificate"),
        (&expired.chain, &expired.key, "the certificate has expired on 2020-01-01"),
    ];
    for (chain, key, wanted) in cases {
        files.write("chain.pem", chain);
        files.write("key.pem", key);
        let refused = app.server.reload_tls().await.expect_err(wanted);
        assert!(refused.to_string().contains(wanted), "{refused}");
        let told = refusal(&mut app.news).await;
        assert_eq!(told, refused.to_string());
        assert_eq!(&shown(&app, &[files.certificate()]).await, files.certificate());
    }
    std::fs::remove_file(files.directory.join("key.pem")).expect("it is there");
    assert!(matches!(app.server.reload_tls().await, Err(TlsError::Unreadable { .. })));
    files.write("chain.pem", &other.chain);
    files.write("key.pem", &other.key);
    assert!(app.server.reload_tls().await.expect("it is good"));
    assert_eq!(shown(&app, &[&other.certificate]).await, other.certificate);
}

#[tokio::test]
async fn a_directory_that_is_swapped_is_taken_up_and_one_that_holds_the_same_is_nothing_new() {
    let files = Files::new();
    let swap = |to: &str| {
        let staged = files.directory.join("..data_tmp");
        symlink(to, &staged).expect("the directory is writable");
        std::fs::rename(staged, files.directory.join("..data")).expect("the directory is writable");
    };
    let new = Pair::new();
    for (directory, pair) in [("one", None), ("two", None), ("three", Some(&new))] {
        std::fs::create_dir(files.directory.join(directory)).expect("the directory is writable");
        for name in ["chain.pem", "key.pem"] {
            let old = std::fs::read_to_string(files.directory.join(name)).expect("it is there");
            let text = pair.map_or(old, |pair| if name == "key.pem" { pair.key.clone() } else { pair.chain.clone() });
            files.write(&format!("{directory}/{name}"), &text);
        }
    }
    swap("one");
    let data = files.directory.join("..data");
    let tls = TlsOptions::new(data.join("chain.pem"), data.join("key.pem"));
    let app = start(&ServerOptions { tls: Some(tls), ..files.options() });
    let client = Arc::new(files.client(&TLS13));
    let greet = async || {
        let stream = shake_hands(Arc::clone(&client), app.dial().await).await.expect("the server is trusted");
        let kind = stream.get_ref().1.handshake_kind();
        assert_eq!(Http::new(stream).get("/healthz").await.status, 200);
        kind
    };
    assert_eq!(greet().await, Some(HandshakeKind::Full));
    swap("two");
    assert!(!app.server.reload_tls().await.expect("it is good"));
    assert_eq!(greet().await, Some(HandshakeKind::Resumed), "what clients have kept still counts");
    swap("three");
    assert!(app.server.reload_tls().await.expect("it is good"));
    assert_eq!(shown(&app, &[&new.certificate]).await, new.certificate);
}

#[tokio::test]
async fn a_server_without_tls_has_nothing_to_read_again() {
    let app = start(&ServerOptions::default());
    assert!(!app.server.reload_tls().await.expect("there is nothing to refuse"));
}
