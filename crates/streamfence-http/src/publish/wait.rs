//! What the answer to a publish waits for, as its body says it.

use std::num::NonZeroU32;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use streamfence_runtime::AckWait;

use crate::problem::Problem;

/// The longest a publish may wait.
const LONGEST: Duration = Duration::from_secs(300);

/// What the answer waits for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", expecting = "wait: wanted an object with `for`")]
pub(crate) struct WaitRequest {
    /// What has to have happened.
    #[serde(rename = "for")]
    what: WaitFor,
    /// The acks of how many clients; of all that admitted the message without it. For `acked` alone.
    count: Option<AckCount>,
    /// How long, in milliseconds: 1 to 300,000. For `acked`, which needs it, alone.
    timeout_ms: Option<NonZeroU32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum WaitFor {
    /// All lanes have decided, which is what any publish waits for.
    Enqueued,
    /// Clients have acked the message. The topic must be at-least-once.
    Acked,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "count: wanted a number from 1, or \"all\"")]
enum AckCount {
    Number(NonZeroU32),
    Word(AckCountWord),
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum AckCountWord {
    All,
}

impl WaitRequest {
    /// Which acks are waited for; `None` where none are.
    pub(super) fn acks(&self) -> Result<Option<AckWait>, Problem> {
        match (self.what, &self.count, self.timeout_ms) {
            (WaitFor::Enqueued, None, None) => Ok(None),
            (WaitFor::Enqueued, ..) => Err(Problem::bad_request("wait for enqueued takes no count and no timeoutMs")),
            (WaitFor::Acked, _, None) => Err(Problem::bad_request("wait for acked is without timeoutMs; wanted one")),
            (WaitFor::Acked, count, Some(timeout)) => {
                let timeout = Duration::from_millis(timeout.get().into());
                if timeout > LONGEST {
                    let (found, most) = (timeout.as_millis(), LONGEST.as_millis());
                    return Err(Problem::bad_request(format!("timeoutMs is {found}; wanted at most {most}")));
                }
                let count = match count {
                    Some(AckCount::Number(count)) => Some(*count),
                    Some(AckCount::Word(AckCountWord::All)) | None => None,
                };
                Ok(Some(AckWait { count, timeout }))
            }
        }
    }
}
