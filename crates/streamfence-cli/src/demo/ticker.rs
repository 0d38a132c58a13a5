//! What the demo publishes: prices that wander, on topics that differ in their policies alone, and an alert now and then.

use std::time::Duration;

use serde::Serialize;
use streamfence_runtime::{Fence, Payload};

/// How often something is published.
const TICK: Duration = Duration::from_millis(50);
const SYMBOLS: [&str; 8] = ["DEMO", "ALDER", "BIRCH", "CEDAR", "ELDER", "HAZEL", "LARCH", "ROWAN"];

/// How many ticks lie between two of a kind.
const OFFERS: u64 = 2;
const TRADES: u64 = 2;
const BOARDS: u64 = 4;
const ALERTS: u64 = 40;

#[derive(Serialize)]
struct Price {
    symbol: &'static str,
    price: f64,
    tick: u64,
}

#[derive(Serialize)]
struct Offer {
    offer: u64,
    symbol: &'static str,
    side: &'static str,
    price: f64,
}

#[derive(Serialize)]
struct Trade {
    trade: u64,
    symbol: &'static str,
    price: f64,
    quantity: u64,
}

#[derive(Serialize)]
struct Board {
    tick: u64,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    symbol: &'static str,
    price: f64,
    open: f64,
    yesterday: f64,
}

#[derive(Serialize)]
struct Alert {
    alert: u64,
    text: String,
}

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
        let place = tick as usize % SYMBOLS.len();
        let (symbol, price) = (SYMBOLS[place], price_of(place, tick));
        say(&fence, "/feed", "ticker", &Price { symbol: SYMBOLS[0], price: price_of(0, tick), tick }).await;
        say(&fence, "/feed", "prices", &Price { symbol, price, tick }).await;
        if tick % OFFERS == 0 {
            let side = if price_of(place, tick + 1) > price { "buy" } else { "sell" };
            say(&fence, "/feed", "offers", &Offer { offer: tick / OFFERS, symbol, side, price }).await;
        }
        if tick % TRADES == 0 {
            let quantity = tick * 7 % 90 + 10;
            say(&fence, "/feed", "trades", &Trade { trade: tick / TRADES, symbol, price, quantity }).await;
        }
        if tick % BOARDS == 0 {
            say(&fence, "/feed", "board", &Board { tick, rows: rows(tick) }).await;
        }
        if tick % ALERTS == 0 {
            let text = format!("{} is at {:.2}", SYMBOLS[0], price_of(0, tick));
            say(&fence, "/alerts", "alert", &Alert { alert: tick / ALERTS + 1, text }).await;
        }
    }
}

fn rows(tick: u64) -> Vec<Row> {
    let row = |(place, symbol)| Row {
        symbol,
        price: price_of(place, tick),
        open: price_of(place, 0),
        yesterday: price_of(place, 1_000),
    };
    SYMBOLS.into_iter().enumerate().map(row).collect()
}

/// A price that wanders, without a random number: two waves that never quite meet.
fn price_of(place: usize, tick: u64) -> f64 {
    let seconds = tick as f64 * TICK.as_secs_f64() + place as f64 * 11.0;
    let price = 100.0 + 12.0 * place as f64 + 5.0 * (seconds / 7.0).sin() + 2.0 * (seconds / 1.3).sin();
    (price * 100.0).round() / 100.0
}

async fn say(fence: &Fence, namespace: &str, topic: &str, value: &impl Serialize) {
    let payload = Payload::serialize(value).expect("numbers and text have a JSON form");
    // A fence that shuts down between the look and the publish takes no more; the next look ends the demo.
    let _ = fence.publish(namespace, topic, payload).await;
}
