//! Creates the queues under test.

use std::future::Future;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::Fixture;

type Make = dyn Fn() -> BoxFuture<'static, Arc<dyn Fixture>> + Send + Sync;

/// The closure that a backend passes to the suite, type-erased so that the laws compile only once.
#[derive(Clone)]
pub(super) struct FixtureFactory(Arc<Make>);

impl FixtureFactory {
    pub(super) fn new<M, F, Q>(factory: M) -> Self
    where
        M: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Q> + Send + 'static,
        Q: Fixture,
    {
        Self(Arc::new(move || {
            let fixture = factory();
            Box::pin(async move {
                let fixture: Arc<dyn Fixture> = Arc::new(fixture.await);
                fixture
            })
        }))
    }

    /// Creates a fresh fixture.
    pub(super) async fn make(&self) -> Arc<dyn Fixture> {
        (self.0)().await
    }
}
