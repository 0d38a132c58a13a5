//! The demo: a ticker and alerts, on this machine only, and what to try next.

use std::time::Duration;

use streamfence_config::{Format, Settings};
use streamfence_runtime::{Fence, Payload};

use crate::exit::Failure;

const CONFIG: &str = include_str!("demo.yaml");

pub(crate) fn settings() -> Result<Settings, Failure> {
    let nothing = |_: streamfence_config::Reference<'_>| Err("the demo refers to nothing".to_owned());
    streamfence_config::parse(CONFIG, Format::Yaml, "demo.yaml", &nothing).map_err(Failure::other)
}

/// Publishes until the fence shuts down.
pub(crate) async fn publish(fence: Fence) {
    let mut every = tokio::time::interval(Duration::from_millis(200));
    for tick in 0_u64.. {
        every.tick().await;
        if fence.is_closing() {
            return;
        }
        // A price that wanders, without a random number: two waves that never quite meet.
        let seconds = tick as f64 / 5.0;
        let price = 100.0 + 5.0 * (seconds / 7.0).sin() + 2.0 * (seconds / 1.3).sin();
        say(&fence, "/feed", "ticker", format!(r#"{{"symbol":"DEMO","price":{price:.2},"tick":{tick}}}"#)).await;
        if tick % 25 == 0 {
            let number = tick / 25 + 1;
            say(&fence, "/alerts", "alert", format!(r#"{{"alert":{number},"text":"price is {price:.2}"}}"#)).await;
        }
    }
}

async fn say(fence: &Fence, namespace: &str, topic: &str, json: String) {
    let payload = Payload::raw_json(json).expect("the demo writes JSON");
    // A fence that shuts down between the look and the publish takes no more; the next look ends the demo.
    let _ = fence.publish(namespace, topic, payload).await;
}

/// What to open and to try, for whoever started the demo.
pub(crate) fn guide(server: &str, admin: &str) -> String {
    format!(
        r#"
StreamFence is running a demo, for this machine only.

  clients   http://{server}/socket.io   namespaces /feed (topic ticker), /alerts (topic alert)
  publish   http://{admin}/v1/publish
  numbers   http://{admin}/metrics

Try, in another terminal:

  1. Publish a message, and learn what became of it:
     curl -s http://{admin}/v1/publish -H 'content-type: application/json' \
       -d '{{"namespace":"/feed","topic":"ticker","payload":{{"symbol":"MINE","price":1}}}}'

  2. Subscribe with any Socket.IO client (npm install socket.io-client):
     node -e 'const s=require("socket.io-client").io("http://{server}/feed");
       s.on("connect",()=>s.emit("subscribe",{{topic:"ticker"}}));s.on("ticker",m=>console.log(m))'

  3. See who is connected and what was delivered, dropped and retried:
     curl -s http://{admin}/metrics | grep -E 'active|delivered|dropped|retries'

  4. The same from this program: a client that reads 2,000 bytes a second, and what that does
     streamfence subscribe http://{server} /feed ticker --slow 2000
     streamfence top --admin http://{admin}

A configuration of your own: streamfence serve -c streamfence.yaml    Stop: Ctrl-C
"#
    )
}
