//! Holds the testkit's own queue to every law of queues.

use queue_testkit::ModelQueue;

queue_testkit::conformance!(async || ModelQueue::new());
