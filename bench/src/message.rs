//! The message everybody sends, and how it stands on a websocket.

use serde::Serialize;

/// The namespace and the topic of the load.
pub(crate) const NAMESPACE: &str = "/feed";
pub(crate) const TOPIC: &str = "snapshot";

/// How a packet of the load begins, up to the digits of its number.
pub(crate) const PACKET_START: &[u8] = br#"42/feed,["snapshot",{"seq":"#;

/// What the clients say to get in; every server answers in one packet each.
pub(crate) const CONNECT: &str = "40/feed,";
pub(crate) const SUBSCRIBE: &str = r#"42/feed,["subscribe",{"topic":"snapshot"}]"#;
/// How the answer to [`SUBSCRIBE`] begins.
pub(crate) const SUBSCRIBED_START: &[u8] = br#"42/feed,["subscribed""#;

/// A payload of about 300 bytes of JSON.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Quote {
    /// From 1, without gaps: what the clients check.
    seq: u64,
    symbol: &'static str,
    bid: f64,
    ask: f64,
    venue: &'static str,
    conditions: [&'static str; 4],
    note: &'static str,
}

impl Quote {
    pub(crate) fn new(seq: u64) -> Self {
        let moved = (seq % 1_000) as f64 / 100_000.0;
        Self {
            seq,
            symbol: "EURUSD",
            bid: 1.084_21 + moved,
            ask: 1.084_29 + moved,
            venue: "loopback-venue-01",
            conditions: ["regular", "open", "firm", "two-sided"],
            note: "a note that makes the payload as long as those of a feed with a handful of fields usually are, \
                   so that neither the system calls nor the copies alone decide",
        }
    }
}

/// A packet of the load as a complete websocket frame.
pub(crate) fn frame_of(seq: u64) -> Vec<u8> {
    let payload = serde_json::to_string(&Quote::new(seq)).expect("a quote is JSON");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_is_as_long_as_it_is_said_to_be() {
        let payload = serde_json::to_string(&Quote::new(123_456)).expect("a quote is JSON");
        assert!((280..=340).contains(&payload.len()), "{} bytes", payload.len());
    }

    #[test]
    fn a_frame_is_found_again() {
        let frame = frame_of(17);
        let (opcode, packet, len) = split_frame(&frame).expect("it is complete");
        assert_eq!((opcode, len), (1, frame.len()));
        assert!(packet.starts_with(PACKET_START) && packet[PACKET_START.len()..].starts_with(b"17,"));
        assert!(split_frame(&frame[..frame.len() - 1]).is_none());
        let said = client_frame(CONNECT.as_bytes());
        assert_eq!(split_frame(&said), Some((1, CONNECT.as_bytes(), said.len())));
    }
}
