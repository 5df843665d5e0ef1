//! Instants as a distance from now, and durations.
//!
//! The script updates such texts by the same rules: see `text` in `board.js`.

use std::time::{Duration, SystemTime};

use maud::{Markup, html};
use queue_core::Timestamp;

use crate::frame::Frame;

/// Returns the instant by the clock of this process.
pub(crate) fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}

/// Renders an instant as a distance from now, `5 s ago` or `in 3 min`, with the instant on hover.
pub(crate) fn ago(frame: &Frame, at: Timestamp) -> Markup {
    element(frame, at, "ago", || relative(frame.now, at))
}

/// Renders the time since an instant, `5 s`, with the instant on hover.
pub(crate) fn age(frame: &Frame, at: Timestamp) -> Markup {
    element(frame, at, "age", || short(frame.now.since(at)))
}

/// Renders the time until an instant, `5 s`, with the instant on hover.
pub(crate) fn left(frame: &Frame, at: Timestamp) -> Markup {
    element(frame, at, "left", || short(at.since(frame.now)))
}

/// In an update, the text is empty, and the script writes it. Otherwise each second would change the page.
fn element(frame: &Frame, at: Timestamp, form: &str, text: impl FnOnce() -> String) -> Markup {
    html! {
        time datetime=(at) title=(exact(at)) data-at=(at.as_micros() / 1000) data-form=(form) {
            @if !frame.is_live { (text()) }
        }
    }
}

/// Returns an instant to the millisecond, in UTC: `2026-11-29 08:15:00.123 UTC`.
pub(crate) fn exact(at: Timestamp) -> String {
    let text = at.to_string();
    match text.split_once('T') {
        Some((day, time)) => format!("{day} {} UTC", time.get(..12).unwrap_or(time)),
        None => text,
    }
}

fn relative(now: Timestamp, at: Timestamp) -> String {
    let (ago, ahead) = (now.since(at), at.since(now));
    if ago.as_secs() > 0 {
        format!("{} ago", short(ago))
    } else if ahead.as_secs() > 0 {
        format!("in {}", short(ahead))
    } else {
        "now".to_owned()
    }
}

/// Returns a duration in its largest whole unit: `5 s`, `3 min`, `2 h`, `4 d`.
pub(crate) fn short(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        86_400.. => format!("{} d", seconds / 86_400),
    }
}

/// Returns a measured duration with two or three digits: `850 µs`, `12 ms`, `1.5 s`, `2 min 3 s`.
pub(crate) fn measured(duration: Duration) -> String {
    let micros = duration.as_micros();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{} ms", micros / 1_000),
        1_000_000..60_000_000 => {
            let tenths = micros / 100_000;
            format!("{}.{} s", tenths / 10, tenths % 10)
        }
        _ => {
            let seconds = duration.as_secs();
            match seconds {
                0..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
                _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
            }
        }
    }
}

/// Returns the instant of a text: microseconds since the Unix epoch, or RFC 3339.
pub(crate) fn instant(text: &str) -> Option<Timestamp> {
    let micros = text.parse().ok().map(Timestamp::from_micros);
    micros.or_else(|| humantime::parse_rfc3339_weak(text).ok().map(Timestamp::from))
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

    #[test]
    fn a_duration_has_two_or_three_digits() {
        let table = [
            (850, "850 µs"),
            (12_400, "12 ms"),
            (1_550_000, "1.5 s"),
            (123_000_000, "2 min 3 s"),
            (7_260_000_000, "2 h 1 min"),
        ];
        for (micros, text) in table {
            assert_eq!(measured(Duration::from_micros(micros)), text);
        }
    }

    #[test]
    fn an_instant_is_read_from_its_texts() {
        let at = Timestamp::from_micros(1_795_939_200_000_000);

        assert_eq!(instant(&at.to_string()), Some(at));
        assert_eq!(instant("1795939200000000"), Some(at));
        assert_eq!(instant("yesterday"), None);
        assert_eq!(exact(at), "2026-11-29 08:00:00.000 UTC");
    }
}
