//! The statements, each a call of a function of the schema: what they do can be read in `migrations`.

use std::sync::Arc;

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres, SqlSafeStr as _, SqlStr};

use crate::place::Place;

/// A statement.
#[derive(Clone)]
pub(crate) struct Statement {
    text: SqlStr,
    /// Whether it stays prepared with the connection.
    is_kept: bool,
}

impl Statement {
    /// Gives it to be bound and asked.
    pub(crate) fn query(&self) -> Query<'static, Postgres, PgArguments> {
        sqlx::query(self.text.clone()).persistent(self.is_kept)
    }
}

/// The statements with the schema's name in them.
#[derive(Clone)]
pub(crate) struct Sql {
    pub(crate) ensure_queues: Statement,
    pub(crate) push: Statement,
    /// `push` in a transaction of others, which a full queue of notifications must not fail.
    pub(crate) push_in: Statement,
    pub(crate) push_one: Statement,
    pub(crate) claim: Statement,
    pub(crate) settle: Statement,
    /// `settle` in a transaction of others, likewise.
    pub(crate) settle_in: Statement,
    pub(crate) renew: Statement,
    pub(crate) cancel: Statement,
    pub(crate) retry: Statement,
    pub(crate) delete_job: Statement,
    pub(crate) prune: Statement,
    pub(crate) set_paused: Statement,
    pub(crate) get: Statement,
    pub(crate) list: Statement,
    pub(crate) counts: Statement,
    pub(crate) notify: Statement,
}

/// Stores a job that has no more to it than the columns, as `push` does: alone, it would mostly wait for what that prepares.
const PUSH_ONE: &str = "
    with new as (
        insert into {s}.jobs (id, queue_id, name, priority, max_attempts, pushed_at, run_at, payload, meta)
        select $1, q.id, $3, $4, $5, now, now, $6, $7 from {s}.clock() now, {s}.queues q where q.name = $2
        returning seq, queue_id, priority, run_at)
    insert into {s}.ready select queue_id, priority, run_at, seq from new";

/// The columns of a job as it is shown, in the order in which `rows.rs` reads them.
const RECORD: &str = "
    select j.seq, j.id, j.name, q.name, coalesce(f.state, case when l.id is not null then 2 else coalesce(w.state, 1) end),
        j.priority, coalesce(f.attempt, l.attempt, j.attempt), j.max_attempts, coalesce(f.fence, l.fence, j.fence),
        j.pushed_at, j.run_at, coalesce(f.claimed_at, l.claimed_at, j.claimed_at), l.expires_at, f.finished_at,
        j.unique_key, coalesce(f.cancel_reason, l.cancel_reason), j.payload, j.meta,
        (select array_agg(attempt order by fence) from {s}.failures where seq = j.seq),
        (select array_agg(failed_at order by fence) from {s}.failures where seq = j.seq),
        (select array_agg(message order by fence) from {s}.failures where seq = j.seq),
        {s}.clock()
    from {s}.jobs j
        join {s}.queues q on q.id = j.queue_id
        left join {s}.finished f on f.seq = j.seq
        left join {s}.leases l on l.id = j.id
        left join {s}.waiting w on w.due = j.run_at and w.seq = j.seq ";

/// The state that a job is in now: time passes whether or not somebody has written it down.
/// `JobRecord::as_of` says the same of a record.
const STATE_NOW: &str = "
    case when f.seq is not null then f.state
        when l.id is not null then case when l.expires_at > {s}.clock() then 2
            when l.cancel_reason is not null then 6 when l.attempt >= j.max_attempts then 5 else 1 end
        when w.seq is not null and w.due > {s}.clock() then w.state
        else 1 end";

/// Jobs in push order. It looks at each job from the cursor on until the page is full, so it's for people.
const LIST: &str = "
    where j.seq > $1
        and ($2::text is null or q.name = $2)
        and ($3::text is null or j.name = $3)
        and ($4::bigint is null or j.pushed_at < $4)
        and ($5 = 0 or (($5 >> (";

/// How many jobs of each queue are in which state, from the narrow tables alone.
const COUNTS: &str = "
    with counted as (
        select queue_id, 1 as state, count(*) as count from {s}.ready group by 1
        union all
        select queue_id, case when due > {s}.clock() then state else 1 end, count(*) from {s}.waiting group by 1, 2
        union all
        select l.queue_id, case when l.expires_at > {s}.clock() then 2 when l.cancel_reason is not null then 6
            when l.attempt >= (select max_attempts from {s}.jobs where seq = l.seq) then 5 else 1 end, count(*)
        from {s}.leases l group by 1, 2
        union all
        select queue_id, state, count(*) from {s}.finished group by 1, 2)
    select q.name, q.paused, c.state, sum(c.count)::bigint
    from {s}.queues q left join counted c on c.queue_id = q.id
    group by 1, 2, 3 order by 1";

impl Sql {
    pub(crate) fn new(place: &Place) -> Self {
        let schema = place.quoted_schema();
        let text = |sql: &str| -> Statement {
            let text: Arc<str> = sql.replace("{s}", &schema).into();
            Statement { text: AssertSqlSafe(text).into_sql_str(), is_kept: !place.is_pooled }
        };
        let call = |function: &str, arguments: usize| {
            let places: Vec<_> = (1..=arguments).map(|place| format!("${place}")).collect();
            text(&format!("select * from {{s}}.{function}({})", places.join(", ")))
        };
        // The channel and the sender come last. The server says only at the commit that it has no room for a notification.
        let call_in = |function: &str, arguments: usize| {
            let place = |place: usize| match place + 1 {
                channel if channel == arguments => {
                    format!("case when pg_notification_queue_usage() < 0.9 then ${place}::text end")
                }
                _ => format!("${place}"),
            };
            let places: Vec<_> = (1..=arguments).map(place).collect();
            text(&format!("select * from {{s}}.{function}({})", places.join(", ")))
        };
        Self {
            ensure_queues: call("ensure_queues", 1),
            push: call("push", 16),
            push_in: call_in("push", 16),
            push_one: text(PUSH_ONE),
            claim: call("claim", 9),
            settle: call("settle", 23),
            settle_in: call_in("settle", 23),
            renew: call("renew", 3),
            cancel: call("cancel", 2),
            retry: call("retry", 3),
            delete_job: call("delete_job", 1),
            prune: call("prune", 4),
            set_paused: text(
                "insert into {s}.queues (name, paused) values ($1, $2) \
                 on conflict (name) do update set paused = excluded.paused",
            ),
            get: text(&format!("{RECORD} where j.id = $1")),
            list: text(&format!("{RECORD} {LIST} {STATE_NOW} )) & 1) = 1) order by j.seq limit $6")),
            counts: text(COUNTS),
            notify: text("select pg_notify($1, $2)"),
        }
    }
}
