//! Holds the testkit over PostgreSQL to its laws, and to what it promises of units of work.

mod clock;
mod locks;
mod sales;
mod sessions;

use queue_postgres::PostgresQueue;
use queue_testkit::VirtualClock;

use crate::fixture::{schema, url};

/// Opens a queue in a schema of its own, whose time a kit moves.
async fn queue() -> PostgresQueue {
    let queue = PostgresQueue::builder(url()).schema(schema()).test_clock(VirtualClock::START);
    queue.connect().await.expect("a queue")
}

mod laws {
    queue_conformance::kit_conformance!(async || super::queue().await);
}
