//! The rules that the rows of a schema keep, and those that are broken.

use queue_core::admin::{Check, Finding, Severity};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::target::Target;

/// Returns a finding for each rule of `check_integrity` that rows break, and for each index that the server does not use.
pub(super) async fn broken_rules(
    connection: &mut PgConnection,
    target: &Target,
) -> sqlx::Result<Vec<Finding>> {
    let mut findings = invalid_indexes(connection, target).await?;
    let rules = format!(
        "select rule, count(*), min(violation) from {}.check_integrity() group by 1 order by 1",
        target.quoted_schema()
    );
    let broken: Vec<(String, i64, String)> =
        sqlx::query_as(AssertSqlSafe(rules)).fetch_all(connection).await?;
    findings.extend(broken.into_iter().map(|(rule, count, first)| {
        let what = format!("broken rule: {rule}; breaches: {count}, such as {first}");
        let cure = "another program has changed the tables: restore a backup, or repair the rows that `check_integrity()` returns";
        Finding::new(Check::Integrity, Severity::Fault, what, cure)
    }));
    Ok(findings)
}

async fn invalid_indexes(connection: &mut PgConnection, target: &Target) -> sqlx::Result<Vec<Finding>> {
    let invalid = "select c.relname::text from pg_index i join pg_class c on c.oid = i.indexrelid
        join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and not i.indisvalid order by 1";
    let invalid: Vec<String> =
        sqlx::query_scalar(invalid).bind(&*target.schema).fetch_all(connection).await?;
    let finding = |name: String| {
        let what = format!("the index `{name}` is invalid: the server does not use it");
        let cure = format!("run `reindex index concurrently {}.{name}`", target.quoted_schema());
        Finding::new(Check::Integrity, Severity::Fault, what, cure)
    };
    Ok(invalid.into_iter().map(finding).collect())
}
