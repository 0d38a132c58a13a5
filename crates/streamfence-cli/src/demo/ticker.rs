//! What the demo publishes: prices that wander, on topics that differ in their policies alone, and an alert now and then.

use std::time::Duration;

use serde_json::{Value, json};
use streamfence_runtime::{Fence, Payload};

/// How often something is published.
const TICK: Duration = Duration::from_millis(50);
const SYMBOLS: [&str; 8] = ["DEMO", "ALDER", "BIRCH", "CEDAR", "ELDER", "HAZEL", "LARCH", "ROWAN"];

/// Publishes until the fence shuts down.
pub(super) async fn publish(fence: Fence) {
    let mut every = tokio::time::interval(TICK);
    // A machine that was away for a while does not get all of it at once.
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for tick in 0_u64.. {
        every.tick().await;
        if fence.is_closing() {
            return;
        }
        let symbol = SYMBOLS[tick as usize % SYMBOLS.len()];
        say(&fence, "/feed", "ticker", json!({"symbol": "DEMO", "price": price(0, tick), "tick": tick})).await;
        say(&fence, "/feed", "prices", json!({"symbol": symbol, "price": price(place(tick), tick), "tick": tick}))
            .await;
        if tick % 2 == 0 {
            let side = if price(place(tick), tick + 1) > price(place(tick), tick) { "buy" } else { "sell" };
            let offer = json!({"offer": tick, "symbol": symbol, "side": side, "price": price(place(tick), tick)});
            say(&fence, "/feed", "offers", offer).await;
            let quantity = tick * 7 % 90 + 10;
            let trade =
                json!({"trade": tick / 2, "symbol": symbol, "price": price(place(tick), tick), "quantity": quantity});
            say(&fence, "/feed", "trades", trade).await;
        }
        if tick % 4 == 0 {
            let row = |(place, symbol): (usize, &&str)| json!({"symbol": symbol, "price": price(place, tick), "low": price(place, tick / 400 * 400), "open": price(place, 0)});
            let rows: Vec<Value> = SYMBOLS.iter().enumerate().map(row).collect();
            say(&fence, "/feed", "board", json!({"tick": tick, "rows": rows})).await;
        }
        if tick % 40 == 0 {
            let alert = json!({"alert": tick / 40 + 1, "text": format!("DEMO is at {:.2}", price(0, tick))});
            say(&fence, "/alerts", "alert", alert).await;
        }
    }
}

fn place(tick: u64) -> usize {
    tick as usize % SYMBOLS.len()
}

/// A price that wanders, without a random number: two waves that never quite meet.
fn price(place: usize, tick: u64) -> f64 {
    let seconds = tick as f64 * TICK.as_secs_f64() + place as f64 * 11.0;
    let price = 100.0 + 12.0 * place as f64 + 5.0 * (seconds / 7.0).sin() + 2.0 * (seconds / 1.3).sin();
    (price * 100.0).round() / 100.0
}

async fn say(fence: &Fence, namespace: &str, topic: &str, value: Value) {
    let payload = Payload::raw_json(value.to_string()).expect("a value is JSON");
    // A fence that shuts down between the look and the publish takes no more; the next look ends the demo.
    let _ = fence.publish(namespace, topic, payload).await;
}
