//! Tests the queue of the example against every law of the contract.

mod admin;
mod list;
mod push;
mod queue;
mod settle;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use queue_conformance::{Bounded, Fixture};
use queue_core::{Admin, BoxFuture, Clock as _, Timestamp};
use queue_testkit::VirtualClock;

use queue::ListQueue;

queue_conformance::conformance!(async || UnderTest::new());

struct UnderTest {
    clock: VirtualClock,
    queue: ListQueue,
}

impl UnderTest {
    fn new() -> Self {
        let clock = VirtualClock::new();
        Self { queue: ListQueue::new(Arc::new(clock.clone()), usize::MAX), clock }
    }
}

#[async_trait]
impl Fixture for UnderTest {
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
        let queue = ListQueue::new(Arc::new(self.clock.clone()), capacity as usize);
        let pusher = queue.clone();
        let try_push = Box::new(move |jobs| {
            let answer: BoxFuture<'static, _> = Box::pin(std::future::ready(pusher.try_push(jobs)));
            answer
        });
        Some(Bounded { queue: Arc::new(queue), try_push })
    }
}
