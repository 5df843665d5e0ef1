//! The tables of partitions and limits.

use harness::{FLOOD_PATIENCE, Load, Metric, RUN_TIME, Series};

use crate::case::Case;
use crate::report::quantity::{median, short, spread, with_spread};
use crate::report::table::Table;
use crate::results::Results;
use crate::sharing::Sharing;

pub(super) fn all(results: &Results) -> Vec<Table> {
    vec![
        throughput(results, "limits-drain", "Drain", "64 workers are started on a full queue.", |load| {
            matches!(load, Load::Drain { .. })
        }),
        throughput(
            results,
            "limits-stream",
            "Stream",
            "One task pushes in memory, 32 tasks in a file and on a server, and 64 workers run the jobs.",
            |load| matches!(load, Load::Stream { .. }),
        ),
        throughput(
            results,
            "limits-work-50",
            "Jobs of 50 ms",
            "64 workers are started on a full queue of jobs that each work for 50 ms, so at most 1,280 run in a second.",
            |load| matches!(load, Load::Work { millis: 50, .. }),
        ),
        throughput(
            results,
            "limits-work-10",
            "Jobs of 10 ms",
            "64 workers are started on a full queue of jobs that each work for 10 ms, so at most 6,400 run in a second.",
            |load| matches!(load, Load::Work { millis: 10, .. }),
        ),
        fairness(results),
        starts(results),
    ]
}

/// The rates of a queue with partitions and limits, relative to those of a plain one.
fn throughput(
    results: &Results,
    name: &'static str,
    title: &str,
    note: &str,
    is_shown: impl Fn(Load) -> bool,
) -> Table {
    let note = format!(
        "{note} The jobs are the same in each queue; CPU is in seconds for 100,000 jobs. The chart shows jobs/s ÷ plain; longer \
         is better."
    );
    let mut table = Table::new(name, title, note);
    table.header(&[
        "system",
        "queue",
        "jobs",
        "jobs/s",
        "spread",
        "÷ plain",
        "CPU-s",
        "÷ plain (CPU)",
        "server CPU-s",
        "÷ plain (server)",
    ]);
    for case in results.cases(|case| is_shown(case.load)) {
        let plain = Case { sharing: Sharing::Plain, ..case };
        let ratio = |metric| results.ratio(case, plain, metric).filter(|_| case != plain);
        let to_plain = |metric| ratio(metric).map_or_else(String::new, |ratio| with_spread(Some(&ratio)));
        let rate = results.series(case, Metric::Rate);
        table.bar(label(case), ratio(Metric::Rate).as_ref(), true);
        table.row([
            case.system.to_string(),
            case.sharing.to_string(),
            short(case.jobs as f64),
            median(rate.as_ref()),
            spread(rate.as_ref()),
            to_plain(Metric::Rate),
            median(results.series(case, Metric::Cpu).as_ref()),
            to_plain(Metric::Cpu),
            median(results.series(case, Metric::ServerCpu).as_ref()),
            to_plain(Metric::ServerCpu),
        ]);
    }
    table
}

/// The waits of small tenants beside a flood.
fn fairness(results: &Results) -> Table {
    let note = format!(
        "20 small tenants push a job each 20 ms in turn, {} in all, while 64 workers run the flood of another tenant; each job \
         works for {RUN_TIME:?}. From before the push to the job's first line, in ms. A job that has not started within \
         {FLOOD_PATIENCE:?} counts as not run. Without a flood the system is idle.",
        harness::SMALL_JOBS
    );
    let mut table = Table::new("limits-fairness", "Small tenants beside a flood", note);
    table.header(&["system", "queue", "flood", "its jobs/s", "p50", "p99", "spread", "max", "not run"]);
    for case in results.cases(|case| matches!(case.load, Load::BesideFlood { .. })) {
        let Load::BesideFlood { waiting } = case.load else { continue };
        let series = |metric| results.series(case, metric);
        let p99 = series(Metric::StartP99);
        let [least, most] = [Series::min, Series::max].map(|value| millis(p99.as_ref(), value));
        table.row([
            case.system.to_string(),
            case.sharing.to_string(),
            if waiting == 0 { "none".to_owned() } else { short(waiting as f64) },
            median(series(Metric::Rate).filter(|_| waiting > 0).as_ref()),
            millis(series(Metric::StartMedian).as_ref(), Series::median),
            millis(p99.as_ref(), Series::median),
            format!("{least} – {most}"),
            millis(series(Metric::StartMax).as_ref(), Series::median),
            series(Metric::NotRun).map_or_else(missing, |share| format!("{:.0} %", share.median() * 100.0)),
        ]);
    }
    table
}

/// The starts under a rate.
fn starts(results: &Results) -> Table {
    let note = "Ready jobs of 100 partitions, each of which may start 50 in any second, for 5 s unless `--jobs` is smaller. A run \
                fails if a partition starts more in any second, by the instants of the claims. The share is that of all starts \
                which the rate allows from the first one to the last.";
    let mut table = Table::new("limits-starts", "Starts under a limit", note);
    table.header(&[
        "system",
        "jobs",
        "starts/s",
        "most of a partition in 1 s",
        "share of what is allowed",
        "spread",
    ]);
    for case in results.cases(|case| matches!(case.load, Load::Starts { .. })) {
        let reached = results.series(case, Metric::Reached);
        table.row([
            case.system.to_string(),
            short(case.jobs as f64),
            median(results.series(case, Metric::Rate).as_ref()),
            results
                .series(case, Metric::MostStarts)
                .map_or_else(missing, |most| format!("{:.0}", most.max())),
            median(reached.as_ref()),
            spread(reached.as_ref()),
        ]);
    }
    table
}

/// Formats a wait in ms; a wait that reaches the patience has no known end.
fn millis(series: Option<&Series>, value: fn(&Series) -> f64) -> String {
    let Some(micros) = series.map(value) else { return missing() };
    if micros >= FLOOD_PATIENCE.as_secs_f64() * 1e6 {
        return format!("> {} s", FLOOD_PATIENCE.as_secs());
    }
    short(micros / 1e3)
}

fn missing() -> String {
    "–".to_owned()
}

fn label(case: Case) -> String {
    let queue = match case.sharing {
        Sharing::Plain => "plain",
        Sharing::NotAhead => "no prefetch",
        Sharing::Total => "total",
        Sharing::Hundred => "100",
        Sharing::TenThousand => "10,000",
        Sharing::Tenants => "tenants",
    };
    format!("{}, {queue}", case.system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_without_an_end_is_no_figure() {
        let written = |micros| millis(Series::new([micros]).as_ref(), Series::median);

        assert_eq!(written(12_340.0), "12.3");
        assert_eq!(written(10e6), "> 10 s");
        assert_eq!(millis(None, Series::median), "–");
    }
}
