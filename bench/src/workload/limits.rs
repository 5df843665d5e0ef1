//! The cases of partitions and limits: ours alone, and two peers beside a flood.

use harness::{Load, WORKERS};

use super::Workload;
use crate::case::Contender::{self, ApalisPostgres, GraphileWorker, QueueTokio};
use crate::sharing::Sharing;

/// The sharings that are compared, the plain queue first.
const SHARINGS: [Sharing; 5] =
    [Sharing::Plain, Sharing::NotAhead, Sharing::Total, Sharing::Hundred, Sharing::TenThousand];
/// The sharings that are compared with jobs that work.
const WORKED: [Sharing; 3] = [Sharing::Plain, Sharing::Hundred, Sharing::TenThousand];
/// The run times of these jobs, in milliseconds.
const MILLIS: [u64; 2] = [10, 50];
/// The peers that run beside a flood. They have no partitions.
const PEERS: [Contender; 2] = [GraphileWorker, ApalisPostgres];
/// The maximum number of starts of a partition in a second.
const STARTS: u32 = 50;

/// Returns the cases of a workload, those of a system one after the other.
pub(super) fn cases(workload: Workload, jobs: u64) -> Vec<(Load, Contender, Sharing)> {
    match workload {
        Workload::Drain => shared(&SHARINGS, |_| Load::Drain { workers: WORKERS }),
        Workload::Work => MILLIS.into_iter().flat_map(worked).collect(),
        // As in the suites of the systems.
        Workload::Stream => shared(&SHARINGS, |system| {
            let tasks = if system == QueueTokio { 1 } else { 32 };
            Load::Stream { tasks, threads: None }
        }),
        // 200,000 with the default number of jobs.
        Workload::Fairness => fairness(jobs * 2),
        Workload::Starts => {
            let load = Load::Starts { in_a_second: STARTS };
            Contender::OWN.map(|system| (load, system, Sharing::Plain)).to_vec()
        }
        Workload::Enqueue
        | Workload::Bulk
        | Workload::Latency
        | Workload::Steady
        | Workload::Memory
        | Workload::Depth
        | Workload::Threads
        | Workload::Flatness
        | Workload::Backlog
        | Workload::Finished
        | Workload::Payload
        | Workload::Batches => Vec::new(),
    }
}

fn shared(sharings: &[Sharing], load: impl Fn(Contender) -> Load) -> Vec<(Load, Contender, Sharing)> {
    let cases = |system| sharings.iter().map(move |sharing| (system, *sharing));
    let cases = Contender::OWN.into_iter().flat_map(cases);
    cases.map(|(system, sharing)| (load(system), system, sharing)).collect()
}

/// Returns the cases whose jobs run for `millis`.
fn worked(millis: u64) -> Vec<(Load, Contender, Sharing)> {
    shared(&WORKED, |_| Load::Work { workers: WORKERS, millis })
}

/// Returns the small tenants on an idle system, beside a flood, and behind it in a queue without partitions.
fn fairness(waiting: u64) -> Vec<(Load, Contender, Sharing)> {
    let (idle, flood) = (Load::BesideFlood { waiting: 0 }, Load::BesideFlood { waiting });
    let own = |system| {
        [(idle, Sharing::Tenants), (flood, Sharing::Tenants), (flood, Sharing::Plain)]
            .map(|(load, sharing)| (load, system, sharing))
    };
    let peer = |system| [idle, flood].map(|load| (load, system, Sharing::Plain));
    Contender::OWN.into_iter().flat_map(own).chain(PEERS.into_iter().flat_map(peer)).collect()
}
