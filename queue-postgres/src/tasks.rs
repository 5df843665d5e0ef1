//! The tasks on the queue's own thread, and the direct pushes, which run on a caller's thread. Each one that talks to the
//! server has its own connections.

pub(crate) mod claim;
pub(crate) mod listen;
pub(crate) mod prune;
pub(crate) mod push;
pub(crate) mod renew;
pub(crate) mod settle;
pub(crate) mod start;
pub(crate) mod vacuum;

use std::time::Instant;

use queue_core::backend::LingerWindow;

/// Yields to the callers that a batch lingers for. Returns `false` if the batch does not wait for more calls.
async fn linger(window: &mut LingerWindow, calls: usize) -> bool {
    if !window.expects_more(calls, Instant::now()) {
        return false;
    }
    // The callers may need this core.
    std::thread::yield_now();
    tokio::task::yield_now().await;
    true
}
