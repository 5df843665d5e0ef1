//! The page that Prometheus reads.

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use queue_metrics::QueueMetrics;

pub(crate) type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// The metrics of one process, and the page with them.
pub(crate) struct Page {
    pub(crate) metrics: QueueMetrics,
    handle: PrometheusHandle,
}

impl Page {
    pub(crate) fn new() -> Self {
        let mut builder = PrometheusBuilder::new();
        for (name, buckets) in queue_metrics::buckets() {
            builder = builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets).unwrap();
        }
        let exporter = builder.build_recorder();
        let handle = exporter.handle();
        Self { metrics: QueueMetrics::with_recorder(exporter), handle }
    }

    pub(crate) fn text(&self) -> String {
        self.handle.render()
    }

    /// Returns the value of a series, which is written as on the page: `queue_paused{queue="mail"}`.
    pub(crate) fn value(&self, series: &str) -> Option<f64> {
        let prefix = format!("{series} ");
        self.text().lines().find_map(|line| line.strip_prefix(&prefix)?.parse().ok())
    }

    /// Returns the lines of the metrics whose names begin with `prefix`.
    pub(crate) fn lines(&self, prefix: &str) -> Vec<String> {
        let mut lines: Vec<_> =
            self.text().lines().filter(|line| line.starts_with(prefix)).map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    }
}
