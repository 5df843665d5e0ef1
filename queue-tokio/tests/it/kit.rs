//! Holds the testkit over the queue in memory to its laws.

use queue_core::table::Retention;
use queue_testkit::VirtualClock;
use queue_tokio::MemoryQueue;

queue_conformance::kit_conformance!(async || {
    MemoryQueue::builder().clock(VirtualClock::new()).retention(Retention::everything()).build()
});
