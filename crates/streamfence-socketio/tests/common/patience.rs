//! Waiting for conditions, never for a length of time.

use std::time::Duration;

/// Only what hangs takes longer, however busy the machine is: a test that passes does not wait for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for something to be done, and fails when it is not in a reasonable time.
pub(crate) async fn in_time<T>(what: &str, done: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, done).await;
    done.unwrap_or_else(|_| panic!("not in time: {what}"))
}

/// Waits for a fact, and fails when it does not become one in a reasonable time.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    in_time(what, async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}
