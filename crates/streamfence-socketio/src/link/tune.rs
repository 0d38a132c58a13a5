//! What the kernel is asked for every TCP connection.
//!
//! Best effort: a connection that cannot be tuned works, only with more of it in the kernel.
//!
//! Not `TCP_USER_TIMEOUT`: where a peer reads slowly through a small window, the kernel counts from the first time the
//! window was too small for what is at the head of its queue, and cuts a peer that has taken bytes all the while. Who takes
//! nothing is found by `stall.rs`, who is gone by the heartbeat.

use socket2::SockRef;
use tokio::net::TcpStream;

/// The options of a TCP connection.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// How many unsent bytes the kernel keeps before it says no. Without it that is megabytes. Linux only.
    pub not_sent_lowat_bytes: u32,
}

impl Tuning {
    /// Applies the options.
    pub fn apply(&self, stream: &TcpStream) {
        let socket = SockRef::from(stream);
        if let Err(error) = self.apply_to(&socket) {
            tracing::debug!(%error, "a connection could not be tuned");
        }
    }

    #[cfg(target_os = "linux")]
    fn apply_to(&self, socket: &SockRef<'_>) -> std::io::Result<()> {
        socket.set_tcp_nodelay(true)?;
        socket.set_tcp_notsent_lowat(self.not_sent_lowat_bytes)
    }

    #[cfg(not(target_os = "linux"))]
    fn apply_to(&self, socket: &SockRef<'_>) -> std::io::Result<()> {
        socket.set_tcp_nodelay(true)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_kernel_has_what_was_asked() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be bound");
        let stream = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("loopback connects");
        Tuning { not_sent_lowat_bytes: 8192 }.apply(&stream);
        let socket = SockRef::from(&stream);
        assert!(socket.tcp_nodelay().expect("readable"));
        assert_eq!(socket.tcp_notsent_lowat().expect("readable"), 8192);
    }
}
