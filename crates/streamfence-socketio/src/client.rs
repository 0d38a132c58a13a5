//! What the fence knows of a socket of the application's.

use std::sync::Arc;

use socketioxide::adapter::LocalAdapter;
use socketioxide::socket::Socket;
use streamfence_core::ClientId;

use crate::link::LinkState;

/// The fence's side of a socket.
pub trait FencedSocket {
    /// The name its client goes by in the fence, in this namespace: what
    /// [`Fence::publish_to`](streamfence_runtime::Fence::publish_to) takes.
    ///
    /// `None` in a namespace without a fence, after the client has left, and, where it has asked for a session it had
    /// before, until it is known whether it gets that one.
    ///
    /// A client knows itself by its socket's id, which is a secret and so never a name here; the library finds the socket.
    ///
    /// ```
    /// # use socketioxide::SocketIo;
    /// # use socketioxide::extract::SocketRef;
    /// # use streamfence_runtime::{Fence, Namespace, Payload};
    /// # use streamfence_socketio::SocketIoAdapter;
    /// use streamfence_socketio::FencedSocket;
    ///
    /// /// Publishes to the client whose `socket.id` this is.
    /// async fn tell(fence: &Fence, io: &SocketIo, socket_id: &str) -> Option<u32> {
    ///     let socket = io.of("/feed")?.get_socket(socket_id.parse().ok()?)?;
    ///     let payload = Payload::serialize("for you alone").ok()?;
    ///     let report = fence.publish_to("/feed", socket.client_id()?, "notice", payload).await.ok()?;
    ///     Some(report.matched)
    /// }
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let fence = Fence::builder().namespace(Namespace::new("/feed").topic("notice")).build()?;
    /// # let (_layer, io) = SocketIoAdapter::builder(fence.clone()).build()?;
    /// # assert_eq!(tell(&fence, &io, "AAAAAAAAAAAAAAAA").await, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    fn client_id(&self) -> Option<ClientId>;
}

impl FencedSocket for Socket<LocalAdapter> {
    fn client_id(&self) -> Option<ClientId> {
        let connection = self.req_parts().extensions.get::<Arc<LinkState>>()?.opened_connection()?;
        let namespace = connection.shared.fence.catalog().namespace(self.ns())?;
        connection.member(namespace)?.client_id()
    }
}
