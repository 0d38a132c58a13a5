//! A session that polls.

use std::collections::VecDeque;
use std::net::SocketAddr;

use serde_json::Value;

use super::{Answer, Http, SEPARATOR, head};
use crate::target::Target;

/// Where a session that polls begins.
pub(crate) const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

/// Receives on one connection and sends on another, as browsers do.
pub(crate) struct Polling {
    pub(crate) address: SocketAddr,
    pub(crate) sid: String,
    /// The path and query of its requests.
    pub(crate) target: String,
    gets: Http,
    posts: Http,
    /// Received and not asked for yet.
    heard: VecDeque<String>,
}

impl Polling {
    pub(crate) async fn open(server: &Target) -> Self {
        let mut gets = Http::dial(server.address).await;
        let answer = gets.get(POLLING).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let open: Value = serde_json::from_str(answer.body.strip_prefix('0').expect("an open packet")).expect("JSON");
        let sid = open["sid"].as_str().expect("a session id").to_owned();
        let target = format!("{POLLING}&sid={sid}");
        let posts = Http::dial(server.address).await;
        Self { address: server.address, sid, target, gets, posts, heard: VecDeque::new() }
    }

    /// A session that has entered a namespace, and has heard what it said of itself.
    pub(crate) async fn join(server: &Target, namespace: &str) -> Self {
        let mut client = Self::open(server).await;
        client.enter(namespace).await;
        client
    }

    pub(crate) async fn enter(&mut self, namespace: &str) {
        let head = head(namespace);
        self.say(&format!("40{head}")).await;
        let joined = self.hear().await;
        assert!(joined.starts_with(&format!("40{head}{{\"sid\":")), "{joined}");
        assert_eq!(self.hear().await, format!("42{head}[\"auth\",{{}}]"));
    }

    /// Sends packets, and is told that they have arrived.
    pub(crate) async fn say(&mut self, packets: &str) {
        let answer = self.post(packets).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok"), "in answer to {packets}");
    }

    pub(crate) async fn post(&mut self, packets: &str) -> Answer {
        self.posts.post(&self.target, packets).await
    }

    pub(crate) async fn get(&mut self) -> Answer {
        self.gets.get(&self.target).await
    }

    /// The next packet that is not a ping; pings are answered.
    pub(crate) async fn hear(&mut self) -> String {
        loop {
            match self.heard.pop_front() {
                Some(packet) if packet == "2" => self.say("3").await,
                Some(packet) => return packet,
                None => self.poll().await,
            }
        }
    }

    /// The same of a session that may have ended: `None` when it has.
    pub(crate) async fn try_hear(&mut self) -> Option<String> {
        loop {
            match self.heard.pop_front() {
                Some(packet) if packet == "2" => drop(self.post("3").await),
                Some(packet) => return Some(packet),
                None => {
                    let answer = self.get().await;
                    if answer.status != 200 {
                        return None;
                    }
                    self.heard.extend(answer.body.split(SEPARATOR).map(str::to_owned));
                }
            }
        }
    }

    /// Asks for packets once.
    pub(crate) async fn poll(&mut self) {
        let answer = self.get().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        self.heard.extend(answer.body.split(SEPARATOR).map(str::to_owned));
    }

    /// Takes a ping and leaves it unanswered: until it is answered, the server has nothing to say.
    pub(crate) async fn hush(&mut self) {
        while !self.heard.iter().any(|packet| packet == "2") {
            self.poll().await;
        }
        assert_eq!(self.rest(), [""; 0]);
    }

    /// What has come and was not asked for, without pings.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        self.heard.drain(..).filter(|packet| packet != "2").collect()
    }

    pub(crate) async fn hears(&mut self, packet: &str) {
        assert_eq!(self.hear().await, packet);
    }

    /// The server must not know the session any more.
    pub(crate) async fn is_closed(&mut self) {
        let answer = self.get().await;
        assert_eq!(answer.status, 400, "the session goes on: {answer:?}");
        assert_eq!(self.post("3").await.status, 400, "the session goes on");
    }

    /// The same after some packets that were on their way, as long as they are no more than pings and a goodbye.
    pub(crate) async fn closes(&mut self) {
        loop {
            let answer = self.get().await;
            match (answer.status, answer.body.as_str()) {
                (400, _) => return,
                (200, "" | "1" | "2" | "6") => {}
                _ => panic!("the session goes on: {answer:?}"),
            }
        }
    }

    /// Talks, to see whether the session lives.
    pub(crate) async fn talks(&mut self) {
        self.say(r#"42["message","still here?"]"#).await;
        self.hears(r#"42["message-back","still here?"]"#).await;
    }
}
