//! The targets of queue-sqlite.

use harness::{Load, Metric, WORKERS};

use super::{Bound, Target, against, flatness, observed};
use crate::case::Contender;
use crate::results::Results;

/// Compares the results with each target.
pub(super) fn judge(results: &Results) -> Vec<Target> {
    use Bound::{AtLeast, AtMost};
    use Contender::{Effectum, QueueSqlite, Raw};

    let enqueue = |tasks| Load::Enqueue { tasks };
    let drain = Load::Drain { workers: WORKERS };
    let stream = Load::Stream { tasks: 32, threads: None };
    let rate = |load, peer| against(results, load, peer, Metric::Rate);
    let start =
        results.find(Load::Latency, QueueSqlite).and_then(|case| results.series(case, Metric::StartMedian));
    let mut targets = vec![
        Target::new("enqueue, 1 task ÷ a raw transaction each", AtLeast(0.8), rate(enqueue(1), Raw)),
        Target::new("enqueue, 32 tasks ÷ that of effectum", AtLeast(5.0), rate(enqueue(32), Effectum)),
        Target::new("bulk of 1,000 ÷ that of effectum", AtLeast(1.2), rate(Load::Bulk, Effectum)),
        Target::new("bulk of 1,000 ÷ raw transactions of 1,000", AtLeast(0.5), rate(Load::Bulk, Raw)),
        Target::new("drain ÷ that of effectum", AtLeast(8.0), rate(drain, Effectum)),
        Target::new("drain ÷ raw claims by update and delete", AtLeast(0.25), rate(drain, Raw)),
        Target::new("stream ÷ that of effectum", AtLeast(5.0), rate(stream, Effectum)),
        Target::new("start p50, µs", AtMost(600.0), start),
    ];
    targets.extend(observed(results, [("drain", drain), ("stream", stream)]));
    targets.push(flatness(results, "file"));
    targets
}
