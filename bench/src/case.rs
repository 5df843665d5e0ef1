//! What one measurement is of: a system under a load.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A system that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
pub(crate) enum Contender {
    /// `TokioQueue` and `QueueService` in a `Host`.
    Us,
    /// `Mutex<VecDeque<Box<dyn FnOnce>>>` and a `Semaphore`.
    Port,
    /// A tokio channel with a shared receiver.
    Mpsc,
    /// `tokio::spawn` for each job.
    Spawn,
    /// apalis with its `MemoryStorage`.
    Apalis,
    /// A `Vec` of payloads: what a job weighs before anybody queues it.
    Payload,
}

impl Contender {
    /// Those that keep jobs until a worker takes them.
    pub(crate) const QUEUES: [Self; 4] = [Self::Us, Self::Port, Self::Mpsc, Self::Apalis];
    /// Those that run jobs.
    pub(crate) const RUNNERS: [Self; 5] = [Self::Us, Self::Port, Self::Mpsc, Self::Spawn, Self::Apalis];
    /// Those that hold jobs, run or not.
    pub(crate) const HOLDERS: [Self; 6] =
        [Self::Us, Self::Port, Self::Mpsc, Self::Spawn, Self::Apalis, Self::Payload];
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Us => "us",
            Self::Port => "the straightforward port",
            Self::Mpsc => "tokio mpsc, shared receiver",
            Self::Spawn => "tokio::spawn a job",
            Self::Apalis => "apalis MemoryStorage",
            Self::Payload => "the payloads alone",
        })
    }
}

/// A load that a system is put under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Load {
    /// So many tasks enqueue at once, and none works.
    Enqueue { tasks: u32 },
    /// 64 workers empty a full queue.
    Drain,
    /// One task enqueues while 64 workers work; on so many threads, or on one for each core.
    Stream { threads: Option<usize> },
    /// Single jobs meet an idle system.
    Latency,
    /// Jobs lie and wait.
    Memory,
    /// Jobs come and go beside so many that wait.
    Depth { waiting: u64, waits: Waits },
}

/// What waiting jobs wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Waits {
    /// A worker.
    ForWorker,
    /// Their time.
    ForTime,
}

/// One measurement: a system, a load, and a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) load: Load,
    pub(crate) system: Contender,
    pub(crate) jobs: u64,
}

impl Case {
    /// The same load on another system.
    pub(crate) fn on(self, system: Contender) -> Self {
        Self { system, ..self }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {:?}", self.system, self.load)
    }
}
