//! The arguments and the result of one call of `claim`.

use std::collections::HashMap;

use queue_core::backend::JobValues;
use queue_core::{Body, Delivery, Fence, JobId, Lease, QueueName, Timestamp};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Postgres, Row as _};
use uuid::Uuid;

use crate::columns::micros;
use crate::requests::WaitingClaim;
use crate::rows::{meta, optional_timestamp, partition, read_u64, timestamp};

/// The sort key of a ready job in its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReadyKey {
    pub(super) priority: i32,
    pub(super) run_at: i64,
    pub(super) seq: i64,
}

/// The start of a scan. A missing entry means the start of the index.
#[derive(Debug, Default)]
pub(super) struct ScanStart {
    pub(super) queues: HashMap<QueueName, ReadyKey>,
    pub(super) due: Option<Timestamp>,
    pub(super) expiry: Option<Timestamp>,
}

impl ScanStart {
    /// Returns whether each scan starts at the start of its index.
    pub(super) fn is_full_scan(&self) -> bool {
        self.queues.is_empty() && self.due.is_none() && self.expiry.is_none()
    }
}

/// The result of one scan.
#[derive(Default)]
pub(super) struct ScanResult {
    /// The leased jobs, each with the index of its claim.
    pub(super) deliveries: Vec<(usize, Delivery)>,
    /// For each queue of each claim, the number of jobs found and the key of the last one.
    pub(super) queues: Vec<QueueScan>,
    pub(super) now: Timestamp,
    /// The earliest due time and the earliest expiry of a lease.
    pub(super) due: Option<Timestamp>,
    pub(super) expiry: Option<Timestamp>,
    /// The earliest of both after `now`. It differs from them while another transaction has locked a due job or an
    /// expired lease.
    pub(super) next: Option<Timestamp>,
    /// Scan times in microseconds: the first is that of the lookups of `due` and `expiry`, then one for each queue of
    /// each claim. It is negative if the queue was not scanned because the claim was already full.
    pub(super) scan_us: Vec<i64>,
    /// The jobs that were discarded because their leases expired, as `expire` returns them.
    pub(super) discarded: Option<Vec<String>>,
}

/// The number of jobs found in a queue, and the key of the last one.
#[derive(Clone, Copy, Default)]
pub(super) struct QueueScan {
    pub(super) count: usize,
    pub(super) last: Option<ReadyKey>,
}

/// Binds the waiting claims and the scan start of each of their queues.
pub(super) fn bind_claims<'q>(
    query: Query<'q, Postgres, PgArguments>,
    claims: &[&WaitingClaim],
    start: &ScanStart,
) -> Query<'q, Postgres, PgArguments> {
    let requested = || {
        (0_i32..).zip(claims).flat_map(|(number, claim)| {
            claim.demand.queues.iter().map(move |queue| (number, &claim.demand, queue))
        })
    };
    let room = |max: usize| i32::try_from(max).unwrap_or(i32::MAX);
    let from = |queue: &QueueName| start.queues.get(queue);
    query
        .bind(requested().map(|(number, ..)| number).collect::<Vec<_>>())
        .bind(requested().map(|(.., queue)| queue.as_str().to_owned()).collect::<Vec<_>>())
        .bind(requested().map(|(_, demand, _)| room(demand.max)).collect::<Vec<_>>())
        .bind(requested().map(|(_, demand, _)| micros(demand.lease)).collect::<Vec<_>>())
        .bind(requested().map(|(.., queue)| Some(from(queue)?.priority)).collect::<Vec<_>>())
        .bind(requested().map(|(.., queue)| Some(from(queue)?.run_at)).collect::<Vec<_>>())
        .bind(requested().map(|(.., queue)| Some(from(queue)?.seq)).collect::<Vec<_>>())
        .bind(on_discards(claims))
        .bind(start.due.map(Timestamp::as_micros))
        .bind(start.expiry.map(Timestamp::as_micros))
        .bind(
            requested()
                .map(|(_, demand, _)| Some(demand.worker.as_ref()?.as_str().to_owned()))
                .collect::<Vec<_>>(),
        )
        .bind(requested().map(|(_, demand, _)| demand.startable.map(room)).collect::<Vec<_>>())
}

/// Returns the default of each claim for the job to store on a discard, once for each of its queues. `None` if no claim has one.
fn on_discards(claims: &[&WaitingClaim]) -> Option<Vec<Option<String>>> {
    claims.iter().any(|claim| claim.demand.on_discard.is_some()).then(|| {
        let of_claim = |claim: &&WaitingClaim| {
            // It consists of names and numbers, which can always be written.
            let text = claim.demand.on_discard.as_ref().and_then(|on_discard| on_discard.to_json().ok());
            vec![text; claim.demand.queues.len()]
        };
        claims.iter().flat_map(of_claim).collect()
    })
}

impl ScanResult {
    /// Reads the rows that `claim` returns.
    pub(super) fn from_rows(rows: &[PgRow], claims: &[&WaitingClaim]) -> sqlx::Result<Self> {
        let queues: Vec<&QueueName> = claims.iter().flat_map(|claim| &claim.demand.queues).collect();
        let mut scan = Self { queues: vec![QueueScan::default(); queues.len()], ..Self::default() };
        for row in rows {
            let claim: i32 = row.try_get(0)?;
            let Ok(number) = usize::try_from(claim) else {
                scan.now = timestamp(row, 14)?;
                scan.due = optional_timestamp(row, 15)?;
                scan.expiry = optional_timestamp(row, 16)?;
                scan.next =
                    optional_timestamp(row, 17)?.into_iter().chain(optional_timestamp(row, 18)?).min();
                scan.scan_us = row.try_get(19)?;
                scan.discarded = row.try_get(20)?;
                continue;
            };
            let index = usize::try_from(row.try_get::<i32, _>(1)?).unwrap_or(usize::MAX);
            if let (Some(claim), Some(queue)) = (claims.get(number), queues.get(index)) {
                scan.deliveries.push((number, delivery(row, claim, queue)?));
            }
            if let Some(found) = scan.queues.get_mut(index) {
                let last =
                    ReadyKey { priority: row.try_get(6)?, run_at: row.try_get(8)?, seq: row.try_get(9)? };
                *found = QueueScan { count: found.count + 1, last: Some(last) };
            }
        }
        Ok(scan)
    }
}

fn delivery(row: &PgRow, claim: &WaitingClaim, queue: &QueueName) -> sqlx::Result<Delivery> {
    let lease = Lease::new(
        JobId::from(row.try_get::<Uuid, _>(2)?),
        Fence(read_u64(row, 3)?),
        claim.demand.lease,
        timestamp(row, 10)?,
    );
    let values = JobValues {
        id: lease.job,
        queue: queue.clone(),
        name: row.try_get::<&str, _>(11)?.into(),
        body: Body::stored(row.try_get::<&str, _>(12)?),
        meta: meta(row, 13)?,
        attempt: row.try_get(4)?,
        max_attempts: row.try_get(5)?,
        priority: row.try_get(6)?,
        pushed_at: row.try_get(7)?,
        run_at: row.try_get(8)?,
    };
    let mut record = values.into_record();
    record.partition = partition(row, 21)?;
    Ok(Delivery::new(record, lease))
}
