//! Times as operators read them.

use std::time::Duration;

/// Formats a time for a log line: `350 ms`, `4 s`, `12m 5s`.
///
/// It is rounded up to milliseconds, or from a second on to the nearest second: part of a wait has passed when it is logged.
#[must_use]
pub fn readable(time: Duration) -> String {
    let milliseconds = time.as_micros().div_ceil(1_000);
    let seconds = u64::try_from(milliseconds.saturating_add(500) / 1_000).unwrap_or(u64::MAX);
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..120_000 => format!("{seconds} s"),
        _ => humantime::format_duration(Duration::from_secs(seconds)).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_not_cut() {
        let table = [
            (0, "0 ms"),
            (1, "1 ms"),
            (999, "1 ms"),
            (99_950, "100 ms"),
            (999_900, "1 s"),
            (1_400_000, "1 s"),
            (3_999_900, "4 s"),
            (119_999_900, "2m"),
            (299_999_900, "5m"),
            (725_000_000, "12m 5s"),
        ];

        for (micros, shown) in table {
            assert_eq!(readable(Duration::from_micros(micros)), shown, "{micros} µs");
        }
    }
}
