//! Socket.IO's words for what the fence says and hears. Never a policy.

mod answer;
mod farewell;
pub(crate) mod packet;
mod wish;

pub(crate) use answer::{Answer, ack_packet, connect_packet, event_packet};
pub(crate) use farewell::Farewell;
pub(crate) use packet::SocketIoEncoder;
pub(crate) use wish::{
    Ack, Acked, BadWish, Nack, Publish, Subscribe, Topics, Unsubscribe, is_json, parse, session_wish,
};
