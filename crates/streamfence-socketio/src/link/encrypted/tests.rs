use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;

const PIPE_BYTES: usize = 1024;
type Client = tokio_rustls::client::TlsStream<DuplexStream>;

/// A connection through a pipe that is small.
async fn pair() -> (Encrypted, Client) {
    let key = KeyPair::generate().expect("there is randomness");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("the name is valid");
    let certificate = params.self_signed(&key).expect("it can be signed");
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).expect("it is a certificate");
    let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("the provider has suites")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("it is a key");
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has suites")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("they belong together");
    let (near, far) = duplex(PIPE_BYTES);
    let name = ServerName::try_from("localhost").expect("it is a name");
    let (server, client) = tokio::join!(
        TlsAcceptor::from(Arc::new(server)).accept(Stream::from(far)),
        TlsConnector::from(Arc::new(client)).connect(name, near),
    );
    (Encrypted::from(server.expect("the client speaks TLS")), client.expect("the server is trusted"))
}

/// Polls once.
fn now<R>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<R>) -> Poll<R> {
    poll(&mut Context::from_waker(std::task::Waker::noop()))
}

/// Writes until no more is taken; answers how much was.
fn fill(server: &mut Encrypted, bytes: &[u8]) -> usize {
    let mut taken = 0;
    while let Poll::Ready(written) = now(|cx| Pin::new(&mut *server).poll_write(cx, &bytes[taken..])) {
        taken += written.expect("the connection is open");
        assert!(taken < bytes.len(), "nothing bounds it");
    }
    taken
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_written_one_record_beyond_what_its_kernel_holds() {
    let (mut server, mut client) = pair().await;
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| n as u8).collect();
    let taken = fill(&mut server, &bytes);
    assert!(taken <= PIPE_BYTES + Encrypted::BUFFER_BYTES, "{taken}");
    assert!(now(|cx| Pin::new(&mut server).poll_flush(cx)).is_pending(), "not all of it has gone");

    let mut read = vec![0; taken];
    let (flushed, heard) = tokio::join!(server.flush(), client.read_exact(&mut read));
    flushed.expect("the client reads");
    heard.expect("the server has flushed");
    assert_eq!(read, bytes[..taken]);
    assert!(now(|cx| Pin::new(&mut server).poll_write(cx, b"more")).is_ready());
}

#[tokio::test]
async fn the_end_waits_for_nobody_and_a_goodbye_is_said_where_there_is_room() {
    let (mut server, mut client) = pair().await;
    fill(&mut server, &[7; 1_000_000]);
    assert!(now(|cx| Pin::new(&mut server).poll_shutdown(cx)).is_ready());
    drop(server);
    let cut_short = client.read_to_end(&mut Vec::new()).await.expect_err("a record is incomplete");
    assert_eq!(cut_short.kind(), io::ErrorKind::UnexpectedEof);

    let (mut server, mut client) = pair().await;
    server.shutdown().await.expect("there is room");
    assert_eq!(client.read_to_end(&mut Vec::new()).await.expect("a goodbye"), 0);
}

#[tokio::test]
async fn a_peer_that_goes_without_a_goodbye_has_ended() {
    let (mut server, client) = pair().await;
    drop(client);
    assert_eq!(server.read(&mut [0; 16]).await.expect("an end is no error"), 0);
}
