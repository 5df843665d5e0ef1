//! Checks the testkit itself: its kit, its queue, its simulations and its conformance suite.

mod broken_queues;
mod determinism;
mod explore;
mod fleet;
mod kit_test;
mod model_queue;
mod replay;
mod third_party;
