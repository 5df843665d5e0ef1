//! The curves: only ours, in memory and in a file, as something grows.

use harness::Load;

use super::Workload;
use crate::case::Contender::{self, QueueSqlite, QueueTokio};

/// The numbers of workers.
const WORKERS: [usize; 5] = [1, 4, 16, 64, 256];
/// The lengths of a job's text, in bytes.
const BYTES: [usize; 4] = [16, 256, 4_096, 65_536];
/// The numbers of jobs in a call.
const BATCHES: [u64; 4] = [1, 10, 100, 1_000];
/// The numbers of jobs that are due each second, in memory and in a file.
const RATES: [u32; 3] = [1_000, 10_000, 100_000];
const RATES_IN_FILE: [u32; 3] = [200, 2_000, 10_000];

/// Returns the points of a curve, those in memory before those in a file.
pub(super) fn pairs(workload: Workload, jobs: u64, full: bool) -> Vec<(Load, Contender)> {
    // 1,000,000 with the default number of jobs.
    let most = jobs * 10;
    match workload {
        Workload::Backlog => of(QueueSqlite, powers(most), |others| Load::BehindReady { others }),
        Workload::Flatness => of(QueueSqlite, powers(most), |others| Load::BesideFinished { others }),
        Workload::Finished => {
            let most = if full { most * 10 } else { most };
            of(QueueTokio, powers(most), |kept| Load::Finished { kept: kept as usize })
        }
        Workload::Drain => in_both(&WORKERS, |workers| Load::Drain { workers }),
        Workload::Payload => in_both(&BYTES, |bytes| Load::Payload { bytes }),
        Workload::Batches => in_both(&BATCHES, |of| Load::Batches { of }),
        Workload::Steady => {
            let steady = |rate| Load::Steady { rate };
            [of(QueueTokio, RATES, steady), of(QueueSqlite, RATES_IN_FILE, steady)].concat()
        }
        Workload::Enqueue
        | Workload::Bulk
        | Workload::Stream
        | Workload::Latency
        | Workload::Memory
        | Workload::Depth
        | Workload::Threads
        | Workload::Fairness
        | Workload::Starts
        | Workload::Work => Vec::new(),
    }
}

/// Returns zero, a thousand, and each further power of ten up to `most`.
fn powers(most: u64) -> impl Iterator<Item = u64> {
    let powers = (3..).map(|digits| 10_u64.pow(digits));
    [0].into_iter().chain(powers.take_while(move |&power| power <= most))
}

fn in_both<T: Copy>(points: &[T], load: impl Fn(T) -> Load + Copy) -> Vec<(Load, Contender)> {
    [QueueTokio, QueueSqlite].map(|system| of(system, points.iter().copied(), load)).concat()
}

fn of<T>(
    system: Contender,
    points: impl IntoIterator<Item = T>,
    load: impl Fn(T) -> Load,
) -> Vec<(Load, Contender)> {
    points.into_iter().map(|point| (load(point), system)).collect()
}
