use streamfence_socketio::link::Seam;

/// Reads the bytes as what a websocket library writes, cut as the first byte says.
///
/// # Panics
/// When what a seam says depends on how the stream was cut, or when it looks ahead and is wrong.
pub fn seam(bytes: &[u8]) {
    let Some((&cut, stream)) = bytes.split_first() else { return };
    // A seam is walked over byte by byte below, and that from several places.
    let stream = &stream[..stream.len().min(2048)];

    let mut single = Seam::default();
    let (mut told, mut opens) = (Vec::new(), vec![single.is_open()]);
    for byte in stream {
        single.feed(std::slice::from_ref(byte), |frame| {
            told.push((frame.opcode, frame.is_final, frame.size_bytes, frame.head.to_vec()));
        });
        opens.push(single.is_open());
    }

    let (mut chunked, mut also_told, mut at) = (Seam::default(), Vec::new(), 0);
    for chunk in stream.chunks(usize::from(cut) + 1) {
        let next = (at + 1..opens.len()).find(|&at| opens[at]).map(|open| open - at);
        assert_eq!(chunked.next_open(&stream[at..]), next, "looking ahead from byte {at}");
        chunked.feed(chunk, |frame| {
            also_told.push((frame.opcode, frame.is_final, frame.size_bytes, frame.head.to_vec()));
        });
        at += chunk.len();
        assert_eq!(chunked.is_open(), opens[at], "after byte {at}");
        assert!(!chunked.is_closed() || opens[at..].iter().all(|open| !open), "open after its end");
    }
    assert_eq!(told, also_told);
}
