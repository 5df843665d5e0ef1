//! Holders of dead rows and old log, which the server then cannot remove: transactions, prepared ones, standbys and replication
//! slots.
//!
//! A holder is reported if it is older than five minutes or than the last 100,000 transactions: younger ones come and go.

use queue_core::admin::{Check, Finding, Severity};
use sqlx::PgConnection;

/// Returns a finding for each holder.
pub(super) async fn held(connection: &mut PgConnection) -> sqlx::Result<Vec<Finding>> {
    let mut findings = transactions(connection).await?;
    findings.extend(prepared(connection).await?);
    findings.extend(standbys(connection).await?);
    findings.extend(slots(connection).await?);
    findings.extend(log(connection).await?);
    Ok(findings)
}

fn finding(what: String, cure: String) -> Finding {
    Finding::new(Check::Maintenance, Severity::Warning, what, cure)
}

/// Returns what it means that the rows of a number of transactions are held.
fn meaning(held: i64) -> String {
    format!("dead rows of the last {held} transactions can't be removed, so claims become slower")
}

async fn transactions(connection: &mut PgConnection) -> sqlx::Result<Vec<Finding>> {
    let held = "
        select pid, coalesce(application_name, ''), coalesce(state, ''), held::bigint,
            coalesce(extract(epoch from now() - xact_start), 0)::bigint
        from pg_stat_activity, greatest(age(backend_xmin), age(backend_xid)) held
        where datname = current_database() and pid <> pg_backend_pid() and held is not null
            and (xact_start < now() - interval '5 minutes' or held >= 100000)
        order by held desc limit 5";
    let held: Vec<(i32, String, String, i64, i64)> = sqlx::query_as(held).fetch_all(connection).await?;
    let finding = |(pid, program, state, held, seconds): (i32, String, String, i64, i64)| {
        finding(
            format!(
                "session {pid} of `{program}` ({state}) has had a transaction open for {seconds} s: {}",
                meaning(held)
            ),
            format!("end the transaction in that program, or run `select pg_terminate_backend({pid})`"),
        )
    };
    Ok(held.into_iter().map(finding).collect())
}

/// Finds prepared transactions. They belong to no session, and stay after a restart of the server.
async fn prepared(connection: &mut PgConnection) -> sqlx::Result<Vec<Finding>> {
    let held = "
        select quote_literal(gid), owner::text, held::bigint, extract(epoch from now() - prepared)::bigint
        from pg_prepared_xacts, age(transaction) held
        where database = current_database() and (prepared < now() - interval '5 minutes' or held >= 100000)
        order by held desc limit 5";
    let held: Vec<(String, String, i64, i64)> = sqlx::query_as(held).fetch_all(connection).await?;
    let finding = |(id, owner, held, seconds): (String, String, i64, i64)| {
        finding(
            format!(
                "the prepared transaction {id} of `{owner}` has waited for {seconds} s for its end, and keeps its locks: {}",
                meaning(held)
            ),
            format!(
                "ask the transaction manager that prepared it how it ended, then run `commit prepared {id}` or `rollback prepared {id}`"
            ),
        )
    };
    Ok(held.into_iter().map(finding).collect())
}

/// Finds standbys whose queries hold rows of this server, by `hot_standby_feedback`.
async fn standbys(connection: &mut PgConnection) -> sqlx::Result<Vec<Finding>> {
    let held = "
        select coalesce(application_name, ''), held::bigint from pg_stat_replication, age(backend_xmin) held
        where held >= 100000 order by held desc limit 5";
    let held: Vec<(String, i64)> = sqlx::query_as(held).fetch_all(connection).await?;
    let finding = |(name, held): (String, i64)| {
        finding(
            format!("a query on the standby `{name}` holds rows of this server: {}", meaning(held)),
            "end the query there, or set `hot_standby_feedback = off` there".to_owned(),
        )
    };
    Ok(held.into_iter().map(finding).collect())
}

/// Finds replication slots that hold rows.
async fn slots(connection: &mut PgConnection) -> sqlx::Result<Vec<Finding>> {
    let held = "
        select slot_name::text, active, held::bigint
        from pg_replication_slots, greatest(age(xmin), age(catalog_xmin)) held
        where held >= 100000 order by held desc limit 5";
    let held: Vec<(String, bool, i64)> = sqlx::query_as(held).fetch_all(connection).await?;
    let finding = |(slot, is_active, held): (String, bool, i64)| {
        let what =
            format!("the replication slot `{slot}` ({}) holds rows: {}", activity(is_active), meaning(held));
        finding(what, cure_of_slot(&slot, is_active))
    };
    Ok(held.into_iter().map(finding).collect())
}

/// Finds replication slots that hold more of the log than the server keeps without them.
async fn log(connection: &mut PgConnection) -> sqlx::Result<Vec<Finding>> {
    let held = "
        select slot_name::text, active, (held / 1048576)::bigint
        from pg_replication_slots, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) held
        where held > pg_size_bytes(current_setting('max_wal_size')) order by held desc limit 5";
    let held: Vec<(String, bool, i64)> = sqlx::query_as(held).fetch_all(connection).await?;
    let finding = |(slot, is_active, held): (String, bool, i64)| {
        let what = format!(
            "the replication slot `{slot}` ({}) holds {held} MB of the log: the disk fills up, and then no job can be stored",
            activity(is_active)
        );
        finding(what, cure_of_slot(&slot, is_active) + "; `max_slot_wal_keep_size` sets a bound")
    };
    Ok(held.into_iter().map(finding).collect())
}

const fn activity(is_active: bool) -> &'static str {
    if is_active { "in use" } else { "not in use" }
}

/// Returns the cure. The name of a slot has only lower-case letters, digits and underscores.
fn cure_of_slot(slot: &str, is_active: bool) -> String {
    if is_active {
        return "find out why its reader lags: see `pg_stat_replication`".to_owned();
    }
    format!("start its reader, or run `select pg_drop_replication_slot('{slot}')` if it has none any more")
}
