//! The targets of the project's benchmarks, and whether they are met.

use crate::case::{Case, Contender, Load, Waits};
use crate::figures::Metric;
use crate::results::Results;
use crate::series::Series;

/// A figure, the bound that it's held to, and what it was.
#[derive(Debug)]
pub(crate) struct Target {
    figure: String,
    bound: Bound,
    measured: Option<Series>,
}

#[derive(Debug)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Target {
    fn new(figure: impl Into<String>, bound: Bound, measured: Option<Series>) -> Self {
        Self { figure: figure.into(), bound, measured }
    }

    /// Tells what is asked for.
    pub(crate) fn text(&self) -> String {
        match self.bound {
            Bound::AtLeast(least) => format!("{} ≥ {least}", self.figure),
            Bound::AtMost(most) => format!("{} ≤ {most}", self.figure),
        }
    }

    pub(crate) fn is_measured(&self) -> bool {
        self.measured.is_some()
    }

    /// Tells what was found, the median with the spread.
    pub(crate) fn measured(&self) -> String {
        self.measured.as_ref().map_or_else(
            || "–".to_owned(),
            |series| format!("{:.2} ({:.2} – {:.2})", series.median(), series.min(), series.max()),
        )
    }

    /// Tells whether the median keeps to the bound.
    pub(crate) fn verdict(&self) -> &'static str {
        let is_met = self.measured.as_ref().map(|series| match self.bound {
            Bound::AtLeast(least) => series.median() >= least,
            Bound::AtMost(most) => series.median() <= most,
        });
        match is_met {
            Some(true) => "met",
            Some(false) => "not met",
            None => "not measured",
        }
    }
}

/// Judges what was measured by each target.
pub(crate) fn judge(results: &Results) -> Vec<Target> {
    use Bound::{AtLeast, AtMost};
    use Contender::{Apalis, Mpsc, Port, Spawn};

    let stream = Load::Stream { threads: None };
    let threads = |threads| Load::Stream { threads: Some(threads) };
    let enqueue = |tasks| Load::Enqueue { tasks };
    let rate = |load, peer| against(results, load, peer, Metric::Rate);
    let start = against(results, Load::Latency, Port, Metric::StartMedian);
    let slowest =
        find(results, Load::Latency, Contender::Us).and_then(|case| results.series(case, Metric::StartP99));

    let mut targets = vec![
        Target::new("stream ÷ the port's", AtLeast(1.5), rate(stream, Port)),
        Target::new("stream ÷ that of `tokio::spawn`", AtLeast(1.5), rate(stream, Spawn)),
        Target::new("stream ÷ that of apalis", AtLeast(2.0), rate(stream, Apalis)),
        Target::new("stream ÷ the bare channel's", AtLeast(0.9), rate(stream, Mpsc)),
        Target::new("enqueue, 1 task ÷ that of apalis", AtLeast(2.0), rate(enqueue(1), Apalis)),
        Target::new("enqueue, 32 tasks ÷ 1 task", AtLeast(1.0), rate_to(results, enqueue(32), enqueue(1))),
        Target::new("start p50 ÷ the port's", AtMost(2.0), start),
        Target::new("start p99, µs", AtMost(50.0), slowest),
        Target::new("bytes of a queued job beside its payload", AtMost(200.0), overhead(results)),
    ];
    targets.extend(flatness(results));
    let gain = rate_to(results, threads(2), threads(1));
    targets.push(Target::new("stream on 2 worker threads ÷ on 1", AtLeast(1.5), gain));
    targets
}

/// What a job costs beside the most waiting ones, as a part of what it costs beside 1,000.
fn flatness(results: &Results) -> Vec<Target> {
    let depth = |case: &Case| match case.load {
        Load::Depth { waiting, .. } => Some(waiting),
        _ => None,
    };
    let depths = results.cases(|case| depth(case).is_some());
    let deepest = depths.iter().filter_map(depth).max().unwrap_or(1_000_000);
    let sorts = [(Waits::ForWorker, "ready"), (Waits::ForTime, "delayed")];
    let steps = [(Metric::Push, "push"), (Metric::ClaimAndSettle, "claim and settle")];
    let pairs = sorts.into_iter().flat_map(|sort| steps.map(|step| (sort, step)));
    let target = |((waits, sort), (metric, step))| {
        let load = |waiting| Load::Depth { waiting, waits };
        let cost = ratio(results, (load(deepest), Contender::Us), (load(1_000), Contender::Us), metric);
        Target::new(format!("{step} beside {deepest} {sort} jobs ÷ beside 1000"), Bound::AtMost(1.5), cost)
    };
    pairs.map(target).collect()
}

/// Our bytes for a job, without those of the payload.
fn overhead(results: &Results) -> Option<Series> {
    let bytes = |system| results.series(find(results, Load::Memory, system)?, Metric::Bytes);
    let (ours, payload) = (bytes(Contender::Us)?, bytes(Contender::Payload)?.median());
    Series::new([ours.min(), ours.median(), ours.max()].map(|bytes| bytes - payload))
}

/// Our figure divided by a peer's.
fn against(results: &Results, load: Load, peer: Contender, metric: Metric) -> Option<Series> {
    ratio(results, (load, Contender::Us), (load, peer), metric)
}

/// Our rate under one load divided by that under another.
fn rate_to(results: &Results, load: Load, to: Load) -> Option<Series> {
    ratio(results, (load, Contender::Us), (to, Contender::Us), Metric::Rate)
}

fn ratio(
    results: &Results,
    (load, system): (Load, Contender),
    (to, peer): (Load, Contender),
    metric: Metric,
) -> Option<Series> {
    results.ratio(find(results, load, system)?, find(results, to, peer)?, metric)
}

fn find(results: &Results, load: Load, system: Contender) -> Option<Case> {
    results.cases(|case| case.load == load && case.system == system).first().copied()
}
