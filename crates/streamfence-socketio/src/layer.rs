//! The tower layer in front of the Socket.IO library.
//!
//! It upgrades websockets itself, so that the stream below them is ours, and finds a connection again whatever request
//! it comes with. There is one library service however often a router clones the layer. Never a policy, never a topic.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Either, Full, LengthLimitError, Limited};
use hyper::service::Service as _;
use streamfence_auth::{AddressKey, Token};
use streamfence_core::{CloseReason, Transport};
use tokio::time::Instant;
use tower::{Layer, Service};
use tungstenite::handshake::derive_accept_key;

use crate::admission::{Admission, client_address};
use crate::auth::{is_holder, of_request};
use crate::engine::Engine;
use crate::link::state::PACKET_SEPARATOR;
use crate::link::{LinkState, Peer, Shim, Stream, census_of};
use crate::namespaces::Namespaces;
use crate::options::{Change, EngineTransport, LiveOptions, ServerOptions};
use crate::origin::{Origins, is_polling};
use crate::principal::Principal;
use crate::refusals::Refusals;
use crate::registry::{Registry, Who};
use crate::request::{Refusal, Wanted, detached, is_below, own_post, wanted};

/// Serves Socket.IO under its path and leaves every other request to the service it wraps.
///
/// Each session's [`LinkState`] is in the extensions of its request, where the library hands it out:
/// `socket.req_parts().extensions.get::<Arc<LinkState>>()`.
///
/// ```
/// use streamfence_socketio::{FenceLayer, ServerOptions, engine};
///
/// let options = ServerOptions::default();
/// let (service, io) = engine::build(&options);
/// io.ns("/chat", async || ());
/// let app: axum::Router = axum::Router::new()
///     .route("/{*any}", axum::routing::get(async || "the application"))
///     .layer(FenceLayer::new(service, options));
/// ```
#[derive(Clone)]
pub struct FenceLayer {
    door: Arc<Door>,
}

impl FenceLayer {
    /// A layer over a library service built by [`crate::engine::build`] with the same options.
    #[must_use]
    pub fn new(engine: Engine, options: ServerOptions) -> Self {
        Self::live(engine, LiveOptions::new(options))
    }

    pub(crate) fn live(engine: Engine, options: LiveOptions) -> Self {
        let refusals = Refusals::default();
        let registry = Registry::telling(options.now().max_connections as usize, refusals.clone());
        let admission = Admission::new(refusals);
        let path = options.now().path.as_str().into();
        Self { door: Arc::new(Door { engine, options, path, admission, registry, namespaces: OnceLock::new() }) }
    }

    /// Lets other options hold from now on, as far as they can under what serves already, and says what of them is
    /// another value than before. The address and TLS are for the server that owns a listener.
    pub fn set_options(&self, new: &ServerOptions) -> Vec<Change> {
        let options = &self.door.options;
        let (held, changes) = options.now().reloaded(new, options.built());
        self.door.registry.set_capacity(held.max_connections as usize);
        options.set(held);
        changes
    }

    /// The options, for whoever serves the layer.
    pub(crate) fn options(&self) -> &LiveOptions {
        &self.door.options
    }

    /// Who may come in, for whoever serves the layer.
    pub(crate) fn admission(&self) -> &Admission {
        &self.door.admission
    }

    /// Keeps the fenced namespaces as long as anything is served.
    pub(crate) fn keep(&self, namespaces: Arc<Namespaces>) {
        let _ = self.door.namespaces.set(namespaces);
    }

    /// The fenced namespaces it was given.
    pub(crate) fn namespaces(&self) -> Option<&Arc<Namespaces>> {
        self.door.namespaces.get()
    }

    /// Alive as long as anything is served: for whoever must tell a change from the end of it all.
    pub(crate) fn served(&self) -> Weak<Door> {
        Arc::downgrade(&self.door)
    }

    /// The connections of this layer.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.door.registry
    }
}

impl std::fmt::Debug for FenceLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FenceLayer").field("options", &self.door.options).finish_non_exhaustive()
    }
}

impl<S> Layer<S> for FenceLayer {
    type Service = FenceService<S>;

    fn layer(&self, inner: S) -> FenceService<S> {
        FenceService { door: Arc::clone(&self.door), inner }
    }
}

/// What [`FenceLayer`] makes of a service.
#[derive(Clone)]
pub struct FenceService<S> {
    door: Arc<Door>,
    inner: S,
}

impl<S: std::fmt::Debug> std::fmt::Debug for FenceService<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FenceService").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for FenceService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Either<Full<Bytes>, R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if is_below(request.uri().path(), &self.door.path) {
            let door = Arc::clone(&self.door);
            return Box::pin(async move { Ok(door.answer(request).await.map(Either::Left)) });
        }
        let response = self.inner.call(request);
        Box::pin(async move { Ok(response.await?.map(Either::Right)) })
    }
}

/// What all clones of a layer share.
pub(crate) struct Door {
    engine: Engine,
    options: LiveOptions,
    /// Where Socket.IO is served, for as long as it is.
    path: Box<str>,
    admission: Admission,
    registry: Registry,
    /// The library's handlers hold the library: whoever serves holds both.
    namespaces: OnceLock<Arc<Namespaces>>,
}

type Answer = Result<Response<Full<Bytes>>, Refusal>;

impl Door {
    async fn answer<B>(self: Arc<Self>, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        // What holds for one request is what held when it came.
        let options = Arc::clone(&self.options.now());
        let origins = Origins(&options.allowed_origins);
        let peer = request.extensions().get::<Peer>();
        let client = client_address(peer, request.headers(), &options.trusted_proxies);
        let (is_polling, origin) = (is_polling(&request), request.headers().get(header::ORIGIN).cloned());
        let answer = match origins.preflight(&request) {
            _ if !origins.allows(request.headers()) => Err(Refusal::ForbiddenOrigin),
            Some(response) => Ok(response),
            None => self.serve(&options, client, request).await,
        };
        let is_open = is_polling && !matches!(answer, Err(Refusal::ForbiddenOrigin));
        let mut response = answer.unwrap_or_else(|refusal| {
            if let Some(reason) = refusal.reason() {
                self.admission.refusals().count(reason, client);
            }
            refusal.response()
        });
        if is_open {
            origins.open(origin, response.headers_mut());
        }
        response
    }

    async fn serve<B>(self: &Arc<Self>, options: &ServerOptions, client: Option<IpAddr>, request: Request<B>) -> Answer
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let allow_polling = options.engine_transport == EngineTransport::WebSocketOrPolling;
        match wanted(&request, allow_polling)? {
            Wanted::Handshake => self.handshake(options, client, request).await,
            Wanted::Poll { sid } => {
                let found = self.find(sid, options, client, &request)?;
                let link = self.held(found, client).await?;
                self.poll(&link, request).await
            }
            Wanted::Post { sid } => {
                let found = self.find(sid, options, client, &request)?;
                let link = self.held(found, client).await?;
                self.post(&link, request).await
            }
            Wanted::WebSocket { sid, key } => {
                let accept = derive_accept_key(key.as_bytes());
                let (link, is_new) = match sid {
                    Some(sid) => {
                        let found = self.find(sid, options, client, &request)?;
                        (self.held(found, client).await?, false)
                    }
                    None => (self.admit(options, Transport::WebSocket, client, &request)?, true),
                };
                self.upgrade(link, is_new, &accept, request)
            }
        }
    }

    /// The session of a request, and the token that it shows. Whoever has a certificate of somebody else's has no session
    /// of his.
    fn find<B>(
        &self,
        sid: &str,
        options: &ServerOptions,
        client: Option<IpAddr>,
        request: &Request<B>,
    ) -> Result<Found, Refusal> {
        let link = self.registry.find(sid).ok_or(Refusal::UnknownSession)?;
        if !link.is_opener(who(request)) {
            return Err(Refusal::UnknownSession);
        }
        if options.bind_sid_to_ip && link.client().map(AddressKey::from) != client.map(AddressKey::from) {
            return Err(Refusal::ForeignSession);
        }
        Ok(Found { link, token: of_request(request, options.token_query) })
    }

    /// The session that was found, unless its token is somebody else's.
    async fn held(&self, Found { link, token }: Found, client: Option<IpAddr>) -> Result<Arc<LinkState>, Refusal> {
        if let (Some(namespaces), Some(token)) = (self.namespaces.get(), token)
            && !is_holder(namespaces, &link, token, client).await
        {
            return Err(Refusal::ForeignSession);
        }
        Ok(link)
    }

    fn admit<B>(
        &self,
        options: &ServerOptions,
        transport: Transport,
        client: Option<IpAddr>,
        request: &Request<B>,
    ) -> Result<Arc<LinkState>, Refusal> {
        if self.registry.is_closed() {
            return Err(Refusal::ShuttingDown);
        }
        let peer = request.extensions().get::<Peer>().cloned();
        let place = self.admission.open_session(options, client)?;
        let link = self.registry.admit(options.link_limits(), transport, Who { peer, client, place });
        let is_closed = self.registry.is_closed();
        if let (Some(link), Some(who)) = (&link, who(request)) {
            link.set_opener(who);
        }
        // A websocket is all there is to its session.
        if let (Some(link), Transport::Polling) = (&link, transport)
            && let Some(token) = of_request(request, options.token_query)
        {
            link.learn(token);
        }
        link.ok_or(if is_closed { Refusal::ShuttingDown } else { Refusal::TooManyConnections })
    }

    /// Opens a session that polls.
    async fn handshake<B>(
        self: &Arc<Self>,
        options: &ServerOptions,
        client: Option<IpAddr>,
        request: Request<B>,
    ) -> Answer {
        let link = self.admit(options, Transport::Polling, client, &request)?;
        let mut parts = detached(request.into_parts().0, options.token_query);
        parts.extensions.insert(Arc::clone(&link));
        parts.extensions.insert(Arc::new(SessionGuard(Arc::clone(&link))));
        let response = self.ask(Request::from_parts(parts, Full::default())).await;
        match session_id(response.body()) {
            Some(sid) if response.status() == StatusCode::OK => {
                self.name(&link, sid);
            }
            _ => link.end(CloseReason::Protocol),
        }
        Ok(response.map(Full::new))
    }

    /// Waits for the packets of a session that polls.
    async fn poll<B>(self: &Arc<Self>, link: &Arc<LinkState>, request: Request<B>) -> Answer {
        let _waiting = Waiting::begin(link);
        let parts = detached(request.into_parts().0, self.options.now().token_query);
        let response = self.ask(Request::from_parts(parts, Full::default())).await;
        if response.status() == StatusCode::OK {
            link.saw_payload(response.body());
        }
        Ok(response.map(Full::new))
    }

    /// Takes the packets of a session that polls.
    async fn post<B>(self: &Arc<Self>, link: &Arc<LinkState>, request: Request<B>) -> Answer
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let Some(_posting) = Posting::begin(link) else {
            link.kill(CloseReason::Protocol);
            return Err(Refusal::BadRequest);
        };
        let (parts, body) = request.into_parts();
        let encoding = parts.headers.get(header::CONTENT_ENCODING);
        if encoding.is_some_and(|encoding| encoding != "identity") {
            return Err(Refusal::UnsupportedEncoding);
        }
        let options = Arc::clone(&self.options.now());
        // What is too large by its own word is not waited for.
        if body.size_hint().lower() > options.max_packet_bytes() as u64 {
            return Err(Refusal::TooLarge);
        }
        let body = Limited::new(body, options.max_packet_bytes()).collect();
        let body = match tokio::time::timeout(options.body_timeout, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(Refusal::TooLarge),
            Ok(Err(_)) => return Err(Refusal::BadRequest),
            Err(_elapsed) => return Err(Refusal::TooSlow),
        };
        let is_goodbye = body.split(|&byte| byte == PACKET_SEPARATOR).any(|packet| packet == b"1");
        if let Some(until) = link.take_note(census_of(&body)) {
            if until > Instant::now() + options.body_timeout {
                return Err(Refusal::TooMuch);
            }
            tokio::time::sleep_until(until).await;
        }
        // What a websocket's stream does to its reader, its request does here.
        if !is_goodbye && tokio::time::timeout(options.body_timeout, link.may_read()).await.is_err() {
            return Err(Refusal::TooMuch);
        }
        let response = self.ask(Request::from_parts(parts, Full::new(body))).await;
        if is_goodbye && response.status() == StatusCode::OK {
            link.end(CloseReason::Client);
        }
        Ok(response.map(Full::new))
    }

    /// Answers an upgrade and hands the stream below it to the library.
    fn upgrade<B>(self: &Arc<Self>, link: Arc<LinkState>, is_new: bool, accept: &str, mut request: Request<B>) -> Answer
    where
        B: Send + 'static,
    {
        if !is_new && !link.begin_upgrade() {
            return Err(Refusal::BadRequest);
        }
        let accept = HeaderValue::from_str(accept).map_err(|_| Refusal::BadRequest)?;
        let upgrade = hyper::upgrade::on(&mut request);
        let mut parts = detached(request.into_parts().0, self.options.now().token_query);
        let door = Arc::clone(self);
        tokio::spawn(async move {
            let stream = match upgrade.await {
                Ok(upgraded) => Stream::from_upgraded(upgraded, &door.options.now().tuning()),
                Err(error) => {
                    tracing::debug!(%error, "an upgrade came to nothing");
                    if is_new {
                        link.end(CloseReason::Transport);
                    } else {
                        link.abort_upgrade();
                    }
                    return;
                }
            };
            if !stream.is_known() {
                tracing::debug!("an unknown kind of stream is neither tuned nor reset");
            }
            if is_new {
                parts.extensions.insert(Arc::clone(&link));
                parts.extensions.insert(Arc::new(SessionGuard(Arc::clone(&link))));
            }
            // In memory of its own: the library moves it through several futures, and each of them has the size of it.
            let shim = Box::new(if is_new { Shim::new(stream, link) } else { Shim::upgrading(stream, link) });
            // A refusal drops the stream, and that is the end of it.
            let _refused = door.engine.call((shim, Request::from_parts(parts, ()))).await;
        });
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        *response.headers_mut() = HeaderMap::from_iter([
            (header::UPGRADE, HeaderValue::from_static("websocket")),
            (header::CONNECTION, HeaderValue::from_static("Upgrade")),
            (header::SEC_WEBSOCKET_ACCEPT, accept),
        ]);
        Ok(response)
    }

    /// Gives a link the id of its session, under which the next request will look for it.
    fn name(self: &Arc<Self>, link: &Arc<LinkState>, sid: &str) {
        let door = Arc::downgrade(self);
        let closed = sid.to_owned();
        link.set_session(sid, move || {
            let Some(request) = door.upgrade().and_then(|door| door.closing(&closed)) else { return };
            let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
            runtime.spawn(request);
        });
        self.registry.name(link);
    }

    /// What closes a session that has no stream of its own to cut: the packet its client would close it with.
    fn closing(self: Arc<Self>, sid: &str) -> Option<impl Future<Output = ()> + Send + use<>> {
        let request = own_post(&self.path, sid)?;
        Some(async move {
            let _closed_or_unknown = self.ask(request).await;
        })
    }

    /// One request to the library, and its whole answer.
    async fn ask(&self, request: Request<Full<Bytes>>) -> Response<Bytes> {
        let response = self.engine.call(request).await.unwrap_or_else(|never| match never {});
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap_or_else(|never| match never {});
        Response::from_parts(parts, body.to_bytes())
    }
}

/// The session that a request names.
struct Found {
    link: Arc<LinkState>,
    token: Option<Token>,
}

/// Who a request is from, where its certificate or the application in front says so.
fn who<B>(request: &Request<B>) -> Option<&str> {
    request.extensions().get::<Principal>().map(|Principal(name)| name.as_str())
}

/// Lives as long as the library keeps the session: its drop is the end of a session that nobody else saw end.
struct SessionGuard(Arc<LinkState>);

impl Drop for SessionGuard {
    fn drop(&mut self) {
        self.0.end(CloseReason::Transport);
    }
}

/// A poll that waits; whether it is answered or given up by its client, it ends with the request.
struct Waiting<'a>(&'a LinkState);

impl<'a> Waiting<'a> {
    fn begin(link: &'a LinkState) -> Self {
        link.set_polling(true);
        Self(link)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set_polling(false);
    }
}

/// The one POST of a session; whether it is answered or given up by its client, it ends with the request.
struct Posting<'a>(&'a LinkState);

impl<'a> Posting<'a> {
    /// `None` while there is another.
    fn begin(link: &'a LinkState) -> Option<Self> {
        link.begin_post().then(|| Self(link))
    }
}

impl Drop for Posting<'_> {
    fn drop(&mut self) {
        self.0.finish_post();
    }
}

/// The session id in the answer to a handshake: `0{"sid":"...",...}`.
fn session_id(answer: &Bytes) -> Option<&str> {
    let answer = std::str::from_utf8(answer).ok()?;
    let (_, after) = answer.split_once(r#""sid":""#)?;
    after.split_once('"').map(|(sid, _)| sid)
}
