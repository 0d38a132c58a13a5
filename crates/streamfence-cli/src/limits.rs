//! The limits of a server, as its file has them.

use streamfence_config::{InboundRateSettings, LimitSettings, RateSettings};
use streamfence_socketio::{InboundRate, Rate, TrustedProxies};

pub(crate) fn trusted_proxies(settings: &LimitSettings) -> TrustedProxies {
    let proxies = TrustedProxies::new(settings.trusted_proxies.iter().copied());
    if settings.trusts_unix { proxies.and_unix() } else { proxies }
}

pub(crate) fn rate(settings: &RateSettings) -> Rate {
    Rate { count: settings.count, per: settings.per, burst: settings.burst }
}

pub(crate) fn inbound_rate(settings: &InboundRateSettings) -> InboundRate {
    InboundRate {
        all: rate(&settings.all),
        subscribe: settings.subscribe.as_ref().map(rate),
        unsubscribe: settings.unsubscribe.as_ref().map(rate),
        publish: settings.publish.as_ref().map(rate),
        principals: settings.principals.iter().map(|(name, settings)| (name.clone(), rate(settings))).collect(),
        max_refused: settings.max_refused_per_minute,
    }
}
