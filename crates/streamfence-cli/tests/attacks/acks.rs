//! Acks of messages that never were, or that are somebody else's.

use serde_json::json;

use crate::process::post;
use crate::scene::Scene;
use crate::socket::{End, Socket, TEXT};

/// A namespace whose messages are acked: 1,000 made-up acks are free, and as many more as may be on the way, which are
/// 2 x (1 + 20) here.
const SURE: &str = "
      - {path: /sure, topics: [alert], deliveryMode: AT_LEAST_ONCE, overflowAction: REJECT_NEW, maxRetries: 20,
         maxInFlight: 2, ackTimeoutMs: 300}
";
const FREE: u64 = 1_000 + 2 * 21;

/// A client that gets what is sure to come.
fn subscriber(scene: &Scene) -> (Socket, String) {
    let mut socket = Socket::join(&scene.address, "/sure");
    socket.say(r#"42/sure,1["subscribe",{"topic":"alert"}]"#);
    let answer = socket.hear("43/sure,1[");
    let name = answer.split(r#""clientId":""#).nth(1).and_then(|rest| rest.split('"').next());
    let name = name.expect("it is told its name").to_owned();
    (socket, name)
}

fn id_in(message: &str) -> String {
    let id = message.split(r#""messageId":""#).nth(1).and_then(|rest| rest.split('"').next());
    id.expect("it has an id").to_owned()
}

fn ack(socket: &mut Socket, topic: &str, ids: &[String]) {
    let packet = json!(["ack", {"topic": topic, "messageIds": ids}]);
    socket.send(TEXT, true, format!("42/sure,{packet}").as_bytes()).expect("the connection is open");
}

/// Waits until the server has handled all that was said.
fn is_in(socket: &mut Socket) {
    socket.say(r#"42/sure,8["subscribe",{"topic":"alert"}]"#);
    socket.hear("43/sure,8[");
}

#[test]
fn an_ack_of_somebody_elses_message_leaves_it_to_be_sent_again() {
    let scene = Scene::start_with_namespace(SURE);
    let (mut owner, name) = subscriber(&scene);
    let (mut thief, _) = subscriber(&scene);
    let message = json!({"namespace": "/sure", "topic": "alert", "payload": "for one", "to": name});
    let (status, report) = post(&scene.admin, "/v1/publish", &message);
    assert_eq!(status, 202, "{report}");
    let id = id_in(&owner.hear("for one"));
    for _ in 0..5 {
        ack(&mut thief, "alert", &vec![id.clone(); 100]);
    }
    is_in(&mut thief);
    assert_eq!(id_in(&owner.hear("for one")), id, "it is sent again");
    ack(&mut owner, "alert", std::slice::from_ref(&id));
    is_in(&mut owner);
    drop((owner, thief));
    scene.settles();
}

#[test]
fn who_makes_up_acks_is_cut_and_who_acks_late_or_twice_is_not() {
    let mut scene = Scene::start_with_namespace(SURE);
    let (mut good, _) = subscriber(&scene);
    let (mut forger, _) = subscriber(&scene);
    let message = json!({"namespace": "/sure", "topic": "alert", "payload": "one"});
    assert_eq!(post(&scene.admin, "/v1/publish", &message).0, 202);
    let id = id_in(&good.hear("one"));
    // What retries, two handlers or a slow network explain: late, twice, and after the subscription is over.
    for _ in 0..20 {
        ack(&mut good, "alert", &vec![id.clone(); 100]);
    }
    good.say(r#"42/sure,2["unsubscribe",{"topic":"alert"}]"#);
    good.hear("43/sure,2[");
    for _ in 0..20 {
        ack(&mut good, "alert", &vec![id.clone(); 100]);
    }
    is_in(&mut good);
    for _ in 0..20 {
        ack(&mut good, "alert", &vec![id.clone(); 100]);
    }
    is_in(&mut good);

    let (epoch, _) = id.split_once(':').expect("an epoch and an offset");
    let made_up: Vec<_> = (0..FREE).map(|number| format!("{epoch}:{}", 1_000_000 + number)).collect();
    for some in made_up.chunks(100) {
        ack(&mut forger, "alert", some);
    }
    is_in(&mut forger);
    ack(&mut forger, "alert", &["one too many".to_owned()]);
    assert_eq!(forger.end(), End::Cut);
    // Of a topic that is not there they are made up as well.
    let mut other = Socket::join(&scene.address, "/sure");
    for some in made_up.chunks(100) {
        ack(&mut other, "made-up", some);
    }
    ack(&mut other, "made-up", &["one too many".to_owned()]);
    assert_eq!(other.end(), End::Cut);
    // What is no ack at all is of no message, either.
    let mut babbler = Socket::join(&scene.address, "/sure");
    for number in 0..=FREE {
        let event = if number % 2 == 0 { "ack" } else { "nack" };
        let packet = json!([event, {"topic": "alert", "messageId": number}]);
        let said = babbler.send(TEXT, true, format!("42/sure,{packet}").as_bytes());
        assert!(said.is_ok() || number == FREE, "{number} are free");
    }
    assert_eq!(babbler.end(), End::Cut);

    scene.counts("streamfence_refused_total{reason=\"unknown_acks\"}", 3.0);
    let cut = scene.metric("streamfence_disconnections_total{namespace=\"/sure\",reason=\"unknown_acks\"}");
    assert!((cut - 3.0).abs() < 0.5, "{cut} of 3");
    let codes: Vec<_> = scene.log().iter().map(|line| line["code"].clone()).collect();
    assert!(codes.contains(&json!("client_evicted")) && codes.contains(&json!("refused")), "{codes:?}");
    let message = json!({"namespace": "/sure", "topic": "alert", "payload": "two"});
    assert_eq!(post(&scene.admin, "/v1/publish", &message).0, 202);
    let id = id_in(&good.hear("two"));
    ack(&mut good, "alert", &[id]);
    is_in(&mut good);
    drop(good);
    scene.settles();
}
