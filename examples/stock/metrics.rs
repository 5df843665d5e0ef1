//! The metrics of the program at `/metrics`, in the format of Prometheus.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use queue_metrics::{QueueMetrics, Sampler};

use crate::queues::Queues;

/// The metrics, and the page with them.
#[derive(Clone, Debug)]
pub struct Metrics {
    queue: QueueMetrics,
    page: PrometheusHandle,
}

impl Metrics {
    /// Creates the exporter.
    ///
    /// # Errors
    ///
    /// The exporter refuses its configuration.
    pub fn new() -> Result<Self, BuildError> {
        let mut exporter = PrometheusBuilder::new();
        for (name, buckets) in queue_metrics::buckets() {
            exporter = exporter.set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets)?;
        }
        let recorder = exporter.build_recorder();
        let page = recorder.handle();
        Ok(Self { queue: QueueMetrics::to(recorder), page })
    }

    /// Returns the observer of services.
    #[must_use]
    pub fn observer(&self) -> QueueMetrics {
        self.queue.clone()
    }

    /// Wraps the queues so that enqueued jobs are counted.
    #[must_use]
    pub fn count(&self, queues: Queues) -> Queues {
        Queues { jobs: Arc::new(self.queue.count(queues.jobs)), ..queues }
    }

    /// Creates the route. Each scrape reads the depth of the queues from their stores.
    pub fn router(&self, queues: &Queues) -> Router {
        let closures = Arc::new(queues.closures.clone());
        let samplers = Arc::new([self.queue.sampler(queues.jobs.clone()), self.queue.sampler(closures)]);
        let page = self.page.clone();
        Router::new().route("/metrics", get(async move || answer(&samplers[..], &page).await))
    }
}

async fn answer(samplers: &[Sampler], page: &PrometheusHandle) -> (StatusCode, String) {
    for sampler in samplers {
        if let Err(error) = sampler.sample().await {
            return (StatusCode::SERVICE_UNAVAILABLE, format!("the store cannot be read: {error}\n"));
        }
    }
    (StatusCode::OK, page.render())
}
