//! Metrics of background jobs on the [`metrics`] facade. Any exporter of the facade receives them, such as those for Prometheus,
//! StatsD and OpenTelemetry.
//!
//! [`QueueMetrics`] observes services and counts pushes. Its [`Sampler`] reads the gauges from the store: the depth of each
//! queue, the age of its oldest ready job, whether it is paused, the jobs that its limits hold back, and the workers of each
//! service. So any number of processes report the same gauges, also one that runs no job. [`METRICS`] lists all metrics.
//!
//! `dashboard.json` beside this crate is a Grafana dashboard, and `alerts.yml` has alert rules for Prometheus.
//!
//! # Answering a scrape
//!
//! ```
//! use metrics_exporter_prometheus::PrometheusHandle;
//! use queue_core::QueueError;
//! use queue_metrics::Sampler;
//!
//! async fn answer(sampler: &Sampler, page: &PrometheusHandle) -> Result<String, QueueError> {
//!     sampler.sample().await?; // the gauges, as of now
//!     Ok(page.render())
//! }
//! ```
//!
//! An exporter that pushes is not scraped. For such an exporter, spawn [`Sampler::run`].
//!
//! # Idle timeouts
//!
//! The metrics of a job's name are registered once. If an exporter removes them after an idle timeout, later values are lost. So set
//! no idle timeout for counters and histograms.

mod counted;
mod held_jobs;
mod job_metrics;
mod list;
mod metric;
mod process_metrics;
#[cfg(feature = "prometheus")]
mod prometheus_page;
mod queue_metrics;
mod recording;
mod sampler;

pub use counted::CountedQueue;
pub use list::{METRICS, buckets};
pub use metric::{Metric, MetricKind};
#[cfg(feature = "prometheus")]
pub use prometheus_page::PrometheusPage;
pub use queue_metrics::QueueMetrics;
pub use sampler::Sampler;

/// Compiles the program in the README.
#[cfg(all(doctest, feature = "prometheus"))]
#[doc = include_str!("../README.md")]
struct MetricsReadme;
