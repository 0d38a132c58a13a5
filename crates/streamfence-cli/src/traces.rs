//! The ways of messages as traces: from the words of the file to an export that runs. Never a span.

use std::sync::Arc;
use std::time::Duration;

use streamfence_config::{TracingProtocol, TracingSettings};
use streamfence_metrics::Metrics;
use streamfence_otel::{Export, ExportOptions, Protocol, Recorder, SpanCounts};
use streamfence_runtime::FenceBuilder;

use crate::exit::Failure;

/// How long a collector may take for what is left when the server has stopped.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Traces, where the file has them.
#[derive(Default)]
pub(crate) struct Traces(Option<(Arc<Recorder>, Export)>);

impl Traces {
    pub(crate) fn start(settings: Option<&TracingSettings>, metrics: &Metrics) -> Result<Self, Failure> {
        let Some(settings) = settings else { return Ok(Self::default()) };
        let started = Recorder::start(&options(settings)).map_err(|why| Failure::Config(why.to_string()))?;
        let counter = started.1.counter();
        metrics.count_spans(move || {
            let SpanCounts { exported, dropped } = counter();
            [exported, dropped]
        });
        Ok(Self(Some(started)))
    }

    pub(crate) fn give_to(&self, fence: FenceBuilder) -> FenceBuilder {
        match &self.0 {
            Some((recorder, _)) => fence.tracer(recorder.clone()),
            None => fence,
        }
    }

    /// Hands over what is left, once nothing more comes.
    pub(crate) async fn finish(self) {
        if let Some((_, export)) = self.0 {
            export.finish(LAST_WORDS).await;
        }
    }
}

fn options(settings: &TracingSettings) -> ExportOptions {
    ExportOptions {
        endpoint: settings.endpoint.clone(),
        headers: settings.headers.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect(),
        protocol: match settings.protocol {
            TracingProtocol::HttpProtobuf => Protocol::HttpProtobuf,
            TracingProtocol::HttpJson => Protocol::HttpJson,
        },
        sample_ratio: settings.sample_ratio,
        timeout: settings.timeout,
        service_name: settings.service_name.clone(),
    }
}
