//! Holds the testkit over its own queue to the laws of a kit over any store.

use queue_testkit::ModelQueue;

queue_conformance::kit_conformance!(async || ModelQueue::new());
