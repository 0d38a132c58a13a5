//! Swap the transport in your tests: clients without sockets, as fast or as slow as a test wants them.
//!
//! ```sh
//! cargo run -p streamfence-runtime --features test-util --example in_memory
//! cargo test -p streamfence-runtime --features test-util --example in_memory
//! ```

use streamfence_runtime::memory::MemoryClient;
use streamfence_runtime::{AtLeastOnce, BuildError, Fence, Namespace, Overflow, Payload, PublishError, Topic};

/// What an application has, and knows nothing of how its clients are connected.
struct Weather {
    fence: Fence,
}

impl Weather {
    fn new() -> Result<Self, BuildError> {
        let weather = Namespace::new("/weather")
            .topic_with(Topic::new("temperature").best_effort(Overflow::DropOldest).max_queued_messages(3))
            .topic_with(Topic::new("storm").at_least_once(AtLeastOnce::default().window(1).max_retries(2)));
        Ok(Self { fence: Fence::builder().namespace(weather).build()? })
    }

    async fn measured(&self, degrees: i32) -> Result<(), PublishError> {
        let payload = Payload::serialize(&degrees).expect("a number is JSON");
        self.fence.publish("/weather", "temperature", payload).await.map(drop)
    }

    /// Warns everyone, and says how many that is.
    async fn warn(&self, of: &str) -> Result<u32, PublishError> {
        let payload = Payload::serialize(of).expect("text is JSON");
        Ok(self.fence.publish("/weather", "storm", payload).await?.admitted)
    }
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example shows what happens")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let weather = Weather::new()?;
    // A slow client: it takes one message, and the next when it has read that.
    let mut slow = MemoryClient::connect(&weather.fence, "/weather", 1);
    slow.subscribe("temperature").await;
    for degrees in 1..=10 {
        weather.measured(degrees).await?;
    }
    for _ in 0..4 {
        println!("the slow client hears {}", slow.recv().await.text());
    }
    slow.subscribe("storm").await;
    println!("{} client is warned of hail", weather.warn("hail").await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slow_client_ends_with_the_newest_temperatures() {
        let weather = Weather::new().expect("the catalog is valid");
        let mut slow = MemoryClient::connect(&weather.fence, "/weather", 1);
        slow.subscribe("temperature").await;
        for degrees in 1..=10 {
            weather.measured(degrees).await.expect("the topic exists");
        }
        let mut heard = Vec::new();
        for _ in 0..4 {
            heard.push(slow.recv().await.text().to_owned());
        }
        assert_eq!(heard, ["1", "8", "9", "10"], "one was sent at once, and the lane holds three");
    }

    #[tokio::test(start_paused = true)]
    async fn a_warning_comes_again_until_it_is_acked() {
        let weather = Weather::new().expect("the catalog is valid");
        let mut client = MemoryClient::connect(&weather.fence, "/weather", 8);
        client.subscribe("storm").await;
        assert_eq!(weather.warn("hail").await.expect("the topic exists"), 1);
        assert_eq!(weather.warn("snow").await.expect("the topic exists"), 1);
        let first = client.recv().await;
        let again = client.recv().await;
        assert_eq!((first.text(), first.id), (again.text(), again.id));
        assert_eq!((first.attempt, again.attempt), (1, 2));
        client.ack("storm", again.id);
        assert_eq!(client.recv().await.text(), r#""snow""#, "its turn comes with the ack");
    }
}
