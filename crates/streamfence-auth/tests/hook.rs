//! The authorisation hook against a real server that answers well, oddly, late or not at all.

#![expect(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use streamfence_auth::{
    Access, Action, Asked, AuthDecision, HttpHook, HttpHookError, HttpHookOptions, StaticTokens, Token,
    TokenValidator as _,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};

/// A server that says to every question what it is told to.
struct Server {
    address: SocketAddr,
    /// The heads and bodies of the questions, in their order.
    questions: mpsc::UnboundedReceiver<(String, Value)>,
    connections: Arc<AtomicUsize>,
    /// What its answers wait for.
    may_answer: Arc<Semaphore>,
}

impl Server {
    /// Answers at once.
    async fn new(answer: impl Fn(&Value) -> String + Send + Sync + 'static) -> Self {
        let server = Self::held(answer).await;
        server.may_answer.add_permits(1_000_000);
        server
    }

    /// Answers as many questions as it is allowed to.
    async fn held(answer: impl Fn(&Value) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, questions) = mpsc::unbounded_channel();
        let (connections, may_answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let (answer, count, held) = (Arc::new(answer), connections.clone(), may_answer.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(converse(stream, answer.clone(), tell.clone(), held.clone()));
            }
        });
        Self { address, questions, connections, may_answer }
    }

    fn options(&self) -> HttpHookOptions {
        let url = format!("http://{}/authorize?key=1", self.address);
        // Long enough that only those who are never answered run into it.
        HttpHookOptions { timeout: Duration::from_secs(60), cache: Duration::ZERO, ..HttpHookOptions::new(url) }
    }

    fn hook(&self) -> HttpHook {
        HttpHook::new(self.options()).unwrap()
    }
}

async fn converse(
    mut stream: TcpStream,
    answer: Arc<impl Fn(&Value) -> String>,
    tell: mpsc::UnboundedSender<(String, Value)>,
    may_answer: Arc<Semaphore>,
) {
    let mut read = Vec::new();
    loop {
        let (head, body) = loop {
            if let Some(end) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head = String::from_utf8(read[..end].to_vec()).unwrap();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                let whole = end + 4 + length.parse::<usize>().unwrap();
                if read.len() >= whole {
                    let body = serde_json::from_slice(&read[end + 4..whole]).unwrap();
                    read.drain(..whole);
                    break (head, body);
                }
            }
            match stream.read_buf(&mut read).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        };
        let answer = answer(&body);
        let _ = tell.send((head, body));
        may_answer.acquire().await.unwrap().forget();
        if stream.write_all(answer.as_bytes()).await.is_err() || answer.contains("close") {
            return;
        }
    }
}

fn ok(body: &Value) -> String {
    let body = body.to_string();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn yes(_: &Value) -> String {
    ok(&json!({"allow": true, "principal": "alice"}))
}

async fn ask(hook: &HttpHook, token: &str, topic: Option<&str>, action: Action) -> AuthDecision {
    hook.validate(Asked { token: &Token::from(token), namespace: "/feed", topic, action }).await
}

/// The same token, in another namespace than it was asked about before.
async fn ask_of(hook: &HttpHook, namespace: &str) -> String {
    let token = Token::from("hunter2");
    outcome(hook.validate(Asked { token: &token, namespace, topic: None, action: Action::Connect }).await)
}

async fn connect(hook: &HttpHook) -> String {
    outcome(ask(hook, "hunter2", None, Action::Connect).await)
}

fn outcome(decision: AuthDecision) -> String {
    let shown = match decision {
        AuthDecision::Accept(grant) => format!("accepted {}", grant.principal),
        AuthDecision::Reject(why) => format!("rejected: {why}"),
        AuthDecision::Unavailable(why) => format!("open: {why}"),
    };
    assert!(!shown.contains("hunter2"), "{shown}");
    shown
}

#[tokio::test]
async fn it_is_told_what_is_asked_and_says_who_that_is() {
    let mut server = Server::new(|question| {
        if question["action"] == "publish" {
            ok(&json!({"allow": false, "reason": "read only"}))
        } else {
            ok(&json!({"allow": true, "principal": "alice", "expires": 4_102_444_800_u64}))
        }
    })
    .await;
    let hook = server.hook();
    let AuthDecision::Accept(grant) = ask(&hook, "hunter2", None, Action::Connect).await else { panic!("it says yes") };
    assert_eq!(&*grant.principal, "alice");
    assert!(matches!(grant.access, Access::Ask));
    let expires = std::time::UNIX_EPOCH + Duration::from_secs(4_102_444_800);
    assert_eq!(grant.expires, Some(expires));
    let (head, question) = server.questions.recv().await.unwrap();
    assert!(head.starts_with("POST /authorize?key=1 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    assert_eq!(question, json!({"token": "hunter2", "namespace": "/feed", "topic": null, "action": "connect"}));
    let refused = outcome(ask(&hook, "hunter2", Some("news"), Action::Publish).await);
    assert_eq!(refused, "rejected: the authorisation hook says no: read only");
    let (_, question) = server.questions.recv().await.unwrap();
    assert_eq!(question, json!({"token": "hunter2", "namespace": "/feed", "topic": "news", "action": "publish"}));
    assert_eq!(server.connections.load(Ordering::Relaxed), 1, "the connection is kept");
}

#[tokio::test]
async fn whatever_is_odd_opens_nothing() {
    let yes = r#"{"allow": true, "principal": "alice"}"#;
    let length = yes.len();
    let (long, chunk) = (" ".repeat(16 * 1024), format!("{:x}\r\n{yes}\r\n", yes.len()));
    let status = "open: the status of the authorisation hook's answer is none of 200, 401 and 403";
    let unreached = "open: the authorisation hook cannot be reached";
    let unread = "open: the answer of the authorisation hook is longer than 16384 bytes or ends early";
    let no = "rejected: the authorisation hook says no";
    let table = [
        (format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{yes}"), "accepted alice"),
        (format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunk}0\r\n\r\n"), "accepted alice"),
        (format!("HTTP/1.1 401 No\r\ncontent-length: {length}\r\n\r\n{yes}"), no),
        (format!("HTTP/1.1 403 No\r\ncontent-length: {length}\r\n\r\n{yes}"), no),
        (format!("HTTP/1.1 201 Created\r\ncontent-length: {length}\r\n\r\n{yes}"), status),
        (format!("HTTP/1.1 500 Oh\r\ncontent-length: {length}\r\n\r\n{yes}"), status),
        (format!("HTTP/1.1 429 Later\r\ncontent-length: {length}\r\n\r\n{yes}"), status),
        ("HTTP/1.1 204 None\r\n\r\n".to_owned(), status),
        ("HTTP/1.1 302 There\r\nlocation: /yes\r\ncontent-length: 0\r\n\r\n".to_owned(), status),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned(),
            "open: the answer of the authorisation hook is not what it should be",
        ),
        (format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{yes}{long}", length + long.len()), unread),
        (format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 99\r\n\r\n{yes}"), unread),
        (format!("HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n{chunk}"), unread),
        (format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: {length}\r\n\r\n{yes}", "x".repeat(100_000)), unreached),
        ("220 mail.example ESMTP\r\n\r\n".to_owned(), unreached),
        ("close".to_owned(), unreached),
    ];
    for (answer, expected) in table {
        let said = answer.clone();
        let server = Server::new(move |_| said.clone()).await;
        assert_eq!(connect(&server.hook()).await, expected, "{answer:.80}");
    }
    // A port that nobody listens on.
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let hook = HttpHook::new(HttpHookOptions::new(format!("http://{address}/"))).unwrap();
    assert_eq!(connect(&hook).await, unreached);
}

#[tokio::test]
async fn who_does_not_answer_in_time_has_not_said_yes() {
    let server = Server::held(yes).await;
    let timeout = Duration::from_millis(50);
    let hook = HttpHook::new(HttpHookOptions { timeout, ..server.options() }).unwrap();
    let begin = Instant::now();
    assert_eq!(connect(&hook).await, "open: the authorisation hook did not answer in time");
    assert!(begin.elapsed() >= timeout);
    // Half an answer is none either.
    let half = Server::new(|_| "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"allow\": true".to_owned()).await;
    let hook = HttpHook::new(HttpHookOptions { timeout, ..half.options() }).unwrap();
    assert_eq!(connect(&hook).await, "open: the authorisation hook did not answer in time");
}

#[tokio::test]
async fn no_more_are_asked_at_once_than_may_and_no_more_wait_than_there_are_places() {
    let mut server = Server::held(yes).await;
    let hook = Arc::new(HttpHook::new(HttpHookOptions { max_concurrent: 2, ..server.options() }).unwrap());
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..2 * 17 {
        let hook = hook.clone();
        asking
            .spawn(async move { outcome(ask(&hook, "hunter2", Some(&format!("t{number}")), Action::Subscribe).await) });
    }
    // Both turns are taken, and the task of this test has let all others wait by then.
    for _ in 0..2 {
        server.questions.recv().await.unwrap();
    }
    assert_eq!(connect(&hook).await, "open: too many questions wait for the authorisation hook");
    assert!(server.questions.is_empty());
    assert_eq!(server.connections.load(Ordering::Relaxed), 2);
    server.may_answer.add_permits(34);
    assert_eq!(asking.join_all().await, vec!["accepted alice"; 34]);
    assert!(server.connections.load(Ordering::Relaxed) <= 4);
    server.may_answer.add_permits(1);
    assert_eq!(connect(&hook).await, "accepted alice");
}

#[tokio::test]
async fn a_question_that_nobody_waits_for_any_more_gives_its_turn_back() {
    let mut server = Server::held(yes).await;
    let hook = Arc::new(HttpHook::new(HttpHookOptions { max_concurrent: 1, ..server.options() }).unwrap());
    for _ in 0..100 {
        let waiting = tokio::spawn({
            let hook = hook.clone();
            async move { connect(&hook).await }
        });
        server.questions.recv().await.unwrap();
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
    }
    server.may_answer.add_permits(1000);
    assert_eq!(connect(&hook).await, "accepted alice");
}

#[tokio::test]
async fn the_same_question_is_asked_once_for_a_while() {
    let mut server =
        Server::new(|question| if question["token"] == "wrong" { ok(&json!({"allow": false})) } else { yes(question) })
            .await;
    let cache = Duration::from_secs(600);
    let hook = HttpHook::new(HttpHookOptions { cache, ..server.options() }).unwrap();
    let mut asked = 0;
    for _ in 0..3 {
        for (token, topic, action) in [
            ("right", None, Action::Connect),
            ("right", Some(""), Action::Connect),
            ("right", Some("a"), Action::Subscribe),
            ("right", Some("a"), Action::Publish),
            ("right", Some("b"), Action::Subscribe),
            ("wrong", None, Action::Connect),
        ] {
            let is_accepted = matches!(ask(&hook, token, topic, action).await, AuthDecision::Accept(_));
            assert_eq!(is_accepted, token == "right");
        }
        while server.questions.try_recv().is_ok() {
            asked += 1;
        }
        assert_eq!(asked, 6);
    }
}

#[tokio::test]
async fn what_was_no_answer_is_asked_again() {
    let count = AtomicUsize::new(0);
    let server = Server::new(move |question| match count.fetch_add(1, Ordering::Relaxed) {
        0 => "HTTP/1.1 503 Later\r\ncontent-length: 0\r\n\r\n".to_owned(),
        _ => yes(question),
    })
    .await;
    let hook = HttpHook::new(HttpHookOptions { cache: Duration::from_secs(600), ..server.options() }).unwrap();
    assert!(connect(&hook).await.starts_with("open: the status"));
    assert_eq!(connect(&hook).await, "accepted alice");
}

#[test]
fn a_url_is_one_that_can_be_posted_to() {
    for url in
        ["", "/authorize", "localhost:80", "ftp://h/", "https://", "http://", "http://a:hunter2@h/", "http://h/a b"]
    {
        let error = HttpHook::new(HttpHookOptions::new(url)).unwrap_err();
        assert_eq!(error, HttpHookError::BadUrl, "{url}");
        assert!(!error.to_string().contains("hunter2"));
    }
}

#[tokio::test]
async fn with_tls_it_asks_only_whom_the_certificates_vouch_for() {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;

    let authority = || {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (good, other) = (authority(), authority());
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &good).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    // In front of a server without TLS, which sees nothing of it.
    let inner = Server::new(yes).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let behind = inner.address;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut outside) = acceptor.accept(stream).await else { return };
                let mut inside = TcpStream::connect(behind).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            });
        }
    });

    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let hook = |file: &std::path::Path| {
        let options = HttpHookOptions::new(format!("https://{address}/authorize"));
        HttpHook::new(HttpHookOptions { ca_certificates: Some(file.to_owned()), ..options })
    };
    let (right, wrong) = (file("right.pem", &good.pem()), file("wrong.pem", &other.pem()));
    assert_eq!(connect(&hook(&right).unwrap()).await, "accepted alice");
    assert_eq!(connect(&hook(&wrong).unwrap()).await, "open: the authorisation hook cannot be reached");
    assert_eq!(inner.connections.load(Ordering::Relaxed), 1);
    // Nor is it asked without TLS, or under another name.
    let plain = HttpHook::new(HttpHookOptions::new(format!("http://{address}/"))).unwrap();
    assert_eq!(connect(&plain).await, "open: the authorisation hook cannot be reached");
    let options = HttpHookOptions::new(format!("https://localhost:{}/", address.port()));
    let named = HttpHook::new(HttpHookOptions { ca_certificates: Some(right), ..options }).unwrap();
    assert_eq!(connect(&named).await, "open: the authorisation hook cannot be reached");

    for (name, text) in
        [("empty.pem", ""), ("key.pem", key.serialize_pem().as_str()), ("broken.pem", "-----BEGIN CERTIFICATE-----\nA")]
    {
        let error = hook(&file(name, text)).unwrap_err().to_string();
        assert!(error.contains(name) && error.ends_with("; wanted certificates in PEM"), "{error}");
    }
    // What is in the file now counts once it was read again, and only then; what is none changes nothing.
    let (file, hook) = (file("rotated.pem", &other.pem()), hook(&directory.path().join("rotated.pem")).unwrap());
    let set = |pem: &str| {
        std::fs::write(&file, pem).unwrap();
        hook.read_certificates().map(|certificates| hook.set_certificates(certificates.unwrap()))
    };
    assert_eq!(connect(&hook).await, "open: the authorisation hook cannot be reached");
    assert_eq!(set(&(other.pem() + &good.pem())), Ok(true));
    assert_eq!(connect(&hook).await, "accepted alice");
    assert_eq!(set(&(other.pem() + &good.pem())), Ok(false));
    assert!(set("").unwrap_err().to_string().contains("it holds no certificate"));
    assert_eq!(ask_of(&hook, "/other").await, "accepted alice");
    assert_eq!(set(&other.pem()), Ok(true));
    assert_eq!(ask_of(&hook, "/third").await, "open: the authorisation hook cannot be reached");
    std::fs::remove_file(&file).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&file).status().unwrap();
    assert!(made.success());
    assert!(hook.read_certificates().unwrap_err().to_string().contains("no regular file"));
}

#[tokio::test]
async fn it_says_how_many_more_it_can_be_asked_and_when_again() {
    let mut server = Server::held(yes).await;
    let options = HttpHookOptions { max_concurrent: 2, recheck: Some(Duration::from_secs(7)), ..server.options() };
    let hook = Arc::new(HttpHook::new(options).unwrap());
    let chain = streamfence_auth::LiveValidator::new(
        streamfence_auth::ValidatorChain::new().then(StaticTokens::new([("a", "b")]).unwrap()).then(hook.clone()),
    );
    assert_eq!(chain.spare(), 2);
    let asked = tokio::spawn({
        let hook = hook.clone();
        async move { ask(&hook, "hunter2", None, Action::Connect).await }
    });
    server.questions.recv().await.unwrap();
    assert_eq!((hook.spare(), chain.spare()), (1, 1));
    server.may_answer.add_permits(1);
    let AuthDecision::Accept(grant) = asked.await.unwrap() else { panic!("it says yes") };
    assert_eq!((grant.ask_again, hook.spare()), (Some(Duration::from_secs(7)), 2));
    assert_eq!(StaticTokens::new([("a", "b")]).unwrap().spare(), usize::MAX);
}
