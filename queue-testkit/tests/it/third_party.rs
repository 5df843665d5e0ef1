//! Holds the suite to being fair: a queue written against the public API alone, in another way than the model, passes every law.

mod list;
mod operate;
mod queue;

use queue::ListQueue;

queue_testkit::conformance!(async || ListQueue::new(None));
