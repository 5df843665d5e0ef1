//! The loads.

use serde::{Deserialize, Serialize};

/// A load that a system is put under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Load {
    /// `tasks` tasks enqueue concurrently, one job a call; no worker runs.
    Enqueue {
        /// The number of tasks.
        tasks: u32,
    },
    /// One task enqueues 1,000 jobs a call; no worker runs.
    Bulk,
    /// One task enqueues `of` jobs a call; no worker runs.
    Batches {
        /// The number of jobs in a call.
        of: u64,
    },
    /// Jobs that carry a text are enqueued, and then 64 workers drain the queue.
    Payload {
        /// The length of the text.
        bytes: usize,
    },
    /// Workers drain a full queue.
    Drain {
        /// The number of jobs that run concurrently.
        workers: usize,
    },
    /// Workers drain a full queue of jobs that each run for `millis`.
    Work {
        /// The number of jobs that run concurrently.
        workers: usize,
        /// How long a job runs, in milliseconds.
        millis: u64,
    },
    /// Tasks enqueue one job a call while 64 workers run, on `threads` threads, or on one for each core.
    Stream {
        /// The number of enqueuing tasks.
        tasks: u32,
        /// The number of threads of the runtime.
        threads: Option<usize>,
    },
    /// Single jobs are enqueued on an idle system.
    Latency,
    /// Single jobs are enqueued at a fixed rate, from as many tasks as needed, whether or not earlier jobs have run.
    Steady {
        /// Jobs per second.
        rate: u32,
    },
    /// Single jobs of small tenants are enqueued at a pace while workers run `waiting` jobs of another tenant; each job runs for
    /// 10 ms.
    BesideFlood {
        /// The number of jobs of the other tenant.
        waiting: u64,
    },
    /// Workers run the jobs of 100 partitions, each under a limit on starts.
    Starts {
        /// The maximum number of starts of a partition in any second.
        in_a_second: u32,
    },
    /// Jobs are enqueued and wait.
    Memory,
    /// Jobs pass through a queue in memory beside `waiting` waiting ones.
    BesideWaiting {
        /// The number of other jobs.
        waiting: u64,
        /// The event for which the other jobs wait.
        waits: Waits,
    },
    /// Jobs pass through a queue in memory that keeps `kept` finished ones.
    Finished {
        /// The number of finished jobs kept.
        kept: usize,
    },
    /// Jobs pass through a queue on a disk behind `others` ready ones, which are claimed first.
    BehindReady {
        /// The number of ready jobs.
        others: u64,
    },
    /// Jobs pass through a queue on a disk beside `others` finished ones and as many scheduled for the next day.
    BesideFinished {
        /// The number of jobs of each kind.
        others: u64,
    },
}

/// The event for which waiting jobs wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Waits {
    /// For a worker.
    ForWorker,
    /// For their due time.
    ForTime,
}
