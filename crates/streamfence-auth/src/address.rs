//! Whom a limit for one address is for.

use std::net::{IpAddr, Ipv6Addr};

/// An address as limits count it: IPv4 as it is, IPv6 by its first 64 bits, since whoever has one address of such a
/// network has all of them. An IPv4 address written as IPv6 is the IPv4 address.
///
/// ```
/// use streamfence_auth::AddressKey;
///
/// let of = |text: &str| AddressKey::from(text.parse::<std::net::IpAddr>().unwrap());
/// assert_eq!(of("2001:db8::1"), of("2001:db8::ffff"));
/// assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
/// assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressKey(IpAddr);

impl From<IpAddr> for AddressKey {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() >> 64 << 64;
                IpAddr::V6(Ipv6Addr::from_bits(network))
            }
            address @ IpAddr::V4(_) => address,
        })
    }
}
