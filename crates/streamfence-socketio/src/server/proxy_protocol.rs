//! Who a proxy speaks for: the header of the PROXY protocol, versions 1 and 2, before anything else on a stream.
//!
//! It is read to its end and no further, and never more of it than it may have.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

/// Reads the header. `None` where the proxy speaks for itself, or for somebody without an address.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    // No header is shorter, and both kinds show what they are by then.
    let mut start = [0; SHORTEST];
    stream.read_exact(&mut start).await?;
    if start == SIGNATURE {
        let mut head = [0; 4];
        stream.read_exact(&mut head).await?;
        let [command, family, len @ ..] = head;
        let len = usize::from(u16::from_be_bytes(len));
        if len > LONGEST_V2 {
            return Err(malformed("version 2 with more than it may have behind the addresses"));
        }
        let mut rest = [0; LONGEST_V2];
        stream.read_exact(&mut rest[..len]).await?;
        return version_2(command, family, &rest[..len]);
    }
    let mut line = [0; LONGEST_V1];
    line[..SHORTEST].copy_from_slice(&start);
    let mut len = SHORTEST;
    // One at a time, because what comes behind the line is not ours.
    while !line[..len].ends_with(b"\r\n") {
        let Some(next) = line.get_mut(len..=len) else { return Err(malformed("version 1 without an end")) };
        if len == SHORTEST && !start.starts_with(b"PROXY ") {
            return Err(malformed("neither version"));
        }
        stream.read_exact(next).await?;
        len += 1;
    }
    version_1(&line[..len - 2])
}

/// `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443`
fn version_1(line: &[u8]) -> io::Result<Option<SocketAddr>> {
    let line = std::str::from_utf8(line).map_err(|_| malformed("version 1 with something else than text"))?;
    let mut words = line.split(' ');
    let mut word = || words.next().ok_or_else(|| malformed("version 1 without all its words"));
    let (_proxy, family) = (word()?, word()?);
    let is_v6 = match family {
        "UNKNOWN" => return Ok(None),
        "TCP4" => false,
        "TCP6" => true,
        _ => return Err(malformed("version 1 with another family than TCP4, TCP6 and UNKNOWN")),
    };
    let address = |text: &str| {
        let address = text.parse::<IpAddr>().ok().filter(|address| address.is_ipv6() == is_v6);
        address.ok_or_else(|| malformed("version 1 with an address of another family, or none"))
    };
    let port = |text: &str| text.parse::<u16>().map_err(|_| malformed("version 1 with a port that is none"));
    let (source, destination) = (address(word()?)?, address(word()?)?);
    let (source_port, _) = (port(word()?)?, port(word()?)?);
    let _ = destination;
    match words.next() {
        Some(_) => Err(malformed("version 1 with words too many")),
        None => Ok(Some(SocketAddr::new(source, source_port))),
    }
}

fn version_2(command: u8, family: u8, rest: &[u8]) -> io::Result<Option<SocketAddr>> {
    match command {
        // The proxy itself wants to know whether we are well.
        0x20 => return Ok(None),
        0x21 => {}
        _ => return Err(malformed("version 2 with another command than LOCAL and PROXY")),
    }
    let short = || malformed("version 2 with addresses cut short");
    match family {
        // TCP over IPv4: source, destination, their ports.
        0x11 => {
            let [a, b, c, d, _, _, _, _, p, q, _, _, ..] = *rest else { return Err(short()) };
            Ok(Some(SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), u16::from_be_bytes([p, q]))))
        }
        0x21 => {
            let (addresses, ports) = rest.split_at_checked(32).ok_or_else(short)?;
            let (Some(source), [p, q, _, _, ..]) = (addresses.first_chunk::<16>(), ports) else { return Err(short()) };
            Ok(Some(SocketAddr::new(Ipv6Addr::from(*source).into(), u16::from_be_bytes([*p, *q]))))
        }
        // Unix sockets, and what is not said.
        0x00 | 0x31 => Ok(None),
        _ => Err(malformed("version 2 with another family than TCP over IPv4 and IPv6")),
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a PROXY header of {what}"))
}

const SIGNATURE: [u8; SHORTEST] = *b"\r\n\r\n\0\r\nQUIT\n";
/// How much every header has: the signature of version 2, and less than `PROXY UNKNOWN` and a line's end.
const SHORTEST: usize = 12;
/// How long a line of version 1 may be, its end included.
const LONGEST_V1: usize = 107;
/// How much of version 2 is read behind its length: addresses, and what proxies say beside.
const LONGEST_V2: usize = 2048;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a header comes to, and how much of it was left.
    fn parse(bytes: &[u8]) -> (Result<Option<String>, String>, usize) {
        let mut rest = bytes;
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let read = runtime.block_on(read(&mut rest));
        (read.map(|who| who.map(|who| who.to_string())).map_err(|error| error.to_string()), rest.len())
    }

    fn version_2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let len = u16::try_from(rest.len()).expect("short").to_be_bytes();
        [&SIGNATURE[..], &[command, family], &len, rest].concat()
    }

    const V4: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 1, 0xdc, 0x04, 1, 0xbb];

    #[test]
    fn both_versions_say_who_it_is_and_nothing_behind_them_is_read() {
        let mut v6 = [0; 36];
        (v6[0], v6[1], v6[15], v6[32]) = (0x20, 0x01, 7, 1);
        let tlv = [&V4[..], &[0x03, 0, 4, 1, 2, 3, 4]].concat();
        for (header, wanted) in [
            (b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n".to_vec(), Some("192.0.2.1:56324")),
            (b"PROXY TCP6 2001::7 ::1 256 443\r\n".to_vec(), Some("[2001::7]:256")),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN ffff:f...f:ffff ffff 65535 65535\r\n".to_vec(), None),
            (version_2(0x21, 0x11, &V4), Some("192.0.2.1:56324")),
            (version_2(0x21, 0x11, &tlv), Some("192.0.2.1:56324")),
            (version_2(0x21, 0x21, &v6), Some("[2001::7]:256")),
            (version_2(0x20, 0x00, &[]), None),
            (version_2(0x20, 0x11, &V4), None),
            (version_2(0x21, 0x31, &[0; 216]), None),
        ] {
            let bytes = [&header[..], b"GET / HTTP/1.1"].concat();
            assert_eq!(parse(&bytes), (Ok(wanted.map(str::to_owned)), 14), "{}", header.escape_ascii());
        }
    }

    #[test]
    fn what_is_no_header_is_an_error_that_says_so() {
        for (bytes, wanted) in [
            (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(), "neither version"),
            (b"PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n".to_vec(), "all its words"),
            (b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 7\r\n".to_vec(), "too many"),
            (b"PROXY TCP4 2001::7 ::1 256 443\r\n".to_vec(), "another family"),
            (b"PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n".to_vec(), "a port"),
            (b"PROXY UDP4 192.0.2.1 198.51.100.1 1 443\r\n".to_vec(), "TCP4, TCP6"),
            ([b"PROXY TCP4 ", &[b'1'; 200][..]].concat(), "without an end"),
            (version_2(0x31, 0x11, &V4), "LOCAL and PROXY"),
            (version_2(0x21, 0x12, &V4), "TCP over"),
            (version_2(0x21, 0x11, &V4[..11]), "cut short"),
            (version_2(0x21, 0x21, &[0; 35]), "cut short"),
            (version_2(0x21, 0x11, &[0; 2049]), "more than it may"),
            (SIGNATURE.to_vec(), "eof"),
        ] {
            let (read, _) = parse(&bytes);
            assert!(read.as_ref().is_err_and(|why| why.contains(wanted)), "{}: {read:?}", bytes.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn nothing_a_peer_sends_is_a_panic_or_read_without_end(
            which in 0_u8..3,
            bytes in proptest::collection::vec(any::<u8>(), 0..3000),
        ) {
            let start: &[u8] = match which { 0 => &[], 1 => b"PROXY TCP4 ", _ => &SIGNATURE };
            let bytes = [start, &bytes].concat();
            let (_, left) = parse(&bytes);
            prop_assert!(bytes.len() - left <= SHORTEST + 4 + LONGEST_V2);
        }
    }
}
