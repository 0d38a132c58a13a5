//! `streamfence health`: whether a server is ready, for whoever supervises it and has no HTTP client at hand.
//!
//! Never more than the status of one answer: what else there is to know is for `/metrics`.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::json;

use crate::args::{HealthArgs, Listen};
use crate::exit::Failure;
use crate::say;

/// The longest answer that is read: the head of a small one.
const ANSWER_BYTES: u64 = 4_096;

pub(crate) fn run(args: &HealthArgs) -> Result<(), Failure> {
    let resource = if args.live { "/healthz" } else { "/readyz" };
    let address = args.address.describe();
    let answer = ask(&args.address, resource, Duration::from_millis(args.timeout_ms.into()))
        .map_err(|why| Failure::Unreachable(format!("{address}: {why}")))?;
    let (status, word) =
        read(&answer).ok_or_else(|| Failure::Unreachable(format!("{address}: what answers there speaks no HTTP")))?;
    if args.json {
        say::line(json!({ "address": address, "asked": resource, "status": status, "state": word }))?;
    }
    match status {
        200 if args.json => Ok(()),
        200 => say::line(word),
        _ => Err(Failure::Other(format!("{address}: {resource} says {status} {word}"))),
    }
}

fn ask(address: &Listen, resource: &str, patience: Duration) -> io::Result<Vec<u8>> {
    let request = format!("GET {resource} HTTP/1.0\r\nhost: localhost\r\n\r\n");
    match address {
        Listen::Tcp { host, port } => {
            let mut failed = io::Error::new(io::ErrorKind::NotFound, "no address has that name");
            for address in (host.as_str(), *port).to_socket_addrs()? {
                match TcpStream::connect_timeout(&address, patience) {
                    Ok(stream) => {
                        stream.set_read_timeout(Some(patience))?;
                        stream.set_write_timeout(Some(patience))?;
                        return exchange(stream, &request);
                    }
                    Err(why) => failed = why,
                }
            }
            Err(failed)
        }
        Listen::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(patience))?;
            stream.set_write_timeout(Some(patience))?;
            exchange(stream, &request)
        }
    }
}

fn exchange(mut stream: impl Read + Write, request: &str) -> io::Result<Vec<u8>> {
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES).read_to_end(&mut answer)?;
    Ok(answer)
}

/// The status of an answer, and the first line of its body.
fn read(answer: &[u8]) -> Option<(u16, &str)> {
    let answer = std::str::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let mut words = head.split(' ');
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    Some((words.next()?.parse().ok()?, body.lines().next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn an_answer_is_its_status_and_the_first_line_of_its_body() {
        assert_eq!(read(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nready\n"), Some((200, "ready")));
        assert_eq!(read(b"HTTP/1.0 503 Service Unavailable\r\n\r\n"), Some((503, "")));
        for nonsense in
            [&b""[..], b"\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 OK\r\n\r\n", b"SSH-2.0\r\n\r\n", b"\xff"]
        {
            assert_eq!(read(nonsense), None, "{nonsense:?}");
        }
    }
}
