use streamfence_socketio::fuzzing;

/// Reads text as whatever a client may say: every event's payload, and the auth of a CONNECT.
///
/// # Panics
/// When the adapter does. What a client says may be refused, never more than that.
pub fn wish(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    fuzzing::wish(text);
}
