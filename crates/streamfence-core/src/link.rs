//! What one connection takes now, and whose turn it is on it.
//!
//! Never a guess about a transport: the transport says its room, the link believes it.

/// How much a transport takes now: a level, not a grant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// In frames.
    pub frames: u32,
    /// In bytes.
    pub bytes: u64,
    /// Whether nothing of ours is below the lanes: then one message of any size may go, or a message larger than the
    /// window would never leave.
    pub is_empty: bool,
}

impl Room {
    /// No room at all.
    pub const NONE: Self = Self { frames: 0, bytes: 0, is_empty: false };

    /// Whether so much fits.
    #[must_use]
    pub fn takes(&self, frames: u32, bytes: u64) -> bool {
        self.is_empty || (frames <= self.frames && bytes <= self.bytes)
    }

    /// Takes so much away.
    pub fn take(&mut self, frames: u32, bytes: u64) {
        self.frames = self.frames.saturating_sub(frames);
        self.bytes = self.bytes.saturating_sub(bytes);
        self.is_empty = false;
    }

    /// Whether something may still go.
    #[must_use]
    pub fn is_some(&self) -> bool {
        self.is_empty || (self.frames > 0 && self.bytes > 0)
    }
}
