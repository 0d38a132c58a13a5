//! The message everybody sends, and how it stands on a websocket.

use serde::Serialize;

/// The namespace and the topic of the load.
pub(crate) const NAMESPACE: &str = "/feed";
pub(crate) const TOPIC: &str = "snapshot";
/// Another topic, of which nothing is published.
pub(crate) const QUIET: &str = "quiet";

/// How a packet of the load begins, up to the digits of its number.
pub(crate) const PACKET_START: &[u8] = br#"42/feed,["snapshot",{"seq":"#;

/// What follows it: when the message was due.
pub(crate) const DUE_START: &[u8] = br#","at":"#;

/// What the clients say to get in; every server answers in one packet each.
pub(crate) const CONNECT: &str = "40/feed,";

/// What a client says to subscribe.
pub(crate) fn subscribe(topic: &str) -> String {
    format!(r#"42{NAMESPACE},["subscribe",{{"topic":"{topic}"}}]"#)
}

/// How the answer to it begins.
pub(crate) const SUBSCRIBED_START: &[u8] = br#"42/feed,["subscribed""#;

/// A payload of about 300 bytes of JSON.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Quote {
    /// From 1, without gaps: what the clients check.
    seq: u64,
    /// When it was due, in nanoseconds of the machine's monotonic clock.
    at: u64,
    symbol: &'static str,
    bid: f64,
    ask: f64,
    venue: &'static str,
    conditions: [&'static str; 4],
    note: &'static str,
}

impl Quote {
    pub(crate) fn new(seq: u64, at: u64) -> Self {
        let moved = (seq % 1_000) as f64 / 100_000.0;
        Self {
            seq,
            at,
            symbol: "EURUSD",
            bid: 1.084_21 + moved,
            ask: 1.084_29 + moved,
            venue: "loopback-venue-01",
            conditions: ["regular", "open", "firm", "two-sided"],
            note: "a note that makes the payload as long as those of a feed with a handful of fields are, \
                   so that neither calls nor copies alone decide",
        }
    }
}

/// A packet of the load as a complete websocket frame.
pub(crate) fn frame_of(quote: &Quote) -> Vec<u8> {
    let payload = serde_json::to_string(quote).expect("a quote is JSON");
    server_frame(format!(r#"42{NAMESPACE},["{TOPIC}",{payload}]"#).as_bytes())
}

/// A text frame as a server sends it.
pub(crate) fn server_frame(text: &[u8]) -> Vec<u8> {
    frame(text, None)
}

/// A text frame as a client sends it, masked with zeros.
pub(crate) fn client_frame(text: &[u8]) -> Vec<u8> {
    frame(text, Some([0; 4]))
}

fn frame(text: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    let mut frame = vec![0x81];
    match u16::try_from(text.len()).expect("the bench sends short texts") {
        short @ ..126 => frame.push(masked | short as u8),
        long => {
            frame.push(masked | 126);
            frame.extend(long.to_be_bytes());
        }
    }
    frame.extend(mask.iter().flatten());
    frame.extend(text);
    frame
}

/// The first frame in `bytes`, if all of it is there: its opcode, its payload, and its whole length.
///
/// The payload is not unmasked: our clients mask with zeros.
pub(crate) fn split_frame(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let &[first, second, ..] = bytes else { return None };
    let (len, mut start) = match second & 0x7f {
        126 => (usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => (usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?, 10),
        short => (usize::from(short), 2),
    };
    if second & 0x80 != 0 {
        start += 4;
    }
    Some((first & 0x0f, bytes.get(start..start + len)?, start + len))
}

/// The number `bytes` begin with, and what follows it.
pub(crate) fn number_at(bytes: &[u8]) -> (u64, &[u8]) {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = bytes[..digits].iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    (number, &bytes[digits..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_is_as_long_as_it_is_said_to_be() {
        let payload = serde_json::to_string(&Quote::new(123_456, 1_234_567_890_123)).expect("a quote is JSON");
        assert!((280..=340).contains(&payload.len()), "{} bytes", payload.len());
    }

    #[test]
    fn a_frame_is_found_again() {
        let frame = frame_of(&Quote::new(17, 4));
        let (opcode, packet, len) = split_frame(&frame).expect("it is complete");
        assert_eq!((opcode, len), (1, frame.len()));
        assert!(packet.starts_with(PACKET_START) && packet[PACKET_START.len()..].starts_with(b"17,"));
        assert!(split_frame(&frame[..frame.len() - 1]).is_none());
        let said = client_frame(CONNECT.as_bytes());
        assert_eq!(split_frame(&said), Some((1, CONNECT.as_bytes(), said.len())));
    }
}
