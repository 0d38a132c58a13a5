//! Where a frame of the fence may be put between those of the websocket library.
//!
//! Nowhere inside a frame, inside a message that comes in several frames (RFC 6455, section 5.4), between an event and
//! its attachments (Socket.IO protocol 5, "Binary event": they follow it at once), or after the close frame.

use super::frame::{Frame, FrameTracker};

/// Follows what the library writes.
#[derive(Clone, Debug, Default)]
pub struct Seam {
    tracker: FrameTracker,
    /// How many attachments the last event still waits for.
    attachments_due: u64,
    is_in_message: bool,
    is_closed: bool,
}

impl Seam {
    /// Takes the next bytes that the library has written, and tells every frame that they complete.
    pub fn feed(&mut self, bytes: &[u8], mut on_frame: impl FnMut(Frame<'_>)) {
        let Self { tracker, attachments_due, is_in_message, is_closed } = self;
        tracker.feed(bytes, |frame| {
            on_frame(frame);
            *is_closed |= frame.opcode == Frame::CLOSE;
            if !frame.is_data() {
                return;
            }
            // A message is known by its first frame and ends with its last.
            if !*is_in_message {
                match (frame.opcode, frame.head) {
                    (Frame::TEXT, [b'4', packet @ ..]) => *attachments_due = attachments(packet),
                    // Engine.IO's own: a ping may come between any two.
                    (Frame::TEXT, _) => {}
                    _ => *attachments_due = attachments_due.saturating_sub(1),
                }
            }
            *is_in_message = !frame.is_final;
        });
    }

    /// Whether a frame of ours may come next.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.tracker.is_between_frames() && !self.is_in_message && self.attachments_due == 0 && !self.is_closed
    }

    /// Whether no frame may ever follow.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// How many of these bytes the library has to write until a frame of ours may come next; `None` if all of them do
    /// not lead there.
    #[must_use]
    pub fn next_open(&self, bytes: &[u8]) -> Option<usize> {
        let (mut ahead, mut at) = (self.clone(), 0);
        while at < bytes.len() {
            let step = ahead.tracker.payload_left().clamp(1, bytes.len() - at);
            ahead.feed(&bytes[at..at + step], |_| ());
            at += step;
            if ahead.is_open() {
                return Some(at);
            }
        }
        None
    }
}

/// How many binary frames must follow a packet: `51-["a",..]` and `61-7[..]` announce one.
fn attachments(packet: &[u8]) -> u64 {
    let [b'5' | b'6', rest @ ..] = packet else { return 0 };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match (std::str::from_utf8(&rest[..digits]), rest.get(digits)) {
        (Ok(count), Some(b'-')) => count.parse().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
