//! How long jobs took to start, counted by length rather than kept one by one.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Nothing is taken for longer.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// How many digits of a length count.
const DIGITS: u8 = 3;

/// Lengths of time, each to a thousandth of itself; it's as large with many as with none.
#[derive(Clone, Debug)]
pub struct Latencies(Histogram<u64>);

impl Latencies {
    /// Starts with none.
    ///
    /// # Errors
    ///
    /// The histogram can't be made.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, nanos(LONGEST), DIGITS)?))
    }

    /// Counts one.
    pub fn record(&mut self, latency: Duration) {
        self.0.saturating_record(nanos(latency));
    }

    /// Counts all of another's too.
    ///
    /// # Errors
    ///
    /// The other has lengths that this one can't count; there are none.
    pub fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        Ok(self.0.add(&other.0)?)
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// Tells whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives the least, in microseconds, that so large a part of all doesn't exceed.
    #[must_use]
    pub fn micros(&self, part: f64) -> f64 {
        self.0.value_at_quantile(part) as f64 / 1e3
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_all_is_told_to_a_thousandth() {
        let mut latencies = Latencies::new().unwrap();

        (1..=1_000).map(Duration::from_micros).for_each(|latency| latencies.record(latency));

        for (part, micros) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1_000.0)] {
            assert!(
                (latencies.micros(part) / micros - 1.0).abs() < 1e-3,
                "{part}: {}",
                latencies.micros(part)
            );
        }
    }
}
