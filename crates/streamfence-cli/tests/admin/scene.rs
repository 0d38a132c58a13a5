//! A binary with a few topics, and somebody who asks it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::process::{Directory, PATIENCE, Poller, Running, get, post};

/// One server with a topic of each kind. `more` goes to the end of the server.
pub(crate) fn config(more: &str) -> String {
    format!(
        "servers:
  feed:
    host: 127.0.0.1
    port: 0
    pingIntervalMs: 60000
    shutdownDrainMs: 2000
{more}    namespaces:
      - path: /feed
        topics: [tick, tock]
        overflowAction: DROP_OLDEST
        maxQueuedMessagesPerClient: 4
      - path: /alerts
        topics: [{{name: alert, ackTimeoutMs: 50, maxRetries: 1, deadLetterCapacity: 10}}]
        deliveryMode: AT_LEAST_ONCE
        maxInFlight: 8
"
    )
}

/// The binary, and where it listens.
pub(crate) struct Scene {
    pub(crate) running: Running,
    pub(crate) feed: String,
    pub(crate) admin: String,
    pub(crate) file: String,
    pub(crate) directory: Directory,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::of(&config(""))
    }

    pub(crate) fn of(text: &str) -> Self {
        let directory = Directory::new();
        let file = directory.write("streamfence.yaml", text);
        let mut running = Running::start(&[
            "serve",
            "-c",
            &file,
            "--no-watch",
            "--admin-listen",
            "127.0.0.1:0",
            "--log-format",
            "json",
        ]);
        let (feed, admin) = (running.address("feed"), running.address("admin"));
        Self { running, feed, admin, file, directory }
    }

    /// What a GET answers; it must succeed.
    pub(crate) fn see(&self, path: &str) -> Value {
        let (status, body) = get(&self.admin, &format!("/admin/v1/{path}"));
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap_or_else(|why| panic!("{path}: {why}: {body}"))
    }

    /// What an order answers.
    pub(crate) fn order(&self, path: &str, body: &Value) -> (u16, Value) {
        let (status, answer) = post(&self.admin, &format!("/admin/v1/{path}"), body);
        (status, serde_json::from_str(&answer).unwrap_or_else(|why| panic!("{path}: {why}: {answer}")))
    }

    /// Publishes to a namespace, and says what became of it.
    pub(crate) fn publish(&self, namespace: &str, topic: &str, payload: &Value) -> Value {
        let body = json!({ "namespace": namespace, "topic": topic, "payload": payload });
        let (status, report) = post(&self.admin, "/v1/publish", &body);
        assert_eq!(status, 202, "{report}");
        serde_json::from_str(&report).expect("a report is JSON")
    }

    /// A client of a namespace that subscribes, and the name the fence has given it.
    pub(crate) fn join(&self, namespace: &str, topic: &str) -> (Poller, String) {
        self.subscribe(Poller::join(&self.feed, namespace), namespace, topic)
    }

    pub(crate) fn subscribe(&self, mut client: Poller, namespace: &str, topic: &str) -> (Poller, String) {
        client.say(&format!(r#"42{namespace},["subscribe",{{"topic":"{topic}"}}]"#));
        let answer = client.until(r#"["subscribed""#);
        let id = answer.split(r#""clientId":""#).nth(1).and_then(|rest| rest.split('"').next());
        (client, id.expect("the answer has a name").to_owned())
    }

    /// Asks until the answer is as it should be.
    pub(crate) fn until(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.see(path);
            if is_so(&seen) {
                return seen;
            }
            assert!(Instant::now() < deadline, "{path} stays {seen}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What the one client that is there looks like.
    pub(crate) fn client(&self, id: &str) -> Value {
        self.see(&format!("clients/{id}"))
    }
}
