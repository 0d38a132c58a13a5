//! What became of a message, as it is answered.

use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use streamfence_runtime::{Acked, PublishReport};

/// What became of a published message: `matched = admitted + rejected`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// The message's identity, the same on every retry.
    id: String,
    /// Clients subscribed to the topic, of those it is for.
    matched: u32,
    /// Clients whose lane queued it.
    pub(super) admitted: u32,
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
    /// Who has acked it, where the publish was to wait for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    acked: Option<AckedReport>,
}

/// Who had acked a message when the wait for that was over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AckedReport {
    /// Of how many clients acks were waited for.
    wanted: u32,
    /// Of how many they came.
    count: usize,
    /// Their ids, in the order in which they acked.
    clients: Vec<String>,
    /// Whether the time was over before. If it was not and `count` is less than `wanted`, no more can come: the message
    /// was given up for the others, or they are gone.
    timed_out: bool,
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
            acked: None,
        }
    }
}

impl From<Acked> for Report {
    fn from(Acked { report, wanted, clients, timed_out }: Acked) -> Self {
        let clients: Vec<_> = clients.iter().map(ToString::to_string).collect();
        let acked = AckedReport { wanted, count: clients.len(), clients, timed_out };
        Self { acked: Some(acked), ..report.into() }
    }
}

impl Report {
    /// What such a report is answered with.
    pub(super) fn status(&self) -> StatusCode {
        if self.acked.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED }
    }
}
