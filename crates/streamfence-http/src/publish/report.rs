//! What became of a message, as it is answered.

use schemars::JsonSchema;
use serde::Serialize;
use streamfence_runtime::PublishReport;

/// What became of a published message: `matched = admitted + rejected`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// The message's identity, the same on every retry.
    id: String,
    /// Clients subscribed to the topic, of those it is for.
    matched: u32,
    /// Clients whose lane queued it.
    admitted: u32,
    /// Of those, clients where it replaced an older value.
    coalesced: u32,
    /// Older messages that gave way to it.
    displaced: u32,
    /// Clients whose lane refused it.
    pub(super) rejected: u32,
    /// Of the admitted, clients whose lane has it on disk, or on its way there.
    spilled: u32,
    /// Why lanes that spill refused it, where any did and there was no place on disk: one of the reasons, if there were
    /// several.
    #[serde(skip_serializing_if = "Option::is_none")]
    spill_refused: Option<String>,
}

impl From<PublishReport> for Report {
    fn from(report: PublishReport) -> Self {
        let PublishReport { id, matched, admitted, coalesced, displaced, rejected, spilled, spill_refused } = report;
        Self {
            id: id.to_string(),
            matched,
            admitted,
            coalesced,
            displaced,
            rejected,
            spilled,
            spill_refused: spill_refused.map(|refusal| refusal.as_str().to_owned()),
        }
    }
}
