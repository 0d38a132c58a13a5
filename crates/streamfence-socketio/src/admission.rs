//! Who may open a session: what one address may have, and what all of them may together.
//!
//! Never who a client is, and nothing of what it says once it is in.

mod client_address;
mod places;
mod rate;
mod table;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use streamfence_auth::AddressKey;
use streamfence_core::RefusalReason;
use tokio::time::Instant;

pub use self::client_address::{TrustedProxies, client_address};
use self::places::Most;
pub(crate) use self::places::{Places, SessionPlace, StreamPlace};
pub use self::rate::Rate;
pub(crate) use self::rate::{Bucket, Clock};
use self::table::AddressBuckets;
use crate::options::ServerOptions;
use crate::refusals::Refusals;
use crate::request::Refusal;

/// What a layer and its server know of those who want in. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Admission(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    places: Places,
    /// Made when a limit first needs it.
    handshakes: OnceLock<AddressBuckets>,
    /// Those of TLS, of which a session may take several.
    tls_handshakes: OnceLock<AddressBuckets>,
    refusals: Refusals,
    has_warned: AtomicBool,
}

impl Admission {
    pub(crate) fn new(refusals: Refusals) -> Self {
        Self(Arc::new(Inner {
            clock: Clock::new(Instant::now()),
            places: Places::default(),
            handshakes: OnceLock::new(),
            tls_handshakes: OnceLock::new(),
            refusals,
            has_warned: AtomicBool::new(false),
        }))
    }

    /// Where refusals are counted.
    pub(crate) fn refusals(&self) -> &Refusals {
        &self.0.refusals
    }

    /// A place for a new session of an address, or why there is none.
    pub(crate) fn open_session(
        &self,
        options: &ServerOptions,
        client: Option<IpAddr>,
    ) -> Result<SessionPlace, Refusal> {
        let inner = &*self.0;
        let address = client.map(AddressKey::from);
        let most = Most {
            sessions: options.max_connections_per_ip,
            pending: options.max_pending_connections,
            pending_per_ip: options.max_pending_per_ip,
            departed: options.max_connections,
        };
        let wants_address =
            most.sessions.is_some() || most.pending_per_ip.is_some() || options.handshakes_per_ip.is_some();
        if address.is_none() && wants_address {
            self.warn_of_unknown();
        }
        if let (Some(rate), Some(address)) = (&options.handshakes_per_ip, address) {
            let buckets = inner.handshakes.get_or_init(AddressBuckets::default);
            buckets.take(address, rate, inner.clock.nanos(Instant::now())).map_err(Refusal::TooManyHandshakes)?;
        }
        inner.places.open_session(address, most).map_err(|reason| match reason {
            RefusalReason::Pending => Refusal::TooManyPending,
            RefusalReason::PendingPerIp => Refusal::TooManyPendingFromAddress,
            RefusalReason::Departed => Refusal::TooManyDeparted,
            _ => Refusal::TooManyFromAddress,
        })
    }

    /// A place for a stream that a client itself has opened, if its address may have one more.
    ///
    /// A session may take three at once: one that waits for packets, one that hands some in, and a websocket to become.
    pub(crate) fn open_stream(&self, options: &ServerOptions, client: IpAddr) -> Option<StreamPlace> {
        let most = options.max_connections_per_ip.map(|most| most.get().saturating_mul(STREAMS_PER_SESSION));
        self.0.places.open_stream(client.into(), most)
    }

    /// Whether an address may shake hands over TLS once more: as often as it may open sessions, times the streams that a
    /// session may take.
    pub(crate) fn may_shake_hands(&self, options: &ServerOptions, client: IpAddr) -> bool {
        let inner = &*self.0;
        let Some(rate) = &options.handshakes_per_ip else { return true };
        let rate = rate.times(STREAMS_PER_SESSION);
        let buckets = inner.tls_handshakes.get_or_init(AddressBuckets::default);
        buckets.take(client.into(), &rate, inner.clock.nanos(Instant::now())).is_ok()
    }

    /// Says, once, that limits do not hold because nobody knows where clients come from.
    fn warn_of_unknown(&self) {
        if !self.0.has_warned.swap(true, Ordering::Relaxed) {
            let what = "limits per address are off where no address is known: behind a proxy, name it in trustedProxies; \
                        embedded, give each request its `Peer`";
            tracing::warn!(code = "address_unknown", "{what}");
        }
    }
}

/// See [`Admission::open_stream`].
const STREAMS_PER_SESSION: u32 = 3;
