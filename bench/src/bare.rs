//! The floor: pre-encoded frames written to sockets, and nothing else.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::bail;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::message::{Quote, frame_of, server_frame, split_frame};
use crate::server::Publisher;

/// All clients that are in.
type Clients = Arc<Mutex<Vec<Arc<TcpStream>>>>;

pub(crate) struct Bare {
    clients: Clients,
    is_coalescing: bool,
    /// Those of `clients` at the last publish: they are all in before the first.
    known: Vec<Arc<TcpStream>>,
}

impl Bare {
    pub(crate) fn start(listener: TcpListener, is_coalescing: bool) -> Self {
        let clients = Clients::default();
        let entrance = clients.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let entrance = entrance.clone();
                tokio::spawn(async move {
                    if let Ok(stream) = welcome(stream).await {
                        entrance.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::new(stream));
                    }
                });
            }
        });
        Self { clients, is_coalescing, known: Vec::new() }
    }
}

impl Publisher for Bare {
    async fn publish(&mut self, quotes: Vec<Quote>) -> anyhow::Result<()> {
        if self.known.is_empty() {
            self.known.clone_from(&self.clients.lock().unwrap_or_else(PoisonError::into_inner));
        }
        let frames = quotes.iter().map(frame_of);
        let writes: Vec<Vec<u8>> =
            if self.is_coalescing { vec![frames.collect::<Vec<_>>().concat()] } else { frames.collect() };
        for bytes in writes {
            for stream in &self.known {
                write(stream, &bytes).await?;
            }
            // Whoever hears how far the clients are gets a turn.
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

async fn write(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(len) => bytes = &bytes[len..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Says what a Socket.IO server would say until the client has subscribed.
async fn welcome(mut stream: TcpStream) -> anyhow::Result<TcpStream> {
    stream.set_nodelay(true)?;
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n\r\n") {
        hear(&mut stream, &mut heard).await?;
    }
    heard.clear();
    stream.write_all(SWITCH).await?;
    stream.write_all(&server_frame(br#"0{"sid":"bare","upgrades":[],"pingInterval":25000}"#)).await?;
    for answer in [r#"40/feed,{"sid":"bare"}"#, r#"42/feed,["subscribed",{"topic":"snapshot"}]"#] {
        while split_frame(&heard).is_none() {
            hear(&mut stream, &mut heard).await?;
        }
        heard.clear();
        stream.write_all(&server_frame(answer.as_bytes())).await?;
    }
    Ok(stream)
}

async fn hear(stream: &mut TcpStream, heard: &mut Vec<u8>) -> anyhow::Result<()> {
    if stream.read_buf(heard).await? == 0 {
        bail!("the client is gone");
    }
    Ok(())
}

/// The answer to the one key our clients have.
const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
                        sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
