//! A span of what was recorded, with the attributes that OpenTelemetry has for messaging. Never a payload.

use std::time::{Duration, Instant, SystemTime};

use opentelemetry::trace::{Event, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use streamfence_core::{MessageId, TopicEntry, TraceContext, TracedDelivery};
use streamfence_runtime::{PublishReport, TracedPublish};

use crate::recorder::Recorded;
use crate::sampler::Sampler;

/// Makes spans.
#[derive(Debug)]
pub(crate) struct Spans {
    sampler: Sampler,
    scope: InstrumentationScope,
}

/// What is now, on both clocks: the clock of the day may have been set since something happened.
#[derive(Clone, Copy)]
struct Now(Instant, SystemTime);

impl Now {
    fn wall(self, at: Instant) -> SystemTime {
        let age = self.0.saturating_duration_since(at);
        let ahead = at.saturating_duration_since(self.0);
        self.1.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH) + ahead.min(Duration::from_secs(1))
    }
}

impl Spans {
    pub(crate) fn new(sampler: Sampler) -> Self {
        let scope = InstrumentationScope::builder("streamfence").with_version(env!("CARGO_PKG_VERSION")).build();
        Self { sampler, scope }
    }

    pub(crate) fn of(&self, recorded: impl Iterator<Item = Recorded>) -> Vec<SpanData> {
        let now = Now(Instant::now(), SystemTime::now());
        let span = |recorded| match recorded {
            Recorded::Publish(publish) => self.publish(&publish, now),
            Recorded::Delivery(delivery) => self.delivery(&delivery, now),
        };
        recorded.map(span).collect()
    }

    fn publish(&self, publish: &TracedPublish, now: Now) -> SpanData {
        let mut attributes = messaging("publish", &publish.topic, publish.id);
        attributes.push(KeyValue::new("messaging.message.body.size", whole(publish.size_bytes)));
        if let Some(report) = &publish.report {
            attributes.extend(outcome(report));
        }
        SpanData {
            span_kind: SpanKind::Producer,
            attributes,
            ..self.span(
                "streamfence publish",
                context(&publish.trace, publish.trace.span_id),
                publish.parent.as_ref().map_or(SpanId::INVALID, |parent| SpanId::from_bytes(parent.span_id)),
                (now.wall(publish.began), now.wall(publish.ended)),
            )
        }
    }

    fn delivery(&self, delivery: &TracedDelivery, now: Now) -> SpanData {
        let word = delivery.outcome.as_str();
        let mut attributes = messaging("deliver", &delivery.topic, delivery.id);
        attributes.push(KeyValue::new("messaging.client.id", delivery.client.to_string()));
        attributes.push(KeyValue::new("messaging.message.envelope.size", whole(delivery.size_bytes)));
        attributes.push(KeyValue::new("streamfence.outcome", word));
        attributes.push(KeyValue::new("streamfence.attempts", i64::from(delivery.attempts)));
        if delivery.outcome.is_loss() {
            attributes.push(KeyValue::new("error.type", word));
        }
        let ended = now.wall(delivery.ended);
        let mut events = SpanEvents::default();
        if let Some(sent) = delivery.sent {
            events.events.push(Event::new("sent", now.wall(sent), Vec::new(), 0));
        }
        if word != "sent" {
            events.events.push(Event::new(word, ended, Vec::new(), 0));
        }
        SpanData {
            span_kind: SpanKind::Client,
            attributes,
            events,
            status: if delivery.outcome.is_loss() { Status::error(word) } else { Status::Unset },
            ..self.span(
                "streamfence deliver",
                context(&delivery.trace, self.sampler.span_id()),
                SpanId::from_bytes(delivery.trace.span_id),
                (now.wall(delivery.published), ended),
            )
        }
    }

    fn span(
        &self,
        name: &'static str,
        span_context: SpanContext,
        parent_span_id: SpanId,
        (start_time, end_time): (SystemTime, SystemTime),
    ) -> SpanData {
        SpanData {
            span_context,
            parent_span_id,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time,
            end_time: end_time.max(start_time),
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: self.scope.clone(),
        }
    }
}

fn context(trace: &TraceContext, span_id: [u8; 8]) -> SpanContext {
    let state = trace.state.as_deref().and_then(|state| state.parse().ok());
    SpanContext::new(
        TraceId::from_bytes(trace.trace_id),
        SpanId::from_bytes(span_id),
        TraceFlags::SAMPLED,
        false,
        state.unwrap_or(TraceState::NONE),
    )
}

fn messaging(operation: &'static str, topic: &TopicEntry, id: MessageId) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new("messaging.system", "streamfence"),
        KeyValue::new("messaging.operation.name", operation),
        KeyValue::new("messaging.operation.type", "send"),
        KeyValue::new("messaging.destination.name", topic.name.to_string()),
        KeyValue::new("messaging.message.id", id.to_string()),
        KeyValue::new("streamfence.namespace", topic.class.path.to_string()),
    ];
    if topic.name != topic.class.name {
        attributes.push(KeyValue::new("messaging.destination.template", topic.class.name.to_string()));
    }
    attributes
}

fn outcome(report: &PublishReport) -> [KeyValue; 6] {
    [
        KeyValue::new("streamfence.matched", i64::from(report.matched)),
        KeyValue::new("streamfence.admitted", i64::from(report.admitted)),
        KeyValue::new("streamfence.coalesced", i64::from(report.coalesced)),
        KeyValue::new("streamfence.displaced", i64::from(report.displaced)),
        KeyValue::new("streamfence.rejected", i64::from(report.rejected)),
        KeyValue::new("streamfence.spilled", i64::from(report.spilled)),
    ]
}

fn whole(number: u64) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
