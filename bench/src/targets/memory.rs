//! The targets of queue-tokio.

use harness::{Load, Metric, Series, Waits};

use super::{Bound, Target, against, observed, rate_to, ratio};
use crate::case::{Case, Contender};
use crate::results::Results;

/// Compares the results with each target.
pub(super) fn judge(results: &Results) -> Vec<Target> {
    use Bound::{AtLeast, AtMost};
    use Contender::{Apalis, Baseline, Mpsc, QueueTokio, Spawn};

    let stream = Load::Stream { tasks: 1, threads: None };
    let threads = |threads| Load::Stream { tasks: 1, threads: Some(threads) };
    let enqueue = |tasks| Load::Enqueue { tasks };
    let rate = |load, peer| against(results, load, peer, Metric::Rate);
    let start = against(results, Load::Latency, Baseline, Metric::StartMedian);
    let slowest =
        results.find(Load::Latency, QueueTokio).and_then(|case| results.series(case, Metric::StartP99));

    let drain = Load::Drain { workers: 64 };
    let mut targets = vec![
        Target::new("drain ÷ that of apalis", AtLeast(1.8), rate(drain, Apalis)),
        Target::new("drain ÷ the baseline's", AtLeast(0.55), rate(drain, Baseline)),
        Target::new("stream ÷ the baseline's", AtLeast(0.7), rate(stream, Baseline)),
        Target::new("stream ÷ that of `tokio::spawn`", AtLeast(1.5), rate(stream, Spawn)),
        Target::new("stream ÷ that of apalis", AtLeast(2.0), rate(stream, Apalis)),
        Target::new("stream ÷ the bare channel's", AtLeast(0.9), rate(stream, Mpsc)),
        Target::new("enqueue, 1 task ÷ that of apalis", AtLeast(2.0), rate(enqueue(1), Apalis)),
        Target::new("enqueue, 32 tasks ÷ that of apalis", AtLeast(1.3), rate(enqueue(32), Apalis)),
        Target::new("enqueue, 32 tasks ÷ 1 task", AtLeast(1.0), rate_to(results, enqueue(32), enqueue(1))),
        Target::new("start p50 ÷ the baseline's", AtMost(2.0), start),
        Target::new("start p99, µs", AtMost(50.0), slowest),
        Target::new("bytes of a queued job beside its payload", AtMost(200.0), overhead(results)),
    ];
    targets.extend(observed(results, [("drain", drain), ("stream", stream)]));
    targets.extend(flatness(results));
    let gain = rate_to(results, threads(2), threads(1));
    targets.push(Target::new("stream on 2 worker threads ÷ on 1", AtLeast(1.5), gain));
    targets
}

/// Returns the cost of a job beside the most waiting ones divided by its cost beside 1,000.
fn flatness(results: &Results) -> Vec<Target> {
    let depth = |case: &Case| match case.load {
        Load::BesideWaiting { waiting, .. } => Some(waiting),
        _ => None,
    };
    let depths = results.cases(|case| depth(case).is_some());
    let deepest = depths.iter().filter_map(depth).max().unwrap_or(1_000_000);
    let sorts = [(Waits::ForWorker, "ready"), (Waits::ForTime, "delayed")];
    let steps = [(Metric::Push, "push"), (Metric::ClaimAndSettle, "claim and settle")];
    let pairs = sorts.into_iter().flat_map(|sort| steps.map(|step| (sort, step)));
    let target = |((waits, sort), (metric, step))| {
        let load = |waiting| Load::BesideWaiting { waiting, waits };
        let cost = ratio(
            results,
            (load(deepest), Contender::QueueTokio),
            (load(1_000), Contender::QueueTokio),
            metric,
        );
        Target::new(format!("{step} beside {deepest} {sort} jobs ÷ beside 1000"), Bound::AtMost(1.5), cost)
    };
    pairs.map(target).collect()
}

/// Returns our bytes per job, without those of the payload.
fn overhead(results: &Results) -> Option<Series> {
    let bytes = |system| results.series(results.find(Load::Memory, system)?, Metric::Bytes);
    let (ours, payload) = (bytes(Contender::QueueTokio)?, bytes(Contender::Payload)?.median());
    Series::new([ours.min(), ours.median(), ours.max()].map(|bytes| bytes - payload))
}
