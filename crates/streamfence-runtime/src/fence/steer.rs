//! What somebody who operates a fence does to a client, and to what its messages may take.

use std::sync::Arc;

use streamfence_core::{ClientId, CloseReason, UnsubscribeReason};

use super::Fence;
use crate::command::Control;

impl Fence {
    /// Holds messages to another [budget](crate::FenceBuilder::memory_budget) from now on, and returns when all shards know.
    /// Where they take more than that, lanes shed and refuse as they do at any budget that is used up, at once. `false`,
    /// and nothing has changed, where the fence was built without one.
    ///
    /// ```
    /// use streamfence_runtime::{Fence, Namespace};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let fence = Fence::builder().namespace(Namespace::new("/feed").topic("tick")).memory_budget(1 << 30).build()?;
    /// assert!(fence.set_memory_budget(1 << 20).await);
    /// assert_eq!(fence.memory().map(|memory| memory.budget_bytes), Some(1 << 20));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn set_memory_budget(&self, bytes: u64) -> bool {
        let Some(budget) = &self.0.budget else { return false };
        budget.change(bytes);
        self.ask_all(Control::CatchUp).await;
        true
    }

    /// Ends every session of a principal, over all namespaces, and says how many there were.
    pub async fn disconnect_principal(&self, principal: &str) -> u64 {
        let principal: Arc<str> = principal.into();
        let answers = self.ask_all(|answer| Control::DisconnectAll(principal.clone(), CloseReason::Server, answer));
        answers.await.into_iter().sum()
    }

    /// Ends a client's subscription to the topic of that name, and tells it so. Whether it had one; `None` when there is no
    /// such client.
    pub async fn unsubscribe(&self, client: ClientId, topic: &str, reason: UnsubscribeReason) -> Option<bool> {
        let topic: Arc<str> = topic.into();
        let answers = self.ask_all(|answer| Control::Unsubscribe(client, topic.clone(), reason, answer));
        answers.await.into_iter().flatten().next()
    }
}
