//! The last thing a client hears of a server that stops.

use std::time::Duration;

use streamfence_core::{ClientId, ErrorCode};

use super::packet::json;

/// That the server stops, and when the client may come back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Farewell {
    reconnect_after: Duration,
    has_session: bool,
}

impl Farewell {
    /// Each client has a time of its own, computed from its name, which is random: ten thousand clients that come back at
    /// once are a storm.
    pub(crate) fn new(client: Option<ClientId>, has_session: bool) -> Self {
        let luck =
            client.map_or(0, |ClientId([a, b, c, d, e, f, g, h, ..])| u64::from_le_bytes([a, b, c, d, e, f, g, h]));
        let span = (LATEST - SOONEST).as_millis() as u64 + 1;
        Self { reconnect_after: SOONEST + Duration::from_millis(luck % span), has_session }
    }

    pub(crate) fn event(self) -> &'static str {
        "error"
    }

    /// The object of the event.
    pub(crate) fn object(self) -> String {
        let message = if self.has_session {
            "the server is stopping, and your session ends with it; connect again after a while and subscribe anew"
        } else {
            "the server is stopping; connect again after a while"
        };
        format!(
            r#"{{"code":"{}","message":{},"reconnectAfterMs":{}}}"#,
            ErrorCode::ShuttingDown.as_str(),
            json(message),
            self.reconnect_after.as_millis()
        )
    }
}

/// When the first client is to come back: no sooner than a process can be started anew.
const SOONEST: Duration = Duration::from_millis(500);
/// When the last one is.
const LATEST: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_a_time_of_its_own_in_the_range() {
        let of = |name: u64| {
            let mut id = [0; 12];
            id[..8].copy_from_slice(&name.to_le_bytes());
            Farewell::new(Some(ClientId(id)), false).reconnect_after
        };
        assert_eq!(of(0), SOONEST);
        assert_eq!(of(4_500), LATEST);
        assert_eq!(of(4_501), SOONEST);
        assert!((SOONEST..=LATEST).contains(&of(u64::MAX)));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn a_client_with_a_session_is_told_that_it_ends() {
        let farewell = Farewell::new(None, true).object();
        assert_eq!(
            farewell,
            r#"{"code":"SHUTTING_DOWN","message":"the server is stopping, and your session ends with it; connect again after a while and subscribe anew","reconnectAfterMs":500}"#
        );
    }
}
