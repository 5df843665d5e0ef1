//! Time zones: from the times of a wall clock to instants.

use std::sync::OnceLock;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};
use queue_core::Timestamp;
use queue_cron::{CivilTime, Expression};

/// A time zone. Its data are part of the program.
#[derive(Clone, Debug)]
pub(crate) struct Zone(TimeZone);

/// An instant in whole seconds since the epoch.
type Seconds = i64;

impl Zone {
    pub(crate) const UTC: Self = Self(TimeZone::UTC);

    /// Returns the zone of an IANA name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        static BUNDLED: OnceLock<TimeZoneDatabase> = OnceLock::new();
        BUNDLED.get_or_init(TimeZoneDatabase::bundled).get(name).ok().map(Self)
    }

    /// Returns the first tick of an expression after an instant. Returns `None` if there is none up to the year 9999.
    pub(crate) fn next(&self, expression: &Expression, after: Timestamp) -> Option<Timestamp> {
        let after = after.as_micros().div_euclid(1_000_000);
        let next = if expression.is_fixed() {
            self.next_fixed(expression, after)
        } else {
            self.next_by_the_wall_clock(expression, after)
        };
        next?.checked_mul(1_000_000).map(Timestamp::from_micros)
    }

    /// Returns the next tick of an expression with fixed times: each time of the expression is one instant, in order.
    fn next_fixed(&self, expression: &Expression, after: Seconds) -> Option<Seconds> {
        let mut time = self.civil(after)?;
        loop {
            time = expression.next_after(time)?;
            let at = self.instant(time)?;
            // In the second pass of a repeated hour, the times of the hour are those of the first pass.
            if at > after {
                return Some(at);
            }
        }
    }

    /// Returns the next tick of an expression that follows the wall clock. Between two transitions of the zone, the wall clock runs
    /// evenly.
    fn next_by_the_wall_clock(&self, expression: &Expression, after: Seconds) -> Option<Seconds> {
        let mut since = after;
        loop {
            // The offset is that of the second after `since`, which may be the first one after a transition.
            let first = since + 1;
            let offset = self.offset(first)?;
            let next = expression.next_after(civil(since, offset)?).and_then(|time| at_offset(time, offset));
            match (next, self.transition_after(first)) {
                (Some(next), Some(transition)) if next < transition => return Some(next),
                (_, Some(transition)) => since = transition - 1,
                (next, None) => return next,
            }
        }
    }

    /// Returns the instant of a time: the first instant after a gap for a time that the zone skips, and the first one for a time that
    /// comes twice.
    fn instant(&self, time: CivilTime) -> Option<Seconds> {
        match self.0.to_ambiguous_timestamp(date_time(time)?).offset() {
            AmbiguousOffset::Unambiguous { offset } => at_offset(time, offset),
            AmbiguousOffset::Fold { before, .. } => at_offset(time, before),
            AmbiguousOffset::Gap { before, after } => {
                let skipped = Seconds::from(after.seconds()) - Seconds::from(before.seconds());
                self.transition_after(at_offset(time, before)? - skipped)
            }
        }
    }

    fn civil(&self, at: Seconds) -> Option<CivilTime> {
        civil(at, self.offset(at)?)
    }

    fn offset(&self, at: Seconds) -> Option<Offset> {
        Some(self.0.to_offset(instant(at)?))
    }

    fn transition_after(&self, at: Seconds) -> Option<Seconds> {
        Some(self.0.following(instant(at)?).next()?.timestamp().as_second())
    }
}

fn instant(at: Seconds) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_second(at).ok()
}

/// Returns what a wall clock with an offset from UTC shows at an instant.
fn civil(at: Seconds, offset: Offset) -> Option<CivilTime> {
    let time = offset.to_datetime(instant(at)?);
    let [month, day, hour, minute, second] =
        [time.month(), time.day(), time.hour(), time.minute(), time.second()].map(|part| part.unsigned_abs());
    CivilTime::new(u16::try_from(time.year()).ok()?, month, day, hour, minute, second)
}

fn at_offset(time: CivilTime, offset: Offset) -> Option<Seconds> {
    offset.to_timestamp(date_time(time)?).ok().map(jiff::Timestamp::as_second)
}

fn date_time(time: CivilTime) -> Option<DateTime> {
    let [month, day, hour, minute, second] =
        [time.month(), time.day(), time.hour(), time.minute(), time.second()].map(u8::cast_signed);
    DateTime::new(time.year().cast_signed(), month, day, hour, minute, second, 0).ok()
}
