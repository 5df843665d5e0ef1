//! Finished attempts as columns: the arguments of the statement `settle`.

use std::collections::HashSet;

use queue_core::backend::{Encoded, to_i64};
use queue_core::{Lease, Settled, Settlement, Transition};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Postgres, Row as _};
use uuid::Uuid;

use super::jobs::JobColumns;
use crate::notification::NotifyArgs;
use crate::storable::{storable_json, storable_text};

/// Some of the settlements of a request, with the followups of each.
#[derive(Clone, Copy)]
pub(crate) struct SettlementSlice<'a> {
    pub(crate) settlements: &'a [Settlement],
    pub(crate) followups: &'a [Vec<Encoded>],
}

impl SettlementSlice<'_> {
    /// Returns whether settling may make jobs ready. Completions without followups make none ready.
    pub(crate) fn makes_jobs_ready(&self) -> bool {
        let complete = |settlement: &Settlement| matches!(settlement.transition, Transition::Complete { .. });
        !self.settlements.iter().all(complete) || self.followups.iter().any(|jobs| !jobs.is_empty())
    }

    /// Returns whether a followup has a unique key or a chosen id, which another transaction may have locked.
    pub(crate) fn has_keys(&self) -> bool {
        self.followups.iter().flatten().any(|job| job.job.unique.is_some() || job.is_chosen)
    }
}

/// How settlements are sent.
#[derive(Clone, Copy, Default)]
pub(crate) struct SettleMode {
    /// Whether leases locked by another transaction are skipped.
    pub(crate) skip_locked: bool,
    /// Whether errors, reasons and results are written in ASCII, because the database's encoding lacks one of their characters.
    pub(crate) ascii_only: bool,
}

/// Binds finished attempts to the statement `settle`.
pub(crate) fn bind_settlements<'q>(
    mut query: Query<'q, Postgres, PgArguments>,
    slices: &[SettlementSlice<'_>],
    mode: SettleMode,
    notify: &NotifyArgs,
) -> Query<'q, Postgres, PgArguments> {
    let settlements = || slices.iter().flat_map(|slice| slice.settlements);
    let followups = || slices.iter().flat_map(|slice| slice.followups);
    let has_followups = followups().any(|followups| !followups.is_empty());
    let ids: Vec<Uuid> = settlements().map(|settlement| settlement.lease.job.as_uuid()).collect();
    let fences = settlements().zip(first_occurrences(settlements().map(|settlement| &settlement.lease)));
    // No job has a negative fence, so the second settlement of a lease matches none.
    let fences: Vec<i64> = fences
        .map(|(settlement, is_first)| if is_first { to_i64(settlement.lease.fence.0) } else { -1 })
        .collect();
    let are_completions = settlements().all(|settlement| settlement.transition == Transition::complete());
    query = query.bind(ids).bind(fences);
    if are_completions && !has_followups {
        query = query.bind(None::<Vec<i16>>).bind(None::<Vec<i64>>).bind(None::<Vec<String>>);
    } else {
        let kinds: Vec<i16> = settlements().map(|settlement| kind(&settlement.transition)).collect();
        let times: Vec<Option<i64>> = settlements().map(|settlement| time(&settlement.transition)).collect();
        let texts: Vec<Option<String>> =
            settlements().map(|settlement| text(&settlement.transition, mode.ascii_only)).collect();
        query = query.bind(kinds).bind(times).bind(texts);
    }
    query = query.bind(mode.skip_locked);
    if has_followups {
        let parents = (0_i32..).zip(followups()).flat_map(|(parent, jobs)| jobs.iter().map(move |_| parent));
        query = query.bind(parents.collect::<Vec<_>>());
        query = JobColumns::of(followups().flatten(), false).bind(query);
    } else {
        query = JobColumns::bind_none(query.bind(None::<Vec<i32>>));
    }
    notify.bind(query)
}

/// The result of the statement `settle`.
#[derive(Default)]
pub(crate) struct SettleOutcome {
    /// The indexes of the settlements that applied, among all that were sent.
    pub(crate) applied: Vec<i32>,
    /// The indexes of those whose leases another transaction has locked.
    pub(crate) blocked: Vec<i32>,
    /// The index of a followup whose delay leads past the end of time, among all that were sent. If set, nothing was
    /// done.
    pub(crate) delay_overflow: Option<i32>,
    /// Whether nothing was done because a followup's queue doesn't exist, or has to be shared first.
    pub(crate) is_queue_unknown: bool,
    /// Whether a lease of a shared queue ended, so that other jobs may start.
    pub(crate) frees_places: bool,
}

impl SettleOutcome {
    /// Reads the row that `settle` returns.
    pub(crate) fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let overflow: Option<i32> = row.try_get(2)?;
        Ok(Self {
            applied: row.try_get::<Option<_>, _>(0)?.unwrap_or_default(),
            blocked: row.try_get::<Option<_>, _>(1)?.unwrap_or_default(),
            delay_overflow: overflow.filter(|index| *index >= 0),
            is_queue_unknown: overflow.is_some_and(|index| index < 0),
            frees_places: row.try_get::<Option<_>, _>(3)?.unwrap_or_default(),
        })
    }

    /// Returns the answers to all `count` settlements that were sent. One that neither applied nor is blocked was stale.
    pub(crate) fn answers(&self, count: usize) -> Vec<Settled> {
        let mut answers = vec![Settled::Stale; count];
        let mut set = |indexes: &[i32], answer: Settled| {
            for index in indexes.iter().filter_map(|index| usize::try_from(*index).ok()) {
                if let Some(settled) = answers.get_mut(index) {
                    *settled = answer;
                }
            }
        };
        set(&self.applied, Settled::Applied);
        set(&self.blocked, Settled::Blocked);
        answers
    }
}

/// Returns, for each lease, whether it is its first occurrence. A second settlement of a lease is always stale.
fn first_occurrences<'a>(leases: impl Iterator<Item = &'a Lease>) -> Vec<bool> {
    let mut seen = HashSet::new();
    leases.map(|lease| seen.insert((lease.job, lease.fence))).collect()
}

fn kind(transition: &Transition) -> i16 {
    match transition {
        Transition::Complete { .. } => 0,
        Transition::Discard { .. } => 1,
        Transition::Cancel { .. } => 2,
        Transition::Retry { .. } => 3,
        Transition::Snooze { .. } => 4,
        Transition::Throttle { .. } => 6,
        _ => 5,
    }
}

fn time(transition: &Transition) -> Option<i64> {
    match transition {
        Transition::Retry { at, .. } | Transition::Snooze { at, .. } | Transition::Throttle { at } => {
            Some(at.as_micros())
        }
        _ => None,
    }
}

fn text(transition: &Transition, ascii_only: bool) -> Option<String> {
    match transition {
        Transition::Retry { error, .. } | Transition::Discard { error } => {
            Some(storable_text(error, ascii_only))
        }
        Transition::Cancel { reason } => Some(storable_text(reason, ascii_only)),
        Transition::Complete { result: Some(result), .. } => Some(storable_json(result.as_str(), ascii_only)),
        Transition::Snooze { error, .. } => error.as_deref().map(|error| storable_text(error, ascii_only)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use queue_core::{Fence, JobId, Timestamp};

    use super::*;

    #[test]
    fn a_lease_that_is_named_twice_is_settled_once() {
        let lease = Lease::new(JobId::from_u128(1), Fence(1), Duration::ZERO, Timestamp::EPOCH);

        assert_eq!(first_occurrences([&lease, &lease].into_iter()), [true, false]);
    }
}
