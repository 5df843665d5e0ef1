//! The schedules and transitions that a backend was written for.

use crate::contract::job::Schedule;
use crate::contract::settlement::Transition;

/// The schedules and transitions that a backend supports.
///
/// queue-core may have more of them than a backend was written for. The backend's [`Intake`](super::Intake) refuses those
/// before anything is stored.
///
/// ```
/// use queue_core::Schedule;
/// use queue_core::backend::SupportedRequests;
///
/// assert!((SupportedRequests::V1.schedule)(Schedule::Now));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SupportedRequests {
    /// Returns whether the backend stores jobs with a schedule.
    pub schedule: fn(Schedule) -> bool,
    /// Returns whether the backend applies a transition.
    pub transition: fn(&Transition) -> bool,
    /// Whether the backend has partitions and limits.
    pub partitions: bool,
}

impl SupportedRequests {
    /// The first version of the contract: jobs for now, after a delay or at a time, and the transitions complete, retry,
    /// snooze, discard, cancel and release.
    ///
    /// A later schedule or transition does not join it, so a backend that was written for this version refuses it.
    pub const V1: Self = Self {
        schedule: |schedule| matches!(schedule, Schedule::Now | Schedule::After(_) | Schedule::At(_)),
        transition: |transition| {
            matches!(
                transition,
                Transition::Complete { .. }
                    | Transition::Retry { .. }
                    | Transition::Snooze { .. }
                    | Transition::Discard { .. }
                    | Transition::Cancel { .. }
                    | Transition::Release
            )
        },
        partitions: false,
    };

    /// The second version of the contract: partitions and limits, and with them the transition throttle.
    pub const V2: Self = Self {
        schedule: Self::V1.schedule,
        transition: |transition| {
            (Self::V1.transition)(transition) || matches!(transition, Transition::Throttle { .. })
        },
        partitions: true,
    };
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Timestamp;

    #[test]
    fn version_1_has_three_schedules_and_six_transitions() {
        let schedules =
            [Schedule::Now, Schedule::After(Duration::from_secs(1)), Schedule::At(Timestamp::MAX)];
        let transitions = [
            Transition::complete(),
            Transition::Retry { at: Timestamp::MAX, error: "failed".into() },
            Transition::Snooze { at: Timestamp::MAX, error: None },
            Transition::Discard { error: "failed".into() },
            Transition::Cancel { reason: "not needed".into() },
            Transition::Release,
        ];

        assert!(schedules.into_iter().all(SupportedRequests::V1.schedule));
        assert!(transitions.iter().all(SupportedRequests::V1.transition));
    }
}
