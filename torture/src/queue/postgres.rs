//! The invariants of a queue's tables in PostgreSQL.

use queue_postgres::sqlx::{self, Connection as _, PgConnection};

/// Each statement selects the rows that break its rule.
const RULES: [(&str, &str); 5] = [
    (
        "a job is in exactly one table",
        "select j.id::text from queue.jobs j where 1 <>
            (select count(*) from queue.ready r
                where (r.queue_id, r.priority, r.run_at, r.seq) = (j.queue_id, j.priority, j.run_at, j.seq))
            + (select count(*) from queue.waiting w where (w.due, w.seq) = (j.run_at, j.seq))
            + (select count(*) from queue.leases l where l.id = j.id and l.seq = j.seq)
            + (select count(*) from queue.finished f where f.seq = j.seq)",
    ),
    (
        "every row of a table is a job",
        "select seq::text from (select seq from queue.ready union all select seq from queue.waiting union all
            select seq from queue.leases union all select seq from queue.finished) p
        where not exists (select from queue.jobs j where j.seq = p.seq)",
    ),
    (
        "a key that is held has a job",
        "select key from queue.unique_keys k where seq is null or
            (unique_until <= queue.clock() and not exists (select from queue.jobs j where j.seq = k.seq))",
    ),
    (
        "every failure has a job",
        "select seq::text from queue.failures f where not exists (select from queue.jobs j where j.seq = f.seq)",
    ),
    (
        "no job has more attempts than claims",
        "select j.id::text from queue.jobs j left join queue.finished f on f.seq = j.seq
        where coalesce(f.attempt, j.attempt) > coalesce(f.fence, j.fence)",
    ),
];

/// Creates a database whose files are on a disk, and returns its URL.
#[cfg(target_os = "linux")]
pub(super) async fn make_on(
    server: &test_servers::Postgres,
    disk: &std::path::Path,
) -> Result<String, queue_core::BoxError> {
    let mut database = PgConnection::connect(&server.url("postgres")).await?;
    let statements = [
        format!("create tablespace small location '{}'", disk.display()),
        "create database small tablespace small".to_owned(),
    ];
    for statement in statements {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut database).await?;
    }
    Ok(server.url("small"))
}

/// Checks the tables against the rules, and the server's files with its own checks.
pub(super) async fn check_integrity(url: &str) -> Result<(), String> {
    let mut database = PgConnection::connect(url).await.map_err(|error| error.to_string())?;
    for (rule, violations) in RULES {
        let found: Option<String> = sqlx::query_scalar(violations)
            .fetch_optional(&mut database)
            .await
            .map_err(|error| format!("`{rule}` can't be checked: {error}"))?;
        if let Some(violation) = found {
            return Err(format!("the rule that {rule} is broken by {violation}"));
        }
    }
    Ok(())
}
