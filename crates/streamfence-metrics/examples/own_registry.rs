//! The numbers of a fence beside those of the application that embeds it: one registry, one page to scrape.
//!
//! ```sh
//! cargo run -p streamfence-metrics --example own_registry
//! cargo test -p streamfence-metrics --example own_registry
//! ```

use std::fmt;
use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use streamfence_metrics::Metrics;
use streamfence_runtime::memory::MemoryClient;
use streamfence_runtime::{BuildError, Catalog, Fence, Namespace, Overflow, Payload};

/// An application that has had its metrics before it had a fence.
struct Shop {
    fence: Fence,
    registry: Registry,
    orders: Counter,
}

impl Shop {
    fn new() -> Result<Self, BuildError> {
        let mut registry = Registry::default();
        let orders = Counter::default();
        registry.register("shop_orders", "Orders taken", orders.clone());

        let prices = Namespace::new("/shop").topic("price").best_effort(Overflow::DropOldest).max_queued_messages(8);
        let catalog = Catalog::builder().namespace(prices).build()?;
        // The families of the fence show in the registry from here on, whatever else it holds.
        let metrics = Metrics::register(&mut registry, &catalog);
        let fence = Fence::from_catalog(catalog.into()).observer(Arc::new(metrics)).build()?;
        Ok(Self { fence, registry, orders })
    }

    /// What is answered to whoever scrapes `/metrics`, as `application/openmetrics-text; version=1.0.0; charset=utf-8`.
    fn scrape(&self) -> Result<String, fmt::Error> {
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &self.registry)?;
        Ok(page)
    }
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example shows what happens")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let shop = Shop::new()?;
    let mut client = MemoryClient::connect(&shop.fence, "/shop", 8);
    client.subscribe("price").await;
    shop.fence.publish("/shop", "price", Payload::serialize(&101.5)?).await?;
    client.recv().await;
    shop.orders.inc();
    // Numbers are handed over once a second, and all of them when the fence stops.
    shop.fence.shutdown(std::time::Duration::from_secs(1)).await;
    let page = shop.scrape()?;
    for line in page.lines().filter(|line| !line.starts_with('#') && !line.ends_with(" 0")) {
        println!("{line}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_page_shows_the_orders_and_the_messages() {
        let shop = Shop::new().expect("the catalog is valid");
        let mut client = MemoryClient::connect(&shop.fence, "/shop", 8);
        client.subscribe("price").await;
        let price = Payload::serialize(&101.5).expect("a number is JSON");
        shop.fence.publish("/shop", "price", price).await.expect("the topic exists");
        assert_eq!(client.recv().await.text(), "101.5");
        shop.orders.inc();
        shop.fence.shutdown(Duration::ZERO).await;
        let page = shop.scrape().expect("writing to a string cannot fail");
        for line in [
            "shop_orders_total 1",
            "streamfence_messages_published_total{namespace=\"/shop\",topic=\"price\"} 1",
            "streamfence_messages_delivered_total{namespace=\"/shop\",topic=\"price\"} 1",
            "streamfence_publish_to_sent_seconds_count{namespace=\"/shop\",topic=\"price\"} 1",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is missing:\n{page}");
        }
        assert_eq!(page.matches("# EOF").count(), 1, "it is one page");
    }
}
