//! A node of the fleet: its connection to the queue, its runtime and its clock.
//!
//! A call passes `send` before it reaches the queue and `receive` after it. Faults are looked up there by the node, the operation
//! and the number of the call. A partition that begins while the queue works on a call loses the call's answer.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use queue_core::{
    Blocking, Clock, Delivery, Demand, Heartbeat, Lease, NewJob, Queue, QueueError, Receipt, Renewal,
    Runtime, Settled, Settlement, Timestamp, Transition,
};

use super::state::SimState;
use crate::fault::Operation;

/// How long a call waits before it fails if the queue can't be reached.
const PATIENCE: Duration = Duration::from_secs(5);

/// A program of the fleet, from its start to its crash. Cheap to clone.
#[derive(Clone)]
pub struct Node {
    pub(super) state: Arc<SimState>,
    pub(super) number: usize,
    pub(super) is_dead: Arc<AtomicBool>,
}

impl Node {
    /// Returns the node's number, from 0. A restarted node keeps its number.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    /// Returns the queue as this node reaches it: calls are slow, fail, and lose their answers.
    #[must_use]
    pub fn queue(&self) -> NodeQueue {
        NodeQueue(self.clone())
    }

    /// Returns the runtime of this node: virtual time, a clock that may be wrong, and tasks that are dropped when the node crashes.
    #[must_use]
    pub fn runtime(&self) -> NodeRuntime {
        NodeRuntime(self.clone())
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("number", &self.number).finish_non_exhaustive()
    }
}

/// The runtime of a node.
#[derive(Clone, Debug)]
pub struct NodeRuntime(Node);

impl Clock for NodeRuntime {
    fn now(&self) -> Timestamp {
        let now = self.0.state.clock.now().as_micros();
        Timestamp::from_micros(now.saturating_add(self.0.state.skew(self.0.number)))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.0.state.clock.sleep(duration)
    }
}

impl Blocking for NodeRuntime {
    fn run_blocking(&self, call: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        Box::pin(async move { call() })
    }
}

impl Runtime for NodeRuntime {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        // A crashed node starts no tasks. Its destructors may still try to.
        if !self.0.is_dead.load(Ordering::SeqCst) {
            self.0.state.executor.spawn(self.0.number, task);
        }
    }

    fn spawn_apart(&self, _: &str, task: BoxFuture<'static, ()>) {
        self.spawn(task);
    }
}

/// A node's connection to the queue.
#[derive(Clone, Debug)]
pub struct NodeQueue(Node);

impl NodeQueue {
    /// Carries a call to the queue. Returns the call's number.
    async fn send(&self, operation: Operation) -> Result<u64, QueueError> {
        let state = &self.0.state;
        let nth = state.count(self.0.number, operation);
        state.clock.sleep(state.latency()).await;
        if let Some(lasts) = state.slowness(self.0.number, operation, nth) {
            state.clock.sleep(lasts).await;
        }
        if state.silence(self.0.number, operation, nth) == Some(false) {
            std::future::pending::<()>().await;
        }
        if state.is_cut_off(self.0.number) {
            state.clock.sleep(PATIENCE).await;
            return Err(unavailable(operation, "the queue can't be reached"));
        }
        if state.fails(self.0.number, operation, nth) {
            return Err(unavailable(operation, "it failed"));
        }
        Ok(nth)
    }

    /// Takes these leases away from the node before its call if a fault says so, by releasing the jobs.
    async fn steal_leases<'a>(
        &self,
        operation: Operation,
        nth: u64,
        leases: impl Iterator<Item = &'a Lease> + Send,
    ) -> Result<(), QueueError> {
        let state = &self.0.state;
        if !state.loses_leases(self.0.number, operation, nth) {
            return Ok(());
        }
        let releases = leases.map(|lease| Settlement::new(lease.clone(), Transition::Release)).collect();
        state.queue.settle(releases).await.map(drop)
    }

    /// Carries an answer back to the node.
    async fn receive<T>(&self, operation: Operation, nth: u64, answer: T) -> Result<T, QueueError> {
        let state = &self.0.state;
        state.clock.sleep(state.latency()).await;
        if state.silence(self.0.number, operation, nth).is_some() {
            std::future::pending::<()>().await;
        }
        if state.loses_answer(self.0.number, operation, nth) || state.is_cut_off(self.0.number) {
            return Err(unavailable(operation, "the answer was lost"));
        }
        Ok(answer)
    }
}

fn unavailable(operation: Operation, why: &str) -> QueueError {
    QueueError::unavailable(format!("{operation:?}: {why} (injected by the simulation)").to_lowercase())
}

#[async_trait]
impl Queue for NodeQueue {
    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        let nth = self.send(Operation::Push).await?;
        let receipts = self.0.state.queue.push(jobs).await?;
        self.receive(Operation::Push, nth, receipts).await
    }

    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        let nth = self.send(Operation::Claim).await?;
        let deliveries = self.0.state.queue.claim(demand).await?;
        self.receive(Operation::Claim, nth, deliveries).await
    }

    async fn renew(&self, heartbeats: &[Heartbeat]) -> Result<Vec<Renewal>, QueueError> {
        let nth = self.send(Operation::Renew).await?;
        self.steal_leases(Operation::Renew, nth, heartbeats.iter().map(|heartbeat| &heartbeat.lease)).await?;
        let renewals = self.0.state.queue.renew(heartbeats).await?;
        self.receive(Operation::Renew, nth, renewals).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        let nth = self.send(Operation::Settle).await?;
        self.steal_leases(Operation::Settle, nth, settlements.iter().map(|settlement| &settlement.lease))
            .await?;
        let settled = self.0.state.queue.settle(settlements).await?;
        self.receive(Operation::Settle, nth, settled).await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join;
    use queue_core::{Body, QueueErrorKind};

    use super::*;
    use crate::fleet::fault::FleetFault;

    /// T8: a node that is cut off while it waits for an answer never gets the answer.
    #[test]
    fn a_node_that_is_cut_off_gets_no_answer() {
        let second = Duration::from_secs(1);
        let state = SimState::new(1, vec![FleetFault::Partition { node: 0, at: second, lasts: 60 * second }]);
        let node = Node { state: state.clone(), number: 0, is_dead: Arc::default() };
        let (queue, demand) = (node.queue(), Demand::new("default", 1));
        let push = async {
            state.clock.sleep(30 * second).await; // virtual
            state.queue.push(vec![NewJob::new("job", Body::stored("null"))]).await
        };

        let ended = state.executor.run(join(queue.claim(&demand), push));

        let (claimed, pushed) = ended.unwrap_or_else(|stuck| panic!("{stuck:?}"));
        assert!(pushed.is_ok(), "{pushed:?}");
        assert_eq!(claimed.map(drop).map_err(|error| error.kind()), Err(QueueErrorKind::Unavailable));
        assert!(
            queue.0.state.queue.records().iter().all(|job| job.fence.0 == 1),
            "the job was leased although the answer was lost"
        );
    }
}
