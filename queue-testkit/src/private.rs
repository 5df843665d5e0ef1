//! Paths used by generated code. This is not public API and may change at any time.

use std::future::Future;

pub use queue_core::jobs;

use crate::kit::{TestKit, TestKitBuilder};

/// Runs a test on this thread, under tokio's paused time.
///
/// # Panics
///
/// If no runtime can be created.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    match runtime {
        Ok(runtime) => runtime.block_on(test),
        Err(error) => panic!("the test could not create a runtime: {error}"),
    }
}

/// Builds a test's kit.
///
/// # Panics
///
/// If the kit can't be built. The message lists every problem.
#[track_caller]
pub fn built(builder: TestKitBuilder) -> TestKit {
    match builder.build() {
        Ok(kit) => kit,
        Err(error) => panic!("the kit of this test can't be built: {error}"),
    }
}
