//! Holds the testkit over SQLite to its laws, and to what it promises of units of work.

mod sales;

use queue_sqlite::SqliteQueue;
use queue_testkit::VirtualClock;

/// Opens a queue in memory, whose time a kit moves.
async fn queue() -> SqliteQueue {
    let queue = SqliteQueue::builder(":memory:").clock(VirtualClock::new());
    queue.keep_completed(None).keep_cancelled(None).keep_discarded(None).open().await.expect("a queue")
}

mod laws {
    queue_conformance::kit_conformance!(async || super::queue().await);
}
