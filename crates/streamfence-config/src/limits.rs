//! What one address and one client may want of a server, and whose word about addresses it takes.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use ipnet::{IpNet, Ipv6Net};

use crate::block::{Block, Report};
use crate::error::Problem;
use crate::keys::Section;
use crate::raw::{Node, Value};

/// Limits that hold only where they are given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitSettings {
    /// Whose word about the address of a client is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether whoever connects over a Unix socket is believed, too.
    pub trusts_unix: bool,
    /// Whether those proxies speak the PROXY protocol.
    pub proxy_protocol: bool,
    /// Whether all requests of a session must come from the address that opened it.
    pub bind_sid_to_ip: bool,
    /// How many connections one address may have.
    pub max_connections_per_ip: Option<NonZeroU32>,
    /// How many connections one address may open in a while.
    pub handshakes_per_ip: Option<RateSettings>,
    /// How many connections there may be that have joined no namespace.
    pub max_pending_connections: Option<NonZeroU32>,
    /// How many connections one address may have that have joined no namespace, or ended so of late.
    pub max_pending_per_ip: Option<NonZeroU32>,
    /// How often a client may want something.
    pub inbound_rate: Option<InboundRateSettings>,
}

/// So many in a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateSettings {
    /// How many, over time.
    pub count: NonZeroU32,
    /// In how much time.
    pub per: Duration,
    /// How many at once.
    pub burst: NonZeroU32,
}

/// How often a client may want something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboundRateSettings {
    /// Everything without a rate of its own, together.
    pub all: RateSettings,
    /// `subscribe`, on its own.
    pub subscribe: Option<RateSettings>,
    /// `unsubscribe`, on its own.
    pub unsubscribe: Option<RateSettings>,
    /// `publish`, on its own.
    pub publish: Option<RateSettings>,
    /// Everything a principal wants, in place of all those.
    pub principals: BTreeMap<String, RateSettings>,
    /// How many wishes may be refused within a minute before that costs the connection.
    pub max_refused_per_minute: Option<NonZeroU32>,
}

/// What a server's keys say of limits.
pub(crate) fn resolve(server: &mut Block, part: &str, report: &mut Report<'_>) -> LimitSettings {
    let names_proxies = server.place_of("trustedProxies").is_some();
    let (trusted_proxies, trusts_unix) = trusted_proxies(server, part, report);
    let proxy_protocol = server.flag("proxyProtocol");
    if proxy_protocol
        && !names_proxies
        && server.is_sound
        && let Some(at) = server.place_of("proxyProtocol")
    {
        let wanted = "the addresses of the proxies that speak the PROXY protocol".to_owned();
        report.error(part, at, Problem::Missing { key: "trustedProxies".to_owned(), wanted });
    }
    LimitSettings {
        trusted_proxies,
        trusts_unix,
        proxy_protocol,
        bind_sid_to_ip: server.flag("bindSidToIp"),
        max_connections_per_ip: most(server, "maxConnectionsPerIp"),
        handshakes_per_ip: rate_in(server, "handshakesPerIp", &[Section::HandshakeRate], "count", part, report),
        max_pending_connections: most(server, "maxPendingConnections"),
        max_pending_per_ip: most(server, "maxPendingPerIp"),
        inbound_rate: inbound_rate(server, part, report),
    }
}

fn trusted_proxies(server: &mut Block, part: &str, report: &mut Report<'_>) -> (Vec<IpNet>, bool) {
    let Some(Node { value: Value::List(list), .. }) = server.take("trustedProxies") else { return (Vec::new(), false) };
    let (mut networks, mut trusts_unix) = (Vec::with_capacity(list.len()), false);
    for mut node in list {
        if !report.expand(part, &mut node) {
            continue;
        }
        match &node.value {
            Value::Text(text) if text.value == "unix" => trusts_unix = true,
            Value::Text(text) if let Some(network) = network(&text.value) => {
                if is_everybody(&network) {
                    let wanted = "the addresses of your proxies alone: whoever is trusted says where it is, and no limit \
                                  for an address holds for it";
                    report.wrong(part, "trustedProxies", &node, wanted);
                } else if network.prefix_len() < FEWEST_BITS {
                    let (key, why) = ("trustedProxies", "whoever connects from so many addresses may say where it is");
                    report.warning(part, node.at, Problem::Unwise { key, found: "a large part of all addresses", why });
                }
                networks.push(network);
            }
            _ => report.wrong(part, "trustedProxies", &node, "an address, a network such as `10.0.0.0/8`, or `unix`"),
        }
    }
    (networks, trusts_unix)
}

/// Whether nobody is outside of it who speaks this version of the protocol, or the older one.
fn is_everybody(network: &IpNet) -> bool {
    let mapped: IpNet = Ipv6Net::new_assert(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped(), 96).into();
    network.prefix_len() == 0 || network.contains(&mapped)
}

/// The largest networks that are somebody's own: `10.0.0.0/8`, and `fc00::/7` of IPv6.
const FEWEST_BITS: u8 = 7;

/// A network, or the one of a single address.
fn network(text: &str) -> Option<IpNet> {
    let alone = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse::<IpNet>().or_else(|_| alone()).ok()
}

fn inbound_rate(server: &Block, part: &str, report: &mut Report<'_>) -> Option<InboundRateSettings> {
    server.place_of("inboundRate")?;
    let mut block = server.block("inboundRate", &[Section::InboundRate], part, report);
    let part = format!("{part}.inboundRate");
    let all = rate(&block, "messages", &part, report);
    let events = block.block("events", &[Section::InboundEvents], &part, report);
    let events_part = format!("{part}.events");
    let mut event = |key| rate_in(&events, key, &[Section::EventRate], "messages", &events_part, report);
    let (subscribe, unsubscribe, publish) = (event("subscribe"), event("unsubscribe"), event("publish"));
    let principals = principals(&mut block, &part, report);
    let max_refused_per_minute = most(&block, "maxRefusedPerMinute");
    Some(InboundRateSettings { all: all?, subscribe, unsubscribe, publish, principals, max_refused_per_minute })
}

fn principals(block: &mut Block, part: &str, report: &mut Report<'_>) -> BTreeMap<String, RateSettings> {
    let mut principals = BTreeMap::new();
    let Some(Node { value: Value::List(list), .. }) = block.take("principals") else { return principals };
    for (index, node) in list.into_iter().enumerate() {
        let (part, at) = (format!("{part}.principals[{index}]"), node.at);
        let entry = Block::read(node, &[Section::PrincipalRate], &part, report);
        let (name, rate) = (entry.text("name").to_owned(), rate(&entry, "messages", &part, report));
        let Some(rate) = rate.filter(|_| entry.is_sound) else { continue };
        if principals.insert(name.clone(), rate).is_some() {
            let wanted = "each principal once".to_owned();
            report.error(&part, at, Problem::WrongValue { key: "name".to_owned(), found: format!("{name:?}"), wanted });
        }
    }
    principals
}

/// The rate in a block of that name, if there is one.
fn rate_in(
    block: &Block,
    name: &str,
    sections: &'static [Section],
    count: &'static str,
    part: &str,
    report: &mut Report<'_>,
) -> Option<RateSettings> {
    block.place_of(name)?;
    let inner = block.block(name, sections, part, report);
    rate(&inner, count, &format!("{part}.{name}"), report)
}

/// The rate a block says.
fn rate(block: &Block, count_key: &'static str, part: &str, report: &mut Report<'_>) -> Option<RateSettings> {
    let Some(count) = most(block, count_key) else {
        if block.is_sound {
            let problem = Problem::Missing { key: count_key.to_owned(), wanted: "a number from 1".to_owned() };
            report.error(part, block.at, problem);
        }
        return None;
    };
    let burst = most(block, "burst").unwrap_or(count);
    Some(RateSettings { count, per: Duration::from_millis(block.number("perMs")), burst })
}

fn most(block: &Block, key: &str) -> Option<NonZeroU32> {
    block.optional_number(key).and_then(|number| NonZeroU32::new(number as u32))
}
