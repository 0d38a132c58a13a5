//! The ways of messages as OpenTelemetry traces: a span for a publish, and under it one for each client it was for.
//!
//! A [`Recorder`] is the tracer of a fence. It decides what is recorded and notes it in a queue that has an end; a task of
//! its own makes spans of that and hands them to a collector, over HTTP. A collector that is slow or gone costs spans, which
//! are counted, and nobody's time.
//!
//! ```
//! use std::sync::Arc;
//! use streamfence_otel::{ExportOptions, Recorder};
//! use streamfence_runtime::{Fence, Namespace};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let options = ExportOptions { endpoint: Some("http://127.0.0.1:4318".into()), ..ExportOptions::default() };
//! let (recorder, export) = Recorder::start(&options)?;
//! let fence = Fence::builder().namespace(Namespace::new("/feed").topic("tick")).tracer(recorder).build()?;
//! // And when everything is over:
//! export.finish(std::time::Duration::from_secs(5)).await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

mod client;
mod export;
mod options;
mod recorder;
mod sampler;
mod span;

pub use export::{Export, SpanCounts};
pub use options::{ExportError, ExportOptions, Protocol};
pub use recorder::Recorder;
