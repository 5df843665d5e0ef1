//! Tests the in-memory queue against every law of the contract.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use queue_conformance::{Bounded, Fixture};
use queue_core::table::Retention;
use queue_core::{Admin, Clock as _, Timestamp};
use queue_testkit::VirtualClock;
use queue_tokio::MemoryQueue;

struct InMemory {
    clock: VirtualClock,
    queue: MemoryQueue,
}

impl InMemory {
    fn fresh() -> Self {
        let clock = VirtualClock::new();
        let queue = MemoryQueue::builder()
            .unbounded()
            .retention(Retention::everything())
            .clock(clock.clone())
            .build();
        Self { clock, queue }
    }
}

#[async_trait]
impl Fixture for InMemory {
    fn queue(&self) -> Arc<dyn Admin> {
        Arc::new(self.queue.clone())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    async fn close(&self) {
        self.queue.close();
    }

    async fn bounded(&self, capacity: u32) -> Option<Bounded> {
        let queue = MemoryQueue::builder()
            .bound(capacity)
            .retention(Retention::everything())
            .clock(self.clock.clone())
            .build();
        let pusher = queue.clone();
        Some(Bounded {
            queue: Arc::new(queue),
            try_push: Box::new(move |jobs| {
                let answer = pusher.try_push(jobs);
                Box::pin(async move { answer })
            }),
        })
    }
}

queue_conformance::conformance!(async || InMemory::fresh());
