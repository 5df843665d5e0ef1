//! Checks the conformance suite itself: the model passes it, and each broken queue fails its law.

mod broken_queues;
mod model_queue;
