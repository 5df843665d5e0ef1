//! The interface of one run to its scenario.
//!
//! A crash task per [`NodeFault::Crash`] waits until its time, sets the node's `is_dead`, drops all tasks of the node, and starts
//! the program again later. `is_dead` is set first, so that destructors of the dropped tasks cannot spawn new ones. Two crashes of
//! one node may overlap: the second finds `is_dead` set and does nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use queue_core::{BoxError, Clock as _, JobRecord};

use super::fault::NodeFault;
use super::node::Node;
use super::state::SimState;
use crate::clock::VirtualClock;
use crate::model_queue::ModelQueue;

/// A run of a fleet: its queue, its clock, and its nodes. Cheap to clone.
#[derive(Clone)]
pub struct Sim(Arc<Inner>);

struct Inner {
    state: Arc<SimState>,
    /// The living nodes, by number.
    nodes: Mutex<BTreeMap<usize, Running>>,
}

struct Running {
    program: Program,
    is_dead: Arc<AtomicBool>,
}

type Program = Arc<dyn Fn(Node) -> BoxFuture<'static, ()> + Send + Sync>;

/// The owner of the crash tasks. It is not a node and never crashes.
const FAULT_OWNER: usize = usize::MAX;

/// How often `run_until_finished` checks the jobs.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// How long jobs may take after the last fault.
const HORIZON: Duration = Duration::from_secs(4 * 60 * 60);

impl Sim {
    pub(super) fn new(state: &Arc<SimState>) -> Self {
        let sim = Self(Arc::new(Inner { state: state.clone(), nodes: Mutex::default() }));
        for fault in &state.faults {
            if let NodeFault::Crash { node, at, restart_after } = *fault {
                let sim = sim.clone();
                state
                    .executor
                    .spawn(FAULT_OWNER, Box::pin(async move { sim.crash(node, at, restart_after).await }));
            }
        }
        sim
    }

    /// Returns the queue itself, for the scenario to push and to inspect. No faults are injected here.
    #[must_use]
    pub fn queue(&self) -> &ModelQueue {
        &self.0.state.queue
    }

    /// Returns the clock that is right.
    #[must_use]
    pub fn clock(&self) -> &VirtualClock {
        &self.0.state.clock
    }

    /// Starts a node, and restarts it after each crash. `program` gets the node's own queue and runtime.
    pub fn start<P, F>(&self, program: P)
    where
        P: Fn(Node) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let program: Program = Arc::new(move |node| Box::pin(program(node)));
        let number = self.lock().len();
        self.launch(number, program);
    }

    fn launch(&self, number: usize, program: Program) {
        let is_dead = Arc::new(AtomicBool::new(false));
        let node = Node { state: self.0.state.clone(), number, is_dead: is_dead.clone() };
        let task = program(node);
        self.lock().insert(number, Running { program, is_dead });
        self.0.state.executor.spawn(number, task);
    }

    async fn crash(&self, number: usize, at: Duration, restart_after: Duration) {
        let clock = &self.0.state.clock;
        clock.sleep(at).await;
        let running =
            self.lock().get(&number).map(|running| (running.program.clone(), running.is_dead.clone()));
        // A node that is dead already does not crash again.
        let Some((program, is_dead)) = running.filter(|(_, is_dead)| !is_dead.swap(true, Ordering::SeqCst))
        else {
            return;
        };
        self.0.state.executor.kill(number);
        drop(is_dead);
        clock.sleep(restart_after).await;
        self.launch(number, program);
    }

    /// Waits for this much virtual time.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    pub async fn sleep(&self, time: Duration) {
        self.0.state.clock.sleep(time).await;
    }

    /// Waits until every job has finished.
    ///
    /// # Errors
    ///
    /// If there are unfinished jobs four hours after the last fault.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect: nodes and faults continue.
    pub async fn run_until_finished(&self) -> Result<(), BoxError> {
        let clock = &self.0.state.clock;
        let end = self.0.state.end_of_faults().max(clock.now()).saturating_add(HORIZON);
        while !self.unfinished().is_empty() {
            if clock.now() > end {
                return Err(stuck(&self.unfinished()).into());
            }
            clock.sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    /// Returns all jobs that the queue holds, in push order, finished jobs included.
    #[must_use]
    pub fn jobs(&self) -> Vec<JobRecord> {
        self.0.state.queue.records()
    }

    fn unfinished(&self) -> Vec<JobRecord> {
        let mut jobs = self.jobs();
        jobs.retain(|job| !job.state.is_finished());
        jobs
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<usize, Running>> {
        self.0.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops all tasks of the run.
    pub(super) fn end(&self) {
        let nodes = std::mem::take(&mut *self.lock());
        for (number, running) in nodes {
            running.is_dead.store(true, Ordering::SeqCst);
            self.0.state.executor.kill(number);
        }
        self.0.state.executor.kill(FAULT_OWNER);
    }
}

fn stuck(jobs: &[JobRecord]) -> String {
    let shown: Vec<_> = jobs
        .iter()
        .take(5)
        .map(|job| format!("{} ({}, attempt {})", job.name, job.state, job.attempt))
        .collect();
    format!("{} jobs never finish: {}", jobs.len(), shown.join(", "))
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim").field("now", &self.clock().now()).finish_non_exhaustive()
    }
}
