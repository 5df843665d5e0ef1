//! Creates the stores under test, and kits over them.

use std::future::Future;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use queue_core::{Admin, Jobs};
use queue_testkit::{TestKit, TestKitBuilder};

type Make = dyn Fn() -> BoxFuture<'static, Arc<dyn Admin>> + Send + Sync;

/// The closure that a backend passes to the suite.
#[derive(Clone)]
pub(super) struct KitHarness(Arc<Make>);

impl KitHarness {
    pub(super) fn new<M, F, Q>(make: M) -> Self
    where
        M: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Q> + Send + 'static,
        Q: Admin,
    {
        Self(Arc::new(move || {
            let queue = make();
            Box::pin(async move {
                let queue: Arc<dyn Admin> = Arc::new(queue.await);
                queue
            })
        }))
    }

    /// Creates a fresh store.
    pub(super) async fn store(&self) -> Arc<dyn Admin> {
        (self.0)().await
    }

    /// Creates a fresh store, and a kit over it.
    pub(super) async fn kit(&self, jobs: Jobs) -> TestKit {
        self.kit_with(jobs, |builder| builder).await
    }

    /// Creates a fresh store, and a kit over it with other settings.
    pub(super) async fn kit_with(
        &self,
        jobs: Jobs,
        set: impl FnOnce(TestKitBuilder) -> TestKitBuilder + Send,
    ) -> TestKit {
        let builder = TestKit::over(self.store().await).jobs(jobs);
        set(builder).build().expect("a kit over the store")
    }
}
