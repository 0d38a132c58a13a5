//! What becomes of a stream that was accepted: TLS, a place, HTTP.
//!
//! Never a listener, and never what HTTP carries.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use streamfence_core::{Event, HandshakeFailure, RefusalReason};
use streamfence_runtime::Fence;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tower::ServiceExt;

use super::health::Health;
use super::places::Places;
use super::proxy_protocol;
use super::tls::{Acceptor, Failed, Handshake};
use crate::admission::{Admission, StreamPlace};
use crate::layer::FenceService;
use crate::link::{Peer, Stream};
use crate::options::LiveOptions;
use crate::principal::Principal;

/// Where the streams of one listener go.
pub(super) struct Door {
    pub(super) service: FenceService<Health>,
    pub(super) options: LiveOptions,
    pub(super) admission: Admission,
    pub(super) places: Arc<Places>,
    pub(super) accepting: watch::Receiver<bool>,
    /// The address, for those who are told.
    pub(super) address: Arc<str>,
    pub(super) fence: Option<Fence>,
}

impl Door {
    /// Serves a plain stream, or turns it away.
    pub(super) fn admit(self: &Arc<Self>, stream: Stream, peer: Peer) {
        stream.tune(&self.options.now().tuning());
        let door = Arc::clone(self);
        let Some(place) = self.places.take() else {
            self.refused(RefusalReason::Full, &peer);
            tokio::spawn(turn_away(stream, FULL));
            return;
        };
        tokio::spawn(async move {
            let Some((stream, peer)) = door.introduced(stream, peer).await else { return };
            match door.counted(&peer) {
                Ok(counted) => door.serve(stream.holding(place).counted(counted), peer, None).await,
                Err(TooMany) => {
                    // Whoever is turned away keeps nobody else out meanwhile.
                    drop(place);
                    turn_away(stream, TOO_MANY).await;
                }
            }
        });
    }

    /// Shakes hands over a stream, in a task of its own, and serves what comes of it.
    ///
    /// A handshake has no place among the connections: those that come to nothing take none away. A server that is full
    /// holds none: what it could say is not worth the CPU of saying it.
    pub(super) fn admit_by_tls(
        self: &Arc<Self>,
        acceptor: &Arc<Acceptor>,
        handshake: Handshake,
        stream: Stream,
        peer: Peer,
    ) {
        if self.places.are_taken() {
            self.failed(Failed { reason: HandshakeFailure::Full, why: None }, &peer);
            return;
        }
        stream.tune(&self.options.now().tuning());
        let (door, acceptor) = (Arc::clone(self), Arc::clone(acceptor));
        tokio::spawn(async move {
            let mut accepting = door.accepting.clone();
            let handshake = async {
                let (stream, peer) = door.introduced(stream, peer).await?;
                door.may_shake_hands(&peer).ok()?;
                let counted = door.counted(&peer).ok()?;
                Some((acceptor.accept(stream, handshake).await, peer, counted))
            };
            let accepted = tokio::select! {
                accepted = handshake => accepted,
                _ = accepting.wait_for(|is_accepting| !is_accepting) => return,
            };
            let Some((accepted, peer, counted)) = accepted else { return };
            match (accepted, door.places.take()) {
                (Ok((stream, who)), Some(place)) => {
                    door.serve(stream.holding(place).counted(counted), peer, who).await;
                }
                (Ok((stream, _)), None) => {
                    door.refused(RefusalReason::Full, &peer);
                    turn_away(stream, FULL).await;
                }
                (Err(failed), _) => door.failed(failed, &peer),
            }
        });
    }

    /// The stream behind the header of a proxy that says who it speaks for, where one is to come, and who that is.
    async fn introduced(&self, mut stream: Stream, peer: Peer) -> Option<(Stream, Peer)> {
        let options = Arc::clone(&self.options.now());
        if !options.proxy_protocol || !options.trusted_proxies.have(&peer) {
            return Some((stream, peer));
        }
        let why = match tokio::time::timeout(options.header_timeout, proxy_protocol::read(&mut stream)).await {
            Ok(Ok(Some(client))) => return Some((stream, Peer::Tcp(client))),
            Ok(Ok(None)) => return Some((stream, peer)),
            Ok(Err(why)) => why.to_string(),
            Err(_elapsed) => "no PROXY header came in time".to_owned(),
        };
        tracing::debug!(address = &*self.address, ?peer, why, "a proxy did not say who it speaks for");
        self.refused(RefusalReason::ProxyHeader, &peer);
        None
    }

    /// Counts a stream against the address it comes from. Those of proxies are many clients'.
    fn counted(&self, peer: &Peer) -> Result<Option<StreamPlace>, TooMany> {
        let options = self.options.now();
        let Peer::Tcp(address) = peer else { return Ok(None) };
        if options.trusted_proxies.have(peer) {
            return Ok(None);
        }
        match self.admission.open_stream(&options, address.ip()) {
            Some(place) => Ok(Some(place)),
            None => {
                self.refused(RefusalReason::ConnectionsPerIp, peer);
                Err(TooMany)
            }
        }
    }

    /// Whether the address of a stream may cost another handshake. Those of proxies are many clients'.
    fn may_shake_hands(&self, peer: &Peer) -> Result<(), TooMany> {
        let options = self.options.now();
        let Peer::Tcp(address) = peer else { return Ok(()) };
        if options.trusted_proxies.have(peer) || self.admission.may_shake_hands(&options, address.ip()) {
            return Ok(());
        }
        self.refused(RefusalReason::HandshakeRate, peer);
        Err(TooMany)
    }

    fn refused(&self, reason: RefusalReason, peer: &Peer) {
        let client = match peer {
            Peer::Tcp(address) => Some(address.ip()),
            Peer::Unix | Peer::Memory => None,
        };
        self.admission.refusals().count(reason, client);
    }

    fn failed(&self, Failed { reason, why }: Failed, peer: &Peer) {
        let detail = why.map(|why| why.to_string()).unwrap_or_default();
        tracing::debug!(address = &*self.address, ?peer, reason = reason.as_str(), detail, "a TLS handshake failed");
        if let Some(fence) = &self.fence {
            let peer = match peer {
                Peer::Tcp(address) => Some(*address),
                Peer::Unix | Peer::Memory => None,
            };
            fence.announce(&Event::HandshakeFailed { address: Arc::clone(&self.address), peer, reason });
        }
    }

    /// Speaks HTTP until the end of the connection, or until it is something else, with whoever its certificate names.
    async fn serve(&self, stream: Stream, peer: Peer, who: Option<Principal>) {
        let client = peer.clone();
        // Whether something has come since the last request was answered. Who has not sent a first one owes it.
        let heard = Arc::new(AtomicBool::new(true));
        let (stream, answered) = (stream.telling(Arc::clone(&heard)), Arc::clone(&heard));
        let service = ServiceExt::<hyper::Request<Incoming>>::map_request(
            self.service.clone(),
            move |mut request: hyper::Request<Incoming>| {
                request.extensions_mut().insert(peer.clone());
                if let Some(who) = &who {
                    request.extensions_mut().insert(who.clone());
                }
                request
            },
        );
        let service = ServiceExt::<hyper::Request<Incoming>>::map_response(service, move |response| {
            answered.store(false, Ordering::Relaxed);
            response
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(self.options.now().header_timeout)
            .max_buf_size(MAX_HEADER_BYTES)
            .max_headers(MAX_HEADERS);
        let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)).with_upgrades();
        tokio::pin!(connection);
        let mut accepting = self.accepting.clone();
        let stopping = accepting.wait_for(|is_accepting| !is_accepting);
        tokio::select! {
            ended = connection.as_mut() => return self.ended(ended, &heard, &client),
            _ = stopping => connection.as_mut().graceful_shutdown(),
        }
        self.ended(connection.await, &heard, &client);
    }

    /// Notes what a connection's HTTP part has ended with.
    fn ended(&self, ended: hyper::Result<()>, heard: &AtomicBool, peer: &Peer) {
        let Err(error) = ended else { return };
        tracing::debug!(%error, "a connection ended in its HTTP part");
        let reason = if error.is_parse_too_large() {
            RefusalReason::HeaderTooLarge
        } else if error.is_parse() {
            RefusalReason::BadRequest
        } else if error.is_timeout() && heard.load(Ordering::Relaxed) {
            RefusalReason::HeaderTimeout
        } else {
            // Among them: it was kept for another request, and none came.
            return;
        };
        self.refused(reason, peer);
    }
}

/// The address has as many streams as it may, or had as many handshakes.
struct TooMany;

async fn turn_away(mut stream: Stream, answer: &[u8]) {
    let _turned_away = tokio::time::timeout(TURN_AWAY, async {
        stream.write_all(answer).await?;
        stream.shutdown().await
    })
    .await;
}

const MAX_HEADER_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;
/// How long a connection over the limit is kept for its answer.
const TURN_AWAY: Duration = Duration::from_secs(1);
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const TOO_MANY: &[u8] =
    b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 5\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
