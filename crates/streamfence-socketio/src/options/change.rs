//! What another set of options changes in a server that runs, key by key, and from when on.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use streamfence_auth::FailureLimit;

use super::{Address, ClientAuth, EngineTransport, Password, ServerOptions, TlsOptions, TlsVersion};
use crate::admission::{Rate, TrustedProxies};
use crate::inbound::InboundRate;

/// From when on a changed option holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// At once, for clients that are connected too.
    Live,
    /// For connections that come; those there are keep what they have.
    NewConnections,
    /// When the server is started again; until then the old value holds.
    NeedsRestart,
}

impl Effect {
    /// The name used in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::NewConnections => "new_connections",
            Self::NeedsRestart => "needs_restart",
        }
    }
}

/// One option that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its key in the configuration file, below its server.
    pub key: &'static str,
    /// What held before, as the file writes it. Never a secret.
    pub from: String,
    /// What was asked for.
    pub to: String,
    /// From when on it holds.
    pub effect: Effect,
}

impl ServerOptions {
    /// These options as far as a server that runs under `self` can take them up, and what of them is another value.
    /// What needs a restart keeps its old value. `built` are the options that the server was built with.
    pub(crate) fn reloaded(&self, new: &Self, built: &Self) -> (Self, Vec<Change>) {
        use Effect::{Live, NeedsRestart, NewConnections};
        // Taken apart, so that an option that is added must say here from when on a change of it holds.
        let Self {
            address,
            tls,
            path,
            engine_transport,
            max_connections,
            header_timeout,
            body_timeout,
            stall_timeout,
            window_frames,
            splice,
            not_sent_lowat_bytes,
            blocked_read_budget_bytes,
            ping_interval,
            ping_timeout,
            connect_timeout,
            max_payload_bytes,
            takes_tokens,
            auth_timeout,
            validation_timeout,
            auth_failures,
            auth_alarm,
            token_query,
            allowed_origins,
            shutdown_drain,
            max_subscriptions_per_client,
            trusted_proxies,
            proxy_protocol,
            bind_sid_to_ip,
            max_connections_per_ip,
            handshakes_per_ip,
            max_pending_connections,
            max_pending_per_ip,
            inbound_rate,
        } = new;
        // The library's own limits stay as they were built; less than those can be had, more cannot.
        let within = |fits: bool, effect| if fits { effect } else { NeedsRestart };
        let mut held = self.clone();
        let mut changes = Changes::default();
        match (&held.address, address) {
            (Address::Tcp { host, port }, Address::Tcp { host: new_host, port: new_port }) => {
                changes.take("host", &mut host.clone(), new_host, NeedsRestart);
                changes.take("port", &mut port.clone(), new_port, NeedsRestart);
            }
            // The file names a socket in place of a host.
            _ => changes.take("host", &mut held.address, address, NeedsRestart),
        }
        match (&mut held.tls, tls) {
            (Some(held), Some(new)) => held.take(new, &mut changes),
            (None, None) => {}
            (held, new) => {
                let word = |tls: &Option<TlsOptions>| if tls.is_some() { "WSS" } else { "WS" }.to_owned();
                changes.0.push(Change { key: "transport", from: word(held), to: word(new), effect: NeedsRestart });
            }
        }
        changes.take("path", &mut held.path, path, NeedsRestart);
        changes.take("engineIoTransport", &mut held.engine_transport, engine_transport, Live);
        changes.take("maxConnections", &mut held.max_connections, max_connections, Live);
        changes.take("headerTimeoutMs", &mut held.header_timeout, header_timeout, NewConnections);
        changes.take("bodyTimeoutMs", &mut held.body_timeout, body_timeout, Live);
        changes.take("stallTimeoutMs", &mut held.stall_timeout, stall_timeout, NewConnections);
        let effect = within(*window_frames <= built.window_frames, NewConnections);
        changes.take("windowFrames", &mut held.window_frames, window_frames, effect);
        changes.take("splice", &mut held.splice, splice, NewConnections);
        changes.take("notSentLowatBytes", &mut held.not_sent_lowat_bytes, not_sent_lowat_bytes, NewConnections);
        let budget = &mut held.blocked_read_budget_bytes;
        changes.take("blockedReadBudgetBytes", budget, blocked_read_budget_bytes, NewConnections);
        changes.take("pingIntervalMs", &mut held.ping_interval, ping_interval, NeedsRestart);
        changes.take("pingTimeoutMs", &mut held.ping_timeout, ping_timeout, NeedsRestart);
        changes.take("connectTimeoutMs", &mut held.connect_timeout, connect_timeout, NeedsRestart);
        let effect = within(*max_payload_bytes <= built.max_payload_bytes, Live);
        changes.take("maxPayloadBytes", &mut held.max_payload_bytes, max_payload_bytes, effect);
        let word = |takes_tokens: bool| if takes_tokens { "TOKEN" } else { "NONE" }.to_owned();
        if held.takes_tokens != *takes_tokens {
            let (from, to) = (word(held.takes_tokens), word(*takes_tokens));
            changes.0.push(Change { key: "auth", from, to, effect: Live });
            held.takes_tokens = *takes_tokens;
        }
        changes.take("authTimeoutMs", &mut held.auth_timeout, auth_timeout, Live);
        // In the file it is the same as the one above, and told with it.
        held.validation_timeout = *validation_timeout;
        changes.take("authFailures", &mut held.auth_failures, auth_failures, Live);
        changes.take("authFailures.alarmPerMinute", &mut held.auth_alarm, auth_alarm, Live);
        changes.take("tokenQuery", &mut held.token_query, token_query, NewConnections);
        changes.take("allowedOrigins", &mut held.allowed_origins, allowed_origins, Live);
        changes.take("shutdownDrainMs", &mut held.shutdown_drain, shutdown_drain, Live);
        let most = &mut held.max_subscriptions_per_client;
        changes.take("maxSubscriptionsPerClient", most, max_subscriptions_per_client, Live);
        changes.take("trustedProxies", &mut held.trusted_proxies, trusted_proxies, Live);
        changes.take("proxyProtocol", &mut held.proxy_protocol, proxy_protocol, NewConnections);
        changes.take("bindSidToIp", &mut held.bind_sid_to_ip, bind_sid_to_ip, Live);
        changes.take("maxConnectionsPerIp", &mut held.max_connections_per_ip, max_connections_per_ip, Live);
        changes.take("handshakesPerIp", &mut held.handshakes_per_ip, handshakes_per_ip, Live);
        changes.take("maxPendingConnections", &mut held.max_pending_connections, max_pending_connections, Live);
        changes.take("maxPendingPerIp", &mut held.max_pending_per_ip, max_pending_per_ip, Live);
        changes.take("inboundRate", &mut held.inbound_rate, inbound_rate, Live);
        (held, changes.0)
    }
}

impl TlsOptions {
    fn take(&mut self, new: &Self, changes: &mut Changes) {
        use Effect::NewConnections;
        let Self {
            cert_chain,
            private_key,
            private_key_password,
            oldest_version,
            client_auth,
            client_revocations,
            handshake_timeout,
            max_handshakes,
        } = new;
        changes.take("tls.certChainPemPath", &mut self.cert_chain, cert_chain, NewConnections);
        changes.take("tls.privateKeyPemPath", &mut self.private_key, private_key, NewConnections);
        let password = &mut self.private_key_password;
        changes.take("tls.privateKeyPassword", password, private_key_password, NewConnections);
        changes.take("tls.protocol", &mut self.oldest_version, oldest_version, NewConnections);
        changes.take("tls.clientAuth", &mut self.client_auth, client_auth, NewConnections);
        let revocations = &mut self.client_revocations;
        changes.take("tls.clientCrlPemPath", revocations, client_revocations, NewConnections);
        changes.take("tls.handshakeTimeoutMs", &mut self.handshake_timeout, handshake_timeout, NewConnections);
        changes.take("tls.maxHandshakes", &mut self.max_handshakes, max_handshakes, NewConnections);
    }
}

#[derive(Default)]
struct Changes(Vec<Change>);

impl Changes {
    /// Notes a value that is another one, and takes it over where that can be.
    fn take<T: Shown + Clone + PartialEq>(&mut self, key: &'static str, held: &mut T, new: &T, effect: Effect) {
        if held == new {
            return;
        }
        self.0.push(Change { key, from: held.shown(), to: new.shown(), effect });
        if effect != Effect::NeedsRestart {
            held.clone_from(new);
        }
    }
}

/// A value as the configuration file writes it.
trait Shown {
    fn shown(&self) -> String;
}

macro_rules! shown_as_displayed {
    ($($kind:ty),*) => { $(impl Shown for $kind {
        fn shown(&self) -> String {
            self.to_string()
        }
    })* };
}
shown_as_displayed!(Address, String, bool, u16, u32, u64, TrustedProxies, Rate, InboundRate, NonZeroU32);

impl<T: Shown> Shown for Option<T> {
    fn shown(&self) -> String {
        self.as_ref().map_or_else(|| "none".to_owned(), Shown::shown)
    }
}

impl Shown for Duration {
    fn shown(&self) -> String {
        self.as_millis().to_string()
    }
}

impl Shown for PathBuf {
    fn shown(&self) -> String {
        self.display().to_string()
    }
}

impl Shown for Vec<String> {
    fn shown(&self) -> String {
        format!("[{}]", self.join(", "))
    }
}

impl Shown for Password {
    fn shown(&self) -> String {
        "a password".to_owned()
    }
}

impl Shown for Option<FailureLimit> {
    fn shown(&self) -> String {
        self.map_or("none".to_owned(), |limit| format!("{} in {} ms", limit.max, limit.window.as_millis()))
    }
}

impl Shown for EngineTransport {
    fn shown(&self) -> String {
        match self {
            Self::WebSocketOrPolling => "WEBSOCKET_OR_POLLING",
            Self::WebSocketOnly => "WEBSOCKET_ONLY",
        }
        .to_owned()
    }
}

impl Shown for TlsVersion {
    fn shown(&self) -> String {
        match self {
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        }
        .to_owned()
    }
}

impl Shown for ClientAuth {
    fn shown(&self) -> String {
        match self {
            Self::None => "none".to_owned(),
            Self::Optional { authorities } => format!("optional, by {}", authorities.display()),
            Self::Required { authorities } => format!("required, by {}", authorities.display()),
        }
    }
}

#[cfg(test)]
mod tests;
