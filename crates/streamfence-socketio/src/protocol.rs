//! Socket.IO's words for what the fence says and hears. Never a policy.

mod answer;
mod farewell;
pub(crate) mod packet;
mod wish;

pub(crate) use answer::{Answer, ack_packet, connect_packet, event_packet};
pub(crate) use farewell::Farewell;
pub(crate) use packet::SocketIoEncoder;
#[cfg(feature = "fuzzing")]
pub(crate) use wish::Topics;
pub(crate) use wish::{
    Ack, Acked, Authenticate, BadWish, Nack, Publish, Subscribe, Unsubscribe, is_json, no_token, parse, session_wish,
};
