//! Where a server is, as people write it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Where a server is: `http://HOST:PORT`, `https://..`, `ws://..`, `wss://..`, or `unix:PATH`. A scheme that is left out
/// is `http`.
///
/// ```
/// use streamfence_client::Target;
///
/// let target: Target = "127.0.0.1:9093".parse()?;
/// assert_eq!(target.to_string(), "http://127.0.0.1:9093");
/// # Ok::<(), streamfence_client::TargetError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub(crate) place: Place,
    pub(crate) is_tls: bool,
    /// What stands before every path: empty, or `/` and more, without a `/` at the end.
    pub(crate) base: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The host without the brackets of an IPv6 address.
    Tcp {
        host: String,
        port: u16,
    },
    Unix(PathBuf),
}

/// Text that names no server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no address of a server: {why}; wanted http://HOST:PORT, https://HOST:PORT or unix:PATH")]
pub struct TargetError {
    found: String,
    why: &'static str,
}

impl Target {
    /// The path that the URL has, which stands before all others; empty for none.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// What a request says in its `Host`.
    pub(crate) fn authority(&self) -> String {
        match &self.place {
            Place::Unix(_) => "localhost".to_owned(),
            Place::Tcp { host, port } => {
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                let is_usual = *port == if self.is_tls { 443 } else { 80 };
                if is_usual { host } else { format!("{host}:{port}") }
            }
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Unix(path) => write!(f, "unix:{}", path.display()),
            Place::Tcp { .. } => {
                let scheme = if self.is_tls { "https" } else { "http" };
                write!(f, "{scheme}://{}{}", self.authority(), self.base)
            }
        }
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let wrong = |why| TargetError { found: text.to_owned(), why };
        if let Some(path) = text.strip_prefix("unix:") {
            if path.is_empty() {
                return Err(wrong("it has no path"));
            }
            return Ok(Self { place: Place::Unix(path.into()), is_tls: false, base: String::new() });
        }
        let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let uri: Uri = whole.parse().map_err(|_| wrong("it is no URL"))?;
        let is_tls = match uri.scheme_str() {
            Some("http" | "ws") => false,
            Some("https" | "wss") => true,
            _ => return Err(wrong("the scheme is another")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?;
        if authority.as_str().contains('@') {
            // It may be a secret, so it is not shown.
            let found = format!("{}://..@..", if is_tls { "https" } else { "http" });
            return Err(TargetError { found, why: "it has a user" });
        }
        if uri.query().is_some() || text.contains('#') {
            return Err(wrong("it has a query or a fragment"));
        }
        let host = authority.host();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() {
            return Err(wrong("it has no host"));
        }
        let port = match authority.as_str().rsplit_once(':') {
            // The colon of an IPv6 address, not that of a port.
            Some((_, after)) if after.contains(']') => None,
            Some((_, port)) => Some(port.parse().map_err(|_| wrong("the port is no number up to 65535"))?),
            None => None,
        };
        let port = port.unwrap_or(if is_tls { 443 } else { 80 });
        let base = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { place: Place::Tcp { host: host.to_owned(), port }, is_tls, base })
    }
}

/// A word as it may stand in the path or the query of a URL.
///
/// ```
/// assert_eq!(streamfence_client::encoded("/feed a").to_string(), "%2Ffeed%20a");
/// ```
pub fn encoded(word: &str) -> impl fmt::Display + '_ {
    /// What needs no escape anywhere (RFC 3986).
    const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(word, ESCAPED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_written() {
        for (text, shown) in [
            ("127.0.0.1:9093", "http://127.0.0.1:9093"),
            ("localhost:3000", "http://localhost:3000"),
            ("http://localhost", "http://localhost"),
            ("ws://a.example:80/", "http://a.example"),
            ("wss://a.example", "https://a.example"),
            ("https://a.example:443/fence/", "https://a.example/fence"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("http://[::1]", "http://[::1]"),
            ("unix:/run/a.sock", "unix:/run/a.sock"),
        ] {
            let target: Target = text.parse().unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!(target.to_string(), shown, "{text}");
        }
        let Ok(Target { place, .. }) = "http://[::1]:3000".parse() else { panic!("it is one") };
        assert_eq!(place, Place::Tcp { host: "::1".into(), port: 3000 });
    }

    #[test]
    fn what_names_no_server_is_said_with_what_is_wanted() {
        for wrong in
            ["", "http://", "ftp://a", "http://a:99999", "http://a:", "unix:", "http://a?b", "http://a#b", "a b"]
        {
            let why = wrong.parse::<Target>().expect_err(wrong).to_string();
            assert!(why.contains("wanted http://HOST:PORT"), "{why}");
        }
        let why = "http://ann:hunter2@a".parse::<Target>().expect_err("it has a user").to_string();
        assert!(!why.contains("hunter2"), "{why}");
    }
}
