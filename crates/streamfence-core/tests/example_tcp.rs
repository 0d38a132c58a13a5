//! The example is run, not only compiled: what a reader learns from must work.

#[expect(dead_code, reason = "the demo is called here, and not by way of the command line")]
#[path = "../examples/tcp.rs"]
mod tcp;

#[tokio::test]
async fn the_reading_client_misses_nothing_and_the_stalled_one_blocks_nobody() {
    tcp::demo().await.expect("the demo shows what it says");
}
