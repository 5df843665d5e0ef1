//! The workloads: the cases of each, and how a case is measured.

mod backlog;
mod curves;
mod depth;
mod finished;
mod flatness;
mod limits;
mod manual_clock;
mod starts;

use clap::ValueEnum;
use harness::{Figures, LATENCY_JOBS, Load, SMALL_JOBS, System, WORKERS, Waits};

use crate::Setup;
use crate::case::{Case, Contender};
use crate::sharing::Sharing;
use crate::suite::Suite;
use crate::systems::{
    Apalis, Baseline, Hundred, HundredAtWork, InLine, MemorySystem, Mpsc, NotAhead, Observed, Payloads,
    PostgresSystem, RawOnPostgres, RawOnSqlite, SharedSystem, Spawn, SqliteSystem, Store, TenThousand,
    TenThousandAtWork, Tenants, Total,
};

/// A comparison: one table of the report, or two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// One task, and 32 concurrent ones, enqueue without workers.
    Enqueue,
    /// One task enqueues 1,000 jobs a call, without workers.
    Bulk,
    /// 64 workers drain a full queue; 1 to 256 in a curve.
    Drain,
    /// Tasks enqueue while 64 workers run.
    Stream,
    /// 200 jobs, 5 ms apart, on an idle system.
    Latency,
    /// 200 jobs per second, and 2,000 or more, whether or not earlier jobs have run.
    Steady,
    /// Jobs are enqueued and wait.
    Memory,
    /// Only ours: the cost of a job beside 1,000 and up to 10,000,000 others, in memory.
    Depth,
    /// Only ours: the stream on one thread, and on two.
    Threads,
    /// Only ours: the cost of a job in an empty place, and beside 1,000,000 finished and 1,000,000 scheduled ones.
    Flatness,
    /// Only ours: the cost of a job behind up to 1,000,000 ready ones, in a file.
    Backlog,
    /// Only ours: the cost of a job beside up to 1,000,000 kept finished ones, in memory.
    Finished,
    /// Only ours: jobs with a text of 16 bytes to 64 KiB.
    Payload,
    /// Only ours: 1 to 1,000 jobs a call.
    Batches,
    /// Only ours: 64 workers drain a full queue of jobs that each work for 10 ms.
    Work,
    /// Single jobs of small tenants beside the flood of another one.
    Fairness,
    /// Only ours: the jobs of 100 partitions, each under a limit on starts.
    Starts,
}

impl Workload {
    /// Returns the cases, in the order in which they alternate.
    pub(crate) fn cases(self, suite: Suite, setup: &Setup) -> Vec<Case> {
        let jobs = setup.jobs.unwrap_or(suite.jobs());
        let case = |(load, system, sharing)| {
            let jobs = match load {
                Load::Latency => LATENCY_JOBS,
                Load::BesideFlood { .. } => SMALL_JOBS,
                // For five seconds with the default number of jobs.
                Load::Starts { .. } => (jobs / 4).max(1),
                // For five seconds with the default number of jobs.
                Load::Steady { rate } => u64::from(rate) * jobs / 20_000,
                _ => (jobs * suite.percent(system, load) / 100).max(1),
            };
            Case { suite, load, system, sharing, jobs }
        };
        self.measured(suite, jobs, setup.full).into_iter().map(case).collect()
    }

    fn measured(self, suite: Suite, jobs: u64, full: bool) -> Vec<(Load, Contender, Sharing)> {
        let plain = |(load, system)| (load, system, Sharing::Plain);
        let (own, queues, runners): (&[_], _, _) = match suite {
            Suite::Curves => return curves::pairs(self, jobs, full).into_iter().map(plain).collect(),
            Suite::Limits => return limits::cases(self, jobs),
            Suite::Memory => (&[Contender::QueueTokio], &Contender::QUEUES[..], &Contender::RUNNERS[..]),
            Suite::Sqlite => {
                (&[Contender::QueueSqlite], &Contender::FILES_AND_RAW[..], &Contender::FILES[..])
            }
            Suite::Postgres => {
                (&[Contender::QueuePostgres], &Contender::SERVED[..], &Contender::SERVED_AND_RAW[..])
            }
        };
        let loads: Vec<(Load, &[Contender])> = match (suite, self) {
            (Suite::Memory, Self::Enqueue) => {
                vec![(Load::Enqueue { tasks: 1 }, queues), (Load::Enqueue { tasks: 32 }, queues)]
            }
            (Suite::Sqlite, Self::Enqueue) => vec![
                (Load::Enqueue { tasks: 1 }, queues),
                (Load::Enqueue { tasks: 32 }, runners),
                (Load::Enqueue { tasks: 256 }, own),
            ],
            (Suite::Postgres, Self::Enqueue) => vec![
                (Load::Enqueue { tasks: 1 }, runners),
                (Load::Enqueue { tasks: 32 }, runners),
                (Load::Enqueue { tasks: 256 }, own),
            ],
            (Suite::Postgres, Self::Bulk) => vec![(Load::Bulk, &Contender::SERVED_IN_BULK)],
            (_, Self::Bulk) => vec![(Load::Bulk, queues)],
            (Suite::Memory, Self::Drain) => vec![(Load::Drain { workers: WORKERS }, queues)],
            (Suite::Postgres, Self::Drain) => vec![(Load::Drain { workers: WORKERS }, runners)],
            (Suite::Sqlite, Self::Drain) => {
                vec![(Load::Drain { workers: WORKERS }, queues), (Load::Drain { workers: 256 }, own)]
            }
            (Suite::Memory, Self::Stream) => vec![(Load::Stream { tasks: 1, threads: None }, runners)],
            (Suite::Sqlite | Suite::Postgres, Self::Stream) => {
                vec![(Load::Stream { tasks: 32, threads: None }, runners)]
            }
            (_, Self::Latency) => vec![(Load::Latency, runners)],
            (_, Self::Steady) => vec![
                (Load::Steady { rate: 200 }, runners),
                (Load::Steady { rate: 2_000 }, &Contender::SERVED_AT_2000),
            ],
            (_, Self::Memory) => vec![(Load::Memory, &Contender::HOLDERS)],
            (_, Self::Depth) => depth::depths(full)
                .flat_map(|waiting| {
                    [Waits::ForWorker, Waits::ForTime].map(|waits| Load::BesideWaiting { waiting, waits })
                })
                .map(|load| (load, own))
                .collect(),
            (_, Self::Threads) => {
                [1, 2].map(|threads| (Load::Stream { tasks: 1, threads: Some(threads) }, own)).to_vec()
            }
            (_, Self::Flatness) => {
                // 1,000,000 with the default number of jobs.
                [0, jobs * 10].map(|others| (Load::BesideFinished { others }, own)).to_vec()
            }
            // Only in curves and limits.
            (Suite::Curves | Suite::Limits, _)
            | (
                _,
                Self::Backlog
                | Self::Finished
                | Self::Payload
                | Self::Batches
                | Self::Work
                | Self::Fairness
                | Self::Starts,
            ) => Vec::new(),
        };
        let pairs = |(load, systems): (Load, &[Contender])| {
            let observed = own.iter().filter_map(|own| own.observed()).filter(|_| is_observed(load));
            systems.iter().copied().chain(observed).map(|system| plain((load, system))).collect::<Vec<_>>()
        };
        loads.into_iter().flat_map(pairs).collect()
    }
}

/// Returns whether the load is measured with metrics and traces, too.
fn is_observed(load: Load) -> bool {
    match load {
        Load::Drain { workers } => workers == WORKERS,
        Load::Stream { threads, .. } => threads.is_none(),
        _ => false,
    }
}

/// Runs one measurement in this process.
pub(crate) fn measure(case: Case) -> anyhow::Result<Figures> {
    harness::runtime(case.load)?.block_on(async move {
        match (case.suite, case.system) {
            (_, Contender::QueueTokio) => match case.load {
                Load::BesideWaiting { waiting, waits } => depth::measure(waiting, waits, case.jobs).await,
                Load::Finished { kept } => finished::measure(kept, case.jobs).await,
                _ => shared::<MemorySystem>(case).await,
            },
            (_, Contender::QueueSqlite) => match case.load {
                Load::BehindReady { others } => flatness::behind_ready(others, case.jobs).await,
                Load::BesideFinished { others } => flatness::in_a_file(others, case.jobs).await,
                _ => shared::<SqliteSystem>(case).await,
            },
            (_, Contender::QueuePostgres) => match case.load {
                Load::BesideFinished { others } => flatness::on_a_server(others, case.jobs).await,
                _ => shared::<PostgresSystem>(case).await,
            },
            (_, Contender::ObservedTokio) => on::<Observed<MemorySystem>>(case).await,
            (_, Contender::ObservedSqlite) => on::<Observed<SqliteSystem>>(case).await,
            (_, Contender::ObservedPostgres) => on::<Observed<PostgresSystem>>(case).await,
            (Suite::Postgres, Contender::Raw) => on::<RawOnPostgres>(case).await,
            (_, Contender::Baseline) => on::<Baseline>(case).await,
            (_, Contender::Mpsc) => on::<Mpsc>(case).await,
            (_, Contender::Spawn) => on::<Spawn>(case).await,
            (_, Contender::Apalis) => on::<Apalis>(case).await,
            (_, Contender::Payload) => on::<Payloads>(case).await,
            (_, Contender::Raw) => on::<RawOnSqlite>(case).await,
            (
                _,
                Contender::Effectum
                | Contender::ApalisSqlite
                | Contender::GraphileWorker
                | Contender::ApalisPostgres
                | Contender::Underway
                | Contender::Sqlxmq
                | Contender::Fang
                | Contender::Awa,
            ) => {
                anyhow::bail!("{} is measured by a program of its own", case.system)
            }
        }
    })
}

/// Measures a queue of this project with the partitions and limits of the case.
async fn shared<S: Store>(case: Case) -> anyhow::Result<Figures> {
    match (case.load, case.sharing) {
        (Load::Starts { in_a_second }, _) => starts::measure::<S>(in_a_second, case.jobs).await,
        (Load::BesideFlood { .. } | Load::Work { .. }, Sharing::Plain) => {
            on::<SharedSystem<S, InLine>>(case).await
        }
        (Load::Work { .. }, Sharing::Hundred) => on::<SharedSystem<S, HundredAtWork>>(case).await,
        (Load::Work { .. }, Sharing::TenThousand) => on::<SharedSystem<S, TenThousandAtWork>>(case).await,
        (_, Sharing::Plain) => on::<S>(case).await,
        (_, Sharing::NotAhead) => on::<SharedSystem<S, NotAhead>>(case).await,
        (_, Sharing::Total) => on::<SharedSystem<S, Total>>(case).await,
        (_, Sharing::Hundred) => on::<SharedSystem<S, Hundred>>(case).await,
        (_, Sharing::TenThousand) => on::<SharedSystem<S, TenThousand>>(case).await,
        (_, Sharing::Tenants) => on::<SharedSystem<S, Tenants>>(case).await,
    }
}

async fn on<S: System>(case: Case) -> anyhow::Result<Figures> {
    harness::measure::<S>(case.load, case.jobs).await
}
