//! How long a backend keeps finished jobs.

use std::time::Duration;

use crate::contract::admin::Prune;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long finished jobs are kept, by their state. `None` keeps the jobs of a state forever.
///
/// By default, completed and cancelled jobs are kept for a day, and discarded jobs for seven days.
///
/// ```
/// use std::time::Duration;
///
/// use queue_core::backend::RetentionPeriods;
///
/// let mut periods = RetentionPeriods::default();
/// periods.completed = Some(Duration::from_secs(60));
/// periods.cancelled = None;
///
/// let prune = periods.prune(1_000).unwrap();
/// assert_eq!(prune.completed, Some(Duration::from_secs(60)));
/// assert_eq!(prune.cancelled, None);
/// assert_eq!(prune.discarded, Some(Duration::from_secs(7 * 24 * 60 * 60)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionPeriods {
    /// How long completed jobs are kept.
    pub completed: Option<Duration>,
    /// How long cancelled jobs are kept.
    pub cancelled: Option<Duration>,
    /// How long discarded jobs are kept.
    pub discarded: Option<Duration>,
}

impl RetentionPeriods {
    /// Returns what to prune: at most `limit` jobs. `None` if all jobs are kept forever.
    #[must_use]
    pub fn prune(self, limit: usize) -> Option<Prune> {
        self.completed.or(self.cancelled).or(self.discarded)?;
        let Self { completed, cancelled, discarded } = self;
        Some(Prune { completed, discarded, cancelled, limit })
    }
}

impl Default for RetentionPeriods {
    fn default() -> Self {
        Self { completed: Some(DAY), cancelled: Some(DAY), discarded: Some(DAY * 7) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_nothing_to_prune_if_all_jobs_are_kept_forever() {
        let forever = RetentionPeriods { completed: None, cancelled: None, discarded: None };
        let some = RetentionPeriods { discarded: Some(DAY), ..forever };

        assert!(forever.prune(10).is_none());
        assert!(some.prune(10).is_some_and(|prune| prune.limit == 10 && prune.discarded == Some(DAY)));
    }
}
