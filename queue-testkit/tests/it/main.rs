//! Holds the testkit's queue and the conformance suite to what they promise.

mod broken_queues;
mod determinism;
mod explore;
mod fleet;
mod kit_test;
mod model_queue;
mod replay;
mod third_party;
