//! Whoever wants to be asked about each wish: how many questions at once, and again when nobody wishes for anything.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use streamfence_auth::{Access, Asked, AuthDecision, Grant, TokenValidator, Validating};
use streamfence_core::CloseReason;
use streamfence_runtime::{Fence, FenceBuilder, Namespace};
use tokio::io::DuplexStream;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::app::{App, options, start_with};
use crate::common::patience::eventually;
use crate::talk::{Client, Kind};

/// Lets in whoever names a time after which to ask again, by its name; clones are the same one.
#[derive(Clone, Debug)]
struct Desk(Arc<State>);

#[derive(Debug)]
struct State {
    said: Mutex<Said>,
    /// How many questions it takes at once.
    places: usize,
    /// What each answer waits for.
    leave: Semaphore,
}

#[derive(Debug, Default)]
struct Said {
    /// Tokens, wishes of anybody's (`subscribe tick`) and of one (`subscribe tick ann`) that are refused.
    refused: HashSet<String>,
    is_silent: bool,
    /// Wishes of anybody's that are not answered.
    unheard: HashSet<String>,
    open: usize,
    most_open: usize,
    asked: Vec<String>,
    /// How long the token of each stands.
    stands: HashMap<&'static str, Duration>,
}

impl Desk {
    fn new(places: usize, stands: impl IntoIterator<Item = (&'static str, Duration)>) -> Self {
        let said = Said { stands: stands.into_iter().collect(), ..Said::default() };
        Self(Arc::new(State { said: Mutex::new(said), places, leave: Semaphore::new(0) }))
    }

    /// Answers at once.
    fn prompt(stands: impl IntoIterator<Item = (&'static str, Duration)>) -> Self {
        let desk = Self::new(usize::MAX, stands);
        desk.0.leave.add_permits(Semaphore::MAX_PERMITS / 2);
        desk
    }

    fn change<T>(&self, change: impl FnOnce(&mut Said) -> T) -> T {
        change(&mut self.0.said.lock().expect("unharmed"))
    }

    fn refuse(&self, what: &str) {
        self.change(|said| said.refused.insert(what.to_owned()));
    }

    fn asked(&self) -> Vec<String> {
        self.change(|said| said.asked.clone())
    }

    async fn has_open(&self, open: usize) {
        eventually("so many questions are open", || self.change(|said| said.open) == open).await;
    }

    async fn was_asked(&self, times: usize) {
        eventually("it is asked so often", || self.change(|said| said.asked.len()) >= times).await;
    }
}

impl TokenValidator for Desk {
    fn validate<'a>(&'a self, asked: Asked<'a>) -> Validating<'a> {
        Box::pin(async move {
            let token = asked.token.expose();
            let wish = format!("{} {}", asked.action.as_str(), asked.topic.unwrap_or(asked.namespace));
            self.change(|said| {
                said.asked.push(format!("{wish} {token}"));
                said.open += 1;
                said.most_open = said.most_open.max(said.open);
            });
            self.0.leave.acquire().await.expect("it stays open").forget();
            self.change(|said| {
                said.open -= 1;
                if said.is_silent || said.unheard.contains(&wish) {
                    return AuthDecision::unavailable("it is closed");
                }
                if [token.to_owned(), wish.clone(), format!("{wish} {token}")]
                    .iter()
                    .any(|no| said.refused.contains(no))
                {
                    return AuthDecision::reject("it says no");
                }
                let ask_again = said.stands.get(token).copied();
                AuthDecision::Accept(Grant { principal: token.into(), expires: None, ask_again, access: Access::Ask })
            })
        })
    }

    fn spare(&self) -> usize {
        self.0.places - self.change(|said| said.open)
    }
}

fn feed() -> FenceBuilder {
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    let feed = names.iter().fold(Namespace::new("/feed"), |feed, name| feed.topic(*name));
    Fence::builder().namespace(feed.auth_required(true))
}

fn start(desk: &Desk) -> App {
    start_with(feed(), &options(), |server| server.token_validator(desk.clone()))
}

async fn client(app: &App, token: &str) -> Client<DuplexStream> {
    let mut client = Client::open(app.dial().await, "/feed").await;
    client.say(&format!("40/feed,{}", json!({"token": token}))).await;
    assert_eq!(client.hear().await.kind, Kind::Connect);
    client
}

fn codes(answer: &Value) -> Vec<&str> {
    let results = answer["results"].as_array().expect("one each").iter();
    results.map(|result| result["code"].as_str().unwrap_or("OK")).collect()
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_wish_for_many_topics_is_asked_about_in_as_many_questions_as_there_are_places_and_answered_in_order() {
    let desk = Desk::new(3, []);
    desk.refuse("subscribe c");
    let app = start(&desk);
    desk.0.leave.add_permits(1);
    let mut ann = client(&app, "ann").await;
    let topics = json!({"topics": ["a", "b", "c", "d", "c", "e", "f", "g"]});
    let id = ann.ask_only("subscribe", topics).await;
    // The first is alone, and then as many are open as there are places.
    desk.has_open(1).await;
    assert_eq!(desk.asked().len(), 2);
    desk.0.leave.add_permits(1);
    desk.has_open(3).await;
    desk.0.leave.add_permits(6);
    let answer = ann.answer_to(id).await;
    assert_eq!(codes(&answer), ["OK", "OK", "AUTH_REJECTED", "OK", "AUTH_REJECTED", "OK", "OK", "OK"]);
    assert_eq!(desk.change(|said| said.most_open), 3);
    let asked: Vec<_> = ["a", "b", "c", "d", "e", "f", "g"].map(|topic| format!("subscribe {topic} ann")).into();
    assert_eq!(desk.asked()[1..], asked, "each once");
}

#[tokio::test]
async fn where_there_is_no_place_to_spare_a_wish_has_one_question_at_a_time() {
    let desk = Desk::new(1, []);
    let app = start(&desk);
    desk.0.leave.add_permits(1);
    let mut ann = client(&app, "ann").await;
    desk.0.leave.add_permits(3);
    let answer = ann.ask("subscribe", json!({"topics": ["a", "b", "c"]})).await;
    assert_eq!((codes(&answer), desk.change(|said| said.most_open)), (vec!["OK"; 3], 1));
}

#[tokio::test]
async fn whoever_is_silent_is_not_asked_about_the_rest_of_a_wish() {
    let desk = Desk::new(2, []);
    let app = start(&desk);
    desk.0.leave.add_permits(1);
    let mut ann = client(&app, "ann").await;
    let id = ann.ask_only("subscribe", json!({"topics": ["a", "b", "c", "d", "e", "f"]})).await;
    desk.0.leave.add_permits(1);
    desk.has_open(2).await;
    desk.change(|said| said.is_silent = true);
    desk.0.leave.add_permits(10);
    let answer = ann.answer_to(id).await;
    assert_eq!(codes(&answer)[..2], ["OK", "AUTH_REJECTED"]);
    assert_eq!(codes(&answer)[2..], ["AUTH_REJECTED"; 4]);
    assert_eq!(desk.asked().len(), 4, "the connect, the first, and the two that were open");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_wishes_for_nothing_leaves_once_it_is_refused_and_nobody_else_does() {
    let desk = Desk::prompt([("ann", SECOND * 10), ("tom", SECOND * 10)]);
    let mut app = start(&desk);
    let (mut ann, mut tom, mut eve) = (client(&app, "ann").await, client(&app, "tom").await, client(&app, "eve").await);
    let began = Instant::now();
    desk.refuse("ann");
    desk.refuse("eve");
    assert_eq!(ann.refusal().await, "AUTH_REJECTED");
    assert_eq!(ann.hear().await.kind, Kind::Disconnect);
    assert_eq!(app.news.left().await, CloseReason::AuthRejected);
    let took = began.elapsed();
    assert!(took >= SECOND * 7 && took <= SECOND * 11, "{took:?}");
    // Tom is asked about again and again, and about eve nobody wants to know.
    desk.was_asked(3 + 1 + 3).await;
    assert!(!desk.asked()[3..].iter().any(|asked| asked.ends_with("eve")));
    tom.subscribe("a").await;
    assert_eq!(eve.ask("subscribe", json!({"topic": "a"})).await["code"], "AUTH_REJECTED", "its next wish says so");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_ends_once_it_is_refused_and_its_client_stays() {
    let desk = Desk::prompt([("ann", SECOND * 10)]);
    let app = start(&desk);
    let mut ann = client(&app, "ann").await;
    for topic in ["a", "b"] {
        ann.subscribe(topic).await;
    }
    // With a token of its own it is that one's.
    assert_eq!(ann.ask("subscribe", json!({"topic": "c", "token": "tom"})).await["ok"], true);
    ann.expect("subscribed").await;
    for topic in ["a", "c"] {
        desk.refuse(&format!("subscribe {topic} ann"));
    }
    assert_eq!(ann.expect("unsubscribed").await, json!({"topic": "a", "reason": "auth_rejected"}));
    let asked = desk.asked().len();
    desk.was_asked(asked + 4).await;
    for topic in ["a", "b", "c"] {
        app.publish("/feed", topic, "1").await;
    }
    assert_eq!((ann.event().await.0, ann.event().await.0), ("b".to_owned(), "c".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn where_nobody_can_say_what_was_granted_stands_for_three_times_as_long_and_no_longer() {
    let desk = Desk::prompt([("ann", SECOND * 12)]);
    let mut app = start(&desk);
    let mut ann = client(&app, "ann").await;
    desk.change(|said| said.is_silent = true);
    let began = Instant::now();
    desk.was_asked(4).await;
    assert!(began.elapsed() < SECOND * 36);
    // Once it says yes the time begins anew.
    desk.change(|said| said.is_silent = false);
    desk.was_asked(5).await;
    ann.subscribe("a").await;
    desk.change(|said| said.is_silent = true);
    let began = Instant::now();
    assert_eq!(ann.refusal().await, "AUTH_REJECTED");
    assert_eq!(app.news.left().await, CloseReason::AuthRejected);
    let took = began.elapsed();
    assert!(took >= SECOND * 24 && took <= SECOND * 37, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_of_which_nobody_can_say_is_asked_about_again_soon() {
    let desk = Desk::prompt([("ann", SECOND * 16)]);
    let app = start(&desk);
    let mut ann = client(&app, "ann").await;
    for topic in ["a", "b"] {
        ann.subscribe(topic).await;
    }
    let asked = || desk.asked().iter().filter(|asked| **asked == "subscribe a ann").count();
    desk.change(|said| said.unheard.insert("subscribe a".to_owned()));
    eventually("its turn comes", || asked() == 2).await;
    let began = Instant::now();
    // While it is in doubt it goes on.
    eventually("it is asked about again", || asked() == 5).await;
    let took = began.elapsed();
    assert!(took >= SECOND && took <= SECOND * 4, "{took:?}");
    app.publish("/feed", "a", "1").await;
    assert_eq!(ann.event().await.0, "a");
    // Then somebody can say, and it is revoked: long before its next turn.
    desk.refuse("subscribe a");
    desk.change(|said| said.unheard.clear());
    assert_eq!(ann.expect("unsubscribed").await, json!({"topic": "a", "reason": "auth_rejected"}));
    let took = began.elapsed();
    assert!(took <= SECOND * 11, "{took:?}");
    let before = asked();
    tokio::time::sleep(SECOND * 18).await;
    assert_eq!(asked(), before, "nobody asks about what is over");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_nobody_confirms_for_three_times_as_long_ends_and_its_client_stays() {
    let desk = Desk::prompt([("ann", SECOND * 12)]);
    let app = start(&desk);
    let mut ann = client(&app, "ann").await;
    for topic in ["a", "b"] {
        ann.subscribe(topic).await;
    }
    desk.change(|said| said.unheard.insert("subscribe a".to_owned()));
    let began = Instant::now();
    assert_eq!(ann.expect("unsubscribed").await, json!({"topic": "a", "reason": "auth_rejected"}));
    let took = began.elapsed();
    assert!(took >= SECOND * 24 && took <= SECOND * 37, "{took:?}");
    app.publish("/feed", "b", "1").await;
    assert_eq!(ann.event().await.0, "b");
}

#[tokio::test(start_paused = true)]
async fn a_crowd_is_asked_about_a_few_at_once_and_spread_over_time() {
    let desk = Desk::prompt([("ann", SECOND * 8)]);
    let app = start(&desk);
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(client(&app, "ann").await);
    }
    let began = Instant::now();
    desk.was_asked(110).await;
    desk.was_asked(190).await;
    let took = began.elapsed();
    assert!(took >= SECOND * 7 && took <= SECOND * 9, "{took:?}");
    desk.was_asked(200).await;
    assert_eq!(desk.change(|said| said.most_open), 1, "each is answered at once");
    // However many are due, no more are open than may be.
    desk.0.leave.forget_permits(Semaphore::MAX_PERMITS);
    desk.has_open(32).await;
    tokio::time::sleep(SECOND * 3).await;
    assert_eq!((desk.change(|said| said.most_open), desk.asked().len()), (32, 232));
}
