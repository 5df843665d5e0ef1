//! A fleet under simulation: any number of programs over one queue, in one thread, under virtual time, with a seed for all
//! that happens by chance.

mod error;
mod executor;
mod fault;
mod node;
mod sim;
mod state;

use std::panic::{AssertUnwindSafe, catch_unwind};

use queue_core::BoxError;
use queue_core::error::panic_message;

pub use error::SimulationError;
pub use fault::FleetFault;
pub use node::{Node, NodeQueue, NodeRuntime};
pub use sim::Sim;

use executor::Stuck;
use state::SimState;

/// Runs a scenario again and again, each time with another seed: other troubles, in another order.
///
/// The scenario starts nodes, enqueues jobs, lets them run and says whether all is as it should be, by an error or a panic
/// if it isn't. Each node is given a way to the queue and a runtime of its own, for the very loop that runs in production:
/// `QueueService::new(node.queue(), jobs![..]).runtime(node.runtime())`.
///
/// Nodes die and are started anew; they lose the way to the queue for a while; their clocks are wrong; calls take long, fail,
/// are done and their answers are lost, or are never answered. So leases are lost, jobs run twice, settlements come too late. A run that breaks
/// is made again with fewer and fewer of its troubles, as long as it breaks.
///
/// A job under simulation must wait by [`JobContext::sleep`](queue_core::JobContext::sleep) and not by `tokio::time`: there
/// is no tokio.
///
/// [`Simulation::check`] has an example.
pub fn simulate<S>(scenario: S) -> Simulation<S>
where
    S: AsyncFn(Sim) -> Result<(), BoxError>,
{
    Simulation { scenario, seeds: 0..100, nodes: 3, most: 6, with: Vec::new(), only_faults: None }
}

/// Runs of a scenario; made by [`simulate`], run by [`check`](Self::check).
#[must_use = "a simulation is run by `check`"]
#[derive(Debug)]
pub struct Simulation<S> {
    scenario: S,
    seeds: std::ops::Range<u64>,
    nodes: usize,
    most: usize,
    with: Vec<FleetFault>,
    only_faults: Option<Vec<usize>>,
}

/// What a simulation went through without finding anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Simulated {
    /// How many runs were made.
    pub runs: u64,
    /// How many troubles they had in all.
    pub faults: usize,
    /// A number that two simulations share only if they went the same way.
    pub fingerprint: u64,
}

/// A run that broke.
struct Broken {
    message: String,
}

impl<S: AsyncFn(Sim) -> Result<(), BoxError>> Simulation<S> {
    /// Makes so many runs, of the seeds from 0: a hundred by default.
    pub fn runs(mut self, runs: u64) -> Self {
        self.seeds = 0..runs;
        self
    }

    /// Makes the run of one seed alone, to look at it more closely.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seeds = seed..seed.saturating_add(1);
        self
    }

    /// Leaves of a seed's troubles only these, counted from 0, as a report gives them.
    pub fn only_faults(mut self, faults: impl IntoIterator<Item = usize>) -> Self {
        self.only_faults = Some(faults.into_iter().collect());
        self
    }

    /// Says how many nodes the scenario starts, so that troubles befall all of them: three by default.
    pub fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// Has up to so many things go wrong in a run: six by default.
    pub fn max_faults(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// Adds these troubles to those that each run has by chance.
    pub fn with(mut self, faults: impl IntoIterator<Item = FleetFault>) -> Self {
        self.with.extend(faults);
        self
    }

    /// Makes the runs, one after another, on this thread.
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
    /// The first run that breaks, with the seed, the fewest troubles with which it does, and the call that makes it again.
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
                Err(broken) => return Err(self.shrunk(seed, &all, kept, broken)),
            }
        }
        Ok(simulated)
    }

    fn faults_of(&self, seed: u64) -> Vec<FleetFault> {
        // Another stream than that of the turns, so that a run with fewer troubles takes the same turns for longer.
        let mut random = fastrand::Rng::with_seed(seed ^ 0x7472_6f75_626c_6573);
        let mut faults = fault::make(&mut random, self.nodes, self.most);
        faults.extend(self.with.iter().cloned());
        faults
    }

    fn run(&self, seed: u64, all: &[FleetFault], kept: &[usize]) -> Result<u64, Broken> {
        let faults = kept.iter().filter_map(|index| all.get(*index).cloned()).collect();
        let state = SimState::new(seed, faults);
        let sim = Sim::new(&state);
        let main = (self.scenario)(sim.clone());
        let ended = catch_unwind(AssertUnwindSafe(|| state.executor.run(main)));
        sim.end();
        let message = match ended {
            Ok(Ok(Ok(()))) => return Ok(state.executor.fingerprint()),
            Ok(Ok(Err(error))) => queue_core::error::chain(&*error).to_string(),
            Ok(Err(Stuck::NothingToDo)) => {
                "nobody has anything to do any more, and the scenario waits".to_owned()
            }
            Ok(Err(Stuck::Endless)) => "it goes on and on".to_owned(),
            Ok(Err(Stuck::Panicked { owner, message })) => format!("node {owner} {message}"),
            Err(panic) => panic_message(&*panic),
        };
        Err(Broken { message })
    }

    /// Leaves troubles out, one after another, as long as the run breaks.
    fn shrunk(
        &self,
        seed: u64,
        all: &[FleetFault],
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
