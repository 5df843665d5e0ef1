//! Formats quantities.

use harness::Series;

/// Formats three significant digits, with a unit for thousands and millions.
pub(super) fn short(value: f64) -> String {
    let (value, unit) = match value {
        value if value >= 1e6 => (value / 1e6, " M"),
        value if value >= 1e4 => (value / 1e3, " k"),
        value => (value, ""),
    };
    let digits = match value {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        value if value > 0.0 && value < 0.1 => 3,
        _ => 2,
    };
    format!("{value:.digits$}{unit}")
}

/// Formats the median of a series.
pub(super) fn median(series: Option<&Series>) -> String {
    series.map_or_else(missing, |series| short(series.median()))
}

/// Formats the spread of a series.
pub(super) fn spread(series: Option<&Series>) -> String {
    series.map_or_else(missing, |series| format!("{} – {}", short(series.min()), short(series.max())))
}

/// Formats the median of a series with its spread.
pub(super) fn with_spread(series: Option<&Series>) -> String {
    series.map_or_else(missing, |series| {
        format!("{} ({} – {})", short(series.median()), short(series.min()), short(series.max()))
    })
}

fn missing() -> String {
    "–".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_shows_the_digits_that_count() {
        let table = [
            (1_234_567.0, "1.23 M"),
            (45_678.0, "45.7 k"),
            (4_567.0, "4567"),
            (12.34, "12.3"),
            (0.5, "0.50"),
            (0.0123, "0.012"),
        ];

        for (value, written) in table {
            assert_eq!(short(value), written);
        }
    }
}
