//! The demo: news under several policies, clients that keep up, and some that one can start and watch. On this machine only.

mod role;
mod routes;
mod ticker;
mod visitors;

use std::time::Duration;

use axum::Router;
use streamfence_client::{Connector, Trust};
use streamfence_config::{Format, Settings};
use streamfence_runtime::Fence;

use self::visitors::Visitors;
use crate::exit::Failure;

const CONFIG: &str = include_str!("demo.yaml");

/// How long a client of the demo waits for its server.
const PATIENCE: Duration = Duration::from_secs(10);

/// What runs where nobody has given a configuration.
#[derive(Default)]
pub(crate) struct Demo {
    visitors: Visitors,
}

impl Demo {
    /// What it runs with.
    pub(crate) fn settings() -> Result<Settings, Failure> {
        let nothing = |_: streamfence_config::Reference<'_>| Err("the demo refers to nothing".to_owned());
        streamfence_config::parse(CONFIG, Format::Yaml, "demo.yaml", &nothing).map_err(Failure::other)
    }

    /// What the dashboard asks it.
    pub(crate) fn routes(&self) -> Router {
        routes::router(self.visitors.clone())
    }

    /// Begins to publish, and lets its clients in, once the server listens there.
    pub(crate) fn begin(&self, fence: &Fence, server: &str) -> Result<(), Failure> {
        let target = server.parse().map_err(Failure::other)?;
        let connector = Connector::new(target, &Trust::System, None, PATIENCE).map_err(Failure::other)?;
        tokio::spawn(ticker::publish(fence.clone()));
        self.visitors.open(connector, fence);
        Ok(())
    }
}

/// What to open and to try, for whoever started the demo.
pub(crate) fn guide(server: &str, admin: &str) -> String {
    let (server, admin) = (Place(server), Place(admin));
    let (dashboard, publish, numbers) = (admin.to_open(), admin.at("/v1/publish"), admin.at("/metrics"));
    let (clients, target, operator) = (server.at("/socket.io"), server.target(), admin.target());
    let (curl, node) = (admin.curl("/v1/publish"), server.in_node("/feed"));
    format!(
        r#"
  Open      {dashboard}

StreamFence is running a demo, for this machine only. Open the dashboard and start a slow client: each topic of /feed has
another policy, and shows what it does for a client that cannot keep up, while the others go on undisturbed.

  clients   {clients}   namespaces /feed (ticker, prices, board, offers, trades), /alerts (alert)
  publish   {publish}
  numbers   {numbers}

Try, in another terminal:

  1. Publish a message, and learn what became of it:
     {curl} -H 'content-type: application/json' \
       -d '{{"namespace":"/feed","topic":"ticker","payload":{{"symbol":"MINE","price":1}}}}'

  2. Subscribe with any Socket.IO client (npm install socket.io-client):
     {node}

  3. The same from this program: a client that reads 2,000 of some 7,000 bytes a second, and soon after what that does
     streamfence subscribe {target} /feed ticker prices board offers trades --slow 2000
     streamfence top --admin {operator}

A configuration of your own: streamfence serve -c streamfence.yaml    Stop: Ctrl-C
"#
    )
}

/// Where something of the demo listens, as it is written for a browser, for curl, and for our own commands.
struct Place<'a>(&'a str);

impl Place<'_> {
    fn socket(&self) -> Option<&str> {
        self.0.strip_prefix("unix:")
    }

    /// What to open in a browser.
    fn to_open(&self) -> String {
        match self.socket() {
            None => self.at("/"),
            Some(_) => {
                format!("{}   (no browser opens a Unix socket: --admin-listen 127.0.0.1:9093 is for one)", self.0)
            }
        }
    }

    /// What is found at a path there.
    fn at(&self, path: &str) -> String {
        match self.socket() {
            None => format!("http://{}{path}", self.0),
            Some(_) => format!("{path} at {}", self.0),
        }
    }

    /// How curl asks for it.
    fn curl(&self, path: &str) -> String {
        match self.socket() {
            None => format!("curl -s http://{}{path}", self.0),
            Some(socket) => format!("curl -s --unix-socket {} http://localhost{path}", quoted(socket)),
        }
    }

    /// How our own commands are told of it.
    fn target(&self) -> String {
        match self.socket() {
            None => format!("http://{}", self.0),
            Some(_) => quoted(self.0),
        }
    }

    /// How the client for Node connects to it.
    fn in_node(&self, namespace: &str) -> String {
        match self.socket() {
            None => format!(
                r#"node -e 'const s=require("socket.io-client").io("http://{}{namespace}");
       s.on("connect",()=>s.emit("subscribe",{{topic:"ticker"}}));s.on("ticker",m=>console.log(m))'"#,
                self.0
            ),
            Some(_) => "of an address and a port: start the demo with --listen 127.0.0.1:3000".to_owned(),
        }
    }
}

/// A word as a shell reads it whole.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/:._-+,@%".contains(c);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_on_a_unix_socket_is_shown_as_it_can_be_reached() {
        let guide = guide("unix:/run/my feed.sock", "unix:/run/admin.sock");
        assert!(!guide.contains("http://unix:") && !guide.contains("http:///"), "{guide}");
        for wanted in [
            "  Open      unix:/run/admin.sock ",
            "  publish   /v1/publish at unix:/run/admin.sock\n",
            "curl -s --unix-socket /run/admin.sock http://localhost/v1/publish -H",
            "streamfence subscribe 'unix:/run/my feed.sock' /feed ticker",
            "streamfence top --admin unix:/run/admin.sock\n",
        ] {
            assert!(guide.contains(wanted), "{wanted}: {guide}");
        }
    }

    #[test]
    fn what_listens_on_an_address_is_shown_as_a_link() {
        let guide = guide("127.0.0.1:3000", "127.0.0.1:9093");
        for wanted in [
            "  Open      http://127.0.0.1:9093/\n",
            "  clients   http://127.0.0.1:3000/socket.io   namespaces",
            "curl -s http://127.0.0.1:9093/v1/publish -H",
            r#"io("http://127.0.0.1:3000/feed");"#,
            "streamfence subscribe http://127.0.0.1:3000 /feed ticker",
        ] {
            assert!(guide.contains(wanted), "{wanted}: {guide}");
        }
    }
}
