//! The results of all measurements, by case and round.

use std::collections::BTreeMap;

use harness::{Figures, Load, Metric, Series};

use crate::case::{Case, Contender};

/// The figures of each case, one for each round that counts.
#[derive(Debug, Default)]
pub(crate) struct Results {
    figures: BTreeMap<Case, Vec<Figures>>,
    /// The server on which the systems kept their jobs, if there was one.
    pub(crate) place: String,
    /// Failures of peers, which were measured again.
    pub(crate) retried: Vec<String>,
}

impl Results {
    /// Removes the results of a case that can't be measured to the end, and records the error.
    pub(crate) fn leave_out(&mut self, case: Case, error: &anyhow::Error) {
        self.figures.remove(&case);
        self.retried.push(format!("{case} is left out: {error}"));
    }

    pub(crate) fn add(&mut self, case: Case, figures: Figures) {
        self.figures.entry(case).or_default().push(figures);
    }

    /// Returns the measured cases for which `test` returns `true`.
    pub(crate) fn cases(&self, test: impl Fn(&Case) -> bool) -> Vec<Case> {
        self.figures.keys().copied().filter(test).collect()
    }

    /// Returns the system of this project in the suite.
    pub(crate) fn own(&self) -> Contender {
        let own = self.figures.keys().map(|case| case.system).find(|system| system.is_own());
        own.unwrap_or(Contender::QueueTokio)
    }

    /// Returns the case of a system under a load, if it was measured.
    pub(crate) fn find(&self, load: Load, system: Contender) -> Option<Case> {
        self.figures.keys().copied().find(|case| case.load == load && case.system == system)
    }

    /// Returns a figure of a case over all rounds; `None` if it was not measured.
    pub(crate) fn series(&self, case: Case, metric: Metric) -> Option<Series> {
        Series::new(self.values(case, metric))
    }

    /// Divides one case's figure by another's, round by round.
    ///
    /// The two were measured seconds apart, so anything that slowed the machine in a round slowed both.
    pub(crate) fn ratio(&self, case: Case, to: Case, metric: Metric) -> Option<Series> {
        self.combine(case, to, metric, |one, other| one / other)
    }

    /// Combines a figure of two cases, round by round.
    pub(crate) fn combine(
        &self,
        case: Case,
        with: Case,
        metric: Metric,
        combine: impl Fn(f64, f64) -> f64,
    ) -> Option<Series> {
        let pairs = self.values(case, metric).zip(self.values(with, metric));
        Series::new(pairs.map(|(one, other)| combine(one, other)))
    }

    fn values(&self, case: Case, metric: Metric) -> impl Iterator<Item = f64> {
        self.figures.get(&case).into_iter().flatten().filter_map(move |figures| figures.value(metric))
    }
}
