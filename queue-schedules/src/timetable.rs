//! The ticks of a recurrence.

use std::collections::VecDeque;
use std::time::Duration;

use queue_core::{CatchUp, Recurrence, Timestamp, Timing};
use queue_cron::Expression;

use crate::zone::Zone;

/// A recurrence that is checked: there is a tick after each instant.
#[derive(Clone, Debug)]
pub(crate) enum Timetable {
    Cron {
        expression: Expression,
        zone: Zone,
    },
    /// In microseconds.
    Every {
        interval: i64,
        phase: i64,
    },
}

/// The shortest interval.
const SHORTEST: Duration = Duration::from_secs(1);

/// How far back past ticks are looked for: 20 years.
const FARTHEST: Duration = Duration::from_secs(20 * 365 * 86_400);

impl Timetable {
    /// Checks a recurrence.
    ///
    /// # Errors
    ///
    /// A sentence that says what to change.
    pub(crate) fn of(recurrence: &Recurrence) -> Result<Self, String> {
        if let CatchUp::All { at_most } = recurrence.catch_up {
            check_all(at_most, recurrence)?;
        }
        match &recurrence.timing {
            Timing::Cron(text) => {
                let expression =
                    text.parse().map_err(|error| format!("the cron expression `{text}`: {error}"))?;
                let zone = recurrence.zone.as_deref().map_or(Ok(Zone::UTC), zone)?;
                Ok(Self::Cron { expression, zone })
            }
            Timing::Every { .. } if recurrence.zone.is_some() => {
                Err("an interval has no time zone: drop `zone`, or use a cron expression".to_owned())
            }
            Timing::Every { interval, phase } => Self::every(*interval, *phase),
            other => Err(format!("this version does not know the timing {other:?}")),
        }
    }

    fn every(interval: Duration, phase: Duration) -> Result<Self, String> {
        let micros = |time: Duration| i64::try_from(time.as_micros()).ok();
        if interval < SHORTEST {
            return Err(format!("the interval {interval:?} is too short: the least is {SHORTEST:?}"));
        }
        match (micros(interval), micros(phase)) {
            (Some(interval), Some(phase)) => Ok(Self::Every { interval, phase: phase % interval }),
            _ => Err(format!("the interval {interval:?} is too long")),
        }
    }

    /// Returns the first tick after an instant. Returns `None` at the end of time.
    pub(crate) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Cron { expression, zone } => zone.next(expression, after),
            Self::Every { interval, phase } => {
                let passed = after.as_micros().checked_sub(*phase)?.div_euclid(*interval);
                let next = passed.checked_add(1)?.checked_mul(*interval)?.checked_add(*phase)?;
                Some(Timestamp::from_micros(next))
            }
        }
    }

    /// Returns the last tick that is after `after` and not after `until`.
    pub(crate) fn last(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let next = |from: Timestamp| self.next(from).filter(|tick| *tick <= until);
        let mut found = next(after)?;
        if next(found).is_none() {
            return Some(found);
        }
        // The first tick after `low` is found, and there is none after `high`.
        let (mut low, mut high) = (after, until);
        let mut distance = SHORTEST;
        while distance < until.since(after) {
            let from = until.saturating_sub(distance);
            if let Some(tick) = next(from) {
                (low, found) = (from, tick);
                break;
            }
            high = from;
            distance = distance.saturating_mul(2);
        }
        while high.since(low) > Duration::from_micros(1) {
            let middle = low.saturating_add(high.since(low) / 2);
            match next(middle) {
                Some(tick) => (low, found) = (middle, tick),
                None => high = middle,
            }
        }
        Some(found)
    }

    /// Returns the last `count` ticks up to an instant, the oldest first: fewer if the others are more than 20 years ago.
    pub(crate) fn last_ticks(&self, count: usize, until: Timestamp) -> Vec<Timestamp> {
        let mut span = SHORTEST.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
        loop {
            // A span that is doubled has at most about twice as many ticks as are wanted, except at the edge of dense ones.
            let mut after = until.saturating_sub(span);
            let mut last = VecDeque::with_capacity(count + 1);
            while let Some(tick) = self.next(after).filter(|tick| *tick <= until) {
                last.push_back(tick);
                if last.len() > count {
                    last.pop_front();
                }
                after = tick;
            }
            if last.len() == count || span >= FARTHEST {
                return last.into();
            }
            span = span.saturating_mul(2).min(FARTHEST);
        }
    }

    /// Returns the ticks in words: `every 15 minutes`, `at 02:00 (Europe/Berlin)`.
    pub(crate) fn words(&self, recurrence: &Recurrence) -> String {
        match self {
            Self::Cron { expression, .. } => {
                let zone = recurrence.zone.as_deref().unwrap_or("UTC");
                format!("{} ({zone})", expression.words())
            }
            Self::Every { interval, phase: 0 } => format!("every {}", in_words(*interval)),
            Self::Every { interval, phase } => {
                format!("every {}, {} past", in_words(*interval), in_words(*phase))
            }
        }
    }
}

fn zone(name: &str) -> Result<Zone, String> {
    Zone::named(name)
        .ok_or_else(|| format!("there is no time zone `{name}`: write an IANA name such as `Europe/Berlin`"))
}

fn check_all(at_most: u32, recurrence: &Recurrence) -> Result<(), String> {
    if !(1..=CatchUp::MOST).contains(&at_most) {
        return Err(format!("`catch_up` has at most {at_most} jobs: write 1 to {}", CatchUp::MOST));
    }
    if recurrence.overlap == queue_core::Overlap::Allow {
        return Ok(());
    }
    Err("`catch_up` with all ticks needs `overlap = \"allow\"`: otherwise only the first of them enqueues its job".to_owned())
}

/// Writes microseconds in the largest unit that divides them: `15 minutes`, `day`.
fn in_words(micros: i64) -> String {
    const UNITS: [(i64, &str); 6] = [
        (7 * 86_400_000_000, "week"),
        (86_400_000_000, "day"),
        (3_600_000_000, "hour"),
        (60_000_000, "minute"),
        (1_000_000, "second"),
        (1_000, "millisecond"),
    ];
    let unit = UNITS.iter().find(|(length, _)| micros % length == 0);
    match unit.map_or((micros, "microsecond"), |(length, unit)| (micros / length, unit)) {
        (1, unit) => unit.to_owned(),
        (count, unit) => format!("{count} {unit}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cron(text: &'static str) -> Timetable {
        Timetable::of(&Recurrence::cron(text)).unwrap()
    }

    fn seconds(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn the_last_tick_of_a_span_is_that_of_a_walk_through_it() {
        let dense_and_sparse = ["* * * * * *", "*/7 * * * * *", "0 3 * * *", "* * 3 * * *", "30 2 29 2 *"];

        for text in dense_and_sparse {
            let timetable = cron(text);
            for (after, until) in [(0, 0), (0, 1), (0, 86_400 * 2), (10_900, 14_500), (5, 86_400 * 400)] {
                let (after, until) = (seconds(after), seconds(until));
                let last = timetable.last(after, until);

                match last {
                    Some(tick) => {
                        assert!(tick > after && tick <= until, "{text}");
                        assert!(timetable.next(tick).is_none_or(|next| next > until), "{text}: {tick}");
                    }
                    None => assert!(timetable.next(after).is_none_or(|next| next > until), "{text}"),
                }
            }
        }
    }

    #[test]
    fn the_last_ticks_are_those_of_a_walk_back() {
        let (count, until) = (5, seconds(86_400 * 400 + 10_850));
        for text in ["* * * * * *", "*/7 * * * * *", "0 3 * * *", "* * 3 * * *", "30 2 28 2 *"] {
            let timetable = cron(text);
            let mut walk = Vec::new();
            let mut end = until;
            while let Some(tick) =
                timetable.last(seconds(-86_400 * 4_000), end).filter(|_| walk.len() < count)
            {
                walk.insert(0, tick);
                end = tick.saturating_sub(Duration::from_micros(1));
            }

            assert_eq!(timetable.last_ticks(count, until), walk, "{text}");
        }
        assert_eq!(cron("0 0 29 2 *").last_ticks(9, until).len(), 5, "within twenty years");
        assert_eq!(cron("0 3 * * *").last_ticks(0, until), []);
    }

    #[test]
    fn intervals_are_multiples_since_the_epoch() {
        let quarter =
            Timetable::of(&Recurrence::every(Duration::from_secs(900)).phase(Duration::from_secs(60)));
        let quarter = quarter.unwrap();

        assert_eq!(quarter.next(seconds(60)), Some(seconds(960)));
        assert_eq!(quarter.next(seconds(59)), Some(seconds(60)));
        assert_eq!(quarter.last(seconds(0), seconds(5_000)), Some(seconds(4_560)));
        assert_eq!(quarter.next(Timestamp::MAX), None);
    }

    #[test]
    fn intervals_are_shown_in_their_largest_unit() {
        let words = |recurrence: Recurrence| Timetable::of(&recurrence).unwrap().words(&recurrence);

        assert_eq!(words(Recurrence::every(Duration::from_secs(900))), "every 15 minutes");
        assert_eq!(words(Recurrence::every(Duration::from_secs(86_400))), "every day");
        let hourly = Recurrence::every(Duration::from_secs(3_600)).phase(Duration::from_secs(90));
        assert_eq!(words(hourly), "every hour, 90 seconds past");
    }
}
