//! The testkit's queue as a fixture of the conformance suite.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use queue_core::{Admin, Clock as _, Timestamp};

use super::ModelQueue;
use crate::{Bounded, Fixture};

/// The queue has everything that the conformance suite needs.
#[async_trait]
impl Fixture for ModelQueue {
    fn queue(&self) -> Arc<dyn Admin> {
        Arc::new(self.clone())
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    async fn advance(&self, by: Duration) {
        self.0.clock.advance(by);
    }

    async fn close(&self) {
        Self::close(self);
    }

    async fn bounded(&self, capacity: u32) -> Option<Bounded> {
        let queue = Self::bounded(self.0.clock.clone(), capacity);
        let pusher = queue.clone();
        let try_push = Box::new(move |jobs| {
            let answer = pusher.try_push(jobs);
            let answer: BoxFuture<'static, _> = Box::pin(async move { answer });
            answer
        });
        Some(Bounded { queue: Arc::new(queue), try_push })
    }
}
