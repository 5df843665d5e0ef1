//! The list of all metrics.

use metrics::Unit;

use crate::metric::{Metric, MetricKind};

/// Durations from a millisecond to half an hour.
const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0,
];

/// Durations of calls of a store, from a tenth of a millisecond to ten seconds.
const CALL_SECONDS: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Numbers of jobs of one call.
const JOBS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1000.0];

/// All metrics of this crate.
///
/// No label is an id, a payload, a unique key, a partition or a value of meta.
pub const METRICS: &[Metric] = &[
    JOBS_PUSHED,
    ATTEMPTS,
    ATTEMPT_SECONDS,
    WAIT_SECONDS,
    OLDEST_READY_SECONDS,
    DEPTH,
    PAUSED,
    HELD_BY_LIMIT,
    PARTITIONS_AT_LIMIT,
    WORKERS,
    WORKERS_BUSY,
    CLAIM_SECONDS,
    SETTLE_SECONDS,
    CLAIMED_PER_TRIP,
    LEASES_LOST,
    RENEWALS_LATE,
    INTERRUPTED,
    STALLED,
    STORE_FAILURES,
    UNKNOWN_JOBS,
    UNDECODABLE,
];

/// Returns the name and the recommended buckets of each histogram, for exporters that need buckets.
///
/// ```
/// use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
///
/// let mut exporter = PrometheusBuilder::new();
/// for (name, buckets) in queue_metrics::buckets() {
///     exporter = exporter.set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets)?;
/// }
/// # Ok::<(), metrics_exporter_prometheus::BuildError>(())
/// ```
pub fn buckets() -> impl Iterator<Item = (&'static str, &'static [f64])> {
    METRICS.iter().filter_map(|metric| match metric.kind {
        MetricKind::Histogram(buckets) => Some((metric.name, buckets)),
        MetricKind::Counter | MetricKind::Gauge => None,
    })
}

pub(crate) const JOBS_PUSHED: Metric = Metric::counter(
    "queue_jobs_pushed_total",
    &["queue", "name", "receipt"],
    "Jobs that were pushed, by receipt: stored, existing, replaced, or followup of a settled job.",
);

pub(crate) const ATTEMPTS: Metric = Metric::counter(
    "queue_attempts_total",
    &["queue", "name", "outcome"],
    "Attempts that were settled, by transition; stale if the lease was lost, so that nothing was recorded.",
);

pub(crate) const ATTEMPT_SECONDS: Metric = Metric::histogram(
    "queue_attempt_seconds",
    Unit::Seconds,
    SECONDS,
    &["queue", "name", "outcome"],
    "Duration of an attempt, by the transition that follows.",
);

pub(crate) const WAIT_SECONDS: Metric = Metric::histogram(
    "queue_wait_seconds",
    Unit::Seconds,
    SECONDS,
    &["queue", "name"],
    "Time from the instant at which a job became ready to the start of its first attempt.",
);

pub(crate) const OLDEST_READY_SECONDS: Metric = Metric::gauge(
    "queue_oldest_ready_seconds",
    Unit::Seconds,
    &["queue"],
    "Time for which the oldest ready job has waited; 0 if no job is ready.",
);

pub(crate) const DEPTH: Metric = Metric::gauge(
    "queue_depth",
    Unit::Count,
    &["queue", "state"],
    "Stored jobs that are unfinished or discarded, by state; a large number is capped.",
);

pub(crate) const PAUSED: Metric =
    Metric::gauge("queue_paused", Unit::Count, &["queue"], "1 if the queue is paused, otherwise 0.");

pub(crate) const HELD_BY_LIMIT: Metric = Metric::gauge(
    "queue_held_by_limit",
    Unit::Count,
    &["queue", "limit"],
    "Ready jobs that may not start now, by the limit that holds them back: running, or rate with the waits of throttled jobs.",
);

pub(crate) const PARTITIONS_AT_LIMIT: Metric = Metric::gauge(
    "queue_partitions_at_limit",
    Unit::Count,
    &["queue", "limit"],
    "Partitions with ready jobs of which none may start now, by the limit of the partition: running or rate.",
);

pub(crate) const WORKERS: Metric = Metric::gauge(
    "queue_workers",
    Unit::Count,
    &["service"],
    "Jobs that the live processes of a service can run at once.",
);

pub(crate) const WORKERS_BUSY: Metric = Metric::gauge(
    "queue_workers_busy",
    Unit::Count,
    &["service"],
    "Jobs that the live processes of a service run now.",
);

pub(crate) const CLAIM_SECONDS: Metric = Metric::histogram(
    "queue_claim_seconds",
    Unit::Seconds,
    CALL_SECONDS,
    &[],
    "Duration of a claim that found a ready job; claims that waited for one are left out.",
);

pub(crate) const SETTLE_SECONDS: Metric = Metric::histogram(
    "queue_settle_seconds",
    Unit::Seconds,
    CALL_SECONDS,
    &[],
    "Duration of a settlement of finished attempts.",
);

pub(crate) const CLAIMED_PER_TRIP: Metric =
    Metric::histogram("queue_claimed_per_trip", Unit::Count, JOBS, &[], "Jobs of a claim that found any.");

pub(crate) const LEASES_LOST: Metric =
    Metric::counter("queue_leases_lost_total", &[], "Leases that were lost while an attempt ran.");

pub(crate) const RENEWALS_LATE: Metric = Metric::counter(
    "queue_renewals_late_total",
    &[],
    "Renewals that came when more than two thirds of the leases' length had passed.",
);

pub(crate) const INTERRUPTED: Metric = Metric::counter(
    "queue_interrupted_total",
    &[],
    "Attempts that a stop or a lost lease cut short, so that they were not counted.",
);

pub(crate) const STALLED: Metric =
    Metric::counter("queue_stalled_total", &["name"], "Jobs that blocked a thread of the runtime.");

pub(crate) const STORE_FAILURES: Metric = Metric::counter(
    "queue_store_failures_total",
    &["operation"],
    "Failed calls of the store: claim, renew, settle, push or summary.",
);

pub(crate) const UNKNOWN_JOBS: Metric = Metric::counter(
    "queue_unknown_jobs_total",
    &["name"],
    "Attempts at jobs whose name the program does not know.",
);

pub(crate) const UNDECODABLE: Metric =
    Metric::counter("queue_undecodable_total", &["name"], "Attempts whose payload could not be decoded.");
