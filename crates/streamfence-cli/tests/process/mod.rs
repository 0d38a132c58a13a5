//! The binary as a child that never outlives its test, and a client made of plain sockets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What a command has left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    /// `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a command to its end.
pub(crate) fn run(arguments: &[&str]) -> Finished {
    Running::start(arguments).wait()
}

/// A command that runs; it is killed when it is dropped.
pub(crate) struct Running {
    child: Child,
    stdout: Said,
    stderr: Said,
}

/// What is read from a pipe, while it is written.
struct Said {
    text: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Said {
    fn hear(pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let heard = text.clone();
        let reader = std::thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = String::new();
            while pipe.read_line(&mut line).is_ok_and(|read| read > 0) {
                heard.lock().expect("no panic").push_str(&line);
                line.clear();
            }
        });
        Self { text, reader: Some(reader) }
    }

    fn so_far(&self) -> String {
        self.text.lock().expect("no panic").clone()
    }

    fn all(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("a reader does not panic");
        }
        self.so_far()
    }
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    /// The same with variables of its environment.
    pub(crate) fn start_with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_streamfence"));
        Self::spawn(command.args(arguments).envs(variables.iter().copied()))
    }

    /// The same after some words to a shell, such as `ulimit`.
    pub(crate) fn start_after(words: &str, arguments: &[&str]) -> Self {
        let script = format!("{words}; exec \"$0\" \"$@\"");
        Self::spawn(Command::new("sh").args(["-c", &script, env!("CARGO_BIN_EXE_streamfence")]).args(arguments))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .env_remove("RUST_LOG")
            .env_remove("STREAMFENCE_TOKEN")
            .env_remove("STREAMFENCE_KEY")
            .env_remove("STREAMFENCE_CACERT")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let stdout = Said::hear(child.stdout.take().expect("it is piped"));
        let stderr = Said::hear(child.stderr.take().expect("it is piped"));
        Self { child, stdout, stderr }
    }

    /// Waits for a fact, and fails with what the command has said when it does not become one.
    pub(crate) fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(Instant::now() < deadline, "not in time: {what}\n{}", self.stderr.so_far());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Its log so far, where that is JSON.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let text = self.stderr.so_far();
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{line}: {why}"))).collect()
    }

    /// Where a server listens, once it does.
    pub(crate) fn address(&mut self, server: &str) -> String {
        let mut address = None;
        self.until(&format!("{server} listens"), |running| {
            let lines = running.lines();
            let line = lines.iter().find(|line| line["message"] == "listening" && line["server"] == server);
            address = line.map(|line| line["address"].as_str().expect("an address is text").to_owned());
            address.is_some() || running.status().is_some_and(|status| panic!("it ended: {status}"))
        });
        address.expect("it was waited for")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said on stderr so far.
    pub(crate) fn said(&self) -> String {
        self.stderr.so_far()
    }

    /// What it has printed on stdout so far.
    pub(crate) fn printed(&self) -> String {
        self.stdout.so_far()
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(sent.expect("there is `kill`").success());
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn interrupt(&mut self, name: &str) -> Finished {
        self.signal(name);
        self.wait()
    }

    pub(crate) fn wait(&mut self) -> Finished {
        self.until("it ends", |running| running.status().is_some());
        let code = self.status().and_then(|status| status.code());
        Finished { code, stdout: self.stdout.all(), stderr: self.stderr.all() }
    }

    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended cannot be killed, which is what was wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A directory that is removed when it is dropped.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("streamfence-cli-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary directory can be made");
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("the path is text").to_owned()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).expect("the directory can be written to");
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// One GET: the status and the body.
pub(crate) fn get(address: &str, target: &str) -> (u16, String) {
    request(address, &format!("GET {target} HTTP/1.1\r\n"), "")
}

/// One POST of JSON: the status and the body.
pub(crate) fn post(address: &str, target: &str, body: &Value) -> (u16, String) {
    request(address, &format!("POST {target} HTTP/1.1\r\ncontent-type: application/json\r\n"), &body.to_string())
}

/// A request whose head ends where ours begins: the status and the body.
pub(crate) fn ask(address: &str, head: &str, body: &str) -> (u16, String) {
    request(address, head, body)
}

/// A request on a connection of its own; status 0 when there is no server, or none any more.
pub(crate) fn request(address: &str, head: &str, body: &str) -> (u16, String) {
    let answer = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let length = body.len();
        write!(stream, "{head}host: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")?;
        std::io::read_to_string(stream)
    };
    let answer = answer().unwrap_or_default();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, body.to_owned())
}

/// A Socket.IO client that polls, each time on a connection of its own.
pub(crate) struct Poller {
    address: String,
    target: String,
}

impl Poller {
    pub(crate) fn join(address: &str, namespace: &str) -> Self {
        Self::join_with(address, namespace, "")
    }

    /// The same with what the client says of itself, as JSON.
    pub(crate) fn join_with(address: &str, namespace: &str, auth: &str) -> Self {
        const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
        let (status, open) = get(address, POLLING);
        assert_eq!(status, 200, "{open}");
        let sid = open.split(r#""sid":""#).nth(1).and_then(|rest| rest.split('"').next()).expect("a session");
        let mut poller = Self { address: address.to_owned(), target: format!("{POLLING}&sid={sid}") };
        poller.say(&format!("40{namespace},{auth}"));
        poller.until(&format!("40{namespace},"));
        poller
    }

    pub(crate) fn say(&mut self, packet: &str) {
        let (status, answer) = request(&self.address, &format!("POST {} HTTP/1.1\r\n", self.target), packet);
        assert_eq!((status, answer.as_str()), (200, "ok"), "{packet}");
    }

    /// Polls until a packet has this in it.
    pub(crate) fn until(&mut self, wanted: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (status, packets) = get(&self.address, &self.target);
            assert_eq!(status, 200, "{packets}");
            if packets.split('\u{1e}').any(|packet| packet == "2") {
                self.say("3");
            }
            if let Some(packet) = packets.split('\u{1e}').find(|packet| packet.contains(wanted)) {
                return packet.to_owned();
            }
            assert!(Instant::now() < deadline, "not in time: {wanted}");
        }
    }
}
