//! An instant, as a distance from now.

use std::time::Duration;

use queue_core::Timestamp;

/// Returns the distance of an instant from now, in its largest whole unit: `5 s ago`, `in 3 min`.
pub(super) fn relative(now: Timestamp, at: Timestamp) -> String {
    let (ago, ahead) = (now.since(at), at.since(now));
    match (whole(ago), whole(ahead)) {
        (None, None) => "now".to_owned(),
        (Some(ago), _) => format!("{ago} ago"),
        (None, Some(ahead)) => format!("in {ahead}"),
    }
}

/// Returns a duration in its largest whole unit, or `None` below a second.
fn whole(duration: Duration) -> Option<String> {
    let seconds = duration.as_secs();
    match seconds {
        0 => None,
        1..60 => Some(format!("{seconds} s")),
        60..3600 => Some(format!("{} min", seconds / 60)),
        3600..86_400 => Some(format!("{} h", seconds / 3600)),
        86_400.. => Some(format!("{} d", seconds / 86_400)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_shown_in_its_largest_whole_unit() {
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        let table = [
            (0, "now", "now"),
            (59, "59 s ago", "in 59 s"),
            (119, "1 min ago", "in 1 min"),
            (7_200, "2 h ago", "in 2 h"),
            (86_400 * 30, "30 d ago", "in 30 d"),
        ];
        for (seconds, ago, ahead) in table {
            let distance = Duration::from_secs(seconds);

            assert_eq!(relative(now, now.saturating_sub(distance)), ago);
            assert_eq!(relative(now, now.saturating_add(distance)), ahead);
        }
    }
}
