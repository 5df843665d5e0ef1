//! A queue that serves one sequence after another, because some backends take longer to create a queue than to run a sequence.

use std::sync::Arc;

use tokio::time::timeout;

use crate::Fixture;
use crate::conformance::factory::FixtureFactory;
use crate::law::PATIENCE;

/// The number of sequences that one queue serves. It is small, so that no queue adapts to jobs of earlier sequences, and that many
/// sequences run on a queue that has served none.
const SEQUENCES: u32 = 20;

/// The queue of the last sequence, if there was one, and its factory.
pub(super) struct ReusedQueue {
    factory: FixtureFactory,
    fixture: Option<Arc<dyn Fixture>>,
    served: u32,
}

impl ReusedQueue {
    pub(super) fn new(factory: FixtureFactory) -> Self {
        Self { factory, fixture: None, served: 0 }
    }

    /// Returns a queue for the next sequence: the emptied one, otherwise a fresh one.
    pub(super) async fn next(&mut self) -> Arc<dyn Fixture> {
        let used = self.fixture.take().filter(|_| self.served < SEQUENCES);
        let fixture = match used {
            Some(fixture) if within_patience(fixture.empty()).await => fixture,
            Some(_) | None => {
                self.served = 0;
                fresh(&self.factory).await
            }
        };
        self.served += 1;
        self.fixture = Some(fixture.clone());
        fixture
    }
}

/// Creates a fresh queue.
pub(super) async fn fresh(factory: &FixtureFactory) -> Arc<dyn Fixture> {
    within_patience(factory.make()).await
}

async fn within_patience<T>(call: impl Future<Output = T>) -> T {
    timeout(PATIENCE, call)
        .await
        .unwrap_or_else(|_| panic!("the fixture had no empty queue within {PATIENCE:?} of real time"))
}
