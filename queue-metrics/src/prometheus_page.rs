//! The metrics as a page for Prometheus.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use queue_core::{Admin, Event, Observer, Queue, QueueError};

use crate::counted::CountedQueue;
use crate::list::buckets;
use crate::queue_metrics::QueueMetrics;
use crate::sampler::Sampler;

/// The metrics of a process, with an exporter of their own and the page that Prometheus reads. It is an [`Observer`] of services.
/// Cheap to clone. Needs the feature `prometheus`.
///
/// A program whose own metrics belong to the same page installs an exporter itself, and calls [`QueueMetrics::new`].
///
/// ```
/// use std::sync::Arc;
///
/// use queue_core::{Admin, jobs};
/// use queue_metrics::PrometheusPage;
/// use queue_tokio::{MemoryQueue, QueueService};
///
/// # fn main() -> Result<(), queue_core::BoxError> {
/// let page = PrometheusPage::new()?;
/// let queue: Arc<dyn Admin> = Arc::new(page.count(MemoryQueue::new())); // pushes through it are counted
/// let service = QueueService::new(queue.clone(), jobs![]).observe(page.clone());
/// let router = page.router([queue]); // an axum router with `/metrics`
/// # let _ = (service, router);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct PrometheusPage {
    metrics: QueueMetrics,
    page: PrometheusHandle,
}

impl PrometheusPage {
    /// Creates the exporter, with the [recommended buckets](buckets) of each histogram.
    ///
    /// # Errors
    ///
    /// The exporter refuses its configuration.
    pub fn new() -> Result<Self, BuildError> {
        let mut exporter = PrometheusBuilder::new();
        for (name, buckets) in buckets() {
            exporter = exporter.set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets)?;
        }
        let recorder = exporter.build_recorder();
        let page = recorder.handle();
        Ok(Self { metrics: QueueMetrics::with_recorder(recorder), page })
    }

    /// Wraps a queue so that the jobs that are pushed through it are counted, as [`QueueMetrics::count`] does.
    #[must_use]
    pub fn count<Q: Queue>(&self, queue: Q) -> CountedQueue<Q> {
        self.metrics.count(queue)
    }

    /// Returns an axum router with the route `/metrics`. Each request reads the gauges of these queues from their stores; if one
    /// cannot be read, the answer is 503.
    pub fn router(&self, queues: impl IntoIterator<Item = Arc<dyn Admin>>) -> Router {
        let samplers: Arc<[Sampler]> = queues.into_iter().map(|queue| self.metrics.sampler(queue)).collect();
        let page = self.page.clone();
        Router::new().route("/metrics", get(async move || answer(&samplers, &page).await))
    }
}

impl Observer for PrometheusPage {
    fn observe(&self, event: &Event) {
        self.metrics.observe(event);
    }
}

async fn answer(samplers: &[Sampler], page: &PrometheusHandle) -> (StatusCode, String) {
    match sample(samplers).await {
        Ok(()) => (StatusCode::OK, page.render()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("the store cannot be read: {error}\n")),
    }
}

async fn sample(samplers: &[Sampler]) -> Result<(), QueueError> {
    for sampler in samplers {
        sampler.sample().await?;
    }
    Ok(())
}
