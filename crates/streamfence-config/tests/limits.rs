//! What a file says of addresses and rates.

#![expect(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

use std::num::NonZeroU32;
use std::time::Duration;

use expect_test::{Expect, expect};
use streamfence_config::{Format, LimitSettings, RateSettings, parse};

fn read(keys: &str) -> Result<LimitSettings, String> {
    let text = format!("servers:\n  s:\n    namespaces: [{{path: /n, topics: [a]}}]\n{keys}");
    let lookup = |_: streamfence_config::Reference<'_>| Ok("192.0.2.7".to_owned());
    let settings = parse(&text, Format::Yaml, "f.yaml", &lookup).map_err(|errors| errors.to_string())?;
    Ok(settings.servers[0].limits.clone())
}

fn refused(keys: &str, seen: Expect) {
    seen.assert_eq(&(read(keys).unwrap_err() + "\n"));
}

fn rate(count: u32, per_ms: u64, burst: u32) -> RateSettings {
    let [count, burst] = [count, burst].map(|number| NonZeroU32::new(number).unwrap());
    RateSettings { count, per: Duration::from_millis(per_ms), burst }
}

#[test]
fn nothing_is_limited_by_address_or_rate_where_nothing_is_said() {
    assert_eq!(read("").unwrap(), LimitSettings::default());
}

#[test]
fn rates_are_read_with_all_they_need_and_no_more() {
    let limits = read(
        "
    maxConnectionsPerIp: 256
    maxPendingConnections: 500
    maxPendingPerIp: 5
    handshakesPerIp: {count: 10, burst: 40}
    inbound_rate:
      messages: 100
      per_ms: 2000
      burst: 200
      maxRefusedPerMinute: 1000
      events: {subscribe: {messages: 20}, publish: {messages: 5, perMs: 10, burst: 1}}
      principals: [{name: feeder, messages: 5000}]
",
    )
    .unwrap();
    assert_eq!(
        (limits.max_connections_per_ip, limits.max_pending_connections),
        (NonZeroU32::new(256), NonZeroU32::new(500))
    );
    assert_eq!(limits.max_pending_per_ip, NonZeroU32::new(5));
    assert_eq!(limits.handshakes_per_ip, Some(rate(10, 1000, 40)));
    let inbound = limits.inbound_rate.unwrap();
    assert_eq!(inbound.all, rate(100, 2000, 200));
    assert_eq!((inbound.subscribe, inbound.unsubscribe), (Some(rate(20, 1000, 20)), None));
    assert_eq!(inbound.publish, Some(rate(5, 10, 1)));
    assert_eq!(inbound.principals["feeder"], rate(5000, 1000, 5000));
    assert_eq!(inbound.max_refused_per_minute, NonZeroU32::new(1000));
}

#[test]
fn proxies_are_addresses_networks_and_whoever_has_the_socket() {
    let limits = read("    trustedProxies: ['10.0.0.0/8', '::1', 'fd00::/8', unix, '${PROXY}']\n").unwrap();
    let networks: Vec<_> = limits.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.0/8", "::1/128", "fd00::/8", "192.0.2.7/32"]);
    assert!(limits.trusts_unix && !limits.proxy_protocol);
    refused(
        "    trustedProxies: [localhost, 10.0.0.0/33, '*', 7]\n    proxyProtocol: true\n",
        expect![[r#"
            f.yaml:4:22: trustedProxies is "localhost"; wanted an address, a network such as `10.0.0.0/8`, or `unix` (servers.s)
            f.yaml:4:33: trustedProxies is "10.0.0.0/33"; wanted an address, a network such as `10.0.0.0/8`, or `unix` (servers.s)
            f.yaml:4:46: trustedProxies is "*"; wanted an address, a network such as `10.0.0.0/8`, or `unix` (servers.s)
            f.yaml:4:51: trustedProxies is 7; wanted an address, a network such as `10.0.0.0/8`, or `unix` (servers.s)
        "#]],
    );
    refused(
        "    proxyProtocol: true\n",
        expect![[r#"
        f.yaml:4:20: `trustedProxies` is missing; wanted the addresses of the proxies that speak the PROXY protocol (servers.s)
    "#]],
    );
}

#[test]
fn what_a_rate_lacks_or_says_twice_is_an_error_at_its_place() {
    refused(
        "    handshakesPerIp: {burst: 3}\n",
        expect![[r#"
        f.yaml:4:22: `count` is missing; wanted a number from 1 (servers.s.handshakesPerIp)
    "#]],
    );
    refused(
        "    inboundRate: {perMs: 3, events: {publish: {}, shout: {}}}\n",
        expect![[r#"
        f.yaml:4:18: `messages` is missing; wanted a number from 1 (servers.s.inboundRate)
        f.yaml:4:47: `messages` is missing; wanted a number from 1 (servers.s.inboundRate.events.publish)
        f.yaml:4:51: unknown key "shout"; wanted one of subscribe, unsubscribe, publish (servers.s.inboundRate.events)
    "#]],
    );
    refused(
        "    inboundRate: {messages: 3, principals: [{name: a, messages: 1}, {name: a, messages: 2}, {messages: 0}]}\n",
        expect![[r#"
            f.yaml:4:69: name is "a"; wanted each principal once (servers.s.inboundRate.principals[1])
            f.yaml:4:93: `name` is missing; wanted a text (servers.s.inboundRate.principals[2])
            f.yaml:4:104: messages is 0; wanted a whole number from 1 to 4294967295 (servers.s.inboundRate.principals[2])
        "#]],
    );
}

#[test]
fn nobody_trusts_everybody() {
    refused(
        "    trustedProxies: [0.0.0.0/0, '::/0', '::ffff:0:0/96', 10.0.0.0/8]\n",
        expect![[r#"
        f.yaml:4:22: trustedProxies is "0.0.0.0/0"; wanted the addresses of your proxies alone: whoever is trusted says where it is, and no limit for an address holds for it (servers.s)
        f.yaml:4:33: trustedProxies is "::/0"; wanted the addresses of your proxies alone: whoever is trusted says where it is, and no limit for an address holds for it (servers.s)
        f.yaml:4:41: trustedProxies is "::ffff:0:0/96"; wanted the addresses of your proxies alone: whoever is trusted says where it is, and no limit for an address holds for it (servers.s)
    "#]],
    );
    let warned = |network: &str| {
        let text =
            format!("servers:\n  s:\n    namespaces: [{{path: /n, topics: [a]}}]\n    trustedProxies: ['{network}']\n");
        let lookup = |_: streamfence_config::Reference<'_>| Err("there is none".to_owned());
        let settings = parse(&text, Format::Yaml, "f.yaml", &lookup).unwrap();
        settings.warnings.iter().map(ToString::to_string).collect::<String>()
    };
    for own in ["10.0.0.0/8", "fc00::/7", "192.0.2.7", "::ffff:10.0.0.0/104"] {
        assert_eq!(warned(own), "", "{own}");
    }
    expect!["f.yaml:4:22: trustedProxies is a large part of all addresses: whoever connects from so many addresses may say where it is (servers.s)"].assert_eq(&warned("128.0.0.0/1"));
}
