//! One metric: its name, kind, unit, labels and description.

use metrics::{KeyName, Recorder, Unit};

/// A metric of this crate.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Metric {
    /// The name, as exporters receive it.
    pub name: &'static str,
    /// The kind.
    pub kind: MetricKind,
    /// The unit.
    pub unit: Unit,
    /// The names of the labels.
    pub labels: &'static [&'static str],
    /// The description, in one sentence.
    pub description: &'static str,
}

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum MetricKind {
    /// A number that only grows.
    Counter,
    /// A number that is read from the store.
    Gauge,
    /// A distribution. The slice has the upper bounds of the recommended buckets.
    Histogram(&'static [f64]),
}

impl Metric {
    pub(crate) const fn counter(
        name: &'static str,
        labels: &'static [&'static str],
        description: &'static str,
    ) -> Self {
        Self { name, kind: MetricKind::Counter, unit: Unit::Count, labels, description }
    }

    pub(crate) const fn gauge(
        name: &'static str,
        unit: Unit,
        labels: &'static [&'static str],
        description: &'static str,
    ) -> Self {
        Self { name, kind: MetricKind::Gauge, unit, labels, description }
    }

    pub(crate) const fn histogram(
        name: &'static str,
        unit: Unit,
        buckets: &'static [f64],
        labels: &'static [&'static str],
        description: &'static str,
    ) -> Self {
        Self { name, kind: MetricKind::Histogram(buckets), unit, labels, description }
    }

    /// Passes the unit and the description to a recorder.
    pub(crate) fn describe(&self, recorder: &dyn Recorder) {
        let (name, unit) = (KeyName::from_const_str(self.name), Some(self.unit));
        let description = self.description.into();
        match self.kind {
            MetricKind::Counter => recorder.describe_counter(name, unit, description),
            MetricKind::Gauge => recorder.describe_gauge(name, unit, description),
            MetricKind::Histogram(_) => recorder.describe_histogram(name, unit, description),
        }
    }
}
