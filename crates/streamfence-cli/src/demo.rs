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
    let dashboard = if admin.starts_with("unix:") { admin.to_owned() } else { format!("http://{admin}/") };
    format!(
        r#"
  Open      {dashboard}

StreamFence is running a demo, for this machine only. Open the dashboard and start a slow client: each topic of /feed has
another policy, and shows what it does for a client that cannot keep up, while the others go on undisturbed.

  clients   http://{server}/socket.io   namespaces /feed (ticker, prices, board, offers, trades), /alerts (alert)
  publish   http://{admin}/v1/publish
  numbers   http://{admin}/metrics

Try, in another terminal:

  1. Publish a message, and learn what became of it:
     curl -s http://{admin}/v1/publish -H 'content-type: application/json' \
       -d '{{"namespace":"/feed","topic":"ticker","payload":{{"symbol":"MINE","price":1}}}}'

  2. Subscribe with any Socket.IO client (npm install socket.io-client):
     node -e 'const s=require("socket.io-client").io("http://{server}/feed");
       s.on("connect",()=>s.emit("subscribe",{{topic:"ticker"}}));s.on("ticker",m=>console.log(m))'

  3. The same from this program: a client that reads 2,000 bytes a second, and what that does
     streamfence subscribe http://{server} /feed ticker --slow 2000
     streamfence top --admin http://{admin}

A configuration of your own: streamfence serve -c streamfence.yaml    Stop: Ctrl-C
"#
    )
}
