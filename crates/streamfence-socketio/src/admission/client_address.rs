//! Where a client is, behind proxies too.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

use crate::link::Peer;

/// Whose word about the address of a client is believed.
///
/// ```
/// use streamfence_socketio::TrustedProxies;
///
/// let proxies = TrustedProxies::new(["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]).and_unix();
/// # assert!(!proxies.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    unix: bool,
}

impl TrustedProxies {
    /// Believes whoever connects from these networks.
    #[must_use]
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self { networks: networks.into_iter().collect(), unix: false }
    }

    /// Believes whoever connects over a Unix socket, too.
    #[must_use]
    pub fn and_unix(mut self) -> Self {
        self.unix = true;
        self
    }

    /// Whether nobody is believed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty() && !self.unix
    }

    /// Whether this peer is one of them.
    pub(crate) fn have(&self, peer: &Peer) -> bool {
        match peer {
            Peer::Tcp(address) => self.have_address(address.ip()),
            Peer::Unix => self.unix,
            Peer::Memory => false,
        }
    }

    fn have_address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }
}

impl fmt::Display for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unix = self.unix.then(|| "unix".to_owned());
        let names: Vec<_> = self.networks.iter().map(ToString::to_string).chain(unix).collect();
        write!(f, "[{}]", names.join(", "))
    }
}

/// The address of the client that a request comes from, where it is known.
///
/// That is who connected; and where that is a trusted proxy, the rightmost address in `X-Forwarded-For` that is none.
/// What stands further left is whatever the client said. A proxy that names nobody speaks for itself; one that names what
/// is no address leaves it unknown.
#[must_use]
pub fn client_address(peer: Option<&Peer>, headers: &HeaderMap, trusted: &TrustedProxies) -> Option<IpAddr> {
    let peer = peer?;
    let mut nearest = match peer {
        Peer::Tcp(address) => Some(address.ip().to_canonical()),
        Peer::Unix | Peer::Memory => None,
    };
    if !trusted.have(peer) {
        return nearest;
    }
    for value in headers.get_all(FORWARDED_FOR).iter().rev() {
        // What stands further left may be any bytes, and says nothing of what a proxy has added.
        for entry in value.as_bytes().rsplit(|byte| *byte == b',') {
            let address = address(std::str::from_utf8(entry).ok()?.trim())?;
            nearest = Some(address);
            if !trusted.have_address(address) {
                return nearest;
            }
        }
    }
    nearest
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn address(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|entry| entry.strip_suffix(']')).unwrap_or(entry);
    let with_port = || entry.parse::<SocketAddr>().map(|address| address.ip());
    bare.parse::<IpAddr>().or_else(|_| with_port()).ok().map(|address| address.to_canonical())
}

const FORWARDED_FOR: &str = "x-forwarded-for";

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn seen(peer: &str, forwarded: &[&str]) -> Option<String> {
        let trusted = TrustedProxies::new(["10.0.0.0/8", "fd00::/8", "203.0.113.7/32"].map(|net| net.parse().unwrap()));
        let peer = if peer == "unix" { Peer::Unix } else { Peer::Tcp(SocketAddr::new(peer.parse().unwrap(), 1)) };
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        client_address(Some(&peer), &headers, &trusted).map(|address| address.to_string())
    }

    #[test]
    fn a_proxy_is_believed_as_far_as_it_is_trusted_and_nobody_else_is() {
        for (peer, forwarded, wanted) in [
            ("192.0.2.1", &[][..], Some("192.0.2.1")),
            // A client that says so itself.
            ("192.0.2.1", &["198.51.100.1"], Some("192.0.2.1")),
            ("192.0.2.1", &["10.1.1.1"], Some("192.0.2.1")),
            ("10.0.0.1", &["198.51.100.1"], Some("198.51.100.1")),
            ("::ffff:10.0.0.1", &["198.51.100.1"], Some("198.51.100.1")),
            ("fd00::1", &["2001:db8::1"], Some("2001:db8::1")),
            // What stands left of the first stranger was said by the stranger.
            ("10.0.0.1", &["é, 198.51.100.1"], Some("198.51.100.1")),
            ("10.0.0.1", &["é", "198.51.100.1"], Some("198.51.100.1")),
            ("10.0.0.1", &["1.1.1.1, 198.51.100.1"], Some("198.51.100.1")),
            ("10.0.0.1", &["1.1.1.1, 198.51.100.1, 203.0.113.7,10.9.9.9"], Some("198.51.100.1")),
            ("10.0.0.1", &["1.1.1.1", "198.51.100.1, 10.2.2.2"], Some("198.51.100.1")),
            ("10.0.0.1", &["'; DROP TABLE, 198.51.100.1"], Some("198.51.100.1")),
            // Trusted all the way: the outermost.
            ("10.0.0.1", &["10.3.3.3, 10.2.2.2"], Some("10.3.3.3")),
            ("10.0.0.1", &[], Some("10.0.0.1")),
            ("10.0.0.1", &["198.51.100.1:4711"], Some("198.51.100.1")),
            ("10.0.0.1", &["[2001:db8::1]:4711"], Some("2001:db8::1")),
            ("10.0.0.1", &["[2001:db8::1]"], Some("2001:db8::1")),
            ("10.0.0.1", &["::ffff:198.51.100.1"], Some("198.51.100.1")),
            ("10.0.0.1", &["unknown"], None),
            ("10.0.0.1", &["198.51.100.1,"], None),
            ("unix", &["198.51.100.1"], None),
        ] {
            assert_eq!(seen(peer, forwarded).as_deref(), wanted, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn a_unix_socket_is_believed_where_it_is_trusted() {
        let trusted = TrustedProxies::default().and_unix();
        let headers = HeaderMap::from_iter([(FORWARDED_FOR.parse().unwrap(), HeaderValue::from_static("192.0.2.1"))]);
        let wanted = "192.0.2.1".parse().ok();
        assert_eq!(client_address(Some(&Peer::Unix), &headers, &trusted), wanted);
        assert_eq!(client_address(Some(&Peer::Memory), &headers, &trusted), None);
        assert_eq!(client_address(None, &headers, &trusted), None);
    }

    proptest! {
        /// Whatever a client writes into the header, its proxy's entry counts.
        #[test]
        fn nothing_a_client_writes_changes_its_address(said in "[ -~]{0,60}") {
            let client = Some("198.51.100.1".to_owned());
            prop_assert_eq!(seen("10.0.0.1", &[&format!("{said}, 198.51.100.1")]), client.clone());
            prop_assert_eq!(seen("10.0.0.1", &[&said, "198.51.100.1"]), client.clone());
            prop_assert_eq!(seen("198.51.100.1", &[&said]), client);
        }
    }
}
