//! A node of the fleet: its connection to the queue, its runtime and its clock.
//!
//! The connection is a [`Faulty`] whose source finds the faults of a call by the node, the operation and the number of the call.
//! A partition that begins while the queue works on a call loses the call's answer.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use queue_core::{Blocking, Clock, Queue, Runtime, Timestamp};

use super::state::SimState;
use crate::fault::{Fault, FaultSource, Faulty, Operation};

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
    pub fn queue(&self) -> impl Queue + fmt::Debug + use<> {
        let state = &self.state;
        Faulty::with_source(state.queue.clone(), state.clock.clone(), Connection(self.clone()))
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

    fn threads(&self) -> usize {
        self.0.state.threads
    }
}

/// The faults of a node's connection to the queue.
#[derive(Debug)]
struct Connection(Node);

impl FaultSource for Connection {
    fn next(&self, operation: Operation) -> Vec<Fault> {
        self.0.state.next_call(self.0.number, operation)
    }

    fn latency(&self) -> Duration {
        self.0.state.latency()
    }

    fn is_cut_off(&self) -> bool {
        self.0.state.is_cut_off(self.0.number)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join;
    use queue_core::{Body, Demand, NewJob, QueueErrorKind};

    use super::*;
    use crate::fleet::fault::NodeFault;

    /// T8: a node that is cut off while it waits for an answer never gets the answer.
    #[test]
    fn a_node_that_is_cut_off_gets_no_answer() {
        let second = Duration::from_secs(1);
        let state =
            SimState::new(1, 1, vec![NodeFault::Partition { node: 0, at: second, lasts: 60 * second }]);
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
            state.queue.records().iter().all(|job| job.fence.0 == 1),
            "the job was leased although the answer was lost"
        );
    }
}
