//! A diagnosis finds what was broken on purpose, with its cure, and nothing in a schema that only the queue has changed.

use std::time::Duration;

use queue_core::admin::{Check, Finding, Severity};
use queue_core::{
    Admin as _, Announcement, BoxError, Demand, Queue as _, QueueExt as _, Settlement, Transition,
};
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::{Connection as _, PgConnection};
use test_servers::{Durability, Postgres};

use crate::fixture::{TestResult, number, queue, run, work};

/// The findings that all schemas of the shared server have, since it is started for tests.
const OF_THE_SERVER: [&str; 4] =
    ["`fsync` is off", "`full_page_writes` is off", "`synchronous_commit` is off", "`autovacuum` is off"];

/// Diagnoses a queue, and leaves out what is found of the shared server.
async fn diagnosed(queue: &PostgresQueue) -> Result<Vec<Finding>, BoxError> {
    let mut findings = queue.diagnose().await?;
    findings.retain(|finding| !OF_THE_SERVER.iter().any(|start| finding.what.starts_with(start)));
    // Other tests of the server keep transactions open.
    findings.retain(|finding| !finding.what.contains("has had a transaction open"));
    Ok(findings)
}

fn whats(findings: &[Finding], check: Check) -> Vec<&str> {
    findings.iter().filter(|finding| finding.check == check).map(|finding| &*finding.what).collect()
}

/// Stores jobs of all kinds.
async fn fill(queue: &PostgresQueue) -> TestResult {
    for number in 0..3 {
        queue.enqueue(work::new(number)).unique(format!("key {number}")).await?;
    }
    queue.enqueue(work::new(4)).delay(Duration::from_secs(3600)).await?;
    let claimed = queue.claim(&Demand::new("default", 2)).await?;
    let discard = |lease| Settlement::new(lease, Transition::Discard { error: "no".into() });
    queue.settle(claimed.into_iter().take(1).map(|job| discard(job.lease)).collect()).await?;
    Ok(())
}

#[tokio::test]
async fn nothing_is_found_in_a_schema_that_only_the_queue_has_changed() -> TestResult {
    let (queue, _connection, _) = queue().await?;
    fill(&queue).await?;

    assert_eq!(diagnosed(&queue).await?, []);
    Ok(())
}

#[tokio::test]
async fn what_differs_from_the_schema_of_this_program_is_found() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    let changes = format!(
        "set search_path = {schema};
        drop index leases_expiry;
        alter table jobs alter column priority set default 3;
        alter table ready reset (autovacuum_vacuum_threshold);
        drop function any_ended(uuid[]);
        create or replace function an_applications_own() returns integer language sql as 'select 1';
        create or replace view overview as select * from (select null::uuid as id) nothing"
    );
    // A view can't lose columns, so it is replaced whole.
    let changes =
        changes.replace("create or replace view overview", "drop view overview; create view overview");
    run(&mut connection, changes).await?;

    let findings = diagnosed(&queue).await?;

    let found = whats(&findings, Check::Schema);
    let expected = [
        format!(
            "the column jobs.priority of schema `{schema}` differs from the one that this program creates"
        ),
        format!("the function any_ended(uuid[]) of schema `{schema}` is missing"),
        format!("the index leases_expiry of schema `{schema}` is missing"),
        format!("the table ready of schema `{schema}` differs from the one that this program creates"),
        format!("the view overview of schema `{schema}` differs from the one that this program creates"),
    ];
    assert_eq!(found, expected);
    assert!(findings.iter().all(|finding| finding.severity == Severity::Fault && !finding.cure.is_empty()));
    Ok(())
}

#[tokio::test]
async fn rows_that_break_a_rule_and_an_index_that_is_not_used_are_found() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    fill(&queue).await?;
    let changes = format!(
        "delete from {schema}.ready;
        update pg_index set indisvalid = false where indexrelid = '{schema}.finished_by_queue'::regclass"
    );
    run(&mut connection, changes).await?;

    let findings = diagnosed(&queue).await?;

    let found = whats(&findings, Check::Integrity);
    assert_eq!(found.len(), 2, "{findings:?}");
    assert!(found[0].contains("`finished_by_queue` is invalid"), "{findings:?}");
    assert!(found[1].starts_with("broken rule: a job has exactly one row in ready"), "{findings:?}");
    run(&mut connection, format!("reindex index {schema}.finished_by_queue")).await?;
    assert_eq!(whats(&diagnosed(&queue).await?, Check::Integrity).len(), 1, "the cure cures");
    Ok(())
}

#[tokio::test]
async fn a_clock_that_differs_is_found() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    let late = format!(
        "create or replace function {schema}.clock() returns bigint language sql volatile as
        $$ select (extract(epoch from clock_timestamp()) * 1000000)::bigint - 95500000 $$"
    );
    run(&mut connection, late).await?;

    let findings = diagnosed(&queue).await?;

    let found = whats(&findings, Check::Clock);
    assert!(found.len() == 1 && found[0].starts_with("the store's clock is 95 s"), "{findings:?}");
    assert!(found[0].ends_with("s behind this machine's"), "{findings:?}");
    assert_eq!(whats(&findings, Check::Schema).len(), 1, "the function itself");
    Ok(())
}

#[tokio::test]
async fn settings_with_which_a_crash_loses_jobs_are_found() -> TestResult {
    let (queue, _connection, _) = queue().await?;

    let findings = queue.diagnose().await?;

    let bad = whats(&findings, Check::Durability);
    assert!(bad.iter().any(|what| what.starts_with("`fsync` is off")), "{findings:?}");
    assert!(whats(&findings, Check::Maintenance).iter().any(|what| what.starts_with("`autovacuum` is off")));
    Ok(())
}

#[tokio::test]
async fn a_table_without_autovacuum_is_found() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    run(&mut connection, format!("alter table {schema}.waiting set (autovacuum_enabled = false)")).await?;

    let findings = diagnosed(&queue).await?;

    let found = whats(&findings, Check::Maintenance);
    assert_eq!(found, ["autovacuum is off for the table `waiting`: its dead rows stay"]);
    Ok(())
}

/// Runs 100,100 transactions: a block that writes and has an exception clause is one of its own within the first.
const BURN: &str = "create temp table written (n integer);
    do $$ begin for n in 1 .. 100100 loop
        begin insert into written values (n); exception when others then null; end;
    end loop; end $$";

/// A prepared transaction is found with the statements that end it, and not after its end.
#[tokio::test]
async fn a_prepared_transaction_that_nobody_ends_is_found() -> TestResult {
    let server = Postgres::start(Durability::Process, &["max_prepared_transactions=4"])?;
    let url = server.url("postgres");
    let queue = PostgresQueue::builder(&url).connect().await?;
    let mut other = PgConnection::connect(&url).await?;
    for statement in
        ["create table invoices ()", "begin", "drop table invoices", "prepare transaction 'o''7'"]
    {
        run(&mut other, statement).await?;
    }
    run(&mut other, BURN).await?;

    let findings = queue.diagnose().await?;

    let found = whats(&findings, Check::Maintenance);
    assert!(found.len() == 1 && found[0].contains("prepared transaction 'o''7' of"), "{findings:?}");
    let cure = "rollback prepared 'o''7'";
    assert!(findings.iter().any(|finding| finding.cure.ends_with(&format!("`{cure}`"))), "{findings:?}");
    run(&mut other, cure).await?;
    assert_eq!(whats(&queue.diagnose().await?, Check::Maintenance), Vec::<&str>::new());
    Ok(())
}

/// A slot without a reader that holds more of the log than `max_wal_size` is found, and not after its removal.
#[tokio::test]
async fn a_replication_slot_that_holds_the_log_is_found() -> TestResult {
    let server = Postgres::start(Durability::Process, &["max_wal_size=32MB", "wal_level=replica"])?;
    let url = server.url("postgres");
    let queue = PostgresQueue::builder(&url).connect().await?;
    let mut other = PgConnection::connect(&url).await?;
    run(&mut other, "select pg_create_physical_replication_slot('standby', true)").await?;
    assert_eq!(whats(&queue.diagnose().await?, Check::Maintenance), Vec::<&str>::new());
    // Each switch begins another 16 MB.
    for n in 0..4 {
        run(&mut other, format!("create table written_{n} ()")).await?;
        run(&mut other, "select pg_switch_wal()").await?;
    }

    let findings = queue.diagnose().await?;

    let found = whats(&findings, Check::Maintenance);
    assert!(found.len() == 1 && found[0].contains("slot `standby` (not in use) holds"), "{findings:?}");
    let cure = "select pg_drop_replication_slot('standby')";
    assert!(findings.iter().any(|finding| finding.cure.contains(&format!("`{cure}`"))), "{findings:?}");
    run(&mut other, cure).await?;
    assert_eq!(whats(&queue.diagnose().await?, Check::Maintenance), Vec::<&str>::new());
    Ok(())
}

/// A transaction that is as old as 100,000 others is found, however short the time.
#[tokio::test]
async fn a_transaction_that_holds_back_the_vacuum_is_found() -> TestResult {
    let server = Postgres::start(Durability::Process, &[])?;
    let url = server.url("postgres");
    let queue = PostgresQueue::builder(&url).connect().await?;
    let mut holder = PgConnection::connect(&url).await?;
    run(&mut holder, "set application_name = 'report'; begin isolation level repeatable read; select 1")
        .await?;
    let mut other = PgConnection::connect(&url).await?;
    run(&mut other, BURN).await?;

    let findings = queue.diagnose().await?;

    let found = whats(&findings, Check::Maintenance);
    assert!(found.len() == 1 && found[0].contains("of `report` (idle in transaction)"), "{findings:?}");
    let pid =
        number(&mut other, "select pid::bigint from pg_stat_activity where application_name = 'report'")
            .await?;
    assert!(findings.iter().any(|finding| finding.cure.contains(&format!("pg_terminate_backend({pid})"))));
    Ok(())
}

#[tokio::test]
async fn a_worker_that_vanished_with_a_lease_is_found() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    queue.enqueue(work::new(1)).await?;
    let mut announcement = Announcement::new("host/1/mail".into());
    announcement.valid_for = Duration::from_secs(600);
    queue.announce(&announcement).await?;
    queue.claim(&Demand::new("default", 1).worker("host/1/mail").lease(Duration::from_secs(600))).await?;
    assert_eq!(diagnosed(&queue).await?, []);
    run(
        &mut connection,
        format!(
            "update {schema}.workers set expires_at = expires_at - 700000000, seen_at = seen_at - 700000000"
        ),
    )
    .await?;

    let findings = diagnosed(&queue).await?;

    let found = whats(&findings, Check::Workers);
    assert!(
        found.len() == 1 && found[0].contains("host/1/mail has vanished, and holds 1 lease"),
        "{findings:?}"
    );
    Ok(())
}

/// A user without the right to create a schema learns that the comparison was not made, and all else is checked.
#[tokio::test]
async fn a_user_with_few_rights_learns_what_was_not_checked() -> TestResult {
    let server = Postgres::start(Durability::Process, &[])?;
    PostgresQueue::builder(server.url("postgres")).migrate().await?;
    let mut owner = PgConnection::connect(&server.url("postgres")).await?;
    run(&mut owner, "create role app login").await?;
    run(&mut owner, include_str!("../../migrations/grants.sql").replace("app_user", "app")).await?;
    let queue = PostgresQueue::connect(server.url_of("app", "postgres")).await?;

    let findings = diagnosed(&queue).await?;

    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!((findings[0].check, findings[0].severity), (Check::Schema, Severity::Note));
    Ok(())
}
