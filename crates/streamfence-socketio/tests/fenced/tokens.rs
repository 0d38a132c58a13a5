//! Tokens: where they stand, what they are for, who waits for whom, and how they end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler;
use streamfence_auth::{Access, Action, Asked, AuthDecision, Grant, Rules, TokenValidator, Validating};
use streamfence_core::Event;
use streamfence_runtime::{
    AtLeastOnce, ClientPublish, CloseReason, Fence, FenceBuilder, Namespace, Payload, To, Topic,
};
use streamfence_socketio::{Principal, ServerOptions};
use tokio::io::DuplexStream;
use tokio::sync::Semaphore;

use crate::app::{App, News, options, start_with};
use crate::common::client::{Http, POLLING};
use crate::common::patience::{eventually, in_time};
use crate::talk::{Client, Kind};

/// Everything that a test may change about a validator while it is asked. Clones are the same one.
#[derive(Clone, Debug)]
struct Book(Arc<Pages>);

#[derive(Debug)]
struct Pages {
    grants: Mutex<HashMap<&'static str, Grant>>,
    revision: AtomicU64,
    /// What it was asked, in order.
    asked: Mutex<Vec<String>>,
    /// A token that begins with `slow` waits for one of these, any other for nothing.
    leave: Semaphore,
    open: AtomicUsize,
}

impl Book {
    fn of(names: impl IntoIterator<Item = &'static str>) -> Self {
        let grants = names.into_iter().map(|name| (name, grant(name, Access::All))).collect();
        Self(Arc::new(Pages {
            grants: Mutex::new(grants),
            revision: AtomicU64::new(1),
            asked: Mutex::default(),
            leave: Semaphore::new(0),
            open: AtomicUsize::new(0),
        }))
    }

    fn with(self, name: &'static str, grant: Grant) -> Self {
        self.0.grants.lock().expect("unharmed").insert(name, grant);
        self
    }

    fn remove(&self, name: &str) {
        self.0.grants.lock().expect("unharmed").remove(name);
        self.0.revision.fetch_add(1, Ordering::SeqCst);
    }

    fn asked(&self) -> Vec<String> {
        self.0.asked.lock().expect("unharmed").clone()
    }

    /// Waits until so many questions are open.
    async fn is_asked(&self, open: usize) {
        eventually("it is asked", || self.0.open.load(Ordering::SeqCst) == open).await;
    }
}

impl TokenValidator for Book {
    fn validate<'a>(&'a self, asked: Asked<'a>) -> Validating<'a> {
        Box::pin(async move {
            let Asked { token, namespace, topic, action } = asked;
            let token = token.expose();
            let place = topic.unwrap_or(namespace);
            self.0.asked.lock().expect("unharmed").push(format!("{} {place} {token}", action.as_str()));
            if token.starts_with("slow") {
                self.0.open.fetch_add(1, Ordering::SeqCst);
                self.0.leave.acquire().await.expect("it stays open").forget();
                self.0.open.fetch_sub(1, Ordering::SeqCst);
            }
            assert_ne!(token, "panic", "as it was asked to");
            match self.0.grants.lock().expect("unharmed").get(token) {
                Some(grant) if matches!(grant.access, Access::Ask) && topic == Some("secret") => {
                    AuthDecision::reject("not the secret")
                }
                Some(grant) => AuthDecision::Accept(grant.clone()),
                None => AuthDecision::reject(format!("nobody has {token}")),
            }
        })
    }

    fn revision(&self) -> u64 {
        self.0.revision.load(Ordering::SeqCst)
    }
}

fn grant(token: &str, access: Access) -> Grant {
    Grant { principal: format!("holder of {}", token.len()).into(), expires: None, ask_again: None, access }
}

fn named(name: &str) -> Grant {
    Grant { principal: name.into(), expires: None, ask_again: None, access: Access::All }
}

/// Only to look, not to speak, and not at secrets.
#[derive(Debug)]
struct Spectator;

impl Rules for Spectator {
    fn allow(&self, _namespace: &str, topic: Option<&str>, action: Action) -> bool {
        action != Action::Publish && topic != Some("secret")
    }
}

fn feed() -> FenceBuilder {
    let feed = Namespace::new("/feed")
        .topic("tick")
        .topic("secret")
        .topic("rooms.*")
        .topic_with(Topic::new("open").auth_required(false))
        .client_publish(ClientPublish::Relay)
        .auth_required(true);
    let alerts = Namespace::new("/alerts").topic("alert").at_least_once(AtLeastOnce::default().window(8));
    Fence::builder()
        .namespace(feed)
        .namespace(alerts.auth_required(true))
        .namespace(Namespace::new("/hall").topic("tick"))
}

fn start(book: &Book) -> App {
    start_as(book, &options())
}

fn start_as(book: &Book, options: &ServerOptions) -> App {
    start_with(feed(), options, |server| server.token_validator(book.clone()))
}

/// A client that has said this, and what it was answered.
async fn says(app: &App, namespace: &'static str, auth: &Value) -> (Client<DuplexStream>, Kind) {
    let mut client = Client::open(app.dial().await, namespace).await;
    client.say(&format!("40{namespace},{auth}")).await;
    let answer = client.hear().await.kind;
    (client, answer)
}

async fn client(app: &App, namespace: &'static str, auth: Value) -> Client<DuplexStream> {
    let (client, answer) = says(app, namespace, &auth).await;
    assert_eq!(answer, Kind::Connect);
    client
}

fn refused(code: &str) -> Kind {
    Kind::ConnectError(json!({"message": code}))
}

async fn rejected(news: &mut News) -> String {
    let reason = |event: &Event| match event {
        Event::AuthRejected { reason, .. } => Some(reason.to_string()),
        _ => None,
    };
    news.find("somebody is refused", reason).await
}

async fn principal(news: &mut News) -> Option<Arc<str>> {
    let connected = |event: &Event| match event {
        Event::Connected { principal, .. } => Some(principal.clone()),
        _ => None,
    };
    news.find("somebody comes", connected).await
}

async fn publish(app: &App, topic: &str) {
    app.publish("/feed", topic, "1").await;
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_a_good_one_lets_its_holder_in() {
    let mut app = start(&Book::of([]).with("anns", named("ann")));
    for (auth, code) in [
        (json!({"token": "wrong"}), "AUTH_REJECTED"),
        (json!({"token": ""}), "AUTH_REJECTED"),
        (json!({"token": "panic"}), "AUTH_REJECTED"),
        (json!({"token": 7}), "BAD_REQUEST"),
    ] {
        assert_eq!(says(&app, "/feed", &auth).await.1, refused(code), "{auth}");
    }
    // Where nobody needs one a wrong one is wrong, too.
    assert_eq!(says(&app, "/hall", &json!({"token": "wrong"})).await.1, refused("AUTH_REJECTED"));
    assert_eq!(rejected(&mut app.news).await, "it is not accepted", "a reason that holds the token is not passed on");
    let mut ann = client(&app, "/feed", json!({"token": "anns"})).await;
    assert_eq!(principal(&mut app.news).await.as_deref(), Some("ann"));
    ann.subscribe("tick").await;
    assert_eq!(ann.ask("publish", json!({"topic": "tick", "payload": 1})).await, json!({"ok": true}));
    assert_eq!(ann.event().await.0, "tick");
}

#[tokio::test]
async fn a_token_may_stand_in_the_head_and_in_the_query_only_where_that_is_allowed() {
    let book = Book::of([]).with("anns", named("ann"));
    for (token_query, query, head, principal_wanted) in [
        (false, "&token=anns", "", None),
        (true, "&token=anns", "", Some("ann")),
        (true, "&token=wrong", "authorization: Bearer anns\r\n", Some("ann")),
        (false, "", "Authorization: bearer anns\r\n", Some("ann")),
    ] {
        let mut app = start_as(&book, &ServerOptions { token_query, ..options() });
        let mut http = Http::new(app.dial().await);
        let target = format!("/socket.io/?EIO=4&transport=polling{query}");
        let answer = http.request("GET", &target, head, "").await.expect("an answer");
        let sid = answer.body.split('"').nth(3).expect("an open packet").to_owned();
        let target = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
        assert_eq!(http.post(&target, "40/feed,").await.body, "ok");
        assert_eq!(principal(&mut app.news).await.as_deref(), principal_wanted, "{query} {head}");
    }
    let app = start_as(&book, &ServerOptions { token_query: true, ..options() });
    let mut http = Http::new(app.dial().await);
    let answer = http.get("/socket.io/?EIO=4&transport=polling&token=wrong").await;
    let sid = answer.body.split('"').nth(3).expect("an open packet").to_owned();
    let target = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
    http.post(&target, "40/feed,").await;
    let mut told = String::new();
    while !told.contains("AUTH_REJECTED") {
        told = http.get(&target).await.body;
    }
}

#[tokio::test]
async fn whoever_is_nobody_may_stay_for_a_while_and_do_nothing_but_what_is_open() {
    let book = Book::of([]).with("anns", named("ann"));
    let mut app = start_as(&book, &ServerOptions { auth_timeout: Duration::from_secs(1), ..options() });
    let mut nobody = client(&app, "/feed", json!({})).await;
    let mut ann = client(&app, "/feed", json!({"token": "anns"})).await;
    let mut in_the_hall = client(&app, "/hall", json!({})).await;
    ann.subscribe("tick").await;
    for (event, wish) in [("subscribe", json!({"topic": "tick"})), ("publish", json!({"topic": "tick", "payload": 1}))]
    {
        let answer = nobody.ask(event, wish).await;
        assert_eq!(answer["code"], "AUTH_REJECTED");
        assert_eq!(nobody.refusal().await, "AUTH_REJECTED");
        assert_eq!(rejected(&mut app.news).await, "no token");
    }
    nobody.subscribe("open").await;
    publish(&app, "open").await;
    assert_eq!(nobody.event().await.0, "open");
    assert_eq!(nobody.refusal().await, "AUTH_REJECTED", "the time is over");
    assert_eq!(nobody.hear().await.kind, Kind::Disconnect);
    assert_eq!(app.news.left().await, CloseReason::AuthRejected);
    publish(&app, "tick").await;
    assert_eq!(ann.event().await.0, "tick", "whoever is somebody stays");
    in_the_hall.subscribe("tick").await;
    assert_eq!(
        app.fence.publish("/feed", "tick", Payload::serialize(&1).expect("JSON")).await.expect("there").matched,
        1
    );
}

#[tokio::test]
async fn a_pattern_makes_no_topic_for_whom_it_is_not() {
    let app = start(&Book::of([]));
    let mut nobody = client(&app, "/feed", json!({})).await;
    assert_eq!(nobody.ask("subscribe", json!({"topic": "rooms.7"})).await["code"], "AUTH_REJECTED");
    assert_eq!(nobody.ask("subscribe", json!({"topic": "nothing"})).await["code"], "UNKNOWN_TOPIC");
}

#[tokio::test]
async fn a_token_of_a_wish_is_for_that_wish_and_says_who_a_nobody_is() {
    let book = Book::of([]).with("anns", named("ann")).with("toms", named("tom"));
    let mut app = start(&book);
    let mut ann = client(&app, "/feed", json!({})).await;
    assert_eq!(ann.ask("subscribe", json!({"topic": "tick", "token": "wrong"})).await["code"], "AUTH_REJECTED");
    assert_eq!(ann.refusal().await, "AUTH_REJECTED");
    assert_eq!(ann.ask("subscribe", json!({"topic": "open", "token": "wrong"})).await["code"], "AUTH_REJECTED");
    assert_eq!(ann.refusal().await, "AUTH_REJECTED");
    ann.emit("subscribe", json!({"topics": ["tick", "secret"], "token": "anns"})).await;
    assert_eq!(ann.expect("authenticated").await, json!({"principal": "ann"}));
    for topic in ["tick", "secret"] {
        assert_eq!(ann.expect("subscribed").await["topic"], topic);
    }
    let who = |event: &Event| match event {
        Event::Authenticated { principal, .. } => Some(principal.clone()),
        _ => None,
    };
    assert_eq!(&*app.news.find("it is known who", who).await, "ann");
    let payload = || Payload::serialize("for ann").expect("text is JSON");
    let reached = app.fence.publish_to("/feed", To::principal("ann"), "tick", payload()).await.expect("there");
    assert_eq!(reached.matched, 1);
    assert_eq!(ann.event().await.0, "tick");
    // From now on she needs no other, and a token of somebody else's does not make her another.
    assert_eq!(ann.ask("publish", json!({"topic": "secret", "payload": 1})).await, json!({"ok": true}));
    assert_eq!(ann.event().await.0, "secret");
    assert_eq!(ann.ask("publish", json!({"topic": "tick", "payload": 2, "token": "toms"})).await, json!({"ok": true}));
    assert_eq!(ann.event().await.0, "tick");
    let reached = app.fence.publish_to("/feed", To::principal("tom"), "tick", payload()).await.expect("there");
    assert_eq!(reached.matched, 0);
    let asked = book.asked();
    let wanted = [
        "subscribe tick wrong",
        "subscribe open wrong",
        "subscribe tick anns",
        "subscribe secret anns",
        "publish tick toms",
    ];
    assert_eq!(asked, wanted);
}

#[tokio::test]
async fn wishes_wait_in_order_while_a_token_is_looked_at_and_nobody_else_does() {
    let book = Book::of([]).with("slow", named("ann")).with("toms", named("tom"));
    let app = start(&book);
    let mut ann = client(&app, "/feed", json!({})).await;
    ann.subscribe("open").await;
    ann.emit("subscribe", json!({"topic": "tick", "token": "slow"})).await;
    let later = ann.ask_only("publish", json!({"topic": "tick", "payload": "mine"})).await;
    ann.emit("unsubscribe", json!({"topic": "open"})).await;
    book.is_asked(1).await;
    // Others, and what she is sent, go on meanwhile.
    let mut tom = client(&app, "/feed", json!({"token": "toms"})).await;
    tom.subscribe("tick").await;
    publish(&app, "open").await;
    assert_eq!(ann.event().await.0, "open");
    book.0.leave.add_permits(1);
    assert_eq!(ann.expect("authenticated").await["principal"], "ann");
    assert_eq!(ann.expect("subscribed").await["topic"], "tick");
    let mut heard = Vec::new();
    while heard.len() < 2 {
        let packet = ann.hear().await;
        if let Kind::Event { name, .. } = packet.kind {
            heard.push(name);
        } else {
            assert_eq!(packet.kind, Kind::Ack { id: later, answer: json!({"ok": true}) });
        }
    }
    heard.sort_unstable();
    assert_eq!(heard, ["tick", "unsubscribed"], "her own message was relayed to her");
    assert_eq!(tom.event().await.1[0], "mine");
}

#[tokio::test]
async fn as_many_wishes_wait_as_may_and_acks_wait_for_none() {
    let book = Book::of([]).with("slow", named("ann")).with("anns", named("ann"));
    let app = start(&book);
    let mut ann = client(&app, "/alerts", json!({"token": "anns"})).await;
    ann.subscribe("alert").await;
    app.publish("/alerts", "alert", "1").await;
    let (_, alert) = ann.event().await;
    ann.emit("subscribe", json!({"topic": "alert", "token": "slow"})).await;
    for _ in 0..64 {
        ann.emit("unsubscribe", json!({"topic": "nothing"})).await;
    }
    let refused = ann.ask("unsubscribe", json!({"topic": "alert"})).await;
    assert_eq!(refused["code"], "BACK_PRESSURE");
    let ack = ann.ask("ack", json!({"topic": "alert", "messageId": alert[1]["messageId"]})).await;
    assert_eq!(ack, json!({"ok": true}), "while all else waits");
    book.0.leave.add_permits(1);
    assert_eq!(ann.refusal().await, "BACK_PRESSURE");
    assert_eq!(ann.expect("subscribed").await["topic"], "alert");
    for _ in 0..64 {
        assert_eq!(ann.refusal().await, "UNKNOWN_TOPIC");
    }
    ann.hears_nothing().await;
}

#[tokio::test]
async fn silence_is_a_refusal_and_a_panic_too() {
    let book = Book::of(["slow"]);
    let app = start_as(&book, &ServerOptions { validation_timeout: Duration::from_millis(20), ..options() });
    assert_eq!(says(&app, "/feed", &json!({"token": "slow"})).await.1, refused("AUTH_REJECTED"));
    let mut nobody = client(&app, "/feed", json!({})).await;
    for token in ["slow", "panic"] {
        let answer = nobody.ask("subscribe", json!({"topics": ["tick", "secret"], "token": token})).await;
        assert_eq!(answer["ok"], false);
        assert_eq!(answer["results"][1]["code"], "AUTH_REJECTED");
    }
    let asked = book.asked().len();
    assert_eq!(asked, 3, "whoever was silent is not asked about the rest of a wish");
}

#[tokio::test]
async fn what_a_token_does_not_allow_is_refused_by_rules_and_by_whoever_is_asked() {
    let spectator = Grant { access: Access::Rules(Arc::new(Spectator)), ..named("eve") };
    let book = Book::of([]).with("rules", spectator).with("ask", Grant { access: Access::Ask, ..named("amy") });
    let mut app = start(&book);
    for token in ["rules", "ask"] {
        let mut client = client(&app, "/feed", json!({"token": token})).await;
        let answer = client.ask("subscribe", json!({"topics": ["tick", "secret", "open"]})).await;
        let results = answer["results"].as_array().expect("one each").iter();
        let codes: Vec<_> = results.map(|result| result["code"].as_str().unwrap_or("OK").to_owned()).collect();
        assert_eq!(codes, ["OK", "AUTH_REJECTED", "OK"], "{token}");
        let publish = client.ask("publish", json!({"topic": "tick", "payload": 1})).await;
        assert_eq!(publish["ok"], token == "ask");
        let wanted: &[&str] = match token {
            "ask" => &["not the secret"],
            _ => &["does not allow to subscribe", "does not allow to publish"],
        };
        for wanted in wanted {
            let reason = rejected(&mut app.news).await;
            assert!(reason.contains(wanted), "{reason}");
        }
    }
    let asked = book.asked();
    let wanted =
        ["connect /feed rules", "connect /feed ask", "subscribe tick ask", "subscribe secret ask", "publish tick ask"];
    assert_eq!(asked, wanted);
}

#[tokio::test]
async fn a_client_may_say_who_it_is_when_it_is_in_and_once() {
    let book = Book::of([]).with("anns", named("ann")).with("her other", named("ann")).with("toms", named("tom"));
    let app = start_as(&book, &ServerOptions { auth_timeout: Duration::from_secs(1), ..options() });
    let mut ann = client(&app, "/feed", json!({})).await;
    for (payload, code) in
        [(json!({"token": "wrong"}), "AUTH_REJECTED"), (json!({}), "BAD_REQUEST"), (json!("hunter2"), "BAD_REQUEST")]
    {
        let answer = ann.ask("authenticate", payload).await;
        assert_eq!(answer["code"], code);
        assert!(!answer.to_string().contains("hunter2"), "{answer}");
        assert_eq!(ann.refusal().await, code);
    }
    for (token, ok) in [("anns", true), ("her other", true), ("toms", false), ("anns", true)] {
        let answer = ann.ask("authenticate", json!({"token": token})).await;
        assert_eq!(answer["ok"], ok, "{token}: {answer}");
        match ok {
            true => assert_eq!(ann.expect("authenticated").await, json!({"principal": "ann"})),
            false => assert_eq!(ann.refusal().await, "AUTH_REJECTED"),
        }
    }
    ann.subscribe("tick").await;
    let mut nobody = client(&app, "/feed", json!({})).await;
    assert_eq!(nobody.refusal().await, "AUTH_REJECTED", "the time is over, for whoever came even later");
    ann.hears_nothing().await;
}

#[tokio::test]
async fn the_application_may_say_who_it_is_and_has_the_last_word() {
    async fn who(socket: SocketRef) -> Result<(), &'static str> {
        let said = socket.extensions.get::<Principal>();
        socket.extensions.insert(Principal(said.map_or("guest".to_owned(), |Principal(name)| format!("miss {name}"))));
        Ok(())
    }
    let book = Book::of([]).with("anns", named("ann"));
    let door = async |_: SocketRef| ();
    let mut app = start_with(feed(), &options(), |server| {
        server.token_validator(book.clone()).on_connect("/feed", door.with(who))
    });
    let mut guest = client(&app, "/feed", json!({})).await;
    assert_eq!(principal(&mut app.news).await.as_deref(), Some("guest"));
    guest.subscribe("tick").await;
    let mut ann = client(&app, "/feed", json!({"token": "anns"})).await;
    assert_eq!(principal(&mut app.news).await.as_deref(), Some("miss ann"));
    ann.subscribe("tick").await;
    assert_eq!(ann.ask("authenticate", json!({"token": "anns"})).await, json!({"ok": true, "principal": "miss ann"}));
    book.remove("anns");
    assert_eq!(ann.expect("authenticated").await["principal"], "miss ann");
    assert_eq!(ann.refusal().await, "AUTH_REJECTED", "what lets her in is the token all the same");
    guest.hears_nothing().await;
}

#[tokio::test]
async fn without_a_validator_nobody_looks_at_tokens() {
    let mut app = start_with(feed(), &options(), |server| server);
    let mut nobody = client(&app, "/hall", json!({"token": "anything"})).await;
    assert_eq!(principal(&mut app.news).await, None);
    let subscribed = nobody.ask("subscribe", json!({"topic": "tick", "token": "anything"})).await;
    assert_eq!(subscribed["ok"], true);
    let mut at_the_door = client(&app, "/feed", json!({"token": "anything"})).await;
    assert_eq!(at_the_door.ask("subscribe", json!({"topic": "tick", "token": "it"})).await["code"], "AUTH_REJECTED");
}

#[tokio::test]
async fn a_token_that_is_taken_away_ends_its_sessions_and_no_others() {
    let book = Book::of([]).with("anns", named("ann")).with("toms", named("tom")).with("her other", named("ann"));
    let mut app = start(&book);
    let mut ann = client(&app, "/feed", json!({"token": "anns"})).await;
    let mut by_a_wish = client(&app, "/feed", json!({"token": "toms"})).await;
    let lent = by_a_wish.ask("subscribe", json!({"topic": "tick", "token": "anns"})).await;
    assert_eq!(lent["ok"], true);
    by_a_wish.expect("subscribed").await;
    let mut gave_it_back = client(&app, "/feed", json!({"token": "toms"})).await;
    assert_eq!(gave_it_back.ask("subscribe", json!({"topic": "tick", "token": "anns"})).await["ok"], true);
    gave_it_back.ask("unsubscribe", json!({"topic": "tick"})).await;
    let mut exchanged = client(&app, "/feed", json!({"token": "anns"})).await;
    assert_eq!(exchanged.ask("authenticate", json!({"token": "her other"})).await["ok"], true);
    let mut tom = client(&app, "/feed", json!({"token": "toms"})).await;
    let began = std::time::Instant::now();
    book.remove("anns");
    for client in [&mut ann, &mut by_a_wish] {
        assert_eq!(client.refusal().await, "AUTH_REJECTED");
        assert_eq!(client.hear().await.kind, Kind::Disconnect);
        assert_eq!(app.news.left().await, CloseReason::AuthRejected);
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    tom.subscribe("tick").await;
    for (client, heard) in
        [(&mut gave_it_back, ["subscribed", "unsubscribed"].as_slice()), (&mut exchanged, &["authenticated"])]
    {
        for name in heard {
            client.expect(name).await;
        }
        client.hears_nothing().await;
    }
    assert_eq!(says(&app, "/feed", &json!({"token": "anns"})).await.1, refused("AUTH_REJECTED"));
}

#[tokio::test]
async fn a_token_that_expires_ends_its_sessions() {
    let until = |time: Duration| Grant { expires: Some(SystemTime::now() + time), ..named("ann") };
    let book = Book::of([]).with("over", until(Duration::ZERO)).with("short", until(Duration::from_secs(1)));
    let app = start(&book.clone().with("long", until(Duration::from_secs(3600))));
    assert_eq!(says(&app, "/feed", &json!({"token": "over"})).await.1, refused("AUTH_REJECTED"));
    let mut long = client(&app, "/feed", json!({"token": "long"})).await;
    let mut short = client(&app, "/feed", json!({"token": "short"})).await;
    assert_eq!(short.refusal().await, "AUTH_REJECTED");
    assert_eq!(short.hear().await.kind, Kind::Disconnect);
    long.subscribe("tick").await;
}

#[tokio::test]
async fn a_session_that_waits_is_opened_by_a_good_token_of_whose_it_is_alone() {
    let book = Book::of([]).with("anns", named("ann")).with("toms", named("tom")).with("her other", named("ann"));
    let mut app = start(&book);
    let mut ann = client(&app, "/alerts", json!({"session": true})).await;
    let ticket = ann.expect("session").await;
    // Known by a wish, later than the session.
    assert_eq!(ann.ask("subscribe", json!({"topic": "alert", "token": "anns"})).await["ok"], true);
    drop(ann);
    app.news.left().await;
    book.remove("anns");
    let session = json!({"id": ticket["id"], "secret": ticket["secret"]});
    let (_, answer) = says(&app, "/alerts", &json!({"token": "anns", "session": session})).await;
    assert_eq!(answer, refused("AUTH_REJECTED"));
    for auth in [json!({"session": session}), json!({"token": "toms", "session": session})] {
        let mut thief = client(&app, "/alerts", auth).await;
        assert_eq!(thief.expect("session").await["resumed"], false);
    }
    let mut back = client(&app, "/alerts", json!({"token": "her other", "session": session})).await;
    let ticket = back.expect("session").await;
    assert_eq!((&ticket["resumed"], &ticket["topics"]), (&json!(true), &json!(["alert"])));
}

#[tokio::test]
async fn a_session_that_was_ended_for_its_token_does_not_wait() {
    let book = Book::of([]).with("anns", named("ann")).with("her other", named("ann"));
    let mut app = start(&book);
    let mut ann = client(&app, "/alerts", json!({"token": "anns", "session": true})).await;
    let ticket = ann.expect("session").await;
    book.remove("anns");
    assert_eq!(app.news.left().await, CloseReason::AuthRejected);
    let session = json!({"id": ticket["id"], "secret": ticket["secret"]});
    let mut back = client(&app, "/alerts", json!({"token": "her other", "session": session})).await;
    assert_eq!(back.expect("session").await["resumed"], false);
}

#[tokio::test]
async fn what_a_session_comes_back_with_decides_what_it_goes_on_with() {
    let narrow = Grant { access: Access::Rules(Arc::new(Spectator)), ..named("ann") };
    let book = Book::of([]).with("all", named("ann")).with("narrow", narrow).with("toms", named("tom"));
    let mut app = start(&book);
    let mut ann = client(&app, "/feed", json!({"token": "all", "session": true})).await;
    let ticket = ann.expect("session").await;
    ann.subscribe("secret").await;
    ann.subscribe("tick").await;
    // Lent by somebody else, and not with it when it is back.
    assert_eq!(ann.ask("subscribe", json!({"topic": "rooms.1", "token": "toms"})).await["ok"], true);
    drop(ann);
    app.news.left().await;
    // What waits for it when it comes back.
    publish(&app, "secret").await;
    publish(&app, "tick").await;
    let session = json!({"id": ticket["id"], "secret": ticket["secret"]});
    let mut back = client(&app, "/feed", json!({"token": "narrow", "session": session})).await;
    let ticket = back.expect("session").await;
    let mut topics: Vec<_> = ticket["topics"].as_array().expect("a list").iter().map(ToString::to_string).collect();
    topics.sort();
    assert_eq!((&ticket["resumed"], topics), (&json!(true), vec![r#""rooms.1""#.to_owned(), r#""tick""#.to_owned()]));
    assert_eq!(back.expect("unsubscribed").await, json!({"topic": "secret", "reason": "auth_rejected"}));
    publish(&app, "secret").await;
    assert_eq!(back.event().await.0, "tick", "it goes on with what it may have");
    back.hears_nothing().await;
    // All of it may be had again, by who may have it.
    assert_eq!(back.ask("subscribe", json!({"topic": "secret", "token": "toms"})).await["ok"], true);
    publish(&app, "secret").await;
    back.expect("subscribed").await;
    assert_eq!(back.event().await.0, "secret");
}

#[tokio::test]
async fn a_reload_that_wants_to_know_who_has_a_topic_ends_the_subscriptions_of_nobody() {
    let book = Book::of([]).with("anns", named("ann"));
    let app = start(&book);
    let mut nobody = client(&app, "/hall", json!({})).await;
    let mut ann = client(&app, "/hall", json!({"token": "anns"})).await;
    nobody.subscribe("tick").await;
    ann.subscribe("tick").await;
    let hall = Namespace::new("/hall").topic_with(Topic::new("tick").auth_required(true));
    let catalog = streamfence_core::Catalog::builder().namespace(hall).build().expect("it is valid");
    app.fence.reload(&catalog).await;
    assert_eq!(nobody.expect("unsubscribed").await, json!({"topic": "tick", "reason": "auth_rejected"}));
    app.publish("/hall", "tick", "1").await;
    assert_eq!(ann.event().await.0, "tick");
    nobody.hears_nothing().await;
}

#[tokio::test]
async fn a_reload_that_wants_to_know_who_everybody_is_gives_them_time_to_say() {
    let book = Book::of([]).with("anns", named("ann"));
    let mut app = start_as(&book, &ServerOptions { auth_timeout: Duration::from_secs(1), ..options() });
    let mut hall = client(&app, "/hall", json!({})).await;
    let mut ann = client(&app, "/hall", json!({})).await;
    let feed = Namespace::new("/hall").topic("tick").auth_required(true);
    let catalog = streamfence_core::Catalog::builder().namespace(feed).build().expect("it is valid");
    app.fence.reload(&catalog).await;
    assert_eq!(hall.ask("subscribe", json!({"topic": "tick"})).await["code"], "AUTH_REJECTED");
    assert_eq!(ann.ask("authenticate", json!({"token": "anns"})).await["ok"], true);
    assert_eq!(hall.refusal().await, "AUTH_REJECTED");
    assert_eq!(hall.refusal().await, "AUTH_REJECTED", "the time is over");
    assert_eq!(app.news.left().await, CloseReason::AuthRejected);
    ann.expect("authenticated").await;
    ann.subscribe("tick").await;
}

#[tokio::test]
async fn a_wrong_token_for_many_topics_is_one_wrong_token() {
    let book = Book::of([]).with("anns", named("ann"));
    let (fence, _news) = crate::app::fence(feed());
    let options = ServerOptions {
        address: streamfence_socketio::Address::Tcp { host: "127.0.0.1".into(), port: 0 },
        auth_failures: Some(streamfence_auth::FailureLimit { max: 2, window: Duration::from_secs(60) }),
        ..options()
    };
    let server = streamfence_socketio::Server::builder(fence).options(options).token_validator(book);
    let server = server.start().await.expect("loopback can be bound");
    let address = server.local_addr().expect("it is TCP");
    let stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
    let mut nobody = Client::join(stream, "/feed").await;
    let answer = nobody.ask("subscribe", json!({"topics": ["tick", "secret", "open"], "token": "wrong"})).await;
    let codes: Vec<_> = answer["results"].as_array().expect("one each").iter().map(|one| &one["code"]).collect();
    assert_eq!(codes, ["AUTH_REJECTED"; 3]);
    assert_eq!(nobody.ask("authenticate", json!({"token": "anns"})).await["ok"], true, "one more is looked at");
}

#[tokio::test]
async fn where_no_tokens_are_taken_none_is_wrong() {
    let book = Book::of([]).with("anns", named("ann"));
    let (fence, _news) = crate::app::fence(Fence::builder().namespace(Namespace::new("/feed").topic("tick")));
    let options = ServerOptions {
        address: streamfence_socketio::Address::Tcp { host: "127.0.0.1".into(), port: 0 },
        auth_failures: Some(streamfence_auth::FailureLimit { max: 1, window: Duration::from_secs(60) }),
        takes_tokens: false,
        ..options()
    };
    let server = streamfence_socketio::Server::builder(fence).options(options.clone()).token_validator(book);
    let server = server.start().await.expect("loopback can be bound");
    let address = server.local_addr().expect("it is TCP");
    let mut client = Client::join(tokio::net::TcpStream::connect(address).await.expect("it listens"), "/feed").await;
    for token in ["wrong", "anns", "wrong"] {
        assert_eq!(client.ask("authenticate", json!({"token": token})).await["code"], "BAD_REQUEST");
        assert_eq!(client.ask("subscribe", json!({"topic": "tick", "token": token})).await["ok"], true);
    }
    server.set_options(&ServerOptions { takes_tokens: true, ..options }).await.expect("it may change");
    assert_eq!(client.ask("authenticate", json!({"token": "anns"})).await["ok"], true, "nothing was counted");
}

#[tokio::test]
async fn nobody_looks_at_tokens_from_where_too_many_wrong_ones_came() {
    let book = Book::of([]).with("anns", named("ann")).with("bobs", named("bob"));
    let max = 3;
    let failures = streamfence_auth::FailureLimit { max, window: Duration::from_secs(60) };
    let (fence, mut news) = crate::app::fence(feed());
    let options = ServerOptions {
        address: streamfence_socketio::Address::Tcp { host: "127.0.0.1".into(), port: 0 },
        auth_failures: Some(failures),
        ..options()
    };
    let server = streamfence_socketio::Server::builder(fence).options(options).token_validator(book.clone());
    let server = server.start().await.expect("loopback can be bound");
    let address = server.local_addr().expect("it is TCP");
    let says = async |auth: Value| {
        let stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
        let mut client = Client::open(stream, "/feed").await;
        client.say(&format!("40/feed,{auth}")).await;
        let answer = client.hear().await.kind;
        (client, answer)
    };
    let (mut ann, answer) = says(json!({"token": "anns"})).await;
    assert_eq!(answer, Kind::Connect);
    let (mut nobody, _) = says(json!({})).await;
    for _ in 1..max {
        assert_eq!(says(json!({"token": "wrong"})).await.1, refused("AUTH_REJECTED"));
    }
    assert_eq!(nobody.ask("authenticate", json!({"token": "wrong"})).await["code"], "AUTH_REJECTED");
    let asked = book.asked().len();
    for token in ["wrong", "bobs"] {
        assert_eq!(says(json!({"token": token})).await.1, refused("AUTH_RATE_LIMITED"));
        let answer = nobody.ask("subscribe", json!({"topic": "tick", "token": token})).await;
        assert_eq!(answer["code"], "AUTH_RATE_LIMITED");
    }
    assert_eq!(book.asked().len(), asked, "nobody was asked");
    let limited = |event: &Event| match event {
        Event::AuthRateLimited { namespace, address } => Some((namespace.clone(), *address)),
        _ => None,
    };
    let (namespace, from) = news.find("somebody is limited", limited).await;
    assert_eq!((&*namespace, from), ("/feed", address.ip()));
    ann.subscribe("tick").await;
    // A token that was good before is looked at all the same; and no more once it is found to be wrong.
    assert_eq!(says(json!({"token": "anns"})).await.1, Kind::Connect);
    book.remove("anns");
    assert_eq!(says(json!({"token": "anns"})).await.1, refused("AUTH_REJECTED"));
    assert_eq!(says(json!({"token": "anns"})).await.1, refused("AUTH_RATE_LIMITED"));
    in_time("the server stops", server.stop()).await;
}

/// Whoever has a session may get another token; whoever has not is asked about once per request, and is refused.
#[tokio::test]
async fn guesses_that_come_at_once_are_not_all_looked_at() {
    let book = Book::of([]);
    let (fence, _news) = crate::app::fence(feed());
    let options = ServerOptions {
        address: streamfence_socketio::Address::Tcp { host: "127.0.0.1".into(), port: 0 },
        auth_failures: Some(streamfence_auth::FailureLimit { max: 5, window: Duration::from_secs(60) }),
        ..options()
    };
    let server = streamfence_socketio::Server::builder(fence).options(options).token_validator(book.clone());
    let server = server.start().await.expect("loopback can be bound");
    let address = server.local_addr().expect("it is TCP");
    let mut guessers = Vec::new();
    for guess in 0..60 {
        let stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
        let mut client = Client::open(stream, "/feed").await;
        client.say(&format!("40/feed,{}", json!({"token": format!("slow {guess}")}))).await;
        guessers.push(client);
    }
    // The validator is slow: so many are looked at when the first of them turns out to be wrong.
    book.is_asked(16).await;
    book.0.leave.add_permits(60);
    let mut limited = 0;
    for mut client in guessers {
        limited += usize::from(client.hear().await.kind == refused("AUTH_RATE_LIMITED"));
    }
    let asked = book.asked().len();
    assert!((16..=16 + 5).contains(&asked), "{asked} of 60 were looked at, of 5 and those under way");
    assert_eq!(limited, 60 - asked);
}

#[tokio::test]
async fn a_session_goes_on_with_another_token_of_the_same_holder_and_with_nobody_elses() {
    let book = Book::of([]).with("ann-1", named("ann")).with("ann-2", named("ann")).with("bob", named("bob"));
    let app = start(&book);
    let mut http = Http::new(app.dial().await);
    let bearer = |token: &str| format!("authorization: Bearer {token}\r\n");
    let open = http.request("GET", POLLING, &bearer("ann-1"), "").await.expect("an answer");
    let sid = open.body.split(r#""sid":""#).nth(1).and_then(|rest| rest.split('"').next()).expect("a session");
    let target = format!("{POLLING}&sid={sid}");
    let mut say = async |token: &str, packet: &str| {
        http.request("POST", &target, &bearer(token), packet).await.expect("an answer").status
    };
    assert_eq!(say("ann-2", "40/feed,").await, 403, "nobody knows yet whose it is, but by what token it was opened");
    assert_eq!(say("ann-1", "40/feed,").await, 200);
    assert_eq!(book.asked(), ["connect /feed ann-1"]);
    for _ in 0..3 {
        assert_eq!(say("ann-2", "3").await, 200);
    }
    assert_eq!(say("bob", "3").await, 403);
    assert_eq!(say("ann-1", "3").await, 200, "it was shown before");
    assert_eq!(book.asked(), ["connect /feed ann-1", "connect /feed ann-2", "connect /feed bob"]);
}
