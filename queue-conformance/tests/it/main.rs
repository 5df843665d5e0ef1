//! Checks the conformance suite itself: the model passes it, and each broken queue fails its law.

mod broken_queues;
mod kit;
mod model_queue;
