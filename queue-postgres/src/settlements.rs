//! Finished attempts as columns: the arguments of the statement `settle`.

use std::collections::HashSet;

use queue_core::{Lease, Limits, Transition};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Postgres, Row as _};
use uuid::Uuid;

use crate::batch::{Columns, storable};
use crate::rows::count;
use crate::server::Notice;
use crate::settling::Part;

/// How settlements are sent.
#[derive(Clone, Copy, Default)]
pub(crate) struct Manner {
    /// Whether leases locked by another transaction are skipped.
    pub(crate) skips: bool,
    /// Whether errors and reasons are written in ASCII, because the database's encoding lacks one of their characters.
    pub(crate) escapes: bool,
}

/// Binds finished attempts to the statement `settle`.
pub(crate) fn bind_settlements<'q>(
    mut query: Query<'q, Postgres, PgArguments>,
    settles: &[Part<'_>],
    manner: Manner,
    notice: &Notice,
) -> Query<'q, Postgres, PgArguments> {
    let settlements = || settles.iter().flat_map(|part| part.settlements);
    let followups = || settles.iter().flat_map(|part| part.followups);
    let has_followups = followups().any(|followups| !followups.is_empty());
    let ids: Vec<Uuid> = settlements().map(|settlement| settlement.lease.job.as_uuid()).collect();
    let fences = settlements().zip(firsts(settlements().map(|settlement| &settlement.lease)));
    // No job has a negative fence, so the second settlement of a lease matches none.
    let fences: Vec<i64> = fences
        .map(|(settlement, is_first)| if is_first { count(settlement.lease.fence.0) } else { -1 })
        .collect();
    let are_completions = settlements().all(|settlement| settlement.transition == Transition::Complete);
    query = query.bind(ids).bind(fences);
    if are_completions && !has_followups {
        query = query.bind(None::<Vec<i16>>).bind(None::<Vec<i64>>).bind(None::<Vec<String>>);
    } else {
        let kinds: Vec<i16> = settlements().map(|settlement| kind(&settlement.transition)).collect();
        let times: Vec<Option<i64>> = settlements().map(|settlement| time(&settlement.transition)).collect();
        let texts: Vec<Option<String>> =
            settlements().map(|settlement| text(&settlement.transition, manner.escapes)).collect();
        query = query.bind(kinds).bind(times).bind(texts);
    }
    query = query.bind(manner.skips);
    if has_followups {
        let parents = (0_i32..).zip(followups()).flat_map(|(parent, jobs)| jobs.iter().map(move |_| parent));
        query = query.bind(parents.collect::<Vec<_>>());
        query = Columns::of(followups().flatten(), false).bind(query);
    } else {
        query = Columns::bind_none(query.bind(None::<Vec<i32>>));
    }
    query.bind(notice.0.clone()).bind(notice.1.clone())
}

/// The result of the statement `settle`.
#[derive(Default)]
pub(crate) struct Ends {
    /// The indexes of the settlements that applied, among all that were sent.
    pub(crate) applied: Vec<i32>,
    /// The indexes of those whose leases another transaction has locked.
    pub(crate) blocked: Vec<i32>,
    /// The index of a followup whose delay leads past the end of time, among all that were sent. If set, nothing was
    /// done.
    pub(crate) refused: Option<i32>,
    /// Whether nothing was done because a followup's queue doesn't exist.
    pub(crate) is_queue_unknown: bool,
}

impl Ends {
    pub(crate) fn read(row: &PgRow) -> sqlx::Result<Self> {
        let refused: Option<i32> = row.try_get(2)?;
        Ok(Self {
            applied: row.try_get::<Option<_>, _>(0)?.unwrap_or_default(),
            blocked: row.try_get::<Option<_>, _>(1)?.unwrap_or_default(),
            refused: refused.filter(|place| *place >= 0),
            is_queue_unknown: refused.is_some_and(|place| place < 0),
        })
    }
}

/// Returns, for each lease, whether it is its first occurrence. A second settlement of a lease is always stale.
fn firsts<'a>(leases: impl Iterator<Item = &'a Lease>) -> Vec<bool> {
    let mut seen = HashSet::new();
    leases.map(|lease| seen.insert((lease.job, lease.fence))).collect()
}

fn kind(transition: &Transition) -> i16 {
    match transition {
        Transition::Complete => 0,
        Transition::Discard { .. } => 1,
        Transition::Cancel { .. } => 2,
        Transition::Retry { .. } => 3,
        Transition::Snooze { .. } => 4,
        _ => 5,
    }
}

fn time(transition: &Transition) -> Option<i64> {
    match transition {
        Transition::Retry { at, .. } | Transition::Snooze { at, .. } => Some(at.as_micros()),
        _ => None,
    }
}

fn text(transition: &Transition, escapes: bool) -> Option<String> {
    match transition {
        Transition::Retry { error, .. } | Transition::Discard { error } => Some(kept(error, escapes)),
        Transition::Cancel { reason } => Some(kept(reason, escapes)),
        Transition::Snooze { error, .. } => error.as_deref().map(|error| kept(error, escapes)),
        _ => None,
    }
}

/// Returns an error or a reason as it is stored: `\u{2192}` stands for a character that the database may lack.
pub(crate) fn kept(text: &str, escapes: bool) -> String {
    let text = storable(text);
    if !escapes {
        return Limits::cut(text);
    }
    let escaped =
        text.chars().map(|c| if c.is_ascii() { c.to_string() } else { c.escape_unicode().to_string() });
    let cut = Limits::cut(escaped.collect());
    // The mark that `Limits::cut` appends is not ASCII.
    cut.replace('\u{2026}', "...")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use queue_core::{Fence, JobId, Timestamp};

    use super::*;

    #[test]
    fn a_lease_that_is_named_twice_is_settled_once() {
        let lease = Lease::new(JobId::from_u128(1), Fence(1), Duration::ZERO, Timestamp::EPOCH);

        assert_eq!(firsts([&lease, &lease].into_iter()), [true, false]);
    }
}
