//! Packets of Socket.IO v5, as a client reads and writes them.

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;

/// An event of the other side's.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// What came with it, as it was written. Binary arguments are placeholders of the protocol
    /// (`{"_placeholder": true, "num": 0}`).
    pub args: Vec<Box<RawValue>>,
    /// Binary arguments, by the numbers of their placeholders.
    pub attachments: Vec<Bytes>,
}

impl Event {
    /// The first argument, read; null where there is none.
    pub fn first(&self) -> Value {
        self.args.first().and_then(|arg| serde_json::from_str(arg.get()).ok()).unwrap_or_default()
    }
}

/// A packet of the other side's, for one namespace.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) namespace: String,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Connected,
    Disconnected,
    ConnectError(Value),
    /// With the number of attachments that follow.
    Event(Event, usize),
    /// An answer to a callback: this client asks for none.
    Answer,
}

/// Most attachments of a packet; a server of ours sends one.
const MOST_ATTACHMENTS: usize = 64;

/// Reads the text of a packet, without the `4` of Engine.IO.
pub(crate) fn read(text: &str) -> Result<Packet, &'static str> {
    let mut letters = text.chars();
    let kind = letters.next().ok_or("an empty packet")?;
    let mut rest = letters.as_str();
    let mut attachments = 0;
    if matches!(kind, '5' | '6') {
        let (count, after) = rest.split_once('-').ok_or("a binary packet without a number of attachments")?;
        attachments = count.parse().map_err(|_| "a number of attachments that is none")?;
        if attachments > MOST_ATTACHMENTS {
            return Err("more than 64 attachments");
        }
        rest = after;
    }
    let mut namespace = "/";
    if rest.starts_with('/') {
        (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
    }
    // The number of a callback that the other side wants: nobody answers it.
    let data = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let kind = match kind {
        '0' => Kind::Connected,
        '1' => Kind::Disconnected,
        '2' | '5' => {
            let args: Vec<Box<RawValue>> = serde_json::from_str(data).map_err(|_| "an event that is no JSON array")?;
            let mut args = args.into_iter();
            let name = args.next().and_then(|name| serde_json::from_str::<String>(name.get()).ok());
            let Some(name) = name else { return Err("an event without a name") };
            Kind::Event(Event { name, args: args.collect(), attachments: Vec::new() }, attachments)
        }
        '3' | '6' => Kind::Answer,
        '4' => Kind::ConnectError(serde_json::from_str(data).unwrap_or(Value::Null)),
        _ => return Err("a packet of an unknown kind"),
    };
    Ok(Packet { namespace: namespace.to_owned(), kind })
}

/// The CONNECT of a namespace, as a message of Engine.IO.
pub(crate) fn connect(namespace: &str, auth: &Value) -> String {
    let auth = if auth.is_null() { String::new() } else { auth.to_string() };
    format!("40{}{auth}", place(namespace))
}

/// An event, as a message of Engine.IO.
pub(crate) fn event(namespace: &str, name: &str, arg: &Value) -> String {
    format!("42{}[{},{arg}]", place(namespace), Value::from(name))
}

fn place(namespace: &str) -> String {
    if namespace == "/" { String::new() } else { format!("{namespace},") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event_of(text: &str) -> (String, Event, usize) {
        match read(text) {
            Ok(Packet { namespace, kind: Kind::Event(event, attachments) }) => (namespace, event, attachments),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn packets_are_read() {
        for (text, namespace, kind) in [
            (r#"0/feed,{"sid":"a"}"#, "/feed", "Connected"),
            ("1/feed,", "/feed", "Disconnected"),
            ("1", "/", "Disconnected"),
            ("3/feed,1[]", "/feed", "Answer"),
            (
                r#"4/feed,{"message":"AUTH_REJECTED"}"#,
                "/feed",
                r#"ConnectError(Object {"message": String("AUTH_REJECTED")})"#,
            ),
        ] {
            let packet = read(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!((packet.namespace.as_str(), format!("{:?}", packet.kind).as_str()), (namespace, kind), "{text}");
        }
        let (namespace, event, attachments) = event_of(r#"2/feed,17["tick",{"b":1.50, "a":2},2]"#);
        assert_eq!((namespace.as_str(), event.name.as_str(), attachments), ("/feed", "tick", 0));
        let args: Vec<_> = event.args.iter().map(|arg| arg.get()).collect();
        assert_eq!(args, [r#"{"b":1.50, "a":2}"#, "2"]);
        let (_, event, attachments) = event_of(r#"51-["blob",{"_placeholder":true,"num":0}]"#);
        assert_eq!((event.args.len(), attachments), (1, 1));
    }

    #[test]
    fn what_is_no_packet_is_said_to_be_none() {
        for wrong in ["", "9", "2", "2{}", "2[]", "2[7]", "5[]", "5x-[]", "599-[\"a\"]", "2/feed", "2["] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn packets_are_written() {
        assert_eq!(connect("/feed", &Value::Null), "40/feed,");
        assert_eq!(connect("/", &json!({"token": "t"})), r#"40{"token":"t"}"#);
        assert_eq!(event("/feed", "subscribe", &json!({"topic": "a"})), r#"42/feed,["subscribe",{"topic":"a"}]"#);
    }
}
