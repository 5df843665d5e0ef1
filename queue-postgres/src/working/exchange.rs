//! One trip to the server: attempts that have ended, and jobs for those who wait.

use queue_core::{Body, Delivery, Fence, JobId, JobRecord, Lease, Meta, QueueName, Timestamp, Transition};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Postgres, Row as _};
use uuid::Uuid;

use super::message::{Claim, Settle, firsts};
use crate::batch::{Columns, Lines, micros, storable};
use crate::rows::{count, instant, number};

/// What became of it.
pub(super) struct Exchanged {
    /// The places of the settlements that applied, all requests counted through; or below zero, a refused followup.
    pub(super) applied: Vec<i32>,
    /// The jobs that were leased, each with the number of the claim that it's for.
    pub(super) deliveries: Vec<(usize, Delivery)>,
    pub(super) now: Timestamp,
    /// When time next changes something.
    pub(super) due: Option<Timestamp>,
}

/// Gives the statement `work` or `settle` the attempts that have ended.
pub(crate) fn bind_settlements<'q>(
    mut query: Query<'q, Postgres, PgArguments>,
    settles: &[Settle],
    lines: &Lines,
    notice: &crate::common::Notice,
) -> Query<'q, Postgres, PgArguments> {
    let settlements = || settles.iter().flat_map(|settle| &settle.settlements);
    let followups = || settles.iter().flat_map(|settle| &settle.followups);
    let has_followups = followups().any(|followups| !followups.is_empty());
    let ids: Vec<Uuid> = settlements().map(|settlement| settlement.lease.job.as_uuid()).collect();
    let fences = settlements().zip(firsts(settlements().map(|settlement| &settlement.lease)));
    // No job has a fence below zero, so the second settlement of a lease finds none.
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
            settlements().map(|settlement| text(&settlement.transition)).collect();
        query = query.bind(kinds).bind(times).bind(texts);
    }
    if has_followups {
        let parents = (0_i32..).zip(followups()).flat_map(|(parent, jobs)| jobs.iter().map(move |_| parent));
        query = query.bind(parents.collect::<Vec<_>>());
        query = Columns::of(followups().flatten(), lines, false).bind(query);
    } else {
        query = Columns::bind_none(query.bind(None::<Vec<i32>>));
    }
    query.bind(notice.0.clone()).bind(notice.1.clone())
}

/// Gives the statement `work` those who wait for jobs.
pub(super) fn bind_claims<'q>(
    query: Query<'q, Postgres, PgArguments>,
    claims: &[&Claim],
) -> Query<'q, Postgres, PgArguments> {
    if claims.is_empty() {
        let query = query.bind(None::<Vec<i32>>).bind(None::<Vec<String>>);
        return query.bind(None::<Vec<i32>>).bind(None::<Vec<i64>>);
    }
    let asked = || {
        (0_i32..).zip(claims).flat_map(|(number, claim)| {
            claim.demand.queues.iter().map(move |queue| (number, &claim.demand, queue))
        })
    };
    let room = |max: usize| i32::try_from(max).unwrap_or(i32::MAX);
    query
        .bind(asked().map(|(number, ..)| number).collect::<Vec<_>>())
        .bind(asked().map(|(.., queue)| queue.as_str().to_owned()).collect::<Vec<_>>())
        .bind(asked().map(|(_, demand, _)| room(demand.max)).collect::<Vec<_>>())
        .bind(asked().map(|(_, demand, _)| micros(demand.lease)).collect::<Vec<_>>())
}

/// Reads what `work` answers.
pub(super) fn read(rows: &[PgRow], claims: &[&Claim]) -> sqlx::Result<Exchanged> {
    let queues: Vec<&QueueName> = claims.iter().flat_map(|claim| &claim.demand.queues).collect();
    let mut exchanged =
        Exchanged { applied: Vec::new(), deliveries: Vec::new(), now: Timestamp::EPOCH, due: None };
    for row in rows {
        let claim: i32 = row.try_get(1)?;
        let Ok(number) = usize::try_from(claim) else {
            exchanged.applied = row.try_get(0)?;
            exchanged.now = instant(row, 8)?;
            exchanged.due = row.try_get::<Option<i64>, _>(9)?.map(Timestamp::from_micros);
            continue;
        };
        let place: i32 = row.try_get(2)?;
        let queue = usize::try_from(place).ok().and_then(|place| queues.get(place));
        if let (Some(claim), Some(queue)) = (claims.get(number), queue) {
            exchanged.deliveries.push((number, delivery(row, claim, queue)?));
        }
    }
    Ok(exchanged)
}

fn delivery(row: &PgRow, claim: &Claim, queue: &QueueName) -> sqlx::Result<Delivery> {
    let lease = Lease {
        job: JobId::from(row.try_get::<Uuid, _>(3)?),
        fence: Fence(number(row, 4)?),
        length: claim.demand.lease,
        expires_at: instant(row, 10)?,
    };
    let body = Body::stored(row.try_get::<&str, _>(12)?);
    let mut record = JobRecord::new(lease.job, row.try_get::<&str, _>(11)?.into(), body);
    record.queue = queue.clone();
    record.attempt = crate::rows::attempts(row, 5)?;
    record.max_attempts = crate::rows::attempts(row, 6)?;
    record.priority = row.try_get(7)?;
    record.pushed_at = instant(row, 8)?;
    record.run_at = instant(row, 9)?;
    record.meta = match row.try_get::<Option<&str>, _>(13)? {
        Some(words) => Meta::from_json(words).map_err(|error| sqlx::Error::Decode(error.into()))?,
        None => Meta::new(),
    };
    Ok(Delivery::new(record, lease))
}

fn kind(transition: &Transition) -> i16 {
    match transition {
        Transition::Complete => 0,
        Transition::Discard { .. } => 1,
        Transition::Cancel { .. } => 2,
        Transition::Retry { .. } => 3,
        Transition::Snooze { .. } => 4,
        Transition::Release => 5,
    }
}

fn time(transition: &Transition) -> Option<i64> {
    match transition {
        Transition::Retry { at, .. } | Transition::Snooze { at } => Some(at.as_micros()),
        Transition::Complete
        | Transition::Discard { .. }
        | Transition::Cancel { .. }
        | Transition::Release => None,
    }
}

fn text(transition: &Transition) -> Option<String> {
    match transition {
        Transition::Retry { error, .. } | Transition::Discard { error } => Some(storable(error)),
        Transition::Cancel { reason } => Some(storable(reason)),
        Transition::Complete | Transition::Snooze { .. } | Transition::Release => None,
    }
}
