//! Why a subscription ended. Never whose.

/// Who ended a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnsubscribeReason {
    /// The client asked for it.
    Client,
    /// The application did.
    Server,
    /// A reload took the topic away.
    Removed,
    /// The client stayed above a hard limit of its namespace and made no progress, and this was its fullest lane.
    SlowClient,
    /// It is not known any more that the client may have it: by another token, or another configuration.
    AuthRejected,
    /// An operator ended it.
    Admin,
}

impl UnsubscribeReason {
    /// The name used on the wire, in logs and in labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Removed => "removed",
            Self::SlowClient => "slow_client",
            Self::AuthRejected => "auth_rejected",
            Self::Admin => "admin",
        }
    }
}
