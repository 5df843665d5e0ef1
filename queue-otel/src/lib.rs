//! OpenTelemetry traces of background jobs: from the request that enqueued a job to its attempts, its retries and its followups.
//!
//! `queue-core` creates plain `tracing` spans. This crate connects them across processes:
//!
//! - [`TracedQueue`] writes the W3C trace context of the producer into the meta of each pushed job.
//! - [`make_span`] creates the span `process {queue}` of an attempt, as a child of the producer or with a link to it.
//! - [`layer`] records the outcome of the attempt, and passes its trace on to followups.
//!
//! ```
//! use queue_core::jobs;
//! use queue_otel::TracedQueue;
//! use queue_tokio::{MemoryQueue, QueueService};
//!
//! let queue = TracedQueue::new(MemoryQueue::new()); // producers push through it
//! let service = QueueService::new(queue.clone(), jobs![])
//!     .make_span(queue_otel::make_span)
//!     .layer(queue_otel::layer);
//! # let _ = service;
//! ```
//!
//! The spans reach an exporter through the layer of `tracing-opentelemetry`, which the program installs:
//!
//! ```
//! use opentelemetry::trace::TracerProvider as _;
//! use opentelemetry_sdk::trace::SdkTracerProvider;
//! use tracing_subscriber::layer::SubscriberExt as _;
//!
//! let provider = SdkTracerProvider::builder().build(); // with the exporter of your choice
//! let subscriber =
//!     tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(provider.tracer("orders")));
//! # let _ = subscriber;
//! ```

mod attempt_span;
mod trace_context;
mod traced_queue;
mod traced_worker;

pub use attempt_span::make_span;
pub use trace_context::inject;
pub use traced_queue::TracedQueue;
pub use traced_worker::layer;

/// Compiles the program in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct OtelReadme;
