//! Start latencies, counted in a histogram.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest latency counted.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// The number of significant digits of a latency.
const DIGITS: u8 = 3;

/// Latencies, each exact to a thousandth of itself; the size does not depend on their number.
#[derive(Clone, Debug)]
pub struct Latencies(Histogram<u64>);

impl Latencies {
    /// Creates an empty histogram.
    ///
    /// # Errors
    ///
    /// The histogram can't be created.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, nanos(LONGEST), DIGITS)?))
    }

    /// Counts one latency.
    pub fn record(&mut self, latency: Duration) {
        self.0.saturating_record(nanos(latency));
    }

    /// Adds the latencies of another histogram.
    ///
    /// # Errors
    ///
    /// The other histogram has latencies that this one can't count; that does not occur.
    pub fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        Ok(self.0.add(&other.0)?)
    }

    /// Removes all latencies.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// Returns whether there are no latencies.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the quantile `part`, in microseconds.
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
    fn a_quantile_is_exact_to_a_thousandth() {
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
