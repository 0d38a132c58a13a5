//! Publishing, and waiting for who acks it. Never longer than the caller says.

use std::num::NonZeroU32;
use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use super::{Fence, LONGEST_DRAIN};
use crate::acks::{AckWait, Acked, MOST_WAITS};
use crate::payload::Payload;
use crate::report::{Ballot, PublishError};
use crate::to::To;

impl Fence {
    /// Publishes a message as [`Fence::publish_to`] does, and waits until clients have acked it: as many as are wanted, or all that admitted it. It waits no
    /// longer when no more acks can come, because the message was given up or its clients are gone.
    ///
    /// ```
    /// use std::time::Duration;
    /// use streamfence_runtime::{AckWait, AtLeastOnce, Fence, Namespace, Payload, To};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let alerts = Namespace::new("/alerts").topic("alert").at_least_once(AtLeastOnce::default());
    /// let fence = Fence::builder().namespace(alerts).build()?;
    /// let wait = AckWait { count: None, timeout: Duration::from_secs(5) };
    /// let acked = fence.publish_acked("/alerts", To::everyone(), "alert", Payload::serialize(&1)?, wait).await?;
    /// assert_eq!((acked.report.admitted, acked.clients.len(), acked.timed_out), (0, 0, false));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`Fence::publish`], and [`PublishError::NotAcked`] where the topic is not at-least-once,
    /// [`PublishError::TooManyWaits`] where 1,024 publishers wait already. After an error nobody has the message.
    pub async fn publish_acked(
        &self,
        namespace: &str,
        to: impl Into<To>,
        topic: &str,
        payload: Payload,
        wait: AckWait,
    ) -> Result<Acked, PublishError> {
        let audience = to.into().into();
        let now = Instant::now();
        let deadline = now.checked_add(wait.timeout).unwrap_or_else(|| now + LONGEST_DRAIN);
        let found = self.topic(namespace, topic)?;
        if !found.entry.class.policy.is_at_least_once() {
            return Err(PublishError::NotAcked { namespace: namespace.to_owned(), topic: topic.to_owned() });
        }
        let place = self.0.ack_waits.try_acquire();
        let _place = place.map_err(|_| PublishError::TooManyWaits { most: MOST_WAITS })?;
        let ballot = Arc::new(Ballot::with_acks(self.0.shards.len()));
        let report = self.publish_on(found, payload, audience, &ballot).await?;
        let acks = ballot.acks().expect("the ballot was made with them");
        let wanted = wait.count.map_or(report.admitted, NonZeroU32::get);
        let timed_out = timeout_at(deadline, acks.wait_for(wanted, report.admitted)).await.is_err();
        Ok(Acked { report, wanted, clients: acks.clients(), timed_out })
    }
}
