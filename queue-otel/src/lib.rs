//! OpenTelemetry traces of background jobs: from the request that enqueued a job to its attempts, its retries and its followups.
//!
//! - [`TracedQueue`] writes the W3C trace context of the producer into the meta of each pushed job.
//! - [`layer`] creates the span `process {queue}` of each attempt, as a child of the producer or with a link to it.
//! - [`is_not_attempt`] keeps a layer of `tracing-opentelemetry` from exporting each attempt a second time.
//!
//! ```
//! use opentelemetry::trace::TracerProvider as _;
//! use opentelemetry_sdk::trace::SdkTracerProvider;
//! use queue_core::jobs;
//! use queue_otel::TracedQueue;
//! use queue_tokio::{MemoryQueue, QueueService};
//!
//! let provider = SdkTracerProvider::builder().build(); // with the exporter of your choice
//! let queue = TracedQueue::new(MemoryQueue::new()); // producers push through it
//! let service =
//!     QueueService::new(queue.clone(), jobs![]).layer(queue_otel::layer(provider.tracer("orders")));
//! # let _ = service;
//! ```

mod attempt_filter;
mod attempt_span;
mod relation;
mod trace_context;
mod traced_queue;
mod traced_worker;

pub use attempt_filter::is_not_attempt;
pub use trace_context::inject;
pub use traced_queue::TracedQueue;
pub use traced_worker::{TracedWorker, layer};

/// Compiles the programs in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct OtelReadme;
