//! The targets of queue-postgres.

use harness::{Load, Metric, WORKERS};

use super::{Bound, Target, against, flatness, observed};
use crate::case::Contender;
use crate::results::Results;

/// Compares the results with each target.
pub(super) fn judge(results: &Results) -> Vec<Target> {
    use Bound::{AtLeast, AtMost};
    use Contender::{QueuePostgres, Raw};

    let enqueue = |tasks| Load::Enqueue { tasks };
    let drain = Load::Drain { workers: WORKERS };
    let stream = Load::Stream { tasks: 32, threads: None };
    let raw = |load| against(results, load, Raw, Metric::Rate);
    let best = |figure, bound, load, metric| against_the_best(results, figure, bound, load, metric);
    let start =
        results.find(Load::Latency, QueuePostgres).and_then(|case| results.series(case, Metric::StartMedian));
    let start_to_raw = against(results, Load::Latency, Raw, Metric::StartMedian);
    let mut targets = vec![
        best("enqueue, 32 tasks", AtLeast(5.0), enqueue(32), Metric::Rate),
        Target::new("enqueue, 32 tasks ÷ 32 raw connections", AtLeast(2.0), raw(enqueue(32))),
        best("enqueue, 1 task", AtLeast(1.0), enqueue(1), Metric::Rate),
        // Within a factor of 1.3.
        Target::new("enqueue, 1 task ÷ a raw insert each", AtLeast(0.77), raw(enqueue(1))),
        best("bulk of 1,000", AtLeast(1.5), Load::Bulk, Metric::Rate),
        Target::new("bulk of 1,000 ÷ raw `unnest`", AtLeast(0.5), raw(Load::Bulk)),
        best("drain", AtLeast(1.5), drain, Metric::Rate),
        Target::new("drain ÷ raw claims by update and delete", AtLeast(0.5), raw(drain)),
        best("stream", AtLeast(5.0), stream, Metric::Rate),
        Target::new("start p50, µs", AtMost(1_000.0), start),
        Target::new("start p50 ÷ raw claims on notification", AtMost(2.0), start_to_raw),
        best("server CPU of a drain", AtMost(1.0), drain, Metric::ServerCpu),
    ];
    targets.extend(observed(results, [("drain", drain), ("stream", stream)]));
    targets.push(flatness(results, "table"));
    targets
}

/// Compares our figure with that of the peer whose median is best.
fn against_the_best(results: &Results, figure: &str, bound: Bound, load: Load, metric: Metric) -> Target {
    let is_peer =
        |system| !matches!(system, Contender::QueuePostgres | Contender::ObservedPostgres | Contender::Raw);
    let peers = results.cases(|case| case.load == load && is_peer(case.system)).into_iter();
    let medians = peers.filter_map(|case| Some((results.series(case, metric)?.median(), case.system)));
    let order = |one: &(f64, Contender), other: &(f64, Contender)| one.0.total_cmp(&other.0);
    let best = match bound {
        Bound::AtLeast(_) => medians.max_by(order),
        Bound::AtMost(_) => medians.min_by(order),
    };
    match best {
        Some((_, peer)) => {
            let figure = format!("{figure} ÷ the best peer's, {peer}'s");
            Target::new(figure, bound, against(results, load, peer, metric))
        }
        None => Target::new(format!("{figure} ÷ the best peer's"), bound, None),
    }
}
