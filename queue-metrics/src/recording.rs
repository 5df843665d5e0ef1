//! The recorder that receives the metrics.

use std::fmt;
use std::sync::Arc;

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder};

use crate::list::METRICS;
use crate::metric::Metric;

const METADATA: Metadata<'static> = Metadata::new("queue_metrics", Level::INFO, Some(module_path!()));

/// The recorder that receives the metrics: one of the caller, or the global one. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Recording(Option<Arc<dyn Recorder + Send + Sync>>);

impl Recording {
    /// Describes all metrics to the global recorder.
    pub(crate) fn global() -> Self {
        Self(None).described()
    }

    /// Describes all metrics to a recorder.
    pub(crate) fn with_recorder(recorder: impl Recorder + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(recorder))).described()
    }

    /// Registers a counter, with a value for each of its labels.
    pub(crate) fn counter(&self, metric: &Metric, values: &[&str]) -> Counter {
        self.with(|recorder| recorder.register_counter(&key(metric, values), &METADATA))
    }

    /// Registers a gauge, with a value for each of its labels.
    pub(crate) fn gauge(&self, metric: &Metric, values: &[&str]) -> Gauge {
        self.with(|recorder| recorder.register_gauge(&key(metric, values), &METADATA))
    }

    /// Registers a histogram, with a value for each of its labels.
    pub(crate) fn histogram(&self, metric: &Metric, values: &[&str]) -> Histogram {
        self.with(|recorder| recorder.register_histogram(&key(metric, values), &METADATA))
    }

    fn described(self) -> Self {
        self.with(|recorder| METRICS.iter().for_each(|metric| metric.describe(recorder)));
        self
    }

    fn with<T>(&self, work: impl FnOnce(&dyn Recorder) -> T) -> T {
        match &self.0 {
            Some(recorder) => work(&**recorder),
            None => metrics::with_recorder(work),
        }
    }
}

fn key(metric: &Metric, values: &[&str]) -> Key {
    let label = |(name, value): (&&'static str, &&str)| Label::new(*name, (*value).to_owned());
    Key::from_parts(metric.name, metric.labels.iter().zip(values).map(label).collect::<Vec<_>>())
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Recording(own)" } else { "Recording(global)" })
    }
}
