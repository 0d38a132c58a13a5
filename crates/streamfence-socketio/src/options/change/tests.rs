use super::Effect::{Live, NeedsRestart, NewConnections};
use super::*;

fn secure(tls: TlsOptions) -> ServerOptions {
    ServerOptions { tls: Some(tls), ..ServerOptions::default() }
}

/// Every option with another value than its default.
fn all_other() -> ServerOptions {
    let second = Duration::from_secs(1);
    ServerOptions {
        address: Address::Unix("/run/feed.sock".into()),
        tls: Some(TlsOptions {
            cert_chain: "b/chain.pem".into(),
            private_key: "b/key.pem".into(),
            private_key_password: Some(Password::from("secret")),
            oldest_version: TlsVersion::Tls12,
            client_auth: ClientAuth::Required { authorities: "ca.pem".into() },
            client_revocations: Some("crl.pem".into()),
            handshake_timeout: second,
            max_handshakes: 1,
        }),
        path: "/other".into(),
        engine_transport: EngineTransport::WebSocketOnly,
        max_connections: 1,
        header_timeout: second,
        body_timeout: second,
        stall_timeout: second,
        window_frames: 1,
        splice: false,
        not_sent_lowat_bytes: 1,
        blocked_read_budget_bytes: 1,
        ping_interval: second,
        ping_timeout: second,
        connect_timeout: second,
        max_payload_bytes: 1,
        takes_tokens: false,
        auth_timeout: second,
        validation_timeout: second,
        auth_failures: None,
        auth_alarm: None,
        token_query: true,
        allowed_origins: vec!["https://example.com".into()],
        shutdown_drain: second,
        max_subscriptions_per_client: 1,
        trusted_proxies: TrustedProxies::new(["10.0.0.0/8".parse().expect("a network")]).and_unix(),
        proxy_protocol: true,
        bind_sid_to_ip: true,
        max_connections_per_ip: NonZeroU32::new(1),
        handshakes_per_ip: Some(Rate::new(1, second)),
        max_pending_connections: NonZeroU32::new(1),
        max_pending_per_ip: NonZeroU32::new(1),
        inbound_rate: Some(InboundRate {
            publish: Some(Rate::new(2, second)),
            ..InboundRate::new(Rate::new(1, second))
        }),
    }
}

#[test]
fn each_option_says_from_when_on_a_change_of_it_holds() {
    let old = secure(TlsOptions::new("a/chain.pem", "a/key.pem"));
    let (held, changes) = old.reloaded(&all_other(), &old);
    let told: Vec<_> = changes.iter().map(|change| (change.key, change.effect)).collect();
    assert_eq!(
        told,
        [
            ("host", NeedsRestart),
            ("tls.certChainPemPath", NewConnections),
            ("tls.privateKeyPemPath", NewConnections),
            ("tls.privateKeyPassword", NewConnections),
            ("tls.protocol", NewConnections),
            ("tls.clientAuth", NewConnections),
            ("tls.clientCrlPemPath", NewConnections),
            ("tls.handshakeTimeoutMs", NewConnections),
            ("tls.maxHandshakes", NewConnections),
            ("path", NeedsRestart),
            ("engineIoTransport", Live),
            ("maxConnections", Live),
            ("headerTimeoutMs", NewConnections),
            ("bodyTimeoutMs", Live),
            ("stallTimeoutMs", NewConnections),
            ("windowFrames", NewConnections),
            ("splice", NewConnections),
            ("notSentLowatBytes", NewConnections),
            ("blockedReadBudgetBytes", NewConnections),
            ("pingIntervalMs", NeedsRestart),
            ("pingTimeoutMs", NeedsRestart),
            ("connectTimeoutMs", NeedsRestart),
            ("maxPayloadBytes", Live),
            ("auth", Live),
            ("authTimeoutMs", Live),
            ("authFailures", Live),
            ("authFailures.alarmPerMinute", Live),
            ("tokenQuery", NewConnections),
            ("allowedOrigins", Live),
            ("shutdownDrainMs", Live),
            ("maxSubscriptionsPerClient", Live),
            ("trustedProxies", Live),
            ("proxyProtocol", NewConnections),
            ("bindSidToIp", Live),
            ("maxConnectionsPerIp", Live),
            ("handshakesPerIp", Live),
            ("maxPendingConnections", Live),
            ("maxPendingPerIp", Live),
            ("inboundRate", Live),
        ]
    );
    // What needs a restart is told again with every reload, everything else is done.
    let (_, again) = held.reloaded(&all_other(), &old);
    let wanted: Vec<_> = changes.into_iter().filter(|change| change.effect == NeedsRestart).collect();
    assert_eq!(again, wanted);
    // And what of it could be had comes back with the old options.
    assert_eq!(held.reloaded(&old, &old).0, old);
}

#[test]
fn of_host_and_port_the_one_that_changed_is_named() {
    let at = |host: &str, port| ServerOptions {
        address: Address::Tcp { host: host.into(), port },
        ..ServerOptions::default()
    };
    let old = at("127.0.0.1", 3000);
    let told = |new: &ServerOptions| {
        let (held, changes) = old.reloaded(new, &old);
        assert_eq!(held.address, old.address, "it waits for a restart");
        changes.iter().map(|change| format!("{} {} {}", change.key, change.from, change.to)).collect::<Vec<_>>()
    };
    assert_eq!(told(&at("127.0.0.1", 3001)), ["port 3000 3001"]);
    assert_eq!(told(&at("::1", 3000)), ["host 127.0.0.1 ::1"]);
    assert_eq!(told(&at("::1", 3001)).len(), 2);
}

#[test]
fn values_are_shown_as_the_file_writes_them_and_secrets_are_not() {
    let old = secure(TlsOptions::new("a/chain.pem", "a/key.pem"));
    let (_, changes) = old.reloaded(&all_other(), &old);
    assert!(!format!("{changes:?}").contains("secret"), "{changes:?}");
    let told = |key| changes.iter().find(|change| change.key == key).map(|change| [&*change.from, &*change.to]);
    assert_eq!(told("headerTimeoutMs"), Some(["10000", "1000"]));
    assert_eq!(told("allowedOrigins"), Some(["[]", "[https://example.com]"]));
    assert_eq!(told("auth"), Some(["TOKEN", "NONE"]));
    assert_eq!(told("authFailures"), Some(["20 in 60000 ms", "none"]));
    assert_eq!(told("tls.protocol"), Some(["TLSv1.3", "TLSv1.2"]));
    assert_eq!(told("host"), Some(["0.0.0.0:3000", "unix:/run/feed.sock"]));
    assert_eq!(told("trustedProxies"), Some(["[]", "[10.0.0.0/8, unix]"]));
    let rate = "1 in 1000 ms, 1 at once; publish: 2 in 1000 ms, 2 at once";
    assert_eq!(told("inboundRate"), Some(["none", rate]));
    assert_eq!(told("tls.clientCrlPemPath"), Some(["none", "crl.pem"]));
    assert_eq!(told("tls.clientAuth"), Some(["none", "required, by ca.pem"]));
}

#[test]
fn the_same_options_change_nothing() {
    let options = all_other();
    assert_eq!(options.reloaded(&options, &ServerOptions::default()), (options.clone(), Vec::new()));
}

#[test]
fn what_the_library_was_built_with_bounds_what_can_be_had_without_a_restart() {
    let built = ServerOptions::default();
    let less = ServerOptions { max_payload_bytes: 1000, window_frames: 8, ..built.clone() };
    let (held, changes) = built.reloaded(&less, &built);
    assert_eq!(held, less);
    assert!(changes.iter().all(|change| change.effect != NeedsRestart), "{changes:?}");
    assert_eq!(held.reloaded(&built, &built).0, built, "back to where it was");
    let more = ServerOptions { max_payload_bytes: 65_537, window_frames: 33, ..built.clone() };
    let (held, changes) = built.reloaded(&more, &built);
    assert_eq!(held, built);
    assert!(changes.len() == 2 && changes.iter().all(|change| change.effect == NeedsRestart), "{changes:?}");
}

#[test]
fn tls_comes_and_goes_with_a_restart() {
    let (plain, secure) = (ServerOptions::default(), secure(TlsOptions::new("chain.pem", "key.pem")));
    for (old, new, from, to) in [(&plain, &secure, "WS", "WSS"), (&secure, &plain, "WSS", "WS")] {
        let (held, changes) = old.reloaded(new, old);
        let effect = NeedsRestart;
        assert_eq!(changes, [Change { key: "transport", from: from.into(), to: to.into(), effect }]);
        assert_eq!(&held, old);
    }
}
