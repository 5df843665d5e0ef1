//! The statements. Most call a function of the schema: see `../functions`.
//!
//! Calls name their arguments, so that `pg_stat_activity` shows what a statement does.

pub(crate) mod bulk;
pub(crate) mod list;
mod meta;
pub(crate) mod values;

use std::sync::Arc;

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres, SqlSafeStr as _, SqlStr};

use crate::target::Target;

/// A statement.
#[derive(Clone)]
pub(crate) struct Statement {
    text: SqlStr,
    /// Whether the connection keeps it prepared.
    is_persistent: bool,
}

impl Statement {
    /// Returns the statement as a query to bind and run.
    pub(crate) fn query(&self) -> Query<'static, Postgres, PgArguments> {
        sqlx::query(self.text.clone()).persistent(self.is_persistent)
    }
}

/// The statements for one schema.
#[derive(Clone)]
pub(crate) struct Sql {
    pub(crate) ensure_queues: Statement,
    pub(crate) share_queues: Statement,
    pub(crate) declare_limits: Statement,
    pub(crate) set_limit: Statement,
    pub(crate) limits: Statement,
    pub(crate) usage: Statement,
    pub(crate) push: Statement,
    /// `push` in a caller's transaction, which must not fail because the notification queue is full.
    pub(crate) push_in: Statement,
    pub(crate) push_one: Statement,
    pub(crate) claim: Statement,
    pub(crate) settle: Statement,
    /// `settle` in a caller's transaction, which must not fail because the notification queue is full.
    pub(crate) settle_in: Statement,
    pub(crate) renew: Statement,
    pub(crate) cancel: Statement,
    pub(crate) retry: Statement,
    pub(crate) delete_job: Statement,
    pub(crate) prune: Statement,
    pub(crate) import: Statement,
    pub(crate) set_paused: Statement,
    pub(crate) get: Statement,
    pub(crate) get_all: Statement,
    pub(crate) any_ended: Statement,
    pub(crate) counts: Statement,
    pub(crate) summary: Statement,
    pub(crate) announce: Statement,
    pub(crate) workers: Statement,
    pub(crate) history: Statement,
    pub(crate) notify: Statement,
    /// Writes the statements that are built for one request.
    pub(crate) writer: StatementWriter,
}

/// Writes statements for one schema.
#[derive(Clone)]
pub(crate) struct StatementWriter {
    schema: String,
    is_persistent: bool,
}

impl StatementWriter {
    /// Returns the statement of a text in which `{s}` stands for the schema.
    pub(crate) fn statement(&self, text: &str) -> Statement {
        let text: Arc<str> = text.replace("{s}", &self.schema).into();
        Statement { text: AssertSqlSafe(text).into_sql_str(), is_persistent: self.is_persistent }
    }
}

/// Returns the statement that reads jobs as of `now`, up to its conditions.
fn record(now: &str) -> String {
    RECORD.replace("{joins}", STATE_JOINS).replace("{now}", now)
}

/// The parameters of `push`, in the order in which `JobColumns::bind` binds them.
const PUSH: &str = "_queues _ids _id_given _queue_of _names _priorities _max_attempts _delays _times _unique_keys \
    _unique_for _replace _payloads _metas _on_discards _partitions _channel _sender";

/// The parameters of `claim`, in the order in which `bind_claims` binds them.
const CLAIM: &str = "_claims _queues _limits _lease_lengths _from_priorities _from_run_ats _from_seqs _on_discards \
    _from_due _from_expiry _workers _startable";

/// The parameters of `settle`, in the order in which `bind_settlements` binds them.
const SETTLE: &str = "_ids _fences _kinds _times _texts _skip_locked _parents _queues _new_ids _id_given _queue_of _names \
    _priorities _max_attempts _delays _new_times _unique_keys _unique_for _replace _payloads _metas \
    _on_discards _partitions _channel _sender";

/// The parameters of `import_jobs`, in the order in which `bind_imports` binds them.
const IMPORT: &str = "_ids _queues _names _priorities _attempts _max_attempts _fences _pushed_ats _run_ats _claimed_ats \
    _states _unique_keys _unique_untils _holds_keys _payloads _metas _on_discards _partitions _failed _failed_fences \
    _failed_attempts _failed_ats _messages _channel _sender";

/// The parameters of `declare_limits`.
const DECLARE: &str = "_queue _scopes _partitions _running _starts _per_ns _bursts _weights _channel _sender";

/// The parameters of `set_limit`.
const SET_LIMIT: &str = "_queue _scope _partition _running _starts _per_ns _burst _weight _channel _sender";

/// The limits of a queue, in the order in which `limits.rs` reads them.
const LIMITS: &str = "
    select l.scope, l.partition, l.is_set, l.running, l.starts, l.per_ns, l.burst, l.weight
    from {s}.limits l join {s}.queues q on q.id = l.queue_id where q.name = $1";

/// Stores one job that has the default schedule and neither a unique key nor a given id nor a partition, as the function `push` does. For a
/// single job, `push` would spend most of its time on preparing what only a batch needs.
const PUSH_ONE: &str = "
    with q as materialized (select id, is_shared from {s}.queues where name = $2),
    new as (
        insert into {s}.jobs (id, queue_id, name, priority, max_attempts, pushed_at, run_at, payload, meta)
        select $1, q.id, $3, $4, $5, now, now, $6, $7 from {s}.clock() now, q
        returning seq, queue_id, priority, run_at),
    noted as (
        insert into {s}.partition_changes (queue_id, at, partition, ready, priority)
        select new.queue_id, new.run_at, '', 1, new.priority from new, q where q.is_shared)
    insert into {s}.ready select queue_id, priority, run_at, seq from new";

/// The columns of a `JobRecord` as of `{now}`, in the order in which `rows.rs` reads them.
const RECORD: &str = "
    select j.seq, j.id, j.name, q.name, coalesce(f.state, case when l.id is not null then 2 else coalesce(w.state, 1) end),
        j.priority, coalesce(f.attempt, l.attempt, j.attempt), j.max_attempts, coalesce(f.fence, l.fence, j.fence),
        j.pushed_at, j.run_at, coalesce(f.claimed_at, l.claimed_at, j.claimed_at), l.expires_at, f.finished_at,
        j.unique_key, coalesce(f.cancel_reason, l.cancel_reason), j.payload, j.meta,
        (select array_agg(attempt order by fence) from {s}.failures where seq = j.seq),
        (select array_agg(failed_at order by fence) from {s}.failures where seq = j.seq),
        (select array_agg(message order by fence) from {s}.failures where seq = j.seq),
        {now}, (select name from {s}.workers where id = l.worker_id),
        (select result from {s}.results where seq = j.seq), l.progress, l.progress_note, j.on_discard,
        (select unique_until from {s}.unique_keys k where k.name = j.name and k.key = j.unique_key and k.seq = j.seq),
        j.partition
    from {s}.jobs j join {s}.queues q on q.id = j.queue_id {joins}";

/// The rows of a job `j` in the tables of states.
const STATE_JOINS: &str = "
        left join {s}.finished f on f.seq = j.seq
        left join {s}.leases l on l.id = j.id
        left join {s}.waiting w on w.due = j.run_at and w.seq = j.seq ";

/// The state of a job at `{now}`, which the tables show only after the next claim: a due job is ready, and an expired lease has
/// ended. The job of an expired lease is cancelled if that was requested, discarded after its last attempt, and ready otherwise.
/// `JobRecord::as_of` does the same for a record.
const STATE_NOW: &str = "
    case when f.seq is not null then f.state
        when l.id is not null then case when l.expires_at > {now} then 2
            when l.cancel_reason is not null then 6 when l.attempt >= j.max_attempts then 5 else 1 end
        when w.seq is not null and w.due > {now} then w.state
        else 1 end";

/// Counts the jobs of each queue and state. It reads no row of `jobs`, except for expired leases.
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
    pub(crate) fn new(target: &Target) -> Self {
        let writer = StatementWriter { schema: target.quoted_schema(), is_persistent: !target.behind_pooler };
        let text = |sql: &str| writer.statement(sql);
        let call = |function: &str, parameters: &str| text(&call_of(function, parameters, false));
        let call_in = |function: &str, parameters: &str| text(&call_of(function, parameters, true));
        Self {
            ensure_queues: call("ensure_queues", "_names"),
            share_queues: call("share_queues", "_names"),
            declare_limits: call("declare_limits", DECLARE),
            set_limit: call("set_limit", SET_LIMIT),
            limits: text(LIMITS),
            usage: call("usage", "_queue"),
            push: call("push", PUSH),
            push_in: call_in("push", PUSH),
            push_one: text(PUSH_ONE),
            claim: call("claim", CLAIM),
            settle: call("settle", SETTLE),
            settle_in: call_in("settle", SETTLE),
            renew: call("renew", "_ids _fences _lease_lengths _progress _progress_notes"),
            cancel: text(&after_expiry("expire_lease({s}.clock(), $1)", "cancel", "_id _reason")),
            retry: text(&after_expiry("expire_lease({s}.clock(), $1)", "retry", "_id _channel _sender")),
            delete_job: text(&after_expiry("expire_lease({s}.clock(), $1)", "delete_job", "_id")),
            prune: text(&after_expiry(
                "expire_ended($2, $3, $4)",
                "prune",
                "_completed _discarded _cancelled _limit",
            )),
            import: call("import_jobs", IMPORT),
            set_paused: text(
                "insert into {s}.queues (name, paused) values ($1, $2) \
                 on conflict (name) do update set paused = excluded.paused",
            ),
            get: text(&format!("{} where j.id = $1", record("{s}.clock()"))),
            get_all: text(&format!("{} where j.id = any ($1)", record("{s}.clock()"))),
            any_ended: call("any_ended", "_ids"),
            counts: text(COUNTS),
            summary: call("summary", "_cap"),
            announce: call("announce", "_name _valid_for _details"),
            workers: text("select details, seen_at, {s}.clock() from {s}.workers where details is not null"),
            history: call("history", "_since _until _step _queue _name"),
            notify: text("select pg_notify($1, $2)"),
            writer: writer.clone(),
        }
    }
}

/// Returns a call of a function of an operator, after the call of a function that ends expired leases. The result has the
/// answer, and the jobs that the expiry has discarded.
fn after_expiry(expiry: &str, function: &str, parameters: &str) -> String {
    let arguments: Vec<_> =
        (1..).zip(parameters.split(' ')).map(|(number, name)| format!("{name} => ${number}")).collect();
    format!(
        "with expired as materialized (select {{s}}.{expiry} as discarded)
        select {{s}}.{function}({}), discarded from expired",
        arguments.join(", ")
    )
}

/// Returns a call of a function of the schema with named arguments. With `spares_notifications`, the call notifies only if
/// the server has room: otherwise the commit, and with it the caller's transaction, would fail.
fn call_of(function: &str, parameters: &str, spares_notifications: bool) -> String {
    let argument = |(number, name): (usize, &str)| match name {
        "_channel" if spares_notifications => {
            format!("{name} => case when pg_notification_queue_usage() < 0.9 then ${number}::text end")
        }
        _ => format!("{name} => ${number}"),
    };
    let arguments: Vec<_> = (1..).zip(parameters.split(' ')).map(argument).collect();
    format!("select * from {{s}}.{function}({})", arguments.join(", "))
}
