//! Tests that the dashboard, the alerts and the README name only metrics and labels that exist, and all of them.

use std::collections::BTreeSet;

use metrics::Unit;
use queue_metrics::{METRICS, Metric, MetricKind};

use crate::page::{Page, TestResult};

const DASHBOARD: &str = include_str!("../../dashboard.json");
const ALERTS: &str = include_str!("../../alerts.yml");
const README: &str = include_str!("../../README.md");

/// Returns the words of a text that are names of metrics, such as `queue_depth`. Programs, which name crates, are left out.
fn names(text: &str) -> BTreeSet<&str> {
    let prose = text.split("```").step_by(2);
    let words = prose.flat_map(|text| text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')));
    words.filter(|word| word.starts_with("queue_")).collect()
}

/// Returns the metric of a series. Prometheus adds a suffix to the name of a histogram.
fn metric(series: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| match metric.kind {
        MetricKind::Histogram(_) => ["", "_bucket", "_sum", "_count"]
            .iter()
            .any(|suffix| series.strip_prefix(metric.name) == Some(suffix)),
        _ => series == metric.name,
    })
}

#[test]
fn the_files_name_only_metrics_that_exist() {
    for (file, text) in [("dashboard.json", DASHBOARD), ("alerts.yml", ALERTS), ("README.md", README)] {
        let unknown: Vec<_> = names(text).into_iter().filter(|name| metric(name).is_none()).collect();
        assert!(unknown.is_empty(), "{file} names {unknown:?}");
    }
}

#[test]
fn the_dashboard_and_the_readme_show_every_metric() {
    for (file, text) in [("dashboard.json", DASHBOARD), ("README.md", README)] {
        let shown: BTreeSet<_> =
            names(text).into_iter().filter_map(metric).map(|metric| metric.name).collect();
        let missing: Vec<_> =
            METRICS.iter().map(|metric| metric.name).filter(|name| !shown.contains(name)).collect();
        assert!(missing.is_empty(), "{file} lacks {missing:?}");
    }
}

/// Returns the expressions of the dashboard's panels.
fn expressions(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            found.extend(fields.get("expr").and_then(|expr| expr.as_str()).map(str::to_owned));
            fields.values().for_each(|value| expressions(value, found));
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

#[test]
fn the_expressions_use_only_labels_of_their_metrics() -> TestResult {
    let mut found = Vec::new();
    expressions(&serde_json::from_str(DASHBOARD)?, &mut found);
    found.extend(ALERTS.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).map(str::to_owned));
    assert!(found.len() > 20, "{found:?}");

    for expression in found {
        let labels: BTreeSet<_> =
            names(&expression).into_iter().filter_map(metric).flat_map(|metric| metric.labels).collect();
        for group in expression.split(" by (").skip(1).filter_map(|rest| rest.split_once(')')) {
            for label in group.0.split(", ").filter(|label| *label != "le") {
                assert!(labels.contains(&label), "`{label}` is no label of {expression}");
            }
        }
        for selector in expression.split('{').skip(1).filter_map(|rest| rest.split_once('}')) {
            for (label, _) in selector.0.split("\",").filter_map(|part| part.split_once('=')) {
                assert!(labels.contains(&label), "`{label}` is no label of {expression}");
            }
        }
    }
    Ok(())
}

#[test]
fn there_are_seven_alerts_each_with_a_summary_and_a_description() {
    for (key, number) in
        [("- alert: ", 7), ("expr: ", 7), ("severity: ", 7), ("summary: ", 7), ("description: ", 7)]
    {
        let lines = ALERTS.lines().filter(|line| line.trim().starts_with(key)).count();
        assert_eq!(lines, number, "{key}");
    }
}

#[test]
fn the_panels_do_not_overlap() -> TestResult {
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD)?;
    let mut taken = BTreeSet::new();
    for panel in dashboard["panels"].as_array().ok_or("there are panels")? {
        let place = |key: &str| panel["gridPos"][key].as_u64().ok_or("a panel has a place");
        let (x, y, width, height) = (place("x")?, place("y")?, place("w")?, place("h")?);
        assert!(x + width <= 24, "{}", panel["title"]);
        for cell in (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "{} overlaps another panel", panel["title"]);
        }
    }
    Ok(())
}

#[test]
fn the_name_of_a_metric_says_its_kind_and_its_unit() {
    for metric in METRICS {
        assert!(metric.name.starts_with("queue_") && metric.description.ends_with('.'), "{metric:?}");
        assert_eq!(metric.kind == MetricKind::Counter, metric.name.ends_with("_total"), "{metric:?}");
        assert_eq!(metric.unit == Unit::Seconds, metric.name.ends_with("_seconds"), "{metric:?}");
    }
}

#[test]
fn every_metric_is_described_to_the_exporter() {
    let page = Page::new();

    let help = page.lines("# HELP queue_leases_lost_total");

    assert_eq!(help, ["# HELP queue_leases_lost_total Leases that were lost while an attempt ran."]);
}
