//! Why the door stays shut.

/// Which limit did not let somebody or something in. A closed set: it is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalReason {
    /// The server has as many connections as it may.
    Full,
    /// The address has as many connections as it may.
    ConnectionsPerIp,
    /// The address has opened as many sessions as it may in a while.
    HandshakeRate,
    /// As many sessions as may have joined no namespace yet.
    Pending,
    /// The address has as many sessions as it may that have joined no namespace yet, or ended so of late.
    PendingPerIp,
    /// As many sessions as may be kept have ended of late without having joined a namespace.
    Departed,
    /// A proxy said who it speaks for in no version of the PROXY protocol, or did not say it in time.
    ProxyHeader,
    /// The page of a browser is not one that may connect.
    Origin,
    /// The header of a request is larger than it may be.
    HeaderTooLarge,
    /// The header of a request took longer than it may.
    HeaderTimeout,
    /// A request is not what HTTP and Engine.IO know.
    BadRequest,
    /// A request names a session that is not there, or is there no more.
    UnknownSession,
    /// The body of a request is larger than it may be.
    BodyTooLarge,
    /// The body of a request took longer than it may.
    BodyTimeout,
    /// A client that polls said more without reading the answers than it may.
    Unread,
    /// A client wanted more in a while than it may.
    Rate,
    /// A client published more bytes than a payload may have.
    PayloadTooLarge,
    /// A packet of a client has more attachments than it may.
    Attachments,
    /// A client sent more pings, heartbeats and empty pieces than it may.
    ControlFrames,
    /// A client acked more messages that never were than anybody does by mistake.
    UnknownAcks,
    /// A request names a session that is somebody else's.
    ForeignSession,
    /// A client has as many subscriptions as it may.
    Subscriptions,
    /// What a client said nests deeper than it may.
    TooDeep,
    /// The application did not want it.
    Veto,
    /// The application panicked when it was asked whether it wants it.
    HookPanicked,
}

impl RefusalReason {
    /// All of them, for whoever makes a label of each.
    pub const ALL: [Self; 25] = [
        Self::Full,
        Self::ConnectionsPerIp,
        Self::HandshakeRate,
        Self::Pending,
        Self::PendingPerIp,
        Self::Departed,
        Self::ProxyHeader,
        Self::Origin,
        Self::HeaderTooLarge,
        Self::HeaderTimeout,
        Self::BadRequest,
        Self::UnknownSession,
        Self::BodyTooLarge,
        Self::BodyTimeout,
        Self::Unread,
        Self::Rate,
        Self::PayloadTooLarge,
        Self::Attachments,
        Self::ControlFrames,
        Self::UnknownAcks,
        Self::ForeignSession,
        Self::Subscriptions,
        Self::TooDeep,
        Self::Veto,
        Self::HookPanicked,
    ];

    /// The name used in logs and labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::ConnectionsPerIp => "connections_per_ip",
            Self::HandshakeRate => "handshake_rate",
            Self::Pending => "pending",
            Self::PendingPerIp => "pending_per_ip",
            Self::Departed => "departed",
            Self::ProxyHeader => "proxy_header",
            Self::Origin => "origin",
            Self::HeaderTooLarge => "header_too_large",
            Self::HeaderTimeout => "header_timeout",
            Self::BadRequest => "bad_request",
            Self::UnknownSession => "unknown_session",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyTimeout => "body_timeout",
            Self::Unread => "unread",
            Self::Rate => "rate",
            Self::PayloadTooLarge => "payload_too_large",
            Self::Attachments => "attachments",
            Self::ControlFrames => "control_frames",
            Self::UnknownAcks => "unknown_acks",
            Self::ForeignSession => "foreign_session",
            Self::Subscriptions => "subscriptions",
            Self::TooDeep => "too_deep",
            Self::Veto => "veto",
            Self::HookPanicked => "hook_panicked",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::snake_case;

    #[test]
    fn labels_say_what_the_code_says() {
        for reason in RefusalReason::ALL {
            assert_eq!(reason.as_str(), snake_case(reason));
        }
    }
}
