//! The sampler, which reads the gauges from the store.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use queue_core::admin::{QueueSummary, UsageRequest, WorkerRecord};
use queue_core::backend::error_chain;
use queue_core::{Admin, Clock, QueueError, QueueErrorKind, QueueName, State};

use crate::held_jobs::HeldJobs;
use crate::list::{
    DEPTH, HELD_BY_LIMIT, OLDEST_READY_SECONDS, PARTITIONS_AT_LIMIT, PAUSED, WORKERS, WORKERS_BUSY,
};
use crate::process_metrics::ProcessMetrics;

/// The cap of `queue_depth`. A sample is read every few seconds and no one waits for it, so it counts further than a summary does by
/// default, and a chart shows whether a large backlog grows.
const CAP: u64 = 100_000;

/// The states of `queue_depth`. Completed and cancelled jobs are no backlog, and are kept only for inspection.
const STATES: [State; 5] =
    [State::Scheduled, State::Available, State::Executing, State::Retryable, State::Discarded];

/// Reads the gauges of a queue from its store. [`QueueMetrics::sampler`](crate::QueueMetrics::sampler) creates it.
///
/// A sample reads the summary of the store, whose cost does not grow with the number of jobs, and the workers. Of each queue with
/// limits it also reads the use of all partitions. All processes report the same values, so a dashboard takes the maximum over
/// processes, not the sum.
pub struct Sampler {
    queue: Arc<dyn Admin>,
    metrics: Arc<ProcessMetrics>,
    reported: Mutex<SampledNames>,
}

/// The queues and services that have gauges. One that disappears from the store is reported as empty.
#[derive(Default)]
struct SampledNames {
    queues: BTreeSet<QueueName>,
    /// The queues with limits.
    limited: BTreeSet<QueueName>,
    services: BTreeSet<String>,
}

impl Sampler {
    pub(crate) fn new(queue: Arc<dyn Admin>, metrics: Arc<ProcessMetrics>) -> Self {
        Self { queue, metrics, reported: Mutex::default() }
    }

    /// Reads the store and sets all gauges.
    ///
    /// If the store fails, the gauges keep their values, and `queue_store_failures_total` is incremented.
    ///
    /// # Errors
    ///
    /// Those of [`Admin::summary_up_to`], [`Admin::limits`], [`Admin::usage`] and [`Admin::workers`]. A queue without announcements has
    /// no gauges of workers, and a queue without limits has no gauges of limits. Neither is an error.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no gauge is set.
    pub async fn sample(&self) -> Result<(), QueueError> {
        let sampled = async {
            let queues = self.queue.summary_up_to(CAP).await?;
            let held = self.held_jobs(&queues).await?;
            Ok::<_, QueueError>((queues, held, self.workers().await?))
        };
        let (queues, held, workers) =
            sampled.await.inspect_err(|_| self.metrics.count_store_failure("summary"))?;
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        self.set_queues(&queues, &mut reported.queues);
        self.set_held_jobs(&held, &mut reported.limited);
        self.set_workers(&workers, &mut reported.services);
        Ok(())
    }

    /// Samples at once and then every `interval`, until the future is dropped.
    ///
    /// A failure is logged once, until a sample succeeds again.
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped at any time.
    pub async fn run(self, interval: Duration, clock: impl Clock) {
        let mut is_failing = false;
        loop {
            let sampled = self.sample().await;
            if let Err(error) = &sampled
                && !is_failing
            {
                tracing::warn!(error = %error_chain(error), "the gauges could not be read from the store");
            }
            is_failing = sampled.is_err();
            clock.sleep(interval).await;
        }
    }

    /// Returns the jobs that limits hold back, for each queue with limits.
    async fn held_jobs(&self, queues: &[QueueSummary]) -> Result<BTreeMap<QueueName, HeldJobs>, QueueError> {
        let mut held = BTreeMap::new();
        for QueueSummary { queue, .. } in queues {
            if self.has_limits(queue).await? {
                let usage = self.queue.usage(&UsageRequest::of(queue).limit(usize::MAX)).await?;
                held.insert(queue.clone(), HeldJobs::of(&usage));
            }
        }
        Ok(held)
    }

    /// Returns whether a queue has limits; `false` if the store keeps none.
    async fn has_limits(&self, queue: &QueueName) -> Result<bool, QueueError> {
        match self.queue.limits(queue).await {
            Err(error) if error.kind() == QueueErrorKind::Unsupported => Ok(false),
            limits => Ok(!limits?.is_empty()),
        }
    }

    /// Returns the workers that the store lists; none if the store keeps no announcements.
    async fn workers(&self) -> Result<Vec<WorkerRecord>, QueueError> {
        match self.queue.workers().await {
            Err(error) if error.kind() == QueueErrorKind::Unsupported => Ok(Vec::new()),
            workers => workers,
        }
    }

    fn set_queues(&self, queues: &[QueueSummary], reported: &mut BTreeSet<QueueName>) {
        let recording = self.metrics.recording();
        for queue in reported.iter().filter(|name| queues.iter().all(|queue| queue.queue != **name)) {
            let name = queue.as_str();
            STATES.iter().for_each(|state| recording.gauge(&DEPTH, &[name, state.as_str()]).set(0));
            recording.gauge(&OLDEST_READY_SECONDS, &[name]).set(0);
            recording.gauge(&PAUSED, &[name]).set(0);
        }
        for queue in queues {
            let name = queue.queue.as_str();
            for state in STATES {
                recording.gauge(&DEPTH, &[name, state.as_str()]).set(queue.of(state).jobs as f64);
            }
            let oldest = queue.waits_for().unwrap_or_default();
            recording.gauge(&OLDEST_READY_SECONDS, &[name]).set(oldest.as_secs_f64());
            recording.gauge(&PAUSED, &[name]).set(f64::from(u8::from(queue.paused)));
        }
        reported.extend(queues.iter().map(|queue| queue.queue.clone()));
    }

    fn set_held_jobs(&self, held: &BTreeMap<QueueName, HeldJobs>, reported: &mut BTreeSet<QueueName>) {
        let recording = self.metrics.recording();
        reported.extend(held.keys().cloned());
        for queue in reported.iter() {
            for (limit, of_limit) in held.get(queue).copied().unwrap_or_default().by_limit() {
                let labels = [queue.as_str(), limit];
                recording.gauge(&HELD_BY_LIMIT, &labels).set(of_limit.jobs as f64);
                recording.gauge(&PARTITIONS_AT_LIMIT, &labels).set(of_limit.partitions as f64);
            }
        }
    }

    fn set_workers(&self, workers: &[WorkerRecord], reported: &mut BTreeSet<String>) {
        reported.extend(workers.iter().map(|worker| worker.service.clone()));
        for service in reported.iter() {
            let live = || workers.iter().filter(|worker| worker.is_live && worker.service == *service);
            let recording = self.metrics.recording();
            let capacity: f64 = live().map(|worker| f64::from(worker.concurrency)).sum();
            let busy: f64 = live().map(|worker| f64::from(worker.running)).sum();
            recording.gauge(&WORKERS, &[service]).set(capacity);
            recording.gauge(&WORKERS_BUSY, &[service]).set(busy);
        }
    }
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampler").finish_non_exhaustive()
    }
}
