//! Holds each statement to the plan that its comment promises, as `explain query plan` reports it.

use rusqlite::Connection;

use super::*;

pub(super) fn schema() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(include_str!("../../migrations/0001_jobs.sql")).unwrap();
    connection
}

pub(super) fn plan(connection: &Connection, statement: &str) -> Vec<String> {
    let mut explain = connection.prepare(&format!("explain query plan {statement}")).unwrap();
    let count = explain.parameter_count();
    let nothing = vec![rusqlite::types::Null; count];
    let rows = explain.query_map(rusqlite::params_from_iter(nothing), |row| row.get(3)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// The plan of an update of the first ready jobs.
const FIRST_READY: [&str; 4] = [
    "SEARCH queue_jobs USING INTEGER PRIMARY KEY (rowid=?)",
    "LIST SUBQUERY 1",
    "SEARCH queue_jobs USING COVERING INDEX queue_jobs_ready (partition_id=?)",
    "CREATE BLOOM FILTER",
];

/// Statements, each with all steps of its plan.
const PLANS: [(&str, &[&str]); 37] = [
    (FIND_QUEUE, &["SEARCH queue_names USING INDEX sqlite_autoindex_queue_names_1 (name=?)"]),
    (INSERT_QUEUE, &[]),
    (FIND_BY_ID, &["SEARCH queue_jobs USING COVERING INDEX queue_jobs_id (id=?)"]),
    (FIND_KEY_HOLDER, &["SEARCH queue_jobs USING INDEX queue_jobs_key (name=? AND unique_key=?)"]),
    (RELEASE_KEY, &["SEARCH queue_jobs USING INTEGER PRIMARY KEY (rowid=?)"]),
    (INSERT_JOB, &[]),
    (INSERT_PAYLOAD, &[]),
    (REPLACE_JOB, &["SEARCH queue_jobs USING INTEGER PRIMARY KEY (rowid=?)"]),
    (REPLACE_EXTERNAL_PAYLOAD, &["SEARCH queue_payloads USING INTEGER PRIMARY KEY (rowid=?)"]),
    (READY, &["SEARCH j USING INDEX queue_jobs_ready (partition_id=?)"]),
    (EXTERNAL_PAYLOAD, &["SEARCH queue_payloads USING INTEGER PRIMARY KEY (rowid=?)"]),
    (REPLACE_INLINE_PAYLOAD, &["SEARCH queue_jobs USING INTEGER PRIMARY KEY (rowid=?)"]),
    (SPILL_PAYLOAD, &["SEARCH queue_jobs USING INTEGER PRIMARY KEY (rowid=?)"]),
    (CLEAR_INLINE_PAYLOAD, &["SEARCH queue_jobs USING INTEGER PRIMARY KEY (rowid=?)"]),
    (LEASE, &FIRST_READY),
    (LEASE_WITH_ON_DISCARD, &FIRST_READY),
    (
        ANY_READY,
        &[
            "SEARCH q USING INDEX sqlite_autoindex_queue_names_1 (name=?)",
            "CORRELATED SCALAR SUBQUERY 1",
            "SEARCH j USING COVERING INDEX queue_jobs_ready (partition_id=?)",
        ],
    ),
    (PROMOTE_DUE, &["SEARCH queue_jobs USING INDEX queue_jobs_timed (state=? AND state_time<?)"]),
    (EXPIRED_LEASES, &["SEARCH queue_jobs USING INDEX queue_jobs_timed (state=? AND state_time<?)"]),
    (EXPIRE_LEASE, &["SEARCH queue_jobs USING INTEGER PRIMARY KEY (rowid=?)"]),
    (
        NEXT_STATE_TIME,
        &[
            "SCAN CONSTANT ROW",
            "SCALAR SUBQUERY 1",
            "SEARCH queue_jobs USING COVERING INDEX queue_jobs_timed (state=? AND state_time>?)",
            "SCALAR SUBQUERY 2",
            "SCAN queue_names USING COVERING INDEX queue_names_shared",
        ],
    ),
    (RENEW, &["SEARCH queue_jobs USING INDEX queue_jobs_id (id=?)"]),
    (RENEW_WITH_PROGRESS, &["SEARCH queue_jobs USING INDEX queue_jobs_id (id=?)"]),
    (FIND_LEASED, &["SEARCH queue_jobs USING INDEX queue_jobs_id (id=?)"]),
    (COMPLETE, &["SEARCH queue_jobs USING INTEGER PRIMARY KEY (rowid=?)"]),
    (COMPLETE_WITH_RESULT, &["SEARCH queue_jobs USING INTEGER PRIMARY KEY (rowid=?)"]),
    (ON_DISCARD, &["SEARCH queue_jobs USING INTEGER PRIMARY KEY (rowid=?)"]),
    (STATE, &["SEARCH queue_jobs USING INDEX queue_jobs_id (id=?)"]),
    (DISCARD, &["SEARCH queue_jobs USING INTEGER PRIMARY KEY (rowid=?)"]),
    (CANCEL, &["SEARCH queue_jobs USING INTEGER PRIMARY KEY (rowid=?)"]),
    (RETRY, &["SEARCH queue_jobs USING INTEGER PRIMARY KEY (rowid=?)"]),
    (SNOOZE, &["SEARCH queue_jobs USING INTEGER PRIMARY KEY (rowid=?)"]),
    (RELEASE, &["SEARCH queue_jobs USING INTEGER PRIMARY KEY (rowid=?)"]),
    (
        OLDEST_FINISHED,
        &[
            "SEARCH queue_jobs USING COVERING INDEX queue_jobs_by_queue (queue_id=? AND state=? AND state_time<?)",
        ],
    ),
    (QUEUE_IDS, &["SCAN queue_names USING COVERING INDEX sqlite_autoindex_queue_names_1"]),
    (FAILURES, &["SEARCH queue_failures USING PRIMARY KEY (seq=?)"]),
    (
        GET,
        &[
            "SEARCH j USING INDEX queue_jobs_id (id=?)",
            "SEARCH q USING INTEGER PRIMARY KEY (rowid=?)",
            "CORRELATED SCALAR SUBQUERY 1",
            "SEARCH queue_workers USING INTEGER PRIMARY KEY (rowid=?)",
        ],
    ),
];

#[test]
fn push_claim_renew_and_settle_use_indexes_only() {
    let connection = schema();
    let other = PLANS.iter().filter_map(|(statement, expected)| {
        let plan = plan(&connection, statement);
        (plan != *expected)
            .then(|| format!("{statement}\n  expected plan: {expected:?}\n  actual plan:   {plan:?}"))
    });

    assert_eq!(other.collect::<Vec<_>>().join("\n"), "");
}

/// The statements for shared queues.
const SHARED_PLANS: [(&str, &[&str]); 21] = [
    (
        partitions::ANY_SHARED,
        &[
            "SCAN CONSTANT ROW",
            "SCALAR SUBQUERY 1",
            "SCAN queue_names USING COVERING INDEX queue_names_shared",
        ],
    ),
    (partitions::IS_SHARED, &["SEARCH queue_names USING INTEGER PRIMARY KEY (rowid=?)"]),
    (partitions::TOTAL, &["SEARCH queue_totals USING INTEGER PRIMARY KEY (rowid=?)"]),
    (partitions::STORE_TOTAL, &["SEARCH queue_totals USING INTEGER PRIMARY KEY (rowid=?)"]),
    (partitions::PARTITION, &[BY_NAME]),
    (partitions::READY_NAMED, &[READY_OF_QUEUE]),
    (partitions::INSERT_PARTITION, &["SCALAR SUBQUERY 1", "SEARCH queue_partitions"]),
    (partitions::STORE_PARTITION, &["SEARCH queue_partitions USING INTEGER PRIMARY KEY (rowid=?)"]),
    (
        partitions::OPEN_HELD,
        &["SEARCH queue_partitions USING INDEX queue_partitions_held (queue_id=? AND free_at<?)"],
    ),
    (partitions::OPEN, &["SEARCH queue_partitions USING INDEX queue_partitions_open (queue_id=?)"]),
    (
        partitions::NEXT_START,
        &[
            "SEARCH t USING INTEGER PRIMARY KEY (rowid=?)",
            "SCALAR SUBQUERY 1",
            "SEARCH queue_partitions USING INDEX queue_partitions_open (queue_id=?)",
            "SCALAR SUBQUERY 2",
            "SEARCH queue_partitions USING INDEX queue_partitions_held (queue_id=?)",
        ],
    ),
    (partitions::LEASE_JOB, &["SEARCH queue_jobs USING INTEGER PRIMARY KEY (rowid=?)"]),
    (partitions::PLACE, &["SEARCH queue_jobs USING INTEGER PRIMARY KEY (rowid=?)"]),
    (partitions::STATE_OF, &["SEARCH queue_jobs USING INTEGER PRIMARY KEY (rowid=?)"]),
    (partitions::MOVE, &["SEARCH queue_jobs USING INTEGER PRIMARY KEY (rowid=?)"]),
    (partitions::PROMOTE, &["SEARCH queue_jobs USING INTEGER PRIMARY KEY (rowid=?)"]),
    (
        partitions::PROMOTE_PLAIN,
        &[
            "SEARCH queue_jobs USING INDEX queue_jobs_timed (state=? AND state_time<?)",
            "LIST SUBQUERY 1",
            "SCAN queue_names USING COVERING INDEX queue_names_shared",
            "CREATE BLOOM FILTER",
        ],
    ),
    (
        partitions::DUE,
        &[
            "SEARCH queue_jobs USING INDEX queue_jobs_timed (state=? AND state_time<?)",
            "LIST SUBQUERY 1",
            "SCAN queue_names USING COVERING INDEX queue_names_shared",
            "CREATE BLOOM FILTER",
        ],
    ),
    (partitions::NEXT_IDLE, &["SEARCH queue_partitions USING INTEGER PRIMARY KEY (rowid<?)"]),
    (partitions::DELETE_PARTITION, &["SEARCH queue_partitions USING INTEGER PRIMARY KEY (rowid=?)"]),
    (usage::PARTITIONS, &["SEARCH queue_partitions USING INDEX queue_partitions_name (queue_id=?)"]),
];

const READY_OF_QUEUE: &str = "SEARCH queue_partitions USING INDEX queue_partitions_name (queue_id=?)";

const BY_NAME: &str = "SEARCH queue_partitions USING INDEX queue_partitions_name (queue_id=? AND name=?)";

#[test]
fn the_statements_for_shared_queues_use_indexes_only() {
    let connection = schema();
    let other = SHARED_PLANS.iter().filter_map(|(statement, expected)| {
        let plan = plan(&connection, statement);
        (plan != *expected)
            .then(|| format!("{statement}\n  expected plan: {expected:?}\n  actual plan:   {plan:?}"))
    });

    assert_eq!(other.collect::<Vec<_>>().join("\n"), "");
}

#[test]
fn an_insert_into_the_view_uses_indexes_only() {
    let connection = schema();
    connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_TRIGGER_EQP, true).unwrap();

    let plan = plan(&connection, "insert into queue_enqueue (name, unique_key) values ('work', 'key')");

    let count = |step: &str| plan.iter().filter(|found| found.starts_with(step)).count();
    assert!(count("SEARCH queue_jobs USING") >= 4, "{plan:#?}");
    assert_eq!(
        count("SCAN queue_jobs") + count("SCAN queue_names") + count("SCAN queue_payloads"),
        0,
        "{plan:#?}"
    );
}
