//! Holds the testkit's queue and the conformance suite to what they promise.

mod broken_queues;
mod model_queue;
mod third_party;
