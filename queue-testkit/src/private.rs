//! Paths for generated code. Nothing here is for people, and all of it may change.

use std::future::Future;

pub use queue_core::jobs;

use crate::kit::{TestKit, TestKitBuilder};

/// Runs a test on this thread, under tokio's paused time.
///
/// # Panics
///
/// There can't be a runtime.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    match runtime {
        Ok(runtime) => runtime.block_on(test),
        Err(error) => panic!("no runtime could be made for the test: {error}"),
    }
}

/// Builds a test's kit.
///
/// # Panics
///
/// With every problem that there is.
#[track_caller]
pub fn built(builder: TestKitBuilder) -> TestKit {
    match builder.build() {
        Ok(kit) => kit,
        Err(error) => panic!("the kit of this test can't be built: {error}"),
    }
}
