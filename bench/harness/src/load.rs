//! What a system is put under.

use serde::{Deserialize, Serialize};

/// A load that a system is put under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Load {
    /// So many tasks enqueue at once, a job a call, and none works.
    Enqueue {
        /// How many tasks.
        tasks: u32,
    },
    /// One task enqueues jobs a thousand a call, and none works.
    Bulk,
    /// One task enqueues jobs so many a call, and none works.
    Batches {
        /// How many jobs a call takes.
        of: u64,
    },
    /// Jobs that carry a text go in, and then 64 workers empty the queue.
    Payload {
        /// How long the text is.
        bytes: usize,
    },
    /// Workers empty a full queue.
    Drain {
        /// How many jobs run at once.
        workers: usize,
    },
    /// Tasks enqueue a job a call while 64 workers work; on so many threads, or on one for each core.
    Stream {
        /// How many tasks enqueue.
        tasks: u32,
        /// How many threads the runtime has.
        threads: Option<usize>,
    },
    /// Single jobs meet an idle system.
    Latency,
    /// Single jobs come at a pace, from as many tasks as it takes, whether or not those before are done.
    Steady {
        /// How many a second.
        rate: u32,
    },
    /// Jobs lie and wait.
    Memory,
    /// Jobs come and go beside so many that wait, in memory.
    BesideWaiting {
        /// How many others wait.
        waiting: u64,
        /// What they wait for.
        waits: Waits,
    },
    /// Jobs come and go beside so many that are finished and kept, in memory.
    Finished {
        /// How many are kept.
        kept: usize,
    },
    /// Jobs come and go behind so many that are ready, on a disk.
    BehindReady {
        /// How many are ready.
        others: u64,
    },
    /// Jobs come and go beside so many that are finished, and as many that wait for a day to come, on a disk.
    BesideFinished {
        /// How many of each sort.
        others: u64,
    },
}

/// What waiting jobs wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Waits {
    /// A worker.
    ForWorker,
    /// Their time.
    ForTime,
}
