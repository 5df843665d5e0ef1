//! The settings of the server, and its clock.

use std::time::{SystemTime, UNIX_EPOCH};

use queue_core::admin::{Check, Finding, Severity};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::target::Target;

/// The difference of clocks that is harmless, in microseconds: a second.
const SKEW: i64 = 1_000_000;

/// Settings by which a crash can lose acknowledged pushes: the name, the bad value, its meaning and its severity.
const DURABILITY: [(&str, &str, &str, Severity); 3] = [
    ("fsync", "off", "a crash of the machine can destroy the database", Severity::Fault),
    ("full_page_writes", "off", "a crash of the machine can damage pages", Severity::Fault),
    (
        "synchronous_commit",
        "off",
        "a crash of the server can lose the last acknowledged pushes",
        Severity::Warning,
    ),
];

/// Settings without which the server does not remove dead rows.
const VACUUM: [(&str, &str, &str, Severity); 2] = [
    ("autovacuum", "off", "dead rows stay, and the tables grow", Severity::Warning),
    (
        "track_counts",
        "off",
        "autovacuum does not know which tables have dead rows, and the tables grow",
        Severity::Warning,
    ),
];

pub(super) async fn durability(connection: &mut PgConnection) -> sqlx::Result<Vec<Finding>> {
    settings(connection, Check::Durability, &DURABILITY).await
}

/// Returns a finding for each setting that has its bad value.
async fn settings(
    connection: &mut PgConnection,
    check: Check,
    bad: &[(&str, &str, &str, Severity)],
) -> sqlx::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (name, value, meaning, severity) in bad {
        let setting: String =
            sqlx::query_scalar("select current_setting($1)").bind(*name).fetch_one(&mut *connection).await?;
        if setting == *value {
            let what = format!("`{name}` is {value}: {meaning}");
            let cure =
                format!("run `alter system reset {name}` and `select pg_reload_conf()`, or set it to on");
            findings.push(Finding::new(check, *severity, what, cure));
        }
    }
    Ok(findings)
}

/// Compares the schema's clock with that of this machine.
pub(super) async fn clock(connection: &mut PgConnection, target: &Target) -> sqlx::Result<Vec<Finding>> {
    let clock = format!("select {}.clock()", target.quoted_schema());
    let before = micros_now();
    let server: i64 = sqlx::query_scalar(AssertSqlSafe(clock)).fetch_one(connection).await?;
    let after = micros_now();
    let ahead = server.saturating_sub(before.midpoint(after));
    let uncertainty = after.saturating_sub(before);
    if ahead.saturating_abs() <= uncertainty.saturating_add(SKEW) {
        return Ok(Vec::new());
    }
    let (seconds, word) = (ahead.unsigned_abs() / 1_000_000, if ahead > 0 { "ahead of" } else { "behind" });
    let what = format!("the store's clock is {seconds} s {word} this machine's");
    let cure =
        "synchronize both clocks: jobs are due by the store's, and a program computes instants by its own";
    Ok(vec![Finding::new(Check::Clock, Severity::Warning, what, cure)])
}

fn micros_now() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX)
}

/// Checks that autovacuum works on the tables.
pub(super) async fn vacuum(connection: &mut PgConnection, target: &Target) -> sqlx::Result<Vec<Finding>> {
    let mut findings = settings(connection, Check::Maintenance, &VACUUM).await?;
    let excluded = "select relname::text from pg_class c join pg_namespace n on n.oid = relnamespace
        where nspname = $1 and relkind = 'r' and reloptions::text ~ 'autovacuum_enabled=(false|off|0|no)' order by 1";
    let excluded: Vec<String> =
        sqlx::query_scalar(excluded).bind(&*target.schema).fetch_all(connection).await?;
    findings.extend(excluded.into_iter().map(|table| {
        let what = format!("autovacuum is off for the table `{table}`: its dead rows stay");
        let cure = format!("run `alter table {}.{table} reset (autovacuum_enabled)`", target.quoted_schema());
        Finding::new(Check::Maintenance, Severity::Warning, what, cure)
    }));
    Ok(findings)
}
