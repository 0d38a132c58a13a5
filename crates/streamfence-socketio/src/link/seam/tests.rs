use proptest::prelude::*;

use super::*;

/// Something the library writes in one piece, as far as others are concerned.
#[derive(Clone, Debug)]
enum Piece {
    /// A text message, in so many frames.
    Text { payload: String, frames: usize },
    /// An event or an acknowledgement with attachments; between its frames, pings of both protocols.
    WithAttachments { head: &'static str, attachments: Vec<(Vec<u8>, usize)>, pings: Vec<bool> },
    /// A control frame.
    Control(u8),
}

fn frame(opcode: u8, is_final: bool, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![if is_final { 0x80 } else { 0 } | opcode];
    match payload.len() {
        short @ ..126 => bytes.push(short as u8),
        middle => {
            bytes.push(126);
            bytes.extend(u16::try_from(middle).expect("short enough").to_be_bytes());
        }
    }
    bytes.extend(payload);
    bytes
}

/// One message in so many frames, or fewer.
fn message(opcode: u8, payload: &[u8], frames: usize) -> Vec<u8> {
    let size = payload.len().div_ceil(frames).max(1);
    let mut chunks: Vec<&[u8]> = payload.chunks(size).collect();
    if chunks.is_empty() {
        chunks.push(&[]);
    }
    let last = chunks.len() - 1;
    let frames = chunks.iter().enumerate();
    frames.flat_map(|(at, chunk)| frame(if at == 0 { opcode } else { 0 }, at == last, chunk)).collect()
}

impl Piece {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text { payload, frames } => message(Frame::TEXT, payload.as_bytes(), *frames),
            Self::WithAttachments { head, attachments, pings } => {
                let text = format!("{head}{}-[\"event\",{{}}]", attachments.len());
                let mut bytes = frame(Frame::TEXT, true, text.as_bytes());
                for ((payload, frames), is_engine_ping) in attachments.iter().zip(pings.iter().cycle()) {
                    bytes.extend(if *is_engine_ping { frame(Frame::TEXT, true, b"2") } else { frame(9, true, b"") });
                    bytes.extend(message(Frame::BINARY, payload, *frames));
                }
                bytes
            }
            Self::Control(opcode) => frame(*opcode, true, b"x"),
        }
    }
}

fn piece() -> impl Strategy<Value = Piece> {
    let texts = prop_oneof![
        Just("42[\"a\",1]".to_owned()),
        Just("2".to_owned()),
        Just("40/feed,{}".to_owned()),
        // None of these announces an attachment.
        Just("45-[\"odd\"]".to_owned()),
        Just("450-[\"none\"]".to_owned()),
        Just("42[\"451-\"]".to_owned()),
        "[a-z]{120,140}".prop_map(|long| format!("42[\"{long}\"]")),
    ];
    let attachment = (proptest::collection::vec(any::<u8>(), 0..140), 1usize..4);
    prop_oneof![
        3 => (texts, 1usize..4).prop_map(|(payload, frames)| Piece::Text { payload, frames }),
        2 => (
            prop_oneof![Just("45"), Just("46")],
            proptest::collection::vec(attachment, 1..12),
            proptest::collection::vec(any::<bool>(), 1..4),
        )
            .prop_map(|(head, attachments, pings)| Piece::WithAttachments { head, attachments, pings }),
        1 => prop_oneof![Just(9u8), Just(10)].prop_map(Piece::Control),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However the stream is cut, a frame may come between two pieces and nowhere else.
    #[test]
    fn the_seam_is_open_between_pieces_only(
        pieces in proptest::collection::vec(piece(), 1..8),
        sizes in proptest::collection::vec(1usize..200, 1..32),
    ) {
        let mut bytes = Vec::new();
        let mut open_at = vec![0];
        for piece in &pieces {
            bytes.extend(piece.bytes());
            open_at.push(bytes.len());
        }
        let mut single = Seam::default();
        for at in 0..=bytes.len() {
            prop_assert_eq!(single.is_open(), open_at.contains(&at), "after byte {} of {:?}", at, pieces);
            if let Some(byte) = bytes.get(at..=at) {
                single.feed(byte, |_| ());
            }
        }
        for from in 0..bytes.len() {
            let mut seam = Seam::default();
            seam.feed(&bytes[..from], |_| ());
            let next = open_at.iter().find(|at| **at > from).map(|at| at - from);
            prop_assert_eq!(seam.next_open(&bytes[from..]), next, "from byte {} of {:?}", from, pieces);
        }
        let (mut chunked, mut at) = (Seam::default(), 0);
        for size in sizes.iter().cycle() {
            let end = (at + size).min(bytes.len());
            chunked.feed(&bytes[at..end], |_| ());
            at = end;
            prop_assert_eq!(chunked.is_open(), open_at.contains(&at), "cut at byte {} of {:?}", at, pieces);
            if at == bytes.len() {
                break;
            }
        }
    }
}

#[test]
fn nothing_follows_the_close_frame() {
    let mut seam = Seam::default();
    assert!(seam.is_open());
    seam.feed(&frame(Frame::CLOSE, true, &[3, 232]), |_| ());
    assert!(!seam.is_open());
}
