//! Who a client is and what it may do, at the door and for each wish. Never what a token looks like.
//!
//! ```text
//! CONNECT ── token::of_connect ──► Gate::ask ──► Identity ──► Papers of the member ──► Session of the shard
//! subscribe, publish ── Papers::permit ─┬─ granted, refused: at once, in the library's reader
//!                                       └─ unknown: Gate::ask in a task; what comes after waits in the member's Line
//! Watch ── now and then ──► whose token is gone, over, or was never shown, is told so and disconnected
//!        └─ Recheck says when whoever let a client in is asked about it again, Doubts when about a subscription of which
//!           nobody could say
//! ```

mod confirm;
mod doubt;
mod failures;
mod gate;
mod holder;
mod inquiry;
mod papers;
mod recheck;
mod token;
mod under_way;
mod watch;

pub(crate) use self::gate::{Gate, Question, Refused, Shown};
pub(crate) use self::holder::is_holder;
pub(crate) use self::inquiry::{Answers, NO_TOPIC, inquire};
pub(crate) use self::papers::{Identity, Papers, Permit};
pub(crate) use self::token::{NoText, TokenField, client_address, of_connect, of_request, take_from_query};
pub(crate) use self::watch::{Watch, is_theirs};
