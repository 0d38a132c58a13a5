//! The Socket.IO library, built with limits that keep it alive.
//!
//! Never a handler: the application and the fence register theirs on the returned handle.

use engineioxide::service::NotFoundService;
use socketioxide::service::SocketIoService;
use socketioxide::{ParserConfig, SocketIo};

use crate::link::MAX_ATTACHMENTS;
use crate::options::ServerOptions;

/// The one service every request of a layer goes to. Clones share its sessions.
pub type Engine = SocketIoService<NotFoundService>;

/// Builds the library's service, and its handle for namespaces and emits.
///
/// It offers all transports: which of them are taken is for the layer in front of it, where that may change.
#[must_use]
pub fn build(options: &ServerOptions) -> (Engine, SocketIo) {
    let max_packet_bytes = options.max_packet_bytes();
    SocketIo::builder()
        .req_path(options.path.clone())
        .ping_interval(options.ping_interval)
        .ping_timeout(options.ping_timeout)
        .connect_timeout(options.connect_timeout)
        .max_buffer_size(options.window_frames as usize + HEADROOM_PACKETS)
        .max_payload(max_packet_bytes as u64)
        .ws_max_message_size(max_packet_bytes)
        .ws_max_frame_size(max_packet_bytes)
        .ws_read_buffer_size(READ_BUFFER_BYTES)
        .with_parser(
            ParserConfig::common()
                .max_incoming_binaries(MAX_ATTACHMENTS)
                .max_incoming_binary_buf_size(max_packet_bytes)
                .packet_completion_timeout(options.body_timeout),
        )
        .build_svc()
}

/// Slots of a connection's channel beside the fence's window, for pings, acks and the application's own emits: a
/// channel that is full when a ping is due ends a living client. Slots cost nothing until they are used.
const HEADROOM_PACKETS: usize = 128;
/// What the library keeps for each websocket to read into: an event as clients send it. The stream below reads ahead
/// without keeping anything, so that many events still come with one call to the kernel.
const READ_BUFFER_BYTES: usize = 1024;
