//! A simulated fleet: several programs over one queue, in one thread and under virtual time, with all randomness drawn from a
//! seed.
//!
//! `executor.rs` schedules the tasks of all nodes, `sim.rs` starts and restarts nodes, `node.rs` is the queue and the runtime of
//! one node, `fault.rs` the faults that a seed draws, `state.rs` the state that all of them share.

mod error;
mod executor;
mod fault;
mod node;
mod sim;
mod state;

use std::panic::{AssertUnwindSafe, catch_unwind};

use queue_core::BoxError;
use queue_core::backend::panic_message;

pub use error::SimulationError;
pub use fault::NodeFault;
pub use node::{Node, NodeRuntime};
pub use sim::Sim;

use executor::Stuck;
use state::SimState;

/// Runs a scenario many times, each time with another seed, and so with other faults in another order.
///
/// The scenario starts nodes, enqueues jobs and waits for them. If the result is wrong, it returns an error or panics. Each node
/// gets its own connection to the queue and its own runtime, for the loop that runs in production:
/// `QueueService::new(node.queue(), jobs![..]).runtime(node.runtime())`.
///
/// Nodes crash and are restarted, or cannot reach the queue for a while. Their clocks are wrong. Calls are slow, fail, take effect
/// and lose their answers, or are never answered. So leases are lost, jobs run twice, and settlements come too late. When a run
/// fails, it is repeated with fewer and fewer of its faults, as long as it still fails.
///
/// A job under simulation must wait by [`JobContext::sleep`](queue_core::JobContext::sleep) and not by `tokio::time`, because
/// there is no tokio runtime.
///
/// [`Simulation::check`] has an example.
pub fn simulate<S>(scenario: S) -> Simulation<S>
where
    S: AsyncFn(Sim) -> Result<(), BoxError>,
{
    Simulation { scenario, seeds: 0..100, nodes: 3, threads: 1, most: 6, with: Vec::new(), only_faults: None }
}

/// Runs of a scenario. Created by [`simulate`], run by [`check`](Self::check).
#[must_use = "a simulation is run by `check`"]
#[derive(Debug)]
pub struct Simulation<S> {
    scenario: S,
    seeds: std::ops::Range<u64>,
    nodes: usize,
    threads: usize,
    most: usize,
    with: Vec<NodeFault>,
    only_faults: Option<Vec<usize>>,
}

/// The summary of a simulation in which no run failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Simulated {
    /// The number of runs.
    pub runs: u64,
    /// The number of faults in all runs.
    pub faults: usize,
    /// A hash of the schedules of all runs. Two simulations with the same fingerprint ran the same way.
    pub fingerprint: u64,
}

/// A run that failed.
struct Broken {
    message: String,
}

impl<S: AsyncFn(Sim) -> Result<(), BoxError>> Simulation<S> {
    /// Sets the number of runs, with the seeds from 0. The default is 100.
    pub fn runs(mut self, runs: u64) -> Self {
        self.seeds = 0..runs;
        self
    }

    /// Runs a single seed, to debug it.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seeds = seed..seed.saturating_add(1);
        self
    }

    /// Keeps only these faults of a seed, by the numbers that a report printed, counted from 0.
    pub fn only_faults(mut self, faults: impl IntoIterator<Item = usize>) -> Self {
        self.only_faults = Some(faults.into_iter().collect());
        self
    }

    /// Sets the number of nodes that the scenario starts, so that faults are drawn for all of them. The default is 3.
    pub fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// Sets the number of threads that the [runtime](Node::runtime) of each node reports: 1 by default, and zero is taken as one.
    ///
    /// The hosted loop divides its jobs by it, as it does on a machine with that many threads. All tasks still run on this thread,
    /// in an order drawn from the seed.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Sets the maximum number of faults drawn for a run. The default is 6.
    pub fn max_faults(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// Adds these faults to the ones drawn for each run.
    pub fn with(mut self, faults: impl IntoIterator<Item = NodeFault>) -> Self {
        self.with.extend(faults);
        self
    }

    /// Runs the scenario with each seed, one after another, on this thread.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use queue_core::{JobContext, QueueExt as _, Services, State, background_job, jobs};
    /// use queue_testkit::simulate;
    /// use queue_tokio::{HostContext, HostedService as _, QueueService};
    ///
    /// #[background_job]
    /// async fn work(#[inject] context: &JobContext) {
    ///     context.sleep(Duration::from_secs(1)).await;
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// simulate(async |sim| {
    ///     for _ in 0..3 {
    ///         sim.start(|node| async move {
    ///             let services = Services::builder().build().unwrap();
    ///             let context = HostContext::new(services, Default::default(), Duration::ZERO);
    ///             let mut service = QueueService::new(node.queue(), jobs![work]).runtime(node.runtime());
    ///             service.run(&context).await.unwrap();
    ///         });
    ///     }
    ///     sim.queue().enqueue_all((0..20).map(|_| work::new())).await?;
    ///     sim.run_until_finished().await?;
    ///     assert!(sim.jobs().iter().all(|job| job.state == State::Completed));
    ///     Ok(())
    /// })
    /// .check()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The first run that fails, with its seed, a minimal list of faults, and the call that repeats it.
    pub fn check(self) -> Result<Simulated, SimulationError> {
        let mut simulated = Simulated { runs: 0, faults: 0, fingerprint: 0 };
        for seed in self.seeds.clone() {
            let all = self.faults_of(seed);
            let kept: Vec<usize> = match &self.only_faults {
                Some(only_faults) => only_faults.iter().copied().filter(|index| *index < all.len()).collect(),
                None => (0..all.len()).collect(),
            };
            match self.run(seed, &all, &kept) {
                Ok(fingerprint) => {
                    simulated.runs += 1;
                    simulated.faults += kept.len();
                    simulated.fingerprint = simulated.fingerprint.rotate_left(1) ^ fingerprint;
                }
                Err(broken) => return Err(self.shrink(seed, &all, kept, broken)),
            }
        }
        Ok(simulated)
    }

    fn faults_of(&self, seed: u64) -> Vec<NodeFault> {
        // A separate random stream from the scheduler's, so that removing a fault changes the schedule as late as possible.
        let mut random = fastrand::Rng::with_seed(seed ^ 0x7472_6f75_626c_6573);
        let mut faults = fault::make(&mut random, self.nodes, self.most);
        faults.extend(self.with.iter().cloned());
        faults
    }

    fn run(&self, seed: u64, all: &[NodeFault], kept: &[usize]) -> Result<u64, Broken> {
        let faults = kept.iter().filter_map(|index| all.get(*index).cloned()).collect();
        let state = SimState::new(seed, self.threads, faults);
        let sim = Sim::new(&state);
        let main = (self.scenario)(sim.clone());
        let ended = catch_unwind(AssertUnwindSafe(|| state.executor.run(main)));
        sim.end();
        let message = match ended {
            Ok(Ok(Ok(()))) => return Ok(state.executor.fingerprint()),
            Ok(Ok(Err(error))) => queue_core::backend::error_chain(&*error).to_string(),
            Ok(Err(Stuck::NothingToDo)) => {
                "no task is ready and no timer is set, and the scenario still waits".to_owned()
            }
            Ok(Err(Stuck::Endless)) => "the run did not end within the maximum number of polls".to_owned(),
            Ok(Err(Stuck::Panicked { owner, message })) => format!("node {owner} {message}"),
            Err(panic) => panic_message(&*panic),
        };
        Err(Broken { message })
    }

    /// Removes faults, one after another, as long as the run still fails.
    fn shrink(
        &self,
        seed: u64,
        all: &[NodeFault],
        mut kept: Vec<usize>,
        mut broken: Broken,
    ) -> SimulationError {
        let mut at = 0;
        while at < kept.len() {
            let mut fewer = kept.clone();
            fewer.remove(at);
            match self.run(seed, all, &fewer) {
                Err(still) => (kept, broken) = (fewer, still),
                Ok(_) => at += 1,
            }
        }
        let faults = kept.iter().filter_map(|index| Some((*index, all.get(*index)?.clone()))).collect();
        SimulationError { seed, message: broken.message, faults, total_faults: all.len() }
    }
}
