//! The limits of queues, and how far they are used.

use std::time::Duration;

use queue_core::admin::{LimitRecord, PartitionUsage, QueueUsage, Usage, UsageRequest};
use queue_core::backend::{StoredLimits, check_limit};
use queue_core::{Limit, LimitScope, Partition, QueueError, QueueLimits, QueueName, Rate, Timestamp};
use sqlx::Row as _;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;

use crate::error::is_notification_queue_full;
use crate::notification::NotifyArgs;
use crate::queue::PostgresQueue;
use crate::rows;
use crate::sql::Sql;

/// A limit as the columns of the table `limits`.
struct LimitColumns {
    scope: i16,
    partition: String,
    running: Option<i64>,
    starts: Option<i64>,
    per_ns: Option<i64>,
    burst: Option<i64>,
    weight: i32,
}

impl LimitColumns {
    fn of(scope: &LimitScope, limit: &Limit) -> Self {
        let (scope, partition) = scope_columns(scope);
        Self {
            scope,
            partition,
            running: limit.running.map(i64::from),
            starts: limit.rate.map(|rate| rate.starts.into()),
            per_ns: limit.rate.map(|rate| i64::try_from(rate.per.as_nanos()).unwrap_or(i64::MAX)),
            burst: limit.rate.map(|rate| rate.burst.into()),
            weight: i32::try_from(limit.weight).unwrap_or(i32::MAX),
        }
    }
}

impl PostgresQueue {
    /// Replaces the declared limits of a queue.
    pub(crate) async fn replace_declared_limits(
        &self,
        name: &QueueName,
        limits: &QueueLimits,
    ) -> Result<(), QueueError> {
        declare(self, name, limits).await
    }
}

async fn declare(queue: &PostgresQueue, name: &QueueName, limits: &QueueLimits) -> Result<(), QueueError> {
    limits.check()?;
    let (name, limits) = (name.clone(), limits.clone());
    change(queue, move |sql| {
        let columns: Vec<_> = limits.iter().map(|(scope, limit)| LimitColumns::of(scope, limit)).collect();
        let query = sql.declare_limits.query().bind(name.as_str().to_owned());
        query
            .bind(column(&columns, |limit| limit.scope))
            .bind(column(&columns, |limit| limit.partition.clone()))
            .bind(column(&columns, |limit| limit.running))
            .bind(column(&columns, |limit| limit.starts))
            .bind(column(&columns, |limit| limit.per_ns))
            .bind(column(&columns, |limit| limit.burst))
            .bind(column(&columns, |limit| limit.weight))
    })
    .await
}

/// Sets the limit of an operator, or takes it back.
pub(crate) async fn set(
    queue: &PostgresQueue,
    name: &QueueName,
    scope: &LimitScope,
    limit: Option<Limit>,
) -> Result<(), QueueError> {
    check_limit(scope, &limit.unwrap_or_default())?;
    let (name, scope) = (name.clone(), scope.clone());
    change(queue, move |sql| {
        let columns = LimitColumns::of(&scope, &limit.unwrap_or_default());
        let query = sql.set_limit.query().bind(name.as_str().to_owned());
        query
            .bind(columns.scope)
            .bind(columns.partition)
            .bind(columns.running)
            .bind(columns.starts)
            .bind(columns.per_ns)
            .bind(columns.burst)
            .bind(limit.map(|_| columns.weight))
    })
    .await
}

/// Runs a statement that changes limits, and wakes the claims that wait, in all processes.
async fn change(
    queue: &PostgresQueue,
    statement: impl Fn(&Sql) -> Query<'static, sqlx::Postgres, PgArguments> + Clone + Send + Sync + 'static,
) -> Result<(), QueueError> {
    let notifier = &queue.shared().notifier;
    let call = |notify: NotifyArgs| {
        let statement = statement.clone();
        queue.run_on_admin_connection(move |connection, sql| {
            let change = notify.bind(statement(sql));
            Box::pin(async move { change.execute(connection).await.map(drop) })
        })
    };
    match call(notifier.jobs()).await {
        Err(error) if is_notification_queue_full(&error) => {
            notifier.mute();
            call(NotifyArgs::none()).await?;
        }
        changed => changed?,
    }
    queue.shared().wake();
    Ok(())
}

/// Reads the limits of a queue.
pub(crate) async fn records(queue: &PostgresQueue, name: &QueueName) -> Result<Vec<LimitRecord>, QueueError> {
    Ok(stored(queue, name).await?.records())
}

async fn stored(queue: &PostgresQueue, name: &QueueName) -> Result<StoredLimits, QueueError> {
    let name = name.as_str().to_owned();
    queue
        .run_on_admin_connection(move |connection, sql| {
            let limits = sql.limits.query().bind(name.clone());
            Box::pin(async move { limits_from_rows(&limits.fetch_all(connection).await?) })
        })
        .await
}

/// Reads how far a queue and its partitions use their limits.
pub(crate) async fn usage(queue: &PostgresQueue, request: &UsageRequest) -> Result<QueueUsage, QueueError> {
    let limits = stored(queue, &request.queue).await?;
    let (name, request) = (request.queue.as_str().to_owned(), request.clone());
    queue
        .run_on_admin_connection(move |connection, sql| {
            let usage = sql.usage.query().bind(name.clone());
            let (limits, request) = (limits.clone(), request.clone());
            Box::pin(async move { usage_from_rows(&usage.fetch_all(connection).await?, &limits, &request) })
        })
        .await
}

/// Reads the rows of `usage`: the first has the time and the state of the queue's rate, each other one a partition.
fn usage_from_rows(
    rows: &[PgRow],
    limits: &StoredLimits,
    request: &UsageRequest,
) -> sqlx::Result<QueueUsage> {
    let (mut now, mut total_free_at) = (Timestamp::EPOCH, None);
    let (mut ready, mut running) = (0, 0);
    let mut partitions = Vec::new();
    for row in rows {
        now = rows::timestamp(row, 0)?;
        total_free_at = rows::optional_timestamp(row, 1)?;
        let Some(name) = row.try_get::<Option<&str>, _>(2)? else { continue };
        let partition = Partition::new(name);
        let free_at = rows::optional_timestamp(row, 5)?.filter(|at| *at > now);
        let usage =
            Usage::new(rows::read_u64(row, 3)?, rows::read_u64(row, 4)?, limits.of(&partition), free_at);
        ready += usage.ready;
        running += usage.running;
        if usage.ready > 0 || usage.running > 0 || usage.next_start.is_some() {
            partitions.push(PartitionUsage::new(partition, usage));
        }
    }
    let total = Usage::new(ready, running, limits.total(), total_free_at.filter(|at| *at > now));
    Ok(QueueUsage::new(request, now, total, partitions))
}

fn limits_from_rows(rows: &[PgRow]) -> sqlx::Result<StoredLimits> {
    let mut records: Vec<LimitRecord> = Vec::new();
    for row in rows {
        let scope = match row.try_get::<i16, _>(0)? {
            0 => LimitScope::Total,
            1 => LimitScope::Each,
            _ => LimitScope::One(Partition::new(row.try_get::<&str, _>(1)?)),
        };
        let limit = Some(limit(row)?);
        let (declared, set) = if row.try_get(2)? { (None, limit) } else { (limit, None) };
        match records.iter_mut().find(|record| record.scope == scope) {
            Some(record) => {
                record.declared = record.declared.or(declared);
                record.set = record.set.or(set);
            }
            None => records.push(LimitRecord::new(scope, declared, set)),
        }
    }
    let mut limits = StoredLimits::default();
    records.into_iter().for_each(|record| limits.add(record));
    Ok(limits)
}

fn limit(row: &PgRow) -> sqlx::Result<Limit> {
    let number = |column: usize| {
        let value = row.try_get::<Option<i64>, _>(column)?;
        Ok::<_, sqlx::Error>(value.map(|value| u32::try_from(value).unwrap_or(u32::MAX)))
    };
    let mut limit = Limit::weight(u32::try_from(row.try_get::<i32, _>(7)?).unwrap_or(1));
    limit.running = number(3)?;
    if let (Some(starts), Some(burst)) = (number(4)?, number(6)?) {
        let mut rate = Rate::new(starts, Duration::from_nanos(rows::read_u64(row, 5)?));
        rate.burst = burst;
        limit.rate = Some(rate);
    }
    Ok(limit)
}

/// Returns the columns `scope` and `partition`.
fn scope_columns(scope: &LimitScope) -> (i16, String) {
    match scope {
        LimitScope::Total => (0, String::new()),
        LimitScope::Each => (1, String::new()),
        LimitScope::One(partition) => (2, partition.as_str().to_owned()),
        _ => (-1, String::new()),
    }
}

fn column<T>(limits: &[LimitColumns], value: impl Fn(&LimitColumns) -> T) -> Vec<T> {
    limits.iter().map(value).collect()
}
