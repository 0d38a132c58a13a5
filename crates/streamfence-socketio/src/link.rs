//! What lies below the websocket: the bytes, the frames, the room.
//!
//! Never Socket.IO: the link knows packets by their length and their first bytes, not by their meaning.

mod allowance;
mod census;
mod encrypted;
pub mod frame;
pub mod frame_head;
mod halves;
pub mod ledger;
mod outbound;
pub(crate) mod packet;
pub mod seam;
pub mod shim;
mod sink;
mod stall;
pub mod state;
pub mod stream;
pub mod tune;

pub(crate) use census::{MAX_ATTACHMENTS, census_of};
pub(crate) use encrypted::Encrypted;
pub use frame::{Frame, FrameTracker};
pub use frame_head::FrameHead;
pub use ledger::{Expected, Ledger, Seen};
pub use seam::Seam;
pub use shim::Shim;
pub use state::{LinkLimits, LinkState};
pub use stream::{Carrier, Peer, Stream};
pub use tune::Tuning;
