//! A builder of histories, call by call.

use std::time::Duration;

use queue_core::{Fence, JobId, Lease, QueueLimits, QueueName, Schedule, State, Timestamp, Transition};

use super::super::{check, check_limits};
use crate::history::{Event, EventKind, FinalState, History, KnownOutcome, LogTime, Pushed, Span};

/// Builds a history from calls. Each call is over before the next one begins, unless `overlapping` says otherwise.
#[derive(Default)]
pub(super) struct Story {
    history: History,
    order: u64,
    now: u64,
}

impl Story {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn at(mut self, second: u64) -> Self {
        self.now = second;
        self
    }

    fn event(mut self, kind: EventKind) -> Self {
        let at = second(self.now);
        let span = Span::since(LogTime { order: self.order, queue_time: at })
            .until(LogTime { order: self.order + 1, queue_time: at });
        self.order += 2;
        self.history.events.push(Event { span, kind });
        self
    }

    /// Moves the start of the last call back to the start of the one before it.
    pub(super) fn overlapping(mut self) -> Self {
        if let [.., before, last] = &mut *self.history.events {
            last.span.start = before.span.start;
        }
        self
    }

    pub(super) fn pushed(self, job: u128) -> Self {
        self.pushed_with(job, 0, 0)
    }

    pub(super) fn pushed_with(self, job: u128, priority: i32, delay: u64) -> Self {
        let (schedule, outcome) = (Schedule::After(Duration::from_secs(delay)), KnownOutcome::Applied);
        self.event(EventKind::Pushed(Pushed {
            priority,
            schedule,
            outcome,
            ..Pushed::new(JobId::from_u128(job))
        }))
    }

    /// Pushes a job of a partition.
    pub(super) fn pushed_in(self, partition: &str, job: u128) -> Self {
        let (partition, outcome) = (partition.into(), KnownOutcome::Applied);
        self.pushed_as(Pushed { partition, outcome, ..Pushed::new(JobId::from_u128(job)) })
    }

    pub(super) fn claimed(self, job: u128, fence: u64, attempt: u32) -> Self {
        let lease = lease(job, fence, self.now + 30);
        self.event(EventKind::Claimed { lease, attempt })
    }

    pub(super) fn renewed(self, job: u128, fence: u64) -> Self {
        let until = second(self.now + 30);
        self.event(EventKind::Renewed { lease: lease(job, fence, 0), held_until: Some(until) })
    }

    pub(super) fn settled(self, job: u128, fence: u64, transition: Transition) -> Self {
        self.event(EventKind::Settled {
            lease: lease(job, fence, 0),
            transition,
            outcome: KnownOutcome::Applied,
        })
    }

    pub(super) fn stale(self, job: u128, fence: u64) -> Self {
        self.event(EventKind::Settled {
            lease: lease(job, fence, 0),
            transition: Transition::complete(),
            outcome: KnownOutcome::Refused,
        })
    }

    /// Removes the answer of the last call: its client was killed.
    pub(super) fn unanswered(mut self) -> Self {
        if let Some(last) = self.history.events.last_mut() {
            last.span.end = None;
            match &mut last.kind {
                EventKind::Pushed(Pushed { outcome, .. }) | EventKind::Settled { outcome, .. } => {
                    *outcome = KnownOutcome::Unknown;
                }
                EventKind::Claimed { .. } | EventKind::EmptyClaim { .. } | EventKind::Renewed { .. } => {}
            }
        }
        self
    }

    /// Pushes two jobs as one batch.
    pub(super) fn pushed_both(self, jobs: [u128; 2], outcome: KnownOutcome) -> Self {
        self.followed_by(None, jobs, outcome)
    }

    /// Pushes two jobs as the followups of a settlement.
    pub(super) fn followups(self, parent: u128, fence: u64, jobs: [u128; 2], outcome: KnownOutcome) -> Self {
        self.followed_by(Some((JobId::from_u128(parent), Fence(fence))), jobs, outcome)
    }

    fn followed_by(
        self,
        follows: Option<(JobId, Fence)>,
        [one, two]: [u128; 2],
        outcome: KnownOutcome,
    ) -> Self {
        let batch = JobId::from_u128(one);
        let first = Pushed { batch, follows, outcome, ..Pushed::new(batch) };
        let second = Pushed { place: 1, job: JobId::from_u128(two), ..first.clone() };
        self.event(EventKind::Pushed(first)).event(EventKind::Pushed(second)).overlapping()
    }

    pub(super) fn pushed_as(self, pushed: Pushed) -> Self {
        self.event(EventKind::Pushed(pushed))
    }

    pub(super) fn missed(self) -> Self {
        self.event(EventKind::EmptyClaim { max: 1 })
    }

    pub(super) fn not_renewed(self, job: u128, fence: u64) -> Self {
        self.event(EventKind::Renewed { lease: lease(job, fence, 0), held_until: None })
    }

    /// Claims, completes and lists a job.
    pub(super) fn done(self, job: u128) -> Self {
        self.claimed(job, 1, 1).settled(job, 1, Transition::complete()).ends(job, State::Completed)
    }

    /// Lists the job at the end with the fence and the attempt of its last delivery.
    pub(super) fn ends(self, job: u128, state: State) -> Self {
        let given = self.history.events.iter().filter_map(|event| match &event.kind {
            EventKind::Claimed { lease, attempt } if lease.job == JobId::from_u128(job) => {
                Some((lease.fence.0, *attempt))
            }
            _ => None,
        });
        let (fence, attempt) = given.max().unwrap_or_default();
        self.ends_with(job, state, fence, attempt)
    }

    pub(super) fn ends_with(mut self, job: u128, state: State, fence: u64, attempt: u32) -> Self {
        let (job, fence) = (JobId::from_u128(job), Fence(fence));
        self.history.last.push(FinalState { job, state, fence, attempt });
        self
    }

    /// Checks the limits only.
    pub(super) fn limited(&self, limits: &QueueLimits) -> Result<(), String> {
        check_limits(&self.history, &QueueName::DEFAULT, limits).map_err(|wrong| wrong.to_string())
    }

    #[track_caller]
    pub(super) fn passes(self) {
        assert_eq!(check(&self.history), Ok(()));
    }

    #[track_caller]
    pub(super) fn fails(self, why: &str) {
        let wrong = check(&self.history).expect_err("the checker accepted a wrong history");
        let wrong = wrong.to_string();
        assert!(wrong.contains(why), "the violation is not `{why}`: {wrong}");
    }
}

pub(super) fn second(second: u64) -> Timestamp {
    Timestamp::EPOCH.saturating_add(Duration::from_secs(second))
}

pub(super) fn lease(job: u128, fence: u64, expires_at: u64) -> Lease {
    Lease::new(JobId::from_u128(job), Fence(fence), Duration::from_secs(30), second(expires_at))
}

pub(super) fn retry(at: u64) -> Transition {
    Transition::Retry { at: second(at), error: "no".into() }
}
