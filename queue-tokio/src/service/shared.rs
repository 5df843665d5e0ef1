//! The state that the tasks of one run share.

use std::sync::{Arc, Mutex};

use queue_core::backend::{ExpiredJob, Subscription};
use queue_core::{AttemptRunner, Environment, Event, Jobs, Layer, MakeSpan, Observer, Queue, Runtime};
use tokio::sync::mpsc;

use super::backoff::Backoff;
use super::claimer::Claimer;
use super::client::Client;
use super::lane::Lane;
use super::settings::Settings;
use super::shutdown::Shutdown;
use super::sleeper::Sleeper;
use super::stop_tally::StopTally;
use super::tasks::RunTasks;
use super::unsettled::Unsettled;
use crate::hosted::HostContext;

/// The state that the tasks of one run share.
#[derive(Debug)]
pub(super) struct Shared {
    client: Client,
    runner: AttemptRunner,
    settings: Settings,
    lanes: Vec<Lane>,
    shutdown: Shutdown,
    tasks: RunTasks,
    /// Wakes the renewer when a job is in flight.
    renewer: Sleeper,
    /// Wakes the watchdog when jobs wait for a worker.
    watchdog: Sleeper,
    /// The ends of jobs that were recorded during the stop, for its log line.
    tally: StopTally,
    /// The settlements that were not recorded at the first try.
    unsettled: mpsc::UnboundedSender<Unsettled>,
    /// Keeps the subscription that reports jobs whose last lease has expired to the observer.
    _expiries: Option<Subscription>,
}

/// The parts of a service from which a run is created.
pub(super) struct Parts {
    pub(super) queue: Arc<dyn Queue>,
    pub(super) jobs: Jobs,
    pub(super) layers: Vec<Layer>,
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) make_span: Option<MakeSpan>,
    pub(super) observer: Option<Arc<dyn Observer>>,
    pub(super) settings: Settings,
}

impl Shared {
    pub(super) fn new(
        parts: Parts,
        context: &HostContext,
        unsettled: mpsc::UnboundedSender<Unsettled>,
    ) -> Self {
        let Parts { queue, jobs, layers, runtime, make_span, observer, settings } = parts;
        let service = Some(settings.name.as_str().into());
        let environment =
            Environment { clock: runtime.clone(), blocking: runtime.clone(), observer, service };
        let services = context.services().clone();
        let shutdown = Shutdown::new(context.draining().clone());
        let (health, stopping) = (context.health().clone(), shutdown.stopping().clone());
        let runner = AttemptRunner::new(jobs, services, queue.clone(), &layers, environment.clone());
        Self {
            _expiries: observe_expiries(&settings, &*queue, &environment),
            runner: match make_span {
                Some(make_span) => runner.with_spans(make_span),
                None => runner,
            },
            lanes: lanes(&settings, &*runtime),
            shutdown,
            tasks: RunTasks::new(runtime.clone()),
            renewer: Sleeper::default(),
            watchdog: Sleeper::default(),
            tally: StopTally::default(),
            unsettled,
            client: Client::new(&settings.name, queue, runtime, environment, health, stopping),
            settings,
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn runner(&self) -> &AttemptRunner {
        &self.runner
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// Returns a lane by its number, which only [`lanes`](Self::lanes) hands out.
    pub(super) fn lane(&self, number: usize) -> &Lane {
        &self.lanes[number]
    }

    pub(super) fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    pub(super) fn tasks(&self) -> &RunTasks {
        &self.tasks
    }

    pub(super) fn renewer(&self) -> &Sleeper {
        &self.renewer
    }

    pub(super) fn watchdog(&self) -> &Sleeper {
        &self.watchdog
    }

    pub(super) fn tally(&self) -> &StopTally {
        &self.tally
    }

    /// Returns how many jobs are running.
    pub(super) fn running(&self) -> usize {
        let mut running = 0;
        self.lanes.iter().for_each(|lane| lane.each(|job| running += usize::from(job.is_running())));
        running
    }

    /// Sends settlements to the task that repeats them.
    pub(super) fn repeat_settlement(&self, unsettled: Unsettled) {
        // The task ends only with the run.
        self.unsettled.send(unsettled).ok();
    }
}

/// Subscribes the observer, if there is one, to the jobs that the queue finds discarded because their last lease has expired.
fn observe_expiries(
    settings: &Settings,
    queue: &dyn Queue,
    environment: &Environment,
) -> Option<Subscription> {
    environment.observer.as_ref()?;
    let (queues, environment) = (settings.queues.iter().map(|(queue, _)| queue.clone()), environment.clone());
    let observe = move |job: &ExpiredJob| environment.observe(|| Event::DiscardedByExpiry(job.into()));
    Some(queue.expiry_feed()?.subscribe(queues, observe))
}

/// A lane has at least this share, if the concurrency allows it: small batches cost more for each job.
const MIN_SHARE: usize = 8;

/// Creates a lane for each thread of the runtime, with shares that add up to the concurrency.
fn lanes(settings: &Settings, runtime: &dyn Runtime) -> Vec<Lane> {
    let count = runtime.threads().min(settings.concurrency / MIN_SHARE).max(1);
    let seed = u64::try_from(runtime.now().as_micros()).unwrap_or_default();
    let backoff = Arc::new(Mutex::new(Backoff::new("claim", seed)));
    let part = |whole: usize, number: usize| whole / count + usize::from(number < whole % count);
    let lane = |number| {
        let share = part(settings.concurrency, number);
        let prefetch = settings.prefetch.map(|jobs| part(jobs, number));
        Lane::new(number, share, Claimer::new(settings, share, prefetch, backoff.clone()))
    };
    (0..count).map(lane).collect()
}
