//! The observer that records the metrics of a process.

use std::sync::Arc;

use metrics::Recorder;
use queue_core::{Admin, Event, JobFacts, Observer, Outcome, Queue, Settled};

use crate::counted::CountedQueue;
use crate::job_metrics::JobMetrics;
use crate::process_metrics::ProcessMetrics;
use crate::recording::Recording;
use crate::sampler::Sampler;

/// Records the metrics of a process. It is an [`Observer`] of services, and creates the [counting decorator](Self::count) and the
/// [sampler](Self::sampler) of a queue. Cheap to clone; clones share one record.
///
/// ```
/// use metrics_exporter_prometheus::PrometheusBuilder;
/// use queue_core::{QueueExt as _, background_job, jobs};
/// use queue_metrics::QueueMetrics;
/// use queue_tokio::{MemoryQueue, QueueService};
///
/// #[background_job]
/// async fn greet(name: &str) {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), queue_core::BoxError> {
/// let exporter = PrometheusBuilder::new().build_recorder();
/// let page = exporter.handle();
/// let metrics = QueueMetrics::with_recorder(exporter);
///
/// let memory = MemoryQueue::new();
/// let queue = metrics.count(memory.clone()); // pushes through it are counted
/// let service = QueueService::new(memory.clone(), jobs![greet]).observe(metrics.clone());
/// queue.enqueue(greet::new("world")).await?;
/// service.run_until(memory.idle()).await?;
///
/// let text = page.render(); // the answer to a scrape
/// assert!(text.contains(r#"queue_attempts_total{queue="default",name="greet",outcome="complete"} 1"#));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct QueueMetrics(Arc<ProcessMetrics>);

impl QueueMetrics {
    /// Creates metrics in the global recorder. Install the exporter first: values that are recorded before that are lost.
    #[must_use]
    pub fn new() -> Self {
        Self::over(Recording::global())
    }

    /// Creates metrics in the given recorder.
    #[must_use]
    pub fn with_recorder(recorder: impl Recorder + Send + Sync + 'static) -> Self {
        Self::over(Recording::with_recorder(recorder))
    }

    fn over(recording: Recording) -> Self {
        Self(Arc::new(ProcessMetrics::new(recording)))
    }

    /// Wraps a queue so that the jobs that are pushed through it are counted.
    #[must_use]
    pub fn count<Q: Queue>(&self, queue: Q) -> CountedQueue<Q> {
        CountedQueue::new(queue, self.0.clone())
    }

    /// Creates the sampler of a queue, which reads the gauges from it.
    #[must_use]
    pub fn sampler(&self, queue: Arc<dyn Admin>) -> Sampler {
        Sampler::new(queue, self.0.clone())
    }

    fn of(&self, job: &JobFacts) -> Arc<JobMetrics> {
        self.0.job(&job.queue, &job.name)
    }
}

impl Default for QueueMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for QueueMetrics {
    fn observe(&self, event: &Event) {
        match event {
            Event::Waited { job, waited } => self.of(job).record_wait(waited.as_secs_f64()),
            Event::Ended { outcome: Outcome::Interrupted, .. } => self.0.count_interruption(),
            Event::Ended { job, outcome: Outcome::Failure(failure), .. } => {
                self.of(job).count_failure(failure.cause);
            }
            Event::Decided { job, transition, took } => {
                self.of(job).record_attempt(took.as_secs_f64(), transition);
            }
            Event::Settled { job, transition, settled, has_begun: true } => {
                self.of(job).count_attempt((*settled == Settled::Applied).then_some(transition));
            }
            Event::DiscardedByExpiry(job) => self.of(job).count_expiry(),
            Event::FollowedUp { name, queue, .. } => self.0.job(queue, name).count_followup(),
            Event::Called(call) => self.0.record_call(call),
            Event::LeaseLost(_) => self.0.count_lost_lease(),
            Event::RenewedLate { .. } => self.0.count_late_renewal(),
            Event::ThreadBlocked { job, .. } => self.of(job).count_stall(),
            _ => {}
        }
    }
}
