//! Checks that the suite is fair: a queue that uses the public API only, and works otherwise than the model, passes every law.

mod list;
mod operate;
mod queue;

use queue::ListQueue;

queue_conformance::conformance!(async || ListQueue::new(None));
