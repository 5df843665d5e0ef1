//! The targets of partitions and limits.

use harness::{Load, Metric, RUN_TIME, Series};

use super::{Bound, Target};
use crate::case::{Case, Contender};
use crate::results::Results;
use crate::sharing::Sharing;

/// The sharings with a target, and the least rate relative to that of a plain queue.
const LEAST: [(Sharing, f64); 2] = [(Sharing::Hundred, 0.9), (Sharing::TenThousand, 0.7)];

/// A load that is compared: its word, and whether a load is it.
type Compared = (&'static str, fn(Load) -> bool);

/// Compares the results with each target.
pub(super) fn judge(results: &Results) -> Vec<Target> {
    let loads: [Compared; 4] = [
        ("jobs of 50 ms", |load| matches!(load, Load::Work { millis: 50, .. })),
        ("jobs of 10 ms", |load| matches!(load, Load::Work { millis: 10, .. })),
        ("drain", |load| matches!(load, Load::Drain { .. })),
        ("stream", |load| matches!(load, Load::Stream { .. })),
    ];
    let mut targets = Vec::new();
    for system in Contender::OWN {
        for (word, is_load) in loads {
            for (sharing, least) in LEAST {
                let case = find(results, |case| {
                    case.system == system && case.sharing == sharing && is_load(case.load)
                });
                let rate = case.and_then(|case| {
                    results.ratio(case, Case { sharing: Sharing::Plain, ..case }, Metric::Rate)
                });
                let figure = format!("{system}, {word}, {sharing} ÷ plain");
                targets.push(Target::new(figure, Bound::AtLeast(least), rate));
            }
        }
    }
    targets.extend(Contender::OWN.map(|system| {
        let figure = format!(
            "{system}, p99 of the small tenants beside a flood, beyond the idle p99, in run times of a job"
        );
        Target::new(figure, Bound::AtMost(1.5), delay(results, system))
    }));
    targets
}

/// Returns by how much the p99 wait beside a flood exceeds that on an idle system, in run times of a job.
fn delay(results: &Results, system: Contender) -> Option<Series> {
    let beside = |is_wanted: fn(u64) -> bool| {
        find(results, |case| match case.load {
            Load::BesideFlood { waiting } => {
                case.system == system && case.sharing == Sharing::Tenants && is_wanted(waiting)
            }
            _ => false,
        })
    };
    let (flood, idle) = (beside(|waiting| waiting > 0)?, beside(|waiting| waiting == 0)?);
    let run_time = RUN_TIME.as_secs_f64() * 1e6;
    results.combine(flood, idle, Metric::StartP99, |flood, idle| (flood - idle) / run_time)
}

fn find(results: &Results, is_wanted: impl Fn(&Case) -> bool) -> Option<Case> {
    results.cases(is_wanted).first().copied()
}

#[cfg(test)]
mod tests {
    use harness::Figures;

    use super::*;
    use crate::suite::Suite;

    /// Returns results with these p99 waits of `queue-tokio`, in microseconds: beside a flood, and idle.
    fn waits(rounds: &[(f64, f64)]) -> Results {
        let mut results = Results::default();
        let case = |waiting| Case {
            suite: Suite::Limits,
            load: Load::BesideFlood { waiting },
            system: Contender::QueueTokio,
            sharing: Sharing::Tenants,
            jobs: 500,
        };
        for &(flood, idle) in rounds {
            results.add(case(200_000), Figures::default().with(Metric::StartP99, flood));
            results.add(case(0), Figures::default().with(Metric::StartP99, idle));
        }
        results
    }

    #[test]
    fn a_delay_is_what_a_flood_adds_in_the_same_round() {
        let delay = delay(
            &waits(&[(12_000.0, 2_000.0), (30_000.0, 10_000.0), (5_000.0, 0.0)]),
            Contender::QueueTokio,
        );

        let delay = delay.unwrap();
        assert_eq!((delay.min(), delay.median(), delay.max()), (0.5, 1.0, 2.0));
    }

    #[test]
    fn a_delay_of_two_run_times_misses_its_target() {
        let targets = judge(&waits(&[(20_000.0, 0.0)]));

        let verdicts: Vec<_> =
            targets.iter().filter(|target| target.is_measured()).map(Target::verdict).collect();
        assert_eq!(verdicts, ["not met"]);
    }
}
