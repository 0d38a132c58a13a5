use std::cell::RefCell;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use streamfence_runtime::{ClientPublish, Fence, Namespace};
use streamfence_socketio::server::{MemoryConnector, memory};
use streamfence_socketio::{Server, ServerOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;

/// Sends the bytes to the whole service, over a connection without a network: as they are, or as what follows an upgrade,
/// or the CONNECT to a namespace, or as the packets of a client that has joined one. The first byte says which, and the
/// second how they are cut.
///
/// # Panics
/// When any task of the server does, when a connection outlives its client, or when nobody else is served any more.
pub fn service(bytes: &[u8]) {
    let Some(([kind, cut], bytes)) = bytes.split_first_chunk() else { return };
    watch_panics();
    let join = [UPGRADE, &frame(1, b"40/feed,")].concat();
    let (begin, rest) = match kind % 4 {
        0 => (&b""[..], bytes.to_vec()),
        1 => (UPGRADE, bytes.to_vec()),
        2 => (&join[..], bytes.to_vec()),
        _ => {
            let packets = bytes.split(|&byte| byte == 0xff).map(|packet| match std::str::from_utf8(packet) {
                Ok(_) => frame(1, packet),
                Err(_) => frame(2, packet),
            });
            (&join[..], packets.collect::<Vec<_>>().concat())
        }
    };
    SERVICE.with_borrow_mut(|service| {
        let Service { runtime, server, connector } = service.get_or_insert_with(Service::start);
        runtime.block_on(async {
            let answer = say(connector, begin, &rest, usize::from(*cut) + 1).await;
            if kind % 4 > 1 {
                let joined = b"40/feed,{";
                assert!(answer.windows(joined.len()).any(|said| said == joined), "a client could not join");
            }
            // The server's time runs as fast as it can, so that all its timeouts come to pass.
            for _ in 0..240 {
                if server.connections() == 0 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            assert_eq!(server.connections(), 0, "a connection outlives its client");
            let answer = say(connector, READY, b"", 4096).await;
            assert!(answer.starts_with(b"HTTP/1.1 200"), "nobody else is served");
        });
    });
    assert!(!PANICKED.load(Ordering::SeqCst), "a task of the server has panicked");
}

thread_local! {
    /// One for all inputs: what one of them breaks, the next ones find broken.
    static SERVICE: RefCell<Option<Service>> = const { RefCell::new(None) };
}

struct Service {
    runtime: Runtime,
    server: Server,
    connector: MemoryConnector,
}

impl Service {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        let runtime = runtime.expect("a runtime can be made");
        let (server, connector) = runtime.block_on(async {
            let feed = Namespace::new("/feed").topic("tick").topic("room/*").client_publish(ClientPublish::Relay);
            let fence = Fence::builder().namespace(feed).shards(1).build().expect("the settings fit");
            let (connector, listener) = memory();
            let options = ServerOptions { max_payload_bytes: 4096, ..ServerOptions::default() };
            let server = Server::builder(fence).options(options).start_on(listener).expect("nothing is in the way");
            (server, connector)
        });
        Self { runtime, server, connector }
    }
}

/// Says a beginning, then the rest in pieces of this size, and then that there is no more; what was answered until the end.
async fn say(connector: &MemoryConnector, begin: &[u8], rest: &[u8], piece: usize) -> Vec<u8> {
    let (mut reader, mut writer) = tokio::io::split(connector.connect(4096).await.expect("it listens"));
    let mut answer = Vec::new();
    let hear = async {
        let end = tokio::time::timeout(Duration::from_secs(300), reader.read_to_end(&mut answer)).await;
        assert!(end.is_ok(), "the server keeps a connection whose client has said all it had to say");
    };
    let tell = async {
        let begin = std::iter::once((true, begin));
        for (is_begin, piece) in begin.chain(rest.chunks(piece).map(|piece| (false, piece))) {
            // Whom the server has cut off has nothing more to say.
            if writer.write_all(piece).await.is_err() {
                return;
            }
            if is_begin {
                all_is_handled().await;
            }
        }
        all_is_handled().await;
        let _ = writer.shutdown().await;
    };
    tokio::join!(hear, tell);
    answer
}

/// Time that stands still goes on when no task has anything left to do.
async fn all_is_handled() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// A frame with a mask of zeros.
fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        short @ ..126 => frame.push(0x80 | short as u8),
        middle @ ..65_536 => {
            frame.push(0x80 | 126);
            frame.extend((middle as u16).to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

const READY: &[u8] = b"GET /readyz HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n";
const UPGRADE: &[u8] = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: t\r\nconnection: upgrade\r\n\
    upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

static PANICKED: AtomicBool = AtomicBool::new(false);

/// A task that panics takes nobody along, so that whoever fuzzes would not hear of it.
fn watch_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICKED.store(true, Ordering::SeqCst);
            before(info);
        }));
    });
}
