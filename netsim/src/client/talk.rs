//! What is said on one connection, whatever carries it: the packets that come, and what is answered.

use serde_json::{Value, json};

use super::{Client, End, Ticket};
use crate::scene::{Temper, Way};
use crate::server::{ALERT, TICK};
use crate::track::Track;

/// One connection's worth of conversation.
pub(super) struct Talk<'a> {
    client: &'a Client,
    replies: Vec<String>,
    /// The session it has offered to come back to.
    offered: Option<Ticket>,
}

impl<'a> Talk<'a> {
    /// Asks to enter the namespaces, and for the session it had.
    pub(super) fn begin(client: &'a Client) -> Self {
        let mut memory = client.memory.borrow_mut();
        memory.ticks = Track::default();
        let offered = memory.ticket.clone();
        let auth = match &offered {
            _ if !client.role.is_retained => {
                memory.alerts = Track::default();
                Value::Null
            }
            Some(Ticket { id, secret }) => json!({"session": {"id": id, "secret": secret}}),
            None => json!({"session": true}),
        };
        drop(memory);
        let auth = if auth.is_null() { String::new() } else { auth.to_string() };
        let replies = vec![format!("40/alerts,{auth}"), "40/feed,".into()];
        Self { client, replies, offered }
    }

    /// What is to be sent.
    pub(super) fn replies(&mut self) -> Vec<String> {
        std::mem::take(&mut self.replies)
    }

    /// Takes a packet. `Some` when it ends the connection.
    pub(super) fn hear(&mut self, packet: &str) -> Option<End> {
        match packet.as_bytes() {
            b"2" => self.replies.push("3".into()),
            [b'0', ..] | b"6" => {}
            [b'4', b'0', ..] => self.entered(&packet[2..]),
            [b'4', b'2', ..] => self.event(&packet[2..]),
            [b'4', b'1' | b'4', ..] | b"1" => return Some(End::Dismissed(packet.into())),
            _ => self.client.fail(format!("an unknown packet: {packet}")),
        }
        None
    }

    fn entered(&mut self, rest: &str) {
        if rest.starts_with("/feed,") {
            self.emit("/feed", "subscribe", &json!({"topic": TICK}));
        } else if !self.client.role.is_retained {
            self.emit("/alerts", "subscribe", &json!({"topic": ALERT}));
        }
    }

    fn event(&mut self, rest: &str) {
        let Some((namespace, text)) = rest.split_once(',') else {
            return self.client.fail(format!("an event without a namespace: {rest}"));
        };
        let Ok(Value::Array(arguments)) = serde_json::from_str(text) else {
            return self.client.fail(format!("an event that is no array: {text}"));
        };
        let null = Value::Null;
        let argument = |place: usize| arguments.get(place).unwrap_or(&null);
        match argument(0).as_str().unwrap_or_default() {
            "session" => self.session(argument(1)),
            "subscribed" => self.subscribed(argument(1)),
            "gap" => self.gap(argument(1)),
            TICK => self.tick(argument(1), argument(2)),
            ALERT => self.alert(argument(1), argument(2)),
            other => self.client.fail(format!("an event `{other}` in {namespace}: {text}")),
        }
    }

    fn session(&mut self, ticket: &Value) {
        let client = self.client;
        let text = |key: &str| ticket[key].as_str().unwrap_or_default().to_owned();
        let new = Ticket { id: text("id"), secret: text("secret") };
        let is_resumed = ticket["resumed"] == true;
        match &self.offered {
            Some(old) if is_resumed && old.id == new.id => {}
            Some(old) if !is_resumed => {
                if !client.world.books().is_gone(old.client()) {
                    client.fail(format!("it offered {}, which had not ended, and was not given it back", old.id));
                }
                client.memory.borrow_mut().alerts = Track::default();
            }
            None if !is_resumed => {}
            offered => {
                let offered = offered.as_ref().map(|ticket| &ticket.id);
                client.fail(format!("it offered {offered:?} and was given {ticket}"));
            }
        }
        client.say(&format!("has session {}, {}", new.client(), if is_resumed { "resumed" } else { "new" }));
        client.memory.borrow_mut().ticket = Some(new);
        let is_subscribed = ticket["topics"].as_array().is_some_and(|topics| topics.iter().any(|topic| topic == ALERT));
        if !is_subscribed {
            // One that was never heard of holds no promise.
            client.memory.borrow_mut().alerts = Track::default();
            self.emit("/alerts", "subscribe", &json!({"topic": ALERT}));
        }
    }

    fn subscribed(&mut self, answer: &Value) {
        let Some(offset) = answer["offset"].as_u64() else {
            return self.client.fail(format!("an answer without an offset: {answer}"));
        };
        self.client.say(&format!("is subscribed: {answer}"));
        let mut memory = self.client.memory.borrow_mut();
        if answer["topic"] == ALERT { memory.alerts.begin(offset) } else { memory.ticks.begin(offset) }
    }

    fn gap(&mut self, gap: &Value) {
        let client = self.client;
        client.say(&format!("gap {gap}"));
        client.world.log.count("gaps told", 1);
        if client.role.temper == Temper::Calm && client.role.way == Way::WebSocket {
            return client.fail(format!("nothing befell it, and it lost messages: {gap}"));
        }
        let number = |key: &str| gap[key].as_u64().unwrap_or_default();
        let (from, to, count) = (number("from"), number("to"), number("count"));
        let mut memory = client.memory.borrow_mut();
        let track = if gap["topic"] == ALERT { &mut memory.alerts } else { &mut memory.ticks };
        if let Err(what) = track.lose(from, to, count) {
            client.fail(format!("{}: {what}", gap["topic"]));
        }
    }

    fn tick(&mut self, payload: &Value, metadata: &Value) {
        let client = self.client;
        let Some(offset) = self.arrived(TICK, payload, metadata) else { return };
        let mut books = client.world.books();
        books.received += 1;
        let mut memory = client.memory.borrow_mut();
        let before = memory.ticks.highest();
        match memory.ticks.receive(offset) {
            Ok(true) => {}
            Ok(false) => client.fail(format!("tick {offset} came twice, and is sent at most once")),
            Err(what) => client.fail(format!("ticks: {what}")),
        }
        // Only since the last, which was looked at then: what is missing before it was told of.
        let published = books.published(TICK).range(before..=offset).map(|(offset, at)| (*offset, *at)).collect();
        if let Some(missing) = memory.ticks.missing(&published, offset, |_| false) {
            client.fail(format!("tick {missing} was passed over without a word, before {offset}"));
        }
    }

    fn alert(&mut self, payload: &Value, metadata: &Value) {
        let client = self.client;
        let Some(offset) = self.arrived(ALERT, payload, metadata) else { return };
        client.world.books().received += 1;
        match client.memory.borrow_mut().alerts.receive(offset) {
            Ok(true) => {}
            // Either it was sent again on this connection, or its ack was lost with the last.
            Ok(false) => client.world.log.count("messages received again", 1),
            Err(what) => return client.fail(format!("alerts: {what}")),
        }
        let acks = match client.role.temper {
            Temper::Calm | Temper::Statue => true,
            // Some it never acks; some it acks when they come again.
            Temper::Moody => offset % 29 != 0 && client.roll(0, 9) > 0,
        };
        if acks {
            self.emit("/alerts", "ack", &json!({"topic": ALERT, "messageId": metadata["messageId"]}));
        }
    }

    /// A message's offset. Whoever suffers nothing has it at once.
    fn arrived(&self, topic: &str, payload: &Value, metadata: &Value) -> Option<u64> {
        let client = self.client;
        let id = metadata["messageId"].as_str().and_then(|id| id.rsplit_once(':'));
        let (Some(offset), Some(at_ms)) = (id.and_then(|(_, offset)| offset.parse().ok()), payload["at"].as_u64())
        else {
            client.fail(format!("a {topic} without an id or a time: {payload} {metadata}"));
            return None;
        };
        let age_ms = (client.world.log.now().as_millis() as u64).saturating_sub(at_ms);
        let (is_calm, is_pushed) = (client.role.temper == Temper::Calm, client.role.way == Way::WebSocket);
        if is_calm && is_pushed && age_ms > client.world.scene.longest_delay().as_millis() as u64 {
            client.fail(format!("nothing befell it, and {topic} {offset} took {age_ms} ms"));
        }
        client.say(&format!("{topic} {offset} after {age_ms} ms"));
        Some(offset)
    }

    fn emit(&mut self, namespace: &str, event: &str, payload: &Value) {
        self.replies.push(format!("42{namespace},{}", json!([event, payload])));
    }
}
