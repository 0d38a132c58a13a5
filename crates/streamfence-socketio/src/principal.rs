//! Who a client is, in the application's own words.

/// Who a client is. The application's connect middleware puts it into the socket's extensions, and the fence takes it
/// from there when the middleware has let the client in: what a connect handler puts there comes too late.
///
/// A client that shows a [certificate](crate::ClientAuth) is there with one already, and so is one whose requests carry one
/// in their extensions, from a middleware in front of the layer; the connect middleware may put another in its place.
///
/// Messages may then be published to all connections of a principal, and a session that survives its connection is
/// resumed by the same principal only.
///
/// ```
/// use serde_json::Value;
/// use socketioxide::extract::{Data, SocketRef};
/// use socketioxide::handler::ConnectHandler;
/// use streamfence_runtime::{Fence, Namespace, Payload, To};
/// use streamfence_socketio::{Principal, SocketIoAdapter};
///
/// async fn who(socket: SocketRef, Data(auth): Data<Value>) -> Result<(), &'static str> {
///     // A real application looks the token up.
///     let name = auth["token"].as_str().and_then(|token| token.strip_prefix("token-of-")).ok_or("who are you?")?;
///     socket.extensions.insert(Principal(name.to_owned()));
///     Ok(())
/// }
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let fence = Fence::builder().namespace(Namespace::new("/feed").topic("notice")).build()?;
/// let door = async |_: SocketRef| ();
/// let (layer, _io) = SocketIoAdapter::builder(fence.clone()).on_connect("/feed", door.with(who)).build()?;
/// let app: axum::Router = axum::Router::new().layer(layer);
/// fence.publish_to("/feed", To::principal("ann"), "notice", Payload::serialize("only ann reads this")?).await?;
/// # drop(app);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal(pub String);
