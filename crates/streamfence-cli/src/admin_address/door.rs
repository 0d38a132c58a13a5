//! What becomes of a connection to the admin address: a place, HTTP/1.1, an end. Never what is asked over it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutStream;

use crate::seldom::Seldom;

/// Whoever is let in, and how they are told that it is over. Clones are the same one.
#[derive(Clone)]
pub(super) struct Door {
    routes: Router,
    places: Arc<Semaphore>,
    ending: watch::Sender<bool>,
}

/// How many connections there may be at once: more than streams and readers of events together, and fewer than the
/// descriptors that are kept beside those of clients.
const MOST_CONNECTIONS: usize = 384;
/// How long a head may take, and how long a connection may lie idle before the next.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a peer may take nothing of what is sent to it: whoever does not read keeps no place.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_HEADER_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;
/// How long what is being answered may take once everything else has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

impl Door {
    pub(super) fn new(routes: Router) -> Self {
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        Self { routes, places, ending: watch::Sender::new(false) }
    }

    /// Lets in whoever comes, for as long as the process lives.
    pub(super) async fn open<L: Listener>(
        self,
        mut listener: L,
        peer: impl Fn(&L::Addr) -> Option<SocketAddr>,
        tune: impl Fn(&L::Io),
    ) {
        let full = Seldom::default();
        loop {
            let (mut stream, from) = listener.accept().await;
            let Ok(place) = self.places.clone().try_acquire_owned() else {
                if full.is_said(|more| tracing::warn!(code = "admin_full", more, "admin: connections turned away")) {
                    let most = MOST_CONNECTIONS;
                    tracing::warn!(code = "admin_full", most, "admin: a connection turned away: there are too many");
                }
                turn_away(&mut stream).await;
                continue;
            };
            tune(&stream);
            let (door, peer) = (self.clone(), peer(&from));
            tokio::spawn(async move {
                door.serve(stream, peer).await;
                drop(place);
            });
        }
    }

    async fn serve(
        &self,
        stream: impl tokio::io::AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: Option<SocketAddr>,
    ) {
        let routes = TowerToHyperService::new(self.routes.clone());
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            if let Some(peer) = peer {
                request.extensions_mut().insert(ConnectInfo(peer));
            }
            routes.call(request)
        });
        // Whoever never reads keeps no place; who reads slowly does.
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(WRITE_TIMEOUT));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(MAX_HEADER_BYTES)
            .max_headers(MAX_HEADERS)
            .half_close(true)
            .serve_connection(TokioIo::new(Box::pin(stream)), service);
        tokio::pin!(connection);
        let mut ending = self.ending.subscribe();
        let outcome = tokio::select! {
            ended = connection.as_mut() => Some(ended),
            _ = ending.wait_for(|is_ending| *is_ending) => None,
        };
        let outcome = match outcome {
            Some(ended) => ended,
            None => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, "admin: a connection ended before its time");
        }
    }

    /// Takes no further request, and waits a moment for what is being answered.
    pub(super) async fn close(&self) {
        self.ending.send_replace(true);
        let all = u32::try_from(MOST_CONNECTIONS).unwrap_or(u32::MAX);
        // Whoever has not read the answer by then has had the time.
        let _ = tokio::time::timeout(LAST_WORDS, self.places.acquire_many(all)).await;
    }
}

/// Says why, if that costs nothing: the buffer of a new connection is empty.
async fn turn_away(stream: &mut (impl AsyncWrite + Unpin)) {
    let _ = tokio::time::timeout(Duration::ZERO, async {
        stream.write_all(FULL).await?;
        stream.shutdown().await
    })
    .await;
}

#[cfg(test)]
mod tests {
    use streamfence_http::{Api, router};
    use streamfence_runtime::{Fence, Namespace, Payload};
    use tokio::io::AsyncReadExt as _;
    use tokio::time::{Instant, sleep};

    use super::*;

    fn fence() -> Fence {
        Fence::builder().namespace(Namespace::new("/feed").topic("tick")).build().expect("it is sound")
    }

    /// Asks for this, over a connection that holds a kibibyte, and reads the first bytes of the answer.
    async fn ask(door: &Door, path: &str) -> (tokio::io::DuplexStream, tokio::task::JoinHandle<()>) {
        let (mut peer, stream) = tokio::io::duplex(1024);
        let door = door.clone();
        let served = tokio::spawn(async move { door.serve(stream, None).await });
        let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        peer.write_all(head.as_bytes()).await.expect("it reads");
        let mut begun = [0; 12];
        peer.read_exact(&mut begun).await.expect("it is answered");
        assert_eq!(&begun, b"HTTP/1.1 200");
        (peer, served)
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_nothing_of_a_big_answer_is_not_waited_for() {
        let door = Door::new(router(Api::new(fence(), String::new)));
        let (_peer, served) = ask(&door, "/openapi.json").await;
        let begun = Instant::now();
        served.await.expect("it ends");
        assert!((29..=31).contains(&begun.elapsed().as_secs()), "after {:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_no_events_loses_the_place_and_who_reads_slowly_keeps_it() {
        let fence = fence();
        let door = Door::new(router(Api::new(fence.clone(), String::new)));
        let (_stuck, stuck) = ask(&door, "/admin/v1/events").await;
        let (mut slow, slow_served) = ask(&door, "/admin/v1/events").await;
        // Events of more than a connection holds, for two minutes.
        for second in 0..120 {
            for _ in 0..4 {
                fence.publish("/feed", "tick", Payload::raw_json("1").expect("it is JSON")).await.expect("it is taken");
            }
            if second % 20 == 19 {
                slow.read_exact(&mut [0; 600]).await.expect("it is served");
            }
            sleep(Duration::from_secs(1)).await;
        }
        assert!(stuck.is_finished(), "its place is free");
        assert!(!slow_served.is_finished(), "it takes something now and then");
    }
}
