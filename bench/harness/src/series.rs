//! One figure over all rounds.

/// The values of a figure, one for each round; never empty.
#[derive(Clone, Debug)]
pub struct Series(Vec<f64>);

impl Series {
    /// Collects values. Returns `None` if there are none.
    pub fn new(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        (!values.is_empty()).then_some(Self(values))
    }

    /// Returns the median: the middle value, or the mean of the two in the middle.
    #[must_use]
    pub fn median(&self) -> f64 {
        (self.quantile(0.5) + self.0.get((self.0.len() - 1) / 2).copied().unwrap_or_default()) / 2.0
    }

    /// Returns the least value.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.quantile(0.0)
    }

    /// Returns the greatest value.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.quantile(1.0)
    }

    /// Returns the quantile `part`.
    #[must_use]
    pub fn quantile(&self, part: f64) -> f64 {
        let place = ((self.0.len() as f64 - 1.0) * part).round() as usize;
        self.0.get(place).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let median = |values: &[f64]| Series::new(values.iter().copied()).map(|series| series.median());

        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), Some(3.0));
    }
}
