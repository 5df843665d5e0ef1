//! The workloads: which cases each compares, and how a case is measured.
//!
//! Every measurement waits for a notification, never for time; only the pace of the latency workload is time.

mod depth;
mod fill;
mod latency;
mod passage;

use std::thread::available_parallelism;

use anyhow::ensure;
use clap::ValueEnum;
use tokio::runtime::{Builder, Runtime};

use crate::Setup;
use crate::case::{Case, Contender, Load, Waits};
use crate::figures::Figures;
use crate::systems::{Apalis, Mpsc, Payloads, Port, Spawn, System, Us};

/// A comparison: a table of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// One task, and 32 at once, fill a queue that nobody empties.
    Enqueue,
    /// 64 workers empty a full queue.
    Drain,
    /// One task enqueues, 64 workers work, 1,024 jobs at most wait.
    Stream,
    /// 200 jobs, 5 ms apart, meet an idle system.
    Latency,
    /// Jobs lie and wait.
    Memory,
    /// Ours alone: what a job costs beside 1,000 and up to 10,000,000 others.
    Depth,
    /// Ours alone: the stream on one thread, and on two.
    Threads,
}

impl Workload {
    /// All of them, in the order of the report.
    pub(crate) const ALL: [Self; 7] =
        [Self::Enqueue, Self::Drain, Self::Stream, Self::Latency, Self::Memory, Self::Depth, Self::Threads];

    /// Gives what is compared, in the order in which it alternates.
    pub(crate) fn cases(self, setup: &Setup) -> Vec<Case> {
        match self {
            Self::Enqueue => [1, 32]
                .into_iter()
                .flat_map(|tasks| on(&Contender::QUEUES, Load::Enqueue { tasks }, setup.jobs))
                .collect(),
            Self::Drain => on(&Contender::QUEUES, Load::Drain, setup.jobs),
            Self::Stream => on(&Contender::RUNNERS, Load::Stream { threads: None }, setup.jobs),
            Self::Latency => on(&Contender::RUNNERS, Load::Latency, latency::JOBS),
            Self::Memory => on(&Contender::HOLDERS, Load::Memory, setup.jobs),
            Self::Depth => depth::depths(setup.full)
                .flat_map(|waiting| {
                    [Waits::ForWorker, Waits::ForTime].map(|waits| Load::Depth { waiting, waits })
                })
                .flat_map(|load| on(&[Contender::Us], load, setup.jobs / 10))
                .collect(),
            Self::Threads => [1, 2]
                .into_iter()
                .flat_map(|threads| on(&[Contender::Us], Load::Stream { threads: Some(threads) }, setup.jobs))
                .collect(),
        }
    }
}

fn on(systems: &[Contender], load: Load, jobs: u64) -> Vec<Case> {
    systems.iter().map(|&system| Case { load, system, jobs }).collect()
}

/// Makes one measurement in this process.
pub(crate) fn measure(case: Case) -> anyhow::Result<Figures> {
    let runtime = runtime(case)?;
    runtime.block_on(async move {
        match case.system {
            Contender::Us => match case.load {
                Load::Depth { waiting, waits } => depth::measure(waiting, waits, case.jobs).await,
                _ => on_system::<Us>(case).await,
            },
            Contender::Port => on_system::<Port>(case).await,
            Contender::Mpsc => on_system::<Mpsc>(case).await,
            Contender::Spawn => on_system::<Spawn>(case).await,
            Contender::Apalis => on_system::<Apalis>(case).await,
            Contender::Payload => on_system::<Payloads>(case).await,
        }
    })
}

async fn on_system<S: System>(case: Case) -> anyhow::Result<Figures> {
    let jobs = case.jobs;
    // A tenth goes ahead and doesn't count, so that code, threads and allocator are warm.
    let ahead = (jobs / 10).max(64);
    match case.load {
        Load::Enqueue { tasks } => {
            fill::rate::<S>(ahead, tasks).await?;
            fill::rate::<S>(jobs, tasks).await
        }
        Load::Drain => {
            passage::drain::<S>(ahead).await?;
            passage::drain::<S>(jobs).await
        }
        Load::Stream { .. } => {
            passage::stream::<S>(ahead).await?;
            passage::stream::<S>(jobs).await
        }
        Load::Latency => latency::measure::<S>(jobs).await,
        Load::Memory => fill::memory::<S>(jobs).await,
        Load::Depth { .. } => anyhow::bail!("only our queue's depth is measured"),
    }
}

/// Makes the runtime that the case asks for: tokio's default, but for the number of threads.
fn runtime(case: Case) -> anyhow::Result<Runtime> {
    ensure!(case.jobs > 0, "a measurement of nothing");
    let threads = match case.load {
        // Nothing that is spawned may run before it was weighed.
        Load::Memory => return Ok(Builder::new_current_thread().enable_all().build()?),
        Load::Stream { threads: Some(threads) } => threads,
        _ => available_parallelism()?.get(),
    };
    Ok(Builder::new_multi_thread().worker_threads(threads).enable_all().build()?)
}
