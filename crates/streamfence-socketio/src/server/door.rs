//! What becomes of a stream that was accepted: TLS, a place, HTTP.
//!
//! Never a listener, and never what HTTP carries.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use streamfence_core::{Event, HandshakeFailure};
use streamfence_runtime::Fence;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tower::ServiceExt;

use super::health::Health;
use super::places::Places;
use super::tls::{Acceptor, Failed, Handshake};
use crate::layer::FenceService;
use crate::link::{Peer, Stream};
use crate::options::LiveOptions;
use crate::principal::Principal;

/// Where the streams of one listener go.
pub(super) struct Door {
    pub(super) service: FenceService<Health>,
    pub(super) options: LiveOptions,
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
        match self.places.take() {
            Some(place) => tokio::spawn(async move { door.serve(stream.holding(place), peer, None).await }),
            None => tokio::spawn(turn_away(stream)),
        };
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
            let accepted = tokio::select! {
                accepted = acceptor.accept(stream, handshake) => accepted,
                _ = accepting.wait_for(|is_accepting| !is_accepting) => return,
            };
            match (accepted, door.places.take()) {
                (Ok((stream, who)), Some(place)) => door.serve(stream.holding(place), peer, who).await,
                (Ok((stream, _)), None) => turn_away(stream).await,
                (Err(failed), _) => door.failed(failed, &peer),
            }
        });
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
            ended = connection.as_mut() => return log_end(ended),
            _ = stopping => connection.as_mut().graceful_shutdown(),
        }
        log_end(connection.await);
    }
}

async fn turn_away(mut stream: Stream) {
    let _turned_away = tokio::time::timeout(TURN_AWAY, async {
        stream.write_all(FULL).await?;
        stream.shutdown().await
    })
    .await;
}

fn log_end(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended in its HTTP part");
    }
}

const MAX_HEADER_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;
/// How long a connection over the limit is kept for its answer.
const TURN_AWAY: Duration = Duration::from_secs(1);
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
