//! Connections to one server, over TCP, TLS or a Unix socket.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream, UnixStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, Error, RootCertStore};

use crate::error::ClientError;
use crate::pace::{Pace, Paced};
use crate::target::{Place, Target};

/// Who vouches for a server that is spoken to with TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// The certificates that the system trusts.
    #[default]
    System,
    /// Those of this file, in PEM.
    File(PathBuf),
}

/// Who we are, where a server that is spoken to with TLS asks for a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The file with our certificate, in PEM, and with those between it and who signs for clients.
    pub certificates: PathBuf,
    /// The file with its private key, in PEM and without a password; it may be the same.
    pub key: PathBuf,
}

/// Connects to one server. A clone is cheap.
#[derive(Clone)]
pub struct Connector {
    target: Target,
    tls: Option<TlsConnector>,
    /// How long a connection, and whatever is to be said before it can be used, may take.
    pub(crate) patience: Duration,
}

/// TCP, TLS over it, or a Unix socket; paced or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Connector {
    /// Connects there, and waits at most so long for it. What it is to be trusted by, and who we are, matters with TLS alone.
    ///
    /// # Errors
    /// The server wants TLS, and there are no certificates that could vouch for it, or ours cannot be used.
    pub fn new(
        target: Target,
        trust: &Trust,
        identity: Option<&Identity>,
        patience: Duration,
    ) -> Result<Self, ClientError> {
        let tls = target.is_tls.then(|| tls(trust, identity)).transpose()?;
        Ok(Self { target, tls, patience })
    }

    /// Where.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// A connection, over which nothing has been said yet.
    pub(crate) async fn connect(&self, pace: Option<Pace>) -> Result<Box<dyn Stream>, ClientError> {
        let connecting = async {
            match &self.target.place {
                Place::Unix(path) => self.secured(paced(UnixStream::connect(path).await?, pace)).await,
                Place::Tcp { host, port } => self.secured(paced(tcp(host, *port, pace).await?, pace)).await,
            }
        };
        match self.in_time(connecting).await? {
            Ok(stream) => Ok(stream),
            Err(why) => Err(ClientError::of_connection(self.target.to_string(), &why, why.to_string())),
        }
    }

    /// What this brings, unless it takes too long.
    pub(crate) async fn in_time<T>(&self, wish: impl Future<Output = T>) -> Result<T, ClientError> {
        let silent = || ClientError::Silent { target: self.target.to_string(), within: self.patience };
        tokio::time::timeout(self.patience, wish).await.map_err(|_elapsed| silent())
    }

    async fn secured(&self, stream: Box<dyn Stream>) -> io::Result<Box<dyn Stream>> {
        match (&self.tls, &self.target.place) {
            (Some(tls), Place::Tcp { host, .. }) => {
                let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                Ok(Box::new(tls.connect(name, stream).await?))
            }
            _ => Ok(stream),
        }
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("target", &self.target).field("patience", &self.patience).finish()
    }
}

fn paced(stream: impl Stream + 'static, pace: Option<Pace>) -> Box<dyn Stream> {
    match pace {
        Some(pace) => Box::new(Paced::new(stream, pace)),
        None => Box::new(stream),
    }
}

/// The first address of a name that somebody listens on.
async fn tcp(host: &str, port: u16, pace: Option<Pace>) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the name has no address");
    for address in lookup_host((host, port)).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if pace.is_some() {
            // Before it connects: what is offered to the other side is settled then.
            socket.set_recv_buffer_size(Pace::BUFFER_BYTES)?;
        }
        match socket.connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(why) => last = why,
        }
    }
    Err(last)
}

fn tls(trust: &Trust, identity: Option<&Identity>) -> Result<TlsConnector, ClientError> {
    let mut roots = RootCertStore::empty();
    match trust {
        Trust::File(file) => {
            let wrong = |why: String| ClientError::Untrusting { file: Some(file.clone()), why };
            for certificate in CertificateDer::pem_slice_iter(&read_pem(file).map_err(wrong)?) {
                let certificate = certificate.map_err(|why| wrong(why.to_string()))?;
                roots.add(certificate).map_err(|why| wrong(why.to_string()))?;
            }
            if roots.is_empty() {
                return Err(wrong("it holds no certificate".to_owned()));
            }
        }
        Trust::System => {
            // What of them cannot be read vouches for nobody; the rest does.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(ClientError::Untrusting { file: None, why: "there are none".to_owned() });
            }
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring knows TLS 1.2 and 1.3")
        .with_root_certificates(roots);
    let config = match identity {
        None => config.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = identity.read()?;
            let unfit = |why: Error| ClientError::Unidentified { file: identity.key.clone(), why: why.to_string() };
            config.with_client_auth_cert(chain, key).map_err(unfit)?
        }
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

impl Identity {
    fn read(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), ClientError> {
        let wrong = |file: &PathBuf, why: String| ClientError::Unidentified { file: file.clone(), why };
        let (chain, key) = (&self.certificates, &self.key);
        let text = read_pem(chain).map_err(|why| wrong(chain, why))?;
        let certificates = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
        let certificates = certificates.map_err(|why| wrong(chain, why.to_string()))?;
        if certificates.is_empty() {
            return Err(wrong(chain, "it holds no certificate".to_owned()));
        }
        let text = read_pem(key).map_err(|why| wrong(key, why))?;
        if ENCRYPTED.iter().any(|mark| text.windows(mark.len()).any(|part| part == mark.as_bytes())) {
            let file = key.display();
            let why = format!(
                "its private key needs a password; `openssl pkey -in {file} -out NEW` writes one that does not"
            );
            return Err(wrong(key, why));
        }
        let key = PrivateKeyDer::from_pem_slice(&text).map_err(|why| match why {
            pem::Error::NoItemsFound => wrong(key, "it holds no private key".to_owned()),
            why => wrong(key, why.to_string()),
        })?;
        Ok((certificates, key))
    }
}

/// What the two kinds of keys with a password have in them.
const ENCRYPTED: [&str; 2] = ["Proc-Type: 4,ENCRYPTED", "BEGIN ENCRYPTED PRIVATE KEY"];

/// The most bytes of a file of certificates: those of a whole system have a quarter of that.
const PEM_BYTES: u64 = 1024 * 1024;

/// Reads what is a file, and no pipe or device that has no end.
fn read_pem(file: &Path) -> Result<Vec<u8>, String> {
    // Before it is opened: a pipe that nobody writes to would be waited for.
    if !std::fs::metadata(file).map_err(|why| why.to_string())?.is_file() {
        return Err("it is no regular file".to_owned());
    }
    let mut bytes = Vec::new();
    // The size a file claims may be wrong; what is read is not.
    let read = File::open(file).and_then(|file| file.take(PEM_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|why| why.to_string())?;
    if bytes.len() as u64 > PEM_BYTES {
        return Err(format!("it is larger than {PEM_BYTES} bytes"));
    }
    Ok(bytes)
}
