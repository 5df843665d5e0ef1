//! The arguments and the result of one call of `claim`.

use std::collections::HashMap;

use queue_core::backend::JobValues;
use queue_core::{Body, Delivery, Demand, Fence, JobId, Lease, QueueName, Timestamp};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Postgres, Row as _};
use uuid::Uuid;

use super::group::ClaimGroup;
use crate::columns::micros;
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
    /// The leased jobs of each group.
    pub(super) deliveries: Vec<Vec<Delivery>>,
    /// For each queue of each group, what was found.
    pub(super) queues: Vec<QueueScan>,
    pub(super) now: Timestamp,
    /// The earliest due time and the earliest expiry of a lease.
    pub(super) due: Option<Timestamp>,
    pub(super) expiry: Option<Timestamp>,
    /// The earliest of both after `now`. It differs from them while another transaction has locked a due job or an
    /// expired lease.
    pub(super) next: Option<Timestamp>,
    /// Scan times in microseconds: the first is that of the lookups of `due` and `expiry`, then one for each queue of
    /// each group. It is negative if the queue was not scanned because the group was already full.
    pub(super) scan_us: Vec<i64>,
    /// The jobs that were discarded because their leases expired, as `expire` returns them.
    pub(super) discarded: Option<Vec<String>>,
}

/// The number of jobs found in a queue, and the key of the last one.
pub(super) struct QueueScan {
    pub(super) queue: QueueName,
    pub(super) count: usize,
    pub(super) last: Option<ReadyKey>,
}

/// Binds the groups of claims and the scan start of each of their queues.
pub(super) fn bind_claims<'q>(
    query: Query<'q, Postgres, PgArguments>,
    groups: &[ClaimGroup<'_>],
    start: &ScanStart,
) -> Query<'q, Postgres, PgArguments> {
    let requested = || {
        (0_i32..)
            .zip(groups)
            .flat_map(|(number, group)| group.demand().queues.iter().map(move |queue| (number, group, queue)))
    };
    let room = |max: usize| i32::try_from(max).unwrap_or(i32::MAX);
    let from = |queue: &QueueName| start.queues.get(queue);
    query
        .bind(requested().map(|(number, ..)| number).collect::<Vec<_>>())
        .bind(requested().map(|(.., queue)| queue.as_str().to_owned()).collect::<Vec<_>>())
        .bind(requested().map(|(_, group, _)| room(group.max())).collect::<Vec<_>>())
        .bind(requested().map(|(_, group, _)| micros(group.demand().lease)).collect::<Vec<_>>())
        .bind(requested().map(|(.., queue)| Some(from(queue)?.priority)).collect::<Vec<_>>())
        .bind(requested().map(|(.., queue)| Some(from(queue)?.run_at)).collect::<Vec<_>>())
        .bind(requested().map(|(.., queue)| Some(from(queue)?.seq)).collect::<Vec<_>>())
        .bind(on_discards(groups))
        .bind(start.due.map(Timestamp::as_micros))
        .bind(start.expiry.map(Timestamp::as_micros))
        .bind(
            requested()
                .map(|(_, group, _)| Some(group.demand().worker.as_ref()?.as_str().to_owned()))
                .collect::<Vec<_>>(),
        )
        .bind(requested().map(|(_, group, _)| group.startable().map(room)).collect::<Vec<_>>())
}

/// Returns the default of each group for the job to store on a discard, once for each of its queues. `None` if no group has one.
fn on_discards(groups: &[ClaimGroup<'_>]) -> Option<Vec<Option<String>>> {
    groups.iter().any(|group| group.demand().on_discard.is_some()).then(|| {
        let of_group = |group: &ClaimGroup<'_>| {
            // It consists of names and numbers, which can always be written.
            let text = group.demand().on_discard.as_ref().and_then(|on_discard| on_discard.to_json().ok());
            vec![text; group.demand().queues.len()]
        };
        groups.iter().flat_map(of_group).collect()
    })
}

impl ScanResult {
    /// Reads the rows that `claim` returns.
    pub(super) fn from_rows(rows: &[PgRow], groups: &[ClaimGroup<'_>]) -> sqlx::Result<Self> {
        let queues = groups.iter().flat_map(|group| &group.demand().queues);
        let mut scan = Self {
            deliveries: groups.iter().map(|_| Vec::new()).collect(),
            queues: queues.map(|queue| QueueScan { queue: queue.clone(), count: 0, last: None }).collect(),
            ..Self::default()
        };
        for row in rows {
            let group: i32 = row.try_get(0)?;
            let Ok(number) = usize::try_from(group) else {
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
            let found = (groups.get(number), scan.deliveries.get_mut(number), scan.queues.get_mut(index));
            if let (Some(group), Some(deliveries), Some(found)) = found {
                deliveries.push(delivery(row, group.demand(), &found.queue)?);
                found.count += 1;
                found.last = Some(ReadyKey {
                    priority: row.try_get(6)?,
                    run_at: row.try_get(8)?,
                    seq: row.try_get(9)?,
                });
            }
        }
        Ok(scan)
    }
}

fn delivery(row: &PgRow, demand: &Demand, queue: &QueueName) -> sqlx::Result<Delivery> {
    let lease = Lease::new(
        JobId::from(row.try_get::<Uuid, _>(2)?),
        Fence(read_u64(row, 3)?),
        demand.lease,
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
