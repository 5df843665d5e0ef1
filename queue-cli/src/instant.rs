//! Instants on the command line: an absolute one, or one by its distance from now.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use queue_core::Timestamp;

/// An instant in the past, for filters: `2h` means two hours ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Past(pub(crate) Timestamp);

impl FromStr for Past {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match humantime::parse_duration(text) {
            Ok(ago) => Ok(Self(Timestamp::from(SystemTime::now()).saturating_sub(ago))),
            Err(_) => absolute(text).map(Self),
        }
    }
}

/// Parses an instant in RFC 3339, such as `2026-11-29T08:00:00Z` or `2026-11-29 08:00:00`.
pub(crate) fn absolute(text: &str) -> Result<Timestamp, String> {
    humantime::parse_rfc3339_weak(text).map(Timestamp::from).map_err(|_| {
        format!(
            "`{text}` is neither a duration, such as `2h`, nor an instant, such as `2026-11-29T08:00:00Z`"
        )
    })
}

/// Parses a duration, such as `90s` or `1h 30m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| format!("`{text}` is not a duration, such as `90s` or `1h 30m`"))
}

/// Returns a duration in at most two units: `3h 4m`.
pub(crate) fn short(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let two = |large: u64, unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large}{unit}"),
        small => format!("{large}{unit} {small}{small_unit}"),
    };
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => two(minutes, "m", seconds % 60, "s"),
        3_600..86_400 => two(hours, "h", minutes % 60, "m"),
        _ => two(days, "d", hours % 24, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_at_most_two_units() {
        let table = [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (125, "2m 5s"),
            (3_600, "1h"),
            (11_045, "3h 4m"),
            (86_400, "1d"),
            (180_000, "2d 2h"),
        ];
        for (seconds, text) in table {
            assert_eq!(short(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn an_instant_in_the_past_is_absolute_or_a_distance_from_now() {
        let absolute = "2026-11-29T08:00:00Z".parse::<Past>().unwrap();
        assert_eq!(absolute.0.to_string(), "2026-11-29T08:00:00.000000Z");

        let ago = "1h".parse::<Past>().unwrap();
        let distance = Timestamp::from(SystemTime::now()).since(ago.0);
        assert!((3_600..3_700).contains(&distance.as_secs()), "{distance:?}");

        assert!("yesterday".parse::<Past>().unwrap_err().contains("such as `2h`"));
    }
}
